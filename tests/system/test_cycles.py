# SPDX-License-Identifier: BSD-2-Clause
"""A guest lives through a random sequence of what an administrator does, and loses nothing; the host is then as it was.

In the environment: CYCLES=N, how many steps; SEED=N, which.
"""

import collections
import os
import pathlib
import random
import time

import pytest

from machine import GUEST, LOGS, REFERENCE
from test_migrate import migrate

FILES = pathlib.Path(__file__).with_name("files")
MACHINE = {"files": [FILES / name for name in ("guest-check", "guest-cycles-work", "host-state")]}
CYCLES = int(os.environ.get("CYCLES") or "8")
SEED = int(os.environ.get("SEED") or "1")
TOGETHER = 25   # steps of one guest; then the host is looked at without guests
# MiB; the last is the most that it may have. Each resume with a network costs a Linux 6.1 guest a megabyte, on any hypervisor.
SIZES = (128, 144, 160, 176)
SAVED = "/root/g.save"
EXTRA = "/disks/extra.img"


class World:
    """dom0 and its guest, and what the guest should have."""

    def __init__(self, dom0, rng):
        self.dom0, self.rng, self.guest, self.steps = dom0, rng, None, 0
        dom0.run("mkdir /run/disk && cp /run/files/guest-check /run/disk/check && cp /run/files/guest-cycles-work /run/disk/work && "
                 "head -c 1M /dev/urandom > /run/disk/data && tar -cf /disks/own.img -C /run/disk check work data && "
                 f"truncate -s 2M /disks/own.img && truncate -s 1M {EXTRA}")
        self.sum = dom0.out("sha256sum < /disks/own.img").split()[0]

    def xl(self, command):
        return self.dom0.run(f"xl {command}", timeout=GUEST)

    def begin(self):
        """A new guest."""
        self.cpus, self.size, self.extra, self.nic = 2, 128, False, True
        self.watched = True     # by an xl, which waits for its end, and starts it again
        self.guest = self.dom0.guest("g", vcpus=2, memory=self.size, maxmem=SIZES[-1], vif=["bridge=xenbr0"],
                                     disk=["format=raw,vdev=xvda,access=ro,target=/disks/own.img"]).boot()
        self.prepare()

    def prepare(self):
        self.guest.prepared = False
        self.guest.run("tar -xf /dev/xvda -C /tmp && sh /tmp/work")
        self.total = self.check()

    def check(self):
        """All is there and right, seen from inside. Gives MemTotal in KiB."""
        self.steps += 1
        disks, nics = "xvda," + "xvdb," * self.extra, "eth0," * self.nic or "''"
        return int(self.guest.out(f"sh /tmp/check {('0', '0-1')[self.cpus - 1]} {self.size << 10} {disks} {nics} {self.sum} "
                                  f"{self.token}", timeout=GUEST))

    @property
    def token(self):
        return f"token-{self.steps}"

    def row(self):
        """Of `xl list`: id, memory, vCPUs, state."""
        return self.dom0.domains()["g"]

    def end(self):
        """No guest any more."""
        self.xl(self.rng.choice(("destroy g", "shutdown -w g" if self.watched else "shutdown -w g && xl destroy g")))
        self.guest.gone()


# ---- The steps ----

def save_restore(w):
    paused = w.rng.choice((True, False))
    ident, w.watched = w.row()[0], True
    w.xl(f"save g {SAVED} && xl restore {'-p' if paused else ''} {SAVED} && rm {SAVED}")
    row = w.row()
    assert row[0] != ident
    if paused:
        assert row[3] == "--p---"
        w.xl("unpause g")


def save_and_go_on(w):
    """The xl that waits for the guest's end takes this for one, and leaves (on Debian's Xen too)."""
    ident, w.watched = w.row()[0], False
    w.xl(f"save -c g {SAVED}")
    assert w.row()[0] == ident
    if w.rng.choice((True, False)):
        w.check()
        w.xl(f"destroy g && xl restore {SAVED}")
        w.watched = True
    w.dom0.run(f"rm {SAVED}")


def live_migration(w):
    ident, w.watched = w.row()[0], True
    migrate(w.dom0, "g")
    w.dom0.wait("! xl list | grep -q migratedaway", 60, "the end of the source")
    assert w.row()[0] != ident


def vcpu_set(w):
    w.cpus = 3 - w.cpus
    w.xl(f"vcpu-set g {w.cpus}")


def mem_set(w):
    before, size = w.total, w.size
    w.size = w.rng.choice([s for s in SIZES if s != size])
    w.xl(f"mem-set g {w.size}")
    w.total = w.check()
    assert abs(w.total - before - ((w.size - size) << 10)) < 1024


def block(w):
    w.extra = not w.extra
    if w.extra:
        w.xl(f"block-attach g format=raw,vdev=xvdb,access=rw,target={EXTRA}")
    else:
        w.xl("block-detach g xvdb")
        assert w.dom0.out(f"head -n 1 {EXTRA} | tr -d '\\0'") == w.token


