# SPDX-License-Identifier: BSD-2-Clause
"""A guest moves between two hosts while it works: two machines, joined by a cable, that share the guest's disk.

On the reference, which cannot migrate a running PV guest, it is saved into and restored from the same connection;
that is what the time without answers is to be compared with. In the environment: MIGRATIONS=N, how often it moves;
PING_MS=N, the time between two pings.
"""

import json
import os
import pathlib
import subprocess

import pytest

from machine import COMMAND, GUEST, REFERENCE, MachineError, sparse_disk
from pair import DISK, pair
from test_migrate import WORK, right

FILES = pathlib.Path(__file__).with_name("files")
TIMES = int(os.environ.get("MIGRATIONS", "4"))
PING_MS = os.environ.get("PING_MS", "10")
MOVE = 900      # seconds for one migration


@pytest.fixture
def hosts(machine, tmp_path):
    pinger = tmp_path / "pinger"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", pinger, FILES / "pinger.c"], check=True)
    return pair(machine, sparse_disk(tmp_path / "disk", 64), memory=1280, dom0_memory=512, files=[pinger, FILES / "guest-work"])


def receive(host, command):
    """Has `command` take a stream that arrives over TCP, in the background; its output is in /run/receive."""
    host.run("rm -f /run/back /run/receive; mkfifo /run/back; "
             f"(nc -l 8002 < /run/back | {command} > /run/back 2> /run/receive; echo status $? >> /run/receive) &")
    host.wait("ss -ltn | grep -q :8002", 30, "the receiver to listen")


def move(guest, source, target, options="", receiver="xl migrate-receive", check=True):
    """The guest goes from one host to the other. Gives the sender's Result."""
    if REFERENCE:
        receive(target, "(xl restore /dev/stdin)")
        result = source.run(f"rm -f /run/stream; mkfifo /run/stream; nc -N {target.address} 8002 < /run/stream > /dev/null & "
                            f"xl save {guest.name} /run/stream", timeout=MOVE, check=check)
    else:
        source.run(f"printf '#!/bin/sh\\nexec nc {target.address} 8002\\n' > /run/wrapper; chmod 755 /run/wrapper")
        receive(target, receiver)
        result = source.run(f"xl migrate {options} -s /run/wrapper {guest.name} {target.address}", timeout=MOVE, check=check)
    target.wait("grep -q ^status /run/receive", 120, "the receiver's end")
    if check:
        assert "status 0" in target.out("cat /run/receive")
        source.wait(f"! xl domid {guest.name} > /dev/null 2>&1", 60, "the source's end")
    return result


def begin_work(a, guest):
    """Memory, disk and connection are busy from now on, and somebody watches the answers."""
    a.run("(nc -l 7000 < /dev/null > /run/acknowledged) & (nc -N -l 7001 < /run/files/guest-work > /dev/null) & sleep 1")
    guest.run("nc 10.1.0.1 7001 < /dev/null > /tmp/work; (sh /tmp/work > /dev/null 2>&1 &)")
    a.wait("[ $(wc -l < /run/acknowledged) -gt 3 ]", GUEST, "the guest at work")
    a.run(f"(/run/files/pinger 10.1.0.2 {PING_MS} > /run/pinged) &")


def check_work(a, host, guest):
    """Nothing was lost or wrong so far. Gives how many sectors the guest wrote."""
    assert guest.out("cat /tmp/bad") == ""
    numbers = a.out("cat /run/acknowledged").split()
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    host.run("echo 3 > /proc/sys/vm/drop_caches")
    written = host.out(f"dd if=/dev/vdb bs=512 skip=1 count={len(numbers)} iflag=direct 2>/dev/null").split()
    assert written == numbers
    return len(numbers)


def works_on(a, guest, written):
    """Waits until the guest wrote more than that; else tells all that can be seen of it from its host."""
    host = guest.machine
    try:
        assert "c" not in host.domains()[guest.name][3]
        a.wait(f"[ $(wc -l < /run/acknowledged) -gt {written} ]", COMMAND, "more work done")
    except (AssertionError, MachineError) as error:
        seen = host.run(f"xl vcpu-list {guest.name}; for v in 0 1; do /usr/lib/xen-4.17/bin/xenctx $(xl domid {guest.name}) $v; done; "
                        f"for key in w l t m; do xl sysrq {guest.name} $key; sleep 2; done; tail -n 200 {guest.log}; "
                        "xl dmesg -c > /dev/null; for key in d e q r; do xl debug-keys $key; sleep 1; done; xl dmesg",
                        check=False, raw=True)
        raise MachineError(f"{error}\n{seen}") from None


