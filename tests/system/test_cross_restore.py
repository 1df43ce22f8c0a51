# SPDX-License-Identifier: BSD-2-Clause
"""A guest saved under this hypervisor is restored under Debian's, and the other way round: the image is one of the stock
tools, and what it says of a guest means the same to both. Two machines share the guests' disks and the saved images.
"""

import pytest

from machine import COMMAND, GUEST, IMAGES, Guest, sparse_disk

SHARED = {"cpus": 1, "memory": 1280, "dom0_memory": 512}
MIB = 112           # of a guest
NIC = "bridge=xenbr0"

# Dates and ages are whole seconds, read one after the other over a slow console.
SLACK = 15


@pytest.fixture
def hosts(machine, tmp_path):
    """Ours and Debian's; both have the images in /dev/vdb, and a disk for a guest in /dev/vdc."""
    disks = [("shared", sparse_disk(tmp_path / name, mib)) for name, mib in (("images", MIB + 48), ("disk", 16))]
    ours = machine(disks=disks, **SHARED).start()
    debians = machine(disks=disks, kernel=IMAGES / "xen", **SHARED).start()
    return ours.reach_shell(), debians.reach_shell()


def move(guest, target):
    """Saved where it is, restored on the target (which may be where it is)."""
    source = guest.machine
    source.run(f"xl save {guest.name} /dev/vdb && sync", timeout=GUEST)
    source.wait(f"! xl domid {guest.name} > /dev/null 2>&1", 60, "the end of the saved domain")
    target.run("echo 3 > /proc/sys/vm/drop_caches; xl restore /dev/vdb", timeout=GUEST)
    return guest.at(target)


def settle(guest):
    """What the guest shall have wherever it comes to: files, a running count on each vCPU."""
    guest.run("for i in 1 2 3 4; do head -c 3000000 /dev/urandom > /tmp/f$i; done; sha256sum /tmp/f? > /tmp/sums; sync")
    for cpu in range(guest.vcpus):
        guest.run(f"(taskset {1 << cpu} sh -c 'i=0; while :; do i=$((i+1)); echo $i > /tmp/n{cpu}; usleep 200000; done' "
                  "> /dev/null 2>&1 &)")
    guest.run("date +%s > /tmp/born; cut -d. -f1 /proc/uptime > /tmp/age")


def check(guest, number):
    """Memory, clock, vCPUs, disk, network and console are as they were and go on."""
    host = guest.machine
    assert guest.out("sha256sum -c /tmp/sums | grep -c OK", COMMAND) == "4"
    here, there = int(host.out("date +%s")), int(guest.out("date +%s"))
    assert abs(here - there) <= SLACK, "the date went on with the host's"
    born, age, now = map(int, guest.out("cat /tmp/born /tmp/age; cut -d. -f1 /proc/uptime").split())
    assert abs((now - age) - (there - born)) <= SLACK, "the guest is as old as its date says"
    before, after = map(int, guest.out("date +%s; sleep 3; date +%s").split())
    assert 3 <= after - before <= 3 + SLACK, "a sleep takes its time"
    assert guest.out("nproc") == str(guest.vcpus) == host.domains()[guest.name][2]
    for cpu in range(guest.vcpus):
        count = int(guest.out(f"cat /tmp/n{cpu}"))
        guest.run(f"i=0; until [ $(cat /tmp/n{cpu}) -gt {count} ]; do i=$((i+1)); [ $i -lt 60 ] || break; sleep 1; done; "
                  f"[ $(cat /tmp/n{cpu}) -gt {count} ]")
    assert guest.out("head -n 1 /dev/xvda") == f"stage-{number}"
    guest.run(f"echo stage-{number + 1} | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null")
    host.wait("ping -c 1 -W 2 10.1.0.7 > /dev/null", 60, "an answer of the guest")


def there_and_back(one, other, vcpus):
    """A guest that begins on one host goes to the other, is saved and restored there once more, and goes back home."""
    free = one.free_memory(), other.free_memory()
    guest = one.guest(f"g{vcpus}", vcpus=vcpus, memory=MIB, vif=[NIC], args="addr=10.1.0.7/16",
                      disk=["format=raw,vdev=xvda,access=rw,backendtype=phy,target=/dev/vdc"]).boot()
    guest.vcpus = vcpus
    settle(guest)
    guest.run("echo stage-0 | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null")
    for number, target in enumerate((other, other, one)):
        guest = move(guest, target)
        check(guest, number)
    one.run(f"xl destroy {guest.name}")
    for host, before in zip((one, other), free):
        host.memory_back(before)
        assert list(host.domains()) == ["Domain-0"]


def test_there_and_back(hosts):
    ours, debians = hosts
    there_and_back(ours, debians, vcpus=1)
    there_and_back(debians, ours, vcpus=2)
