# SPDX-License-Identifier: BSD-2-Clause
"""The micro guest (guests/micro) checks each hypercall family from inside: as dom0's guest and as dom0 itself."""

import re

import pytest

from machine import COMMAND, MICRO_CPU, TOP

MICRO = TOP / "build/guests/micro/micro"
MACHINE = {"files": [MICRO]}

# Ways to die, and what dom0 must see: no tables, no stacks, a watchdog, an unknown reason.
DEATHS = ["crash", "unknown_reason", "watchdog_reason", "watchdog_expires", "no_handler", "no_stack", "iret_no_stack",
          "iret_to_user_without_tables"]


def verdict(text):
    """The failed checks and the counts in what the micro guest printed."""
    passed, bad = map(int, re.search(r"(\d+) passed, (\d+) failed", text).groups())
    return passed, bad, re.findall(r"not ok .*", text)


def micro(dom0, **settings):
    settings = {"ramdisk": None, "memory": 64, "vcpus": 2, "kernel": "/run/files/micro", "on_crash": "destroy",
                "on_reboot": "destroy", "on_watchdog": "destroy", "max_event_channels": 4096, **settings}
    return dom0.guest("micro", **settings)


# Families that leave the console's event channel alone; the others need more than xl's guests have, and run as dom0's
# own child in test_as_dom0.
FAMILIES = ("version+memory+mmu_update+mmuext+ptwrite+traps+iret+user+segments+sched+time+vcpu+grant+grant_copy+"
            "multicall")


def test_as_guest(dom0):
    guest = micro(dom0, args=f"only={FAMILIES}").boot(r"[0-9]+ passed, [0-9]+ failed")
    passed, bad, lines = verdict(dom0.run(f"cat {guest.log}", raw=True).output)
    assert not lines and bad == 0 and passed > 50
    guest.gone()


def test_as_dom0(machine):
    # Two vCPUs on one CPU: what a context switch does to selectors is part of it.
    m = machine(modules=f"{MICRO} end=poweroff", cpus=1, options="dom0_max_vcpus=2", cpu=MICRO_CPU).start()
    m.expect([r"\d+ passed, \d+ failed"], COMMAND * 3)
    m.drain(10)
    passed, bad, lines = verdict(m.log.read_text())
    assert not lines and bad == 0 and passed > 50


@pytest.mark.parametrize("way", DEATHS)
def test_dies_alone(dom0, way):
    """A guest that ends badly is gone, with a report in the hypervisor's log; dom0 goes on."""
    dom0.run("xl dmesg -c > /dev/null")
    guest = micro(dom0, args=f"destructive={way}")
    guest.create()
    guest.gone(120)
    log = dom0.run("xl dmesg", raw=True).output
    if way.startswith(("no_", "iret_")):
        assert re.search(r"(?i)rip.*[0-9a-f]{16}", log), log
    assert list(dom0.domains()) == ["Domain-0"]
