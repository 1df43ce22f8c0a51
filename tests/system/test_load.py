# SPDX-License-Identifier: BSD-2-Clause
"""Many guests at once, and many one after the other."""

from machine import COMMAND, GUEST, REFERENCE

MACHINE = {"memory": 3072, "dom0_memory": 512}
WORK = 20   # seconds of load


def test_four_guests_under_load(dom0):
    """Each guest computes, writes its disk and talks to dom0 at the same time; all results are right."""
    guests = []
    for number in range(1, 5):
        dom0.run(f"truncate -s 24M /disks/load{number}.img")
        guests.append(dom0.guest(f"load{number}", memory=160, vcpus=2, vif=["bridge=xenbr0"], args=f"addr=10.1.1.{number}/16",
                                 disk=[f"format=raw,vdev=xvda,access=rw,target=/disks/load{number}.img"]))
    for guest in guests:
        guest.create()
    for guest in guests:
        guest.wait()
    for guest in guests:
        guest.run("head -c 16777216 /dev/urandom > /tmp/data; sha256sum < /tmp/data > /tmp/expected; echo 0 > /tmp/bad; "
                  f"(end=$(($(date +%s) + {WORK})); n=0; while [ $(date +%s) -lt $end ] || [ $n = 0 ]; do "
                  "dd if=/tmp/data of=/dev/xvda bs=1M conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; "
                  "dd if=/dev/xvda bs=1M count=16 2>/dev/null | sha256sum | cmp -s - /tmp/expected || echo 1 > /tmp/bad; "
                  "n=$((n+1)); done; echo $n > /tmp/disk) > /dev/null 2>&1 &", timeout=GUEST)
        guest.run(f"(ping -q -i 0.2 -w {WORK} 10.1.0.1 > /tmp/ping; echo done > /tmp/net) > /dev/null 2>&1 &")
        guest.run("(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo $i > /tmp/loop) > /dev/null 2>&1 &")
    for guest in guests:
        guest.run("n=0; until [ -e /tmp/disk ] && [ -e /tmp/net ] && [ -e /tmp/loop ]; do n=$((n+1)); [ $n -lt 300 ] || break; sleep 1; done; "
                  "[ -e /tmp/disk ]", timeout=GUEST * 3)
        assert guest.out("cat /tmp/bad /tmp/loop; [ $(cat /tmp/disk) -gt 0 ] && echo wrote") == "0\n100000\nwrote"
        assert " 0% packet loss" in guest.out("cat /tmp/ping")
    assert set(dom0.domains()) == {"Domain-0", "load1", "load2", "load3", "load4"}
    for guest in guests:
        guest.destroy()
    dom0.wait("! losetup -a | grep -q load", 60, "the loop devices gone")
    dom0.run("rm /disks/load*.img")


def test_fifty_cycles(dom0):
    """Fifty guests come and go, some with devices, some destroyed while they boot: no memory stays behind."""
    plain = dom0.guest("plain", memory=128)
    rich = dom0.guest("rich", memory=160, vcpus=2, vif=["bridge=xenbr0"], disk=["format=raw,vdev=xvda,access=rw,target=/disks/c.img"])
    dom0.run("truncate -s 16M /disks/c.img")
    # The first of each may leave dom0's own caches grown; the count starts after it.
    cycle = "xl create -q {0} && {1} && xl destroy {2}"
    dom0.run(cycle.format(plain.config, "true", "plain"), timeout=COMMAND)
    dom0.run(cycle.format(rich.config, "sleep 1", "rich"), timeout=COMMAND)
    dom0.wait("! xl domid plain 2>/dev/null && ! xl domid rich 2>/dev/null", 60)
    free, ident = dom0.free_memory(), dom0.out("xl list | wc -l")
    dom0.run("xl dmesg -c > /dev/null")
    for number in range(10):
        dom0.run("for i in 1 2 3 4; do " + cycle.format(plain.config, f"sleep 0.{number}", "plain") + " || exit 9; done", timeout=GUEST)
        dom0.run(cycle.format(rich.config, f"sleep {number % 4}", "rich"), timeout=GUEST)
    assert dom0.out("xl list | wc -l") == ident
    dom0.wait(f"[ $(xl info free_memory) = {free} ]", 60, f"free memory of {free} MiB again")
    dom0.wait("! losetup -a | grep -q c.img", 60)
    if not REFERENCE:
        # The hypervisor's own counters at each end: fifty lines, all zero.
        gone = dom0.out("xl dmesg | grep -c 'is gone, leaving 0 grants mapped, 0 ports, 0 pages, 0 claimed$'")
        assert (gone, dom0.out("xl dmesg | grep -c 'is gone'"), dom0.out("xl dmesg | grep -c LEAK; true")) == ("50", "50", "0")
    dom0.run("rm /disks/c.img")
