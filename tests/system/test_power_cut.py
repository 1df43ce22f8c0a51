# SPDX-License-Identifier: BSD-2-Clause
"""The power fails while a guest writes files and has each of them flushed to its disk, a real one that dom0 lends it. Afterwards
the file system is put in order without questions, and every file whose flush had come back is there, whole.

In the environment: CUTS=N, how many cuts, each after another while, on one disk; SEED=N, after which.
"""

import os
import random
import re
import signal
import subprocess

from machine import GUEST, LOGS, sparse_disk

CUTS = int(os.environ.get("CUTS") or "1")
SEED = int(os.environ.get("SEED") or "1")
SIZE = 12345    # bytes of a file
DISK = ["format=raw,vdev=xvda,access=rw,target=/dev/vdb"]
# A file for each number, of that number; on the console only when it is on the disk.
WRITER = (f"mkdir /mnt/{{cut}} && (n=0; while n=$((n + 1)); do yes $n | head -c {SIZE} | dd of=/mnt/{{cut}}/$n bs=64k conv=fsync "
          "2> /dev/null && echo flushed-$n; done) > /dev/hvc0 &")


def tool(*command):
    """Of e2fsprogs, on this host: what it prints, and its status."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.stdout, result.returncode


def content(number):
    return (f"{number}\n" * SIZE)[:SIZE].encode()


def cut(machine, number, disk, rng):
    """Gives the number of the last file that was flushed before the cut."""
    m = machine(disks=[("shared", disk)]).boot()
    guest = m.guest("g", disk=DISK).boot()
    guest.run("mount /dev/xvda /mnt")
    guest.run(WRITER.format(cut=number))
    m.type(f"tail -n +1 -f {guest.log}")
    m.expect(["flushed-5\r*\n"], GUEST)
    m.drain(rng.uniform(0, 5))
    os.kill(m.child.pid, signal.SIGKILL)
    m.drain(5)
    m.kill()
    return max(int(n) for n in re.findall(r"flushed-(\d+)\s", m.log.read_text(encoding="utf-8", errors="replace")))


def test_power_cut(machine):
    disk, rng, flushed = sparse_disk(LOGS / "power-cut.img", 64), random.Random(SEED), []
    assert tool("mkfs.ext4", "-q", disk)[1] == 0
    for number in range(CUTS):
        flushed.append(cut(machine, number, disk, rng))
        said, status = tool("e2fsck", "-p", disk)
        assert status in (0, 1), said
        assert tool("e2fsck", "-f", "-n", disk)[1] == 0
        for file in range(1, flushed[-1] + 1):
            found = subprocess.run(["debugfs", "-R", f"cat /{number}/{file}", disk], capture_output=True, check=True).stdout
            assert found == content(file), (number, file, len(found))
    text = f"power cuts: {CUTS}, after {', '.join(map(str, flushed))} files were flushed; 0 lost, the disk in order after each\n"
    (LOGS / "power-cut.figures").write_text(text, encoding="utf-8")
    print(text)