def test_back_and_forth(hosts, record_property):
    a, b = hosts
    free = a.free_memory(), b.free_memory()
    # Linux 6.1 loses a megabyte and more each time it resumes with a network, on any hypervisor: room for fifty moves.
    guest = a.guest("g", vcpus=2, memory=192, vif=["bridge=xenbr0"], args="addr=10.1.0.2/16", disk=DISK, on_crash="preserve").boot()
    begin_work(a, guest)
    written = 0
    for number in range(TIMES):
        source, target = (a, b) if number % 2 == 0 else (b, a)
        a.run("pkill -USR1 -x pinger")
        move(guest, source, target)
        guest = guest.at(target)
        works_on(a, guest, written)
        written = check_work(a, target, guest)
    rounds = int(guest.out("cat /tmp/rounds"))
    a.run("pkill -TERM -x pinger")
    a.wait("grep -q } /run/pinged", 30, "the pinger's end")
    pinged = json.loads(a.out("grep longest /run/pinged"))
    longest = sorted(pinged["longest"][1:])
    print(f"{TIMES} moves, {written} sectors, {rounds} rounds of memory, {pinged['answered']} of {pinged['sent']} pings; "
          f"longest time without an answer in ms, of each move: {longest}")
    record_property("longest", longest)
    target.run("xl destroy g")
    for host, before in zip((a, b), free):
        host.memory_back(before)


@pytest.mark.skipif(REFERENCE, reason="the reference cannot migrate PV guests")
def test_memory_is_equal(hosts):
    """The stock tools send all of the paused guest's memory once more, and the receiver compares; it tells only of differences,
    and, when it is verbose, that it begins. The guest's processes are busy; it has no disk or network, whose backends go on
    when a guest has stopped, and write buffers, rings and words of events that it will no longer look at."""
    a, b = hosts
    guest = a.guest("g", vcpus=2, memory=96).boot()
    guest.run(WORK)
    right(guest)
    move(guest, a, b, options="--debug -p", receiver="xl -vvv migrate-receive -p")
    report = b.out("grep -i verif /run/receive")
    print(report)
    assert "Verify mode enabled" in report and "fail" not in report.lower()
    assert b.domains()["g"][3] == "--p---"
    b.run("xl unpause g")
    right(guest.at(b))


@pytest.mark.skipif(REFERENCE, reason="the reference cannot migrate PV guests")
@pytest.mark.parametrize("fault", ["no room", "receiver killed", "connection cut"])
def test_failure_leaves_one_guest(hosts, fault):
    """Whatever goes wrong on the way, the guest goes on where it was, and the receiver has nothing of it."""
    a, b = hosts
    guest = a.guest("g", vcpus=2, memory=96, vif=["bridge=xenbr0"], args="addr=10.1.0.2/16", disk=DISK).boot()
    begin_work(a, guest)
    if fault == "no room":
        b.run(f"xl create -p /guests/guest.cfg 'name=\"filler\"' 'vif=[]' memory={b.free_memory() - 48}")
    free = b.free_memory()
    b.run({"no room": "true",
           "receiver killed": "(until grep -q '^g .*--incoming\\|incoming' <(xl list); do sleep 0.2; done; sleep 3; pkill -9 -f save-helper) &",
           "connection cut": "(until grep -q incoming <(xl list); do sleep 0.2; done; sleep 3; pkill -9 -x nc) &"}[fault])
    result = move(guest, a, b, check=False)
    assert result.status != 0
    assert a.domains()["g"][3] != "--p---" and int(a.out("xl domid g")) > 0
    assert guest.out("cat /tmp/bad") == ""
    before = check_work(a, a, guest)
    a.wait(f"[ $(wc -l < /run/acknowledged) -gt {before} ]", COMMAND, "more work done")
    b.memory_back(free)
    assert set(b.domains()) == {"Domain-0"} | ({"filler"} if fault == "no room" else set())
