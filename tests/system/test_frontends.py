# SPDX-License-Identifier: BSD-2-Clause
"""A guest whose frontends break the rules of their rings hurts itself alone.

The micro guest (families front_block and front_net) is that guest. Meanwhile another one works on its disk and network, and
checks what it reads.
"""

import re

import pytest

from machine import COMMAND, TOP
from traffic import send

MICRO = TOP / "build/guests/micro/micro"
MACHINE = {"memory": 3072, "dom0_memory": 768, "files": [MICRO]}
DISK = "format=raw,vdev={},access={},target=/disks/{}.img"

# What dom0's backends say, and how often: by the tests of the micro guest that make them.
COMPLAINTS = {
    "Frontend provided bogus ring requests": 1,     # too_many_requests
    "mapping ring-ref port": 2,                     # no_ring, no_port
    "Cross page boundary": 1,
    "Impossible number of requests": 1,
    "Invalid extra type: 127": 1,
    "Malicious frontend using": 1,
    "fatal error; disabling device": 4,
}


@pytest.fixture
def disks(dom0):
    dom0.run("for d in bad storm good; do printf krypton > /disks/$d.img; truncate -s 16M /disks/$d.img; done")
    yield
    dom0.wait("! losetup -a | grep -q disks/", 60, "the loop devices of the guests' disks gone")
    dom0.run("rm /disks/{bad,storm,good}.img")


# Writes 1 MiB to the disk past the cache, reads them back, over and over; a line for each round, good or bad.
WORK = ("dd if=/dev/urandom of=/tmp/data bs=1M count=1 2>/dev/null; sum=$(sha256sum < /tmp/data); : > /tmp/rounds; "
        "(while [ ! -e /tmp/stop ]; do dd if=/tmp/data of=/dev/xvda bs=256k conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; "
        "if [ \"$(head -c 1048576 /dev/xvda | sha256sum)\" = \"$sum\" ]; then echo good; else echo bad; fi >> /tmp/rounds; sleep 1; done) "
        "> /dev/null 2>&1 &")


@pytest.fixture
def worker(dom0, disks):
    guest = dom0.guest("worker", memory=192, disk=[DISK.format("xvda", "rw", "good")], vif=["bridge=xenbr0"],
                       args="addr=10.1.0.2/16").boot()
    guest.run(WORK)
    guest.all_rounds = 0
    yield guest
    guest.destroy()


def goes_on(dom0, worker):
    """The other guest has done more rounds than when last asked, all good, and is reached over its network."""
    worker.run(f"n=0; until [ $(grep -c . /tmp/rounds) -gt {worker.all_rounds + 1} ]; do n=$((n+1)); [ $n -lt 60 ] || break; "
               "sleep 1; done; [ $n -lt 60 ]", timeout=COMMAND * 2)
    rounds = worker.out("cat /tmp/rounds").split()
    assert set(rounds) == {"good"}
    worker.all_rounds = len(rounds)
    send(dom0, worker, "10.1.0.2", 2)


def ports_of_dom0(dom0):
    return int(dom0.out("/usr/lib/xen-4.17/bin/lsevtchn 0 | grep -c ."))


def micro(dom0, name, args, **settings):
    return dom0.guest(name, kernel="/run/files/micro", ramdisk=None, memory=64, args=args, on_crash="destroy", **settings)


def test_bad_frontends(dom0, worker):
    goes_on(dom0, worker)
    ports = ports_of_dom0(dom0)
    dom0.run("dmesg -C; (while [ ! -e /tmp/quiet ]; do ping -c 1 -W 1 10.1.77.77; done) > /dev/null 2>&1 &")
    guest = micro(dom0, "bad", "only=front_block+front_net", vif=["bridge=xenbr0"], disk=[DISK.format("xvda", "ro", "bad")])
    guest.create()
    for _ in range(3):
        dom0.run("xl network-attach bad bridge=xenbr0")
    guest.wait(r"[0-9]+ passed, [0-9]+ failed")
    dom0.run("touch /tmp/quiet")
    report = dom0.run(f"cat {guest.log}", raw=True).output
    assert "not ok" not in report and re.search(r"^14 passed, 0 failed", report, re.M), report
    said = dom0.run("dmesg", raw=True).output
    for complaint, count in COMPLAINTS.items():
        assert len(re.findall(complaint, said)) == count, (complaint, said)
    goes_on(dom0, worker)
    guest.gone()
    dom0.wait(f"[ $(/usr/lib/xen-4.17/bin/lsevtchn 0 | grep -c .) -le {ports} ]", 60, "the ports of the backends closed")
    assert dom0.out("ls /sys/class/net | grep -c ^vif") == "1"
    dom0.run("rm -f /tmp/quiet")


def test_storm(dom0, worker):
    """A frontend that never stops: requests of random bytes, grants that change under the backend's hands, events."""
    ports = ports_of_dom0(dom0)
    for _ in range(2):
        guest = micro(dom0, "storm", "destructive=storm", disk=[DISK.format("xvda", "rw", "storm")]).boot("storm begins")
        goes_on(dom0, worker)
        assert "storm" in dom0.domains()
        guest.destroy()
        guest.gone()
    dom0.wait(f"[ $(/usr/lib/xen-4.17/bin/lsevtchn 0 | grep -c .) -le {ports} ]", 60, "the ports of the backends closed")
    goes_on(dom0, worker)
