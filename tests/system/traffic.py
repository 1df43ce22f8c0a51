# SPDX-License-Identifier: BSD-2-Clause
"""Bytes that go over a network, checked at both ends."""

from machine import COMMAND, Guest

BIG = COMMAND * 4   # 64 MiB through a checksum


def send(source, target, address, mebibytes=64, timeout=BIG):
    """Random bytes over TCP from one console (dom0 or guest) to another; checksums at both ends agree."""
    # busybox's nc ends when its peer stops sending, so a guest that listens keeps its own input open.
    listen = "nc -l -p 5000 <> /tmp/never" if isinstance(target, Guest) else "nc -l 5000 < /dev/null"
    connect = f"nc {address} 5000" if isinstance(source, Guest) else f"nc -N {address} 5000"
    target.run(f"[ -p /tmp/never ] || mkfifo /tmp/never; ({listen} | sha256sum > /tmp/received; echo done > /tmp/finished) > /dev/null 2>&1 & sleep 2")
    source.run(f"dd if=/dev/urandom of=/tmp/sent bs=1M count={mebibytes} 2>/dev/null; {connect} < /tmp/sent > /dev/null", timeout=timeout)
    target.run("n=0; until [ -e /tmp/finished ]; do n=$((n+1)); [ $n -lt 300 ] || break; sleep 1; done; [ -e /tmp/finished ]", timeout=timeout)
    sent = source.out("sha256sum < /tmp/sent", timeout=timeout)
    assert target.out("cat /tmp/received; rm -f /tmp/received /tmp/finished") == sent
    source.run("rm /tmp/sent")
