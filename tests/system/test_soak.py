# SPDX-License-Identifier: BSD-2-Clause
"""Everything at once for MINUTES: a guest lives through what an administrator does (the steps of test_cycles.py) beside one
that attacks the hypervisor on two vCPUs and one whose disk frontend breaks all rules, while daemons and tools are killed.
At the end one page says what was done, what was injected, what leaked, and what took longest; it is also kept in
build/logs/soak.figures. `make soak MINUTES=60 SEED=1`.
"""

import collections
import os
import random
import re
import time

from machine import COMMAND, GUEST, LOGS, TOP
from test_cycles import FILES, STEPS, World

MICRO = TOP / "build/guests/micro/micro"
MACHINE = {"memory": 3072, "dom0_memory": 768, "options": "guest_loglvl=none",
           "files": [FILES / name for name in ("guest-check", "guest-cycles-work", "host-state", "heartbeat")] + [MICRO]}
MINUTES = float(os.environ.get("MINUTES") or "1")
SEED = int(os.environ.get("SEED") or "1")
TOGETHER = 20   # steps; then all guests end, and the host is looked at
STORM = "format=raw,vdev=xvda,access=rw,target=/disks/storm.img"


# What host-state calls what leaked: a row of the page for each.
KINDS = {"free memory": ("free KiB", "dom0 KiB"), "frames, counted again": ("audit",), "ports": ("ports", "interrupts"),
         "grants": ("grants", "mappings", "grant frames"), "xenstore nodes": ("xenstore",), "domains": ("domains",)}


class Report:
    """What the soak did."""

    def __init__(self):
        self.done, self.faults, self.leaks, self.worst = collections.Counter(), collections.Counter(), [], {}
        self.start = time.monotonic()

    def time(self, name, counter, action):
        """Does it, counts it, and keeps how long it took at the worst."""
        start = time.monotonic()
        action()
        took = time.monotonic() - start
        counter[name] += 1
        self.worst[name] = max(took, self.worst.get(name, 0))
        print(f"{(time.monotonic() - self.start) / 60:.1f} min: {name} {took:.1f} s", flush=True)

    def leaks_by_kind(self):
        counts = collections.Counter({kind: 0 for kind in KINDS})
        for leak in self.leaks:
            counts[next((kind for kind, starts in KINDS.items() if leak.startswith(starts)), "all else")] += 1
        return counts

    def page(self, ended, heartbeat):
        def rows(counts, form="9"):
            return [f"  {name:28} {count:{form}}" for name, count in counts]

        beats, late = heartbeat.split()
        slowest = sorted(self.worst.items(), key=lambda row: -row[1])[:8]
        page = [f"soak: {ended} after {(time.monotonic() - self.start) / 60:.1f} minutes, seed {SEED}"]
        page += ["operations", *rows(sorted(self.done.items()))]
        page += ["faults injected", *rows(sorted(self.faults.items()))]
        page += [f"leaks, in {self.done['looks at the empty host']} looks: {len(self.leaks)}", *rows(self.leaks_by_kind().items())]
        page += ["longest, in seconds", *rows(slowest, "9.1f")]
        page += [f"dom0 woke {beats} times, at the worst {late} ms late"]
        return "\n".join(page + [f"leaked: {leak}" for leak in self.leaks]) + "\n"


# ---- The neighbours ----

class Hostile:
    """Random operations of the micro guest on two vCPUs for five seconds, if it does not kill itself before; then xl starts it
    again, over and over."""

    def __init__(self, dom0, rng, report):
        self.dom0, self.rng, self.report, self.guest = dom0, rng, report, None

    def begin(self):
        again = {f"on_{end}": "restart" for end in ("poweroff", "reboot", "crash", "watchdog")}
        self.guest = self.dom0.guest("hostile", kernel="/run/files/micro", ramdisk=None, memory=64, vcpus=2,
                                     args=f"only=hostile_soak seconds=1 seed={self.rng.randrange(1, 1 << 30)}", **again)
        self.guest.create()

    def end(self):
        """It is destroyed until its xl has seen that, and is not about to start it again."""
        self.dom0.wait("{ xl destroy hostile 2> /dev/null; ! pgrep -f 'xl .*hostile[.]cfg' > /dev/null; }", GUEST,
                       "the end of its xl")
        said = self.dom0.run(f"cat {self.guest.log}", raw=True).output
        operations = sum(int(n) for n in re.findall(r"soak \d+ (\d+)", said))
        assert operations
        self.report.done["hostile operations"] += operations


class Storm:
    """A disk frontend that never stops."""

    def __init__(self, dom0):
        self.dom0, self.guest = dom0, None

    def begin(self):
        self.guest = self.dom0.guest("storm", kernel="/run/files/micro", ramdisk=None, memory=64, on_crash="destroy",
                                     args="destructive=storm", disk=[STORM])
        self.guest.boot("storm begins")

    def end(self):
        self.guest.destroy()
        self.guest.gone()


# ---- Faults ----

