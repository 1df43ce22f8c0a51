# SPDX-License-Identifier: BSD-2-Clause
"""What guests have through dom0's backends: disks on files and devices, network on a bridge."""

import re

import pytest

from machine import COMMAND
from traffic import BIG, send

MACHINE = {"memory": 3072, "dom0_memory": 768}


def write_and_read_back(guest, device):
    """64 MiB to the device past the cache; returns the checksum of what was written, checked against what is read."""
    guest.run("dd if=/dev/urandom of=/tmp/data bs=1M count=64 2>/dev/null", timeout=BIG)
    written = guest.out("sha256sum < /tmp/data", timeout=BIG)
    guest.run(f"dd if=/tmp/data of={device} bs=1M conv=fsync 2>/dev/null", timeout=BIG)
    guest.run("echo 3 > /proc/sys/vm/drop_caches")
    assert guest.out(f"dd if={device} bs=1M count=64 2>/dev/null | sha256sum", timeout=BIG) == written
    return written.split()[0]


@pytest.mark.parametrize("kind", ["file", "phy"])
def test_disk(dom0, kind):
    """A guest writes 64 MiB; it, dom0 and a second guest read the same."""
    dom0.run("truncate -s 80M /disks/disk.img")
    target, loop = "/disks/disk.img", None
    if kind == "phy":
        loop = dom0.out("losetup -f --show /disks/disk.img")
        target = loop
    disk = [f"format=raw,vdev=xvda,access=rw,{'backendtype=phy,' if kind == 'phy' else ''}target={target}"]
    first = dom0.guest("first", memory=256, disk=disk).boot()
    assert first.out("blockdev --getsize64 /dev/xvda") == str(80 << 20)
    written = write_and_read_back(first, "/dev/xvda")
    dom0.run("xl shutdown -w first", timeout=COMMAND * 2)
    assert dom0.out(f"head -c 64M {target} | sha256sum", timeout=BIG).split()[0] == written
    second = dom0.guest("second", memory=256, disk=[disk[0].replace("access=rw", "access=ro")]).boot()
    assert second.out("head -c 67108864 /dev/xvda | sha256sum", timeout=BIG).split()[0] == written
    assert second.run("dd if=/dev/zero of=/dev/xvda bs=4k count=1 conv=fsync", check=False).status != 0
    second.destroy()
    if loop:
        dom0.run(f"losetup -d {loop}")
    dom0.wait("! losetup -a | grep -q disk.img", 60, "the loop device of the guest's disk gone")
    dom0.run("rm /disks/disk.img")


IN_GUEST = "n=0; until {0}; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 1; done; {0}"


def test_disk_attach_detach(dom0):
    """Hot-plugged, listed on both sides, and gone again."""
    dom0.run("truncate -s 16M /disks/extra.img")
    guest = dom0.guest("g").boot()
    dom0.run("xl block-attach g format=raw,vdev=xvdb,access=rw,target=/disks/extra.img")
    guest.run(IN_GUEST.format("[ -b /dev/xvdb ]"), timeout=COMMAND * 3)
    assert guest.out("cat /sys/bus/xen/devices/vbd-51728/nodename") == "device/vbd/51728"
    number, backend, frontend, state = dom0.out("xl block-list g | tail -n 1").split()[:4]
    assert (number, backend, frontend, state) == ("51728", "0", dom0.domains()["g"][0], "4")
    guest.run("echo krypton | dd of=/dev/xvdb bs=512 conv=sync,fsync 2>/dev/null")
    dom0.run("xl block-detach g xvdb")
    guest.run(IN_GUEST.format("[ ! -e /dev/xvdb ]"), timeout=COMMAND * 3)
    assert dom0.out("xl block-list g | wc -l") == "1"
    assert dom0.out("head -c 7 /disks/extra.img") == "krypton"
    dom0.wait("! losetup -a | grep -q extra.img", 60, "the loop device gone")
    dom0.run("rm /disks/extra.img")


