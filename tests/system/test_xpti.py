# SPDX-License-Identifier: BSD-2-Clause
"""Exit roots (xpti=): a guest can't tell, and the hypervisor's own look at them finds nothing that should not be there."""

import re

import pytest

from machine import COMMAND, MICRO_CPU
from test_micro import MICRO, verdict


@pytest.mark.parametrize("options,dom0,domu", [("xpti=on", "on", "on"), ("xpti=domu=on,dom0=off", "off", "on"),
                                               ("xpti=off", "off", "off")])
def test_as_dom0(machine, options, dom0, domu):
    m = machine(modules=f"{MICRO} end=poweroff", cpus=1, options=f"dom0_max_vcpus=2 {options}", cpu=MICRO_CPU).start()
    m.expect([r"\d+ passed, \d+ failed"], COMMAND * 3)
    m.drain(10)
    log = m.log.read_text()
    passed, bad, lines = verdict(log)
    assert not lines and bad == 0 and passed > 50
    assert f"XPTI: dom0 {dom0}, domU {domu};" in log
    assert bool(re.search(r"XPTI: while a guest runs, a CPU has mapped: M2P \d+ KiB, entry text \d+ KiB, IDT 4 KiB, "
                          r"own stacks", log)) == ("on" in (dom0, domu))
