# SPDX-License-Identifier: BSD-2-Clause
"""A CPU that hangs in the hypervisor is seen by another one, which makes it tell where it hangs. It hangs because a debugger turns
its interrupts off while it idles: nothing but an NMI brings it on from there."""

import re
import subprocess

import micro

SYMBOLS = micro.HYPERVISOR.with_name("krypton-syms")
READER = micro.TOP / "testbed/read-panic"
INTERRUPTS = 1 << 9


def test_hung_cpu(tmp_path):
    micro.build()
    debugger = micro.Debugger(tmp_path / "gdb")

    def hang():
        with debugger as gdb:
            gdb.choose(1)
            assert gdb.get(gdb.CS) & 3 == 0, "it does not idle"
            gdb.set(gdb.RFLAGS, gdb.get(gdb.RFLAGS) & ~INTERRUPTS, 4)
        return "the machine restarts"

    seen = micro.boot("only=version end=none", until=r"\d+ passed, \d+ failed", then=hang, cpus=2, vcpus=1, limit=60,
                      options="dom0_vcpus_pin watchdog watchdog_timeout=2", more=debugger.options)
    log = tmp_path / "serial"
    log.write_text("\r\n".join(seen.lines))
    text = subprocess.run([READER, log, SYMBOLS], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert "panic: watchdog: this CPU has not come to its timers for 2 seconds" in text, seen.tail()
    assert "on CPU 1, idle" in text, text
    called = text[text.index("called from:"):]
    assert re.search(r"sti_hlt_cli at x86/asm.h.*leave_long at x86/entry.S", called, re.S), text
    assert re.search(r"the last \d+ events of each CPU", text), text


def test_no_false_alarm():
    """A guest that does all to keep the CPUs for itself, for many timeouts, and a CPU that idles."""
    micro.build()
    seen = micro.boot("only=hostile_starve", until=r"case hostile_starve\.starve\.spin [^\n]*\n", cpus=3,
                      options="watchdog watchdog_timeout=1")
    assert seen.says("watchdog: a CPU that does not come to its timers for 1 seconds"), seen.tail()
    assert seen.cases.get("hostile_starve.starve.spin", (0, False))[1] and not seen.says(micro.HYPERVISOR_DEAD), seen.tail()