def console_daemon_dies(w):
    """And is started again as it was: the guest's console then works as before (the next check uses it)."""
    w.dom0.run("p=$(pidof xenconsoled) && tr '\\0' '\\n' < /proc/$p/cmdline > /run/console-daemon && kill -9 $p && "
               "while [ -e /proc/$p ]; do sleep 0.1; done; rm -f /run/xen/xenconsoled.pid; "
               "xargs -d '\\n' -a /run/console-daemon env && pidof xenconsoled")


def watcher_dies(w):
    """The xl that waits for the guest's end; nobody does then. (xl is what made the guest: of a file, or of an image.)"""
    w.dom0.run("pkill -9 -f 'xl .*(g.cfg|g.save|migrate-receive)'; true")
    w.watched = False


def destroyed_while_saved(w):
    """The xl that saves may write its wish after the other has destroyed guest and nodes: what stays then is its doing."""
    w.dom0.guest("two", memory=96, vcpus=2).create()
    number = w.dom0.out("xl domid two")
    time.sleep(w.rng.randrange(5))
    w.dom0.run(f"xl save two /root/two.save > /dev/null 2>&1 & sleep 0.{w.rng.randrange(10)}; xl destroy two; wait $!; "
               "rm -f /root/two.save; ! xl domid two 2> /dev/null && "
               f"! xenstore-ls -f /local/domain/{number} 2> /dev/null | grep -v '{number}/control' && "
               f"{{ xenstore-rm /local/domain/{number} 2> /dev/null; true; }}", timeout=GUEST)


FAULTS = (console_daemon_dies, watcher_dies, destroyed_while_saved)


# ---- All together ----

def store_dies(w):
    """The last fault, for nobody starts it again: a guest whose devices are up does not need xenstored, nor xenconsoled."""
    reach = "ping -q -c 5 -W 5 10.1.0.5"
    assert w.nic
    w.dom0.run(reach)
    w.dom0.run("pkill -9 -x 'oxenstored|xenstored|xenconsoled'; sleep 5")
    w.dom0.run(f"! pidof xenstored oxenstored && {reach}", timeout=COMMAND)
    same = w.dom0.out("PYTHONPATH=/usr/lib/xen-4.17/lib/python python3 -c 'from xen.lowlevel.xc import xc; x = xc(); "
                      "x.send_debug_keys(\"A\"); print(b\"audit: 0 differences\" in x.readconsolering()[-200:])'")
    assert same.split()[-1] == "True", same


def leaks(dom0, within=""):
    """What host-state finds more or less of than at first, a line each."""
    result = dom0.run(f"/run/files/host-state compare {within}", timeout=GUEST, check=False)
    found = [line for line in result.output.split("\n") if line and not re.fullmatch(r"dom0's use, \w+: \d+ KiB, was \d+", line)]
    return found or [result.output] * (result.status != 0)


def leaks_are_seen(dom0):
    """A guest that is not gone has something of each kind."""
    dom0.guest("two", memory=96).create("-p")
    found = leaks(dom0, within=0)
    dom0.run("xl destroy two")
    for name in ("domains", "free KiB", "ports", "mappings", "xenstore"):
        assert any(line.startswith(name) for line in found), (name, found)


def look_at_host(dom0, report):
    """No guest is left: nothing of one may be."""
    report.done["looks at the empty host"] += 1
    report.leaks += leaks(dom0)


def check(w):
    w.total = w.check()


def soak(dom0, report):
    rng = random.Random(SEED)
    w, hostile, storm = World(dom0, rng), Hostile(dom0, rng, report), Storm(dom0)
    # Its tools give a device's script forty seconds: dom0 is to have more of the CPUs than who attacks it.
    dom0.run("xl sched-credit2 -d 0 -w 2048; truncate -s 16M /disks/storm.img; chmod 755 /run/files/*; "
             "(/run/files/heartbeat &) > /dev/null 2>&1; "
             "/run/files/host-state save", timeout=GUEST)
    leaks_are_seen(dom0)
    until = time.monotonic() + 60 * MINUTES
    while True:
        for name, one in (("guest", w), ("hostile guest", hostile), ("storm", storm)):
            report.time(f"start of the {name}", report.done, one.begin)
        for _ in range(TOGETHER):
            if time.monotonic() > until:
                break
            fault = rng.randrange(4) == 0
            step = rng.choice(FAULTS) if fault else rng.choices(list(STEPS), STEPS.values())[0]
            report.time(step.__name__, report.faults if fault else report.done, lambda: step(w))
            report.time("check of the guest", report.done, lambda: check(w))
        hostile.end()
        storm.end()
        if time.monotonic() > until:
            break
        w.end()
        look_at_host(dom0, report)
    w.end()
    look_at_host(dom0, report)
    w.begin()
    report.done["domains made"] = int(w.row()[0])
    report.time("store_dies", report.faults, lambda: store_dies(w))


def test_soak(machine):
    dom0, report = machine(**MACHINE).boot(), Report()
    ended, heartbeat = "stopped by a failure", "0 0"
    try:
        soak(dom0, report)
        ended, heartbeat = "done", dom0.out("cat /run/heartbeat")
    finally:
        page = report.page(ended, heartbeat)
        (LOGS / "soak.figures").write_text(page, encoding="utf-8")
        print("\n" + page, flush=True)
    assert not report.leaks, page