BUSY_DISK = ["format=raw,vdev=xvdb,access=rw,target=/disks/busy.img"]


def busy_disk_gone(dom0):
    dom0.wait("! losetup -a | grep -q busy.img", 60, "the loop device gone")
    assert dom0.out("xl block-list g | wc -l") == "1"
    assert dom0.out("debugfs -R 'cat file' /disks/busy.img 2>/dev/null") == "before"
    dom0.run("rm /disks/busy.img")


def test_mounted_disk_detached(dom0):
    """To the guest the disk is pulled out: writes fail, what was written before is there, all else goes on."""
    dom0.run("truncate -s 16M /disks/busy.img && mkfs.ext4 -q /disks/busy.img")
    guest = dom0.guest("g", disk=BUSY_DISK).boot()
    guest.run("mount /dev/xvdb /mnt && echo before > /mnt/file && sync")
    dom0.run("xl block-detach g xvdb")
    guest.run(IN_GUEST.format("[ ! -e /dev/xvdb ]"), timeout=COMMAND * 3)
    assert guest.run("dd if=/dev/zero of=/mnt/more bs=4k count=1 conv=fsync", check=False).status != 0
    assert guest.out("umount /mnt; echo $((6 * 7))").endswith("42")
    busy_disk_gone(dom0)


def test_disk_not_let_go(dom0):
    """A guest that is paused does not let its disk go: the tool says so after a while, and the disk goes when it is asked again."""
    dom0.run("truncate -s 16M /disks/busy.img && mkfs.ext4 -q /disks/busy.img")
    guest = dom0.guest("g", disk=BUSY_DISK).boot()
    guest.run("mount /dev/xvdb /mnt && echo before > /mnt/file && umount /mnt")
    dom0.run("xl pause g")
    result = dom0.run("xl block-detach g xvdb 2>&1", check=False)
    assert result.status != 0 and re.search("(?i)fail|time", result.output), result
    dom0.run("xl unpause g")
    dom0.run("xl block-detach g xvdb")
    guest.run(IN_GUEST.format("[ ! -e /dev/xvdb ]"), timeout=COMMAND * 3)
    busy_disk_gone(dom0)


@pytest.fixture
def pair(dom0):
    """Two guests on the bridge, at 10.1.0.2 and 10.1.0.3."""
    guests = [dom0.guest(f"n{n}", memory=256, vcpus=n, vif=["bridge=xenbr0"], args=f"addr=10.1.0.{n + 1}/16") for n in (1, 2)]
    for guest in guests:
        guest.boot()
    return guests


def test_network(dom0, pair):
    """dom0 to guest, guest to dom0, guest to guest."""
    dom0.run("mount -t tmpfs tmp /tmp; ping -c 3 10.1.0.2 && ping -c 3 10.1.0.3")
    send(dom0, pair[0], "10.1.0.2")
    send(pair[1], dom0, "10.1.0.1")
    send(pair[0], pair[1], "10.1.0.3")
    dom0.run("umount /tmp", check=False)


def test_network_attach_detach(dom0):
    guest = dom0.guest("g").boot()
    dom0.run("xl network-attach g bridge=xenbr0")
    guest.run(IN_GUEST.format("[ -e /sys/class/net/eth0 ]") + " && ip addr add 10.1.0.9/16 dev eth0 && ip link set eth0 up",
              timeout=COMMAND * 3)
    row = dom0.out("xl network-list g | tail -n 1").split()
    assert row[0] == "0" and row[2] == guest.out("cat /sys/class/net/eth0/address")
    assert guest.out("cat /sys/bus/xen/devices/vif-0/nodename") == "device/vif/0"
    dom0.wait("ping -c 1 -W 2 10.1.0.9 > /dev/null", 60)
    dom0.run("xl network-detach g 0")
    dom0.wait("! ls /sys/class/net | grep -q vif", 60, "the backend interface gone")
    guest.run(IN_GUEST.format("[ ! -e /sys/class/net/eth0 ]"), timeout=COMMAND * 3)