def network(w):
    w.nic = not w.nic
    w.xl("network-attach g bridge=xenbr0" if w.nic else "network-detach g 0")


def pin(w):
    cpu = w.rng.choice("01")
    w.xl(f"vcpu-pin g all {cpu}")
    w.check()
    rows = [line.split() for line in w.dom0.out("xl vcpu-list g").split("\n")[1:]]
    assert {(row[3], row[6]) for row in rows if row[4] != "--p"} == {(cpu, cpu)}
    w.xl("vcpu-pin g all all")


def pause(w):
    w.xl("pause g")
    times = [w.dom0.out("xl list g").split("\n")[1].split() for _ in range(2)]
    assert "p" in times[0][4] and times[0][5] == times[1][5]
    w.xl("unpause g")


def shares(w):
    weight, cap = w.rng.randrange(1, 65536), w.rng.randrange(20, 100)
    w.xl(f"sched-credit2 -d g -w {weight} -c {cap}")
    assert w.dom0.out("xl sched-credit2 -d g").split("\n")[-1].split()[2:] == [str(weight), str(cap)]
    w.check()
    w.xl("sched-credit2 -d g -w 256 -c 0")


def pool(w):
    w.xl("cpupool-cpu-remove Pool-0 1 && xl cpupool-create 'name=\"two\"' 'cpus=[\"1\"]' && xl cpupool-migrate g two")
    assert {line.split()[3] for line in w.dom0.out("xl vcpu-list g").split("\n")[1:]} <= {"1", "-"}
    w.check()
    w.xl("cpupool-migrate g Pool-0 && xl cpupool-destroy two && xl cpupool-cpu-add Pool-0 1")


def rename(w):
    ident = w.row()[0]
    w.xl("rename g other")
    assert w.dom0.domains()["other"][0] == ident
    w.xl("rename other g")


def dump_core(w):
    w.xl("dump-core g /dev/null")


def reboot(w):
    if not w.watched:
        w.end()
        return w.begin()
    ident = w.row()[0]
    count = f"$(grep -c 'guest ready' {w.guest.log})"
    starts = int(w.dom0.out(f"echo {count}"))
    w.xl("reboot g")
    w.dom0.wait(f"[ {count} -gt {starts} ]", GUEST, "the next start")
    assert w.row()[0] != ident
    w.prepare()


def sysrq(w):
    w.xl("sysrq g h")
    w.guest.run("n=0; until dmesg -c | grep -q 'sysrq: HELP'; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 1; done; [ $n -lt 60 ]")


def second_guest(w):
    w.dom0.guest("two", memory=96, vcpus=2, vif=["bridge=xenbr0"],
                 disk=["format=raw,vdev=xvda,access=ro,target=/disks/own.img"]).create()
    time.sleep(w.rng.randrange(4))
    w.xl("destroy two")
    assert "two" not in w.dom0.domains()


# Each with how often it is chosen.
STEPS = {save_restore: 5, save_and_go_on: 2, live_migration: 4, vcpu_set: 5, mem_set: 5, block: 3, network: 3, pin: 1, pause: 1,
         shares: 1, pool: 1, rename: 1, dump_core: 1, reboot: 1, sysrq: 1, second_guest: 2}
if REFERENCE:
    del STEPS[live_migration]       # which cannot migrate a running PV guest


def as_before(dom0):
    """No guest is left, nor anything of one."""
    result = dom0.run("/run/files/host-state compare", timeout=GUEST, check=False)
    print(result.output, flush=True)
    assert result.status == 0, result.output


def keep_figures(done, looks):
    steps = ", ".join(f"{name} {times}" for name, times in sorted(done.items()))
    text = f"cycles: seed {SEED}, {sum(done.values())} steps ({steps}), {looks} looks at the empty host, 0 things left there\n"
    (LOGS / "cycles.figures").write_text(text, encoding="utf-8")


def test_cycles(dom0):
    print(f"SEED={SEED} CYCLES={CYCLES}", flush=True)
    w = World(dom0, random.Random(SEED))
    dom0.run("chmod 755 /run/files/host-state; /run/files/host-state save")
    w.begin()
    done, looks = collections.Counter(), 0
    for number in range(1, CYCLES + 1):
        step = w.rng.choices(list(STEPS), STEPS.values())[0]
        start = time.monotonic()
        step(w)
        w.total = w.check()
        done[step.__name__] += 1
        print(f"{number}/{CYCLES} {step.__name__}: {time.monotonic() - start:.1f} s; guest {dom0.domains()['g'][0]}: {w.cpus} vCPUs, "
              f"{w.size} MiB{', xvdb' * w.extra}{', eth0' * w.nic}", flush=True)
        if number % TOGETHER == 0 or number == CYCLES:
            w.end()
            as_before(dom0)
            looks += 1
            if number < CYCLES:
                w.begin()
    keep_figures(done, looks)
