# SPDX-License-Identifier: BSD-2-Clause
"""A running guest moves, within one host and by the stock tools, and does not lose a byte of its memory."""

import pytest

from machine import GUEST

# Files of known content, written anew all the time and read back, by many short processes on both vCPUs; and one that
# nobody writes. /tmp/bad says what was wrong, /tmp/n0 and /tmp/n1 how often it was right.
WORK = ("dd if=/dev/urandom of=/tmp/still bs=1M count=8 2>/dev/null; sha256sum /tmp/still >/tmp/still.sum; "
        "for c in 0 1; do echo 0 >/tmp/n$c; (n=0; while :; do n=$((n+1)); yes $c-$n | head -c 400000 >/tmp/f$c; "
        "w=$(yes $c-$n | head -c 400000 | sha256sum); g=$(sha256sum </tmp/f$c); "
        "[ \"$w\" = \"$g\" ] || echo $c-$n >>/tmp/bad; echo $n >/tmp/n$c; done) >/dev/null 2>&1 & done")


def right(guest):
    """All is as it was written, and both writers get on."""
    n = guest.out("cat /tmp/n0 /tmp/n1").split()
    guest.run(f"i=0; until [ $(cat /tmp/n0) -gt {n[0]} ] && [ $(cat /tmp/n1) -gt {n[1]} ]; do "
              "i=$((i+1)); [ $i -lt 100 ] || break; sleep 1; done; [ $i -lt 100 ]", timeout=GUEST)
    assert guest.out("sha256sum -c /tmp/still.sum; cat /tmp/bad 2>/dev/null; true") == "/tmp/still: OK"


def migrate(dom0, name, receive='"$@"', check=True):
    """To this same host: what ssh would do is done by a script. receive: its line that runs the receiver."""
    dom0.run(f"printf '#!/bin/sh\\nshift\\n%s\\n' '{receive}' >/tmp/here && chmod +x /tmp/here")
    return dom0.run(f"xl migrate -s /tmp/here {name} here 2>&1", timeout=GUEST, check=check)


def busy_guest(dom0):
    guest = dom0.guest("busy", vcpus=2, memory=128).boot()
    guest.run(WORK)
    right(guest)
    return guest


@pytest.fixture
def busy(dom0):
    return busy_guest(dom0)


def live(dom0, guest, times):
    for _ in range(times):
        ident = dom0.domains()["busy"][0]
        migrate(dom0, "busy")
        dom0.wait("[ $(xl list | wc -l) = 3 ]", 60, "the end of the source")
        assert dom0.domains()["busy"][0] != ident
        right(guest)


def test_live_migration(dom0, busy):
    live(dom0, busy, 3)


def test_with_exit_roots(machine):
    """What the CPU has loaded is a copy of the shadow root."""
    dom0 = machine(options="xpti=on").boot()
    live(dom0, busy_guest(dom0), 2)


def test_receiver_killed(dom0, busy):
    """It runs on where it is. The sender dies with its receiver and leaves the guest watched (stock libxl's way); the memory
    that this takes is back after the next migration."""
    free, ident = dom0.free_memory(), dom0.domains()["busy"][0]
    for mib in (40, 100):
        result = migrate(dom0, "busy", f'{{ head -c {mib}M; pkill -9 -f migrate-receive; }} | "$@"', check=False)
        assert result.status != 0
        dom0.run("for d in $(xl list | awk 'NR > 1 && $1 !~ /^(Domain-0|busy)$/ {print $2}'); do xl destroy $d; done")
        assert dom0.domains()["busy"][0] == ident
        right(busy)
    live(dom0, busy, 1)
    dom0.memory_back(free)


def test_save_restore(dom0, busy):
    dom0.run("xl save busy /root/busy.save", timeout=GUEST)
    dom0.run("xl restore /root/busy.save && rm /root/busy.save", timeout=GUEST)
    right(busy)
