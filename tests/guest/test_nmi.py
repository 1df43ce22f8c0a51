# SPDX-License-Identifier: BSD-2-Clause
"""Non-maskable interrupts at random points of the ways into and out of the hypervisor, while guests attack just these: all ends as
without them. NMIS in the environment: how many the CPUs of each machine are to take at least, in as many boots as that wants."""

import os
import random
import re
import threading

import pytest

import micro

# The ways in and out, and what happens between. Without those that take long or measure time.
FAMILIES = ("traps user iret segments privop ptwrite hypercall multicall hostile_instruction hostile_frame hostile_fpu hostile_register "
            "hostile_descriptor hostile_align hostile_mov_ss hostile_again hostile_entry").split()
# It looks at the flag NT, which no guest keeps when it is interrupted (core/bounce.h).
BUT = "traps.handler_flags"
WANTED = int(os.environ.get("NMIS", "1000"))
PAUSE = 0.002           # seconds at most between two


class Shots(threading.Thread):
    """Asks the monitor for NMIs, each at once on all CPUs, until end() or the machine's end."""

    def __init__(self, monitor):
        super().__init__()
        self.monitor, self.over = monitor, threading.Event()

    def commands(self):
        while not self.over.wait(random.uniform(0, PAUSE)):
            yield "nmi"

    def run(self):
        try:
            self.monitor.run_all(self.commands())
        except OSError:
            pass        # the machine ended

    def end(self):
        self.over.set()
        self.join()


def one_boot(tmp_path, cpus):
    """Gives how many each CPU took."""
    monitor = micro.Monitor(tmp_path / "monitor")
    shots = Shots(monitor)

    def begin():
        shots.start()
        return r"(?s)\d+ passed, \d+ failed.*CPU %d: \d+ NMIs" % (cpus - 1)

    boot = micro.boot(f"only={'+'.join(FAMILIES)} but={BUT} keys=n", until="hello from the micro guest", then=begin, cpus=cpus, vcpus=cpus,
                      limit=300, options="guest_loglvl=none", more=monitor.options)
    shots.end()
    assert not boot.says(micro.HYPERVISOR_DEAD), boot.tail()
    assert boot.finished and not boot.failed, boot.tail()
    assert boot.cases and not [name for name, (_, passed) in boot.cases.items() if not passed], boot.tail()
    return [int(m[1]) for line in boot.lines if (m := re.search(r"CPU \d+: (\d+) NMIs", line))]


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_random_points(tmp_path, cpus):
    micro.build()
    taken = 0
    while taken < WANTED:
        counts = one_boot(tmp_path, cpus)
        assert len(counts) == cpus and all(counts), counts
        taken += sum(counts)
    print(f"{taken} NMIs")
