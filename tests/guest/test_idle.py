# SPDX-License-Identifier: BSD-2-Clause
"""Idle states that dom0 told of, entered and left: by MWAIT on Bochs, which has it, and by a port on QEMU. The guest sleeps on one
CPU after the other (guests/micro/idle.c): a lost wake-up would be its end."""

import re

import bochs
import micro


def counters(boot, when):
    """[[(times, microseconds) for each state] for each CPU]."""
    lines = [line for line in boot.lines if line.startswith(f"{when} CPU ")]
    return [[(int(times), int(us)) for times, us in re.findall(r"C\d+ (\d+) times (\d+) us", line)] for line in lines]


def entered(boot, cpus, states):
    """How often each state was entered while nothing deeper than C1 was allowed, while all was, and while nothing was."""
    assert boot.finished and not boot.failed, boot.tail(40)
    phases = [counters(boot, when) for when in ("C1", "all", "C0")]
    assert [[len(cpu) for cpu in phase] for phase in phases] == [[states] * cpus] * 3, boot.tail(40)
    sums = [[sum(cpu[state][0] for cpu in phase) for state in range(states)] for phase in phases]
    for shallow, everything, none in zip(*phases):
        assert all(times == 0 for times, _ in shallow[2:]), "the limit was C1"
        assert sum(times for times, _ in shallow[1:]) > 0 and shallow[1][1] > 0
        assert all(a <= b for a, b in zip(shallow, everything))
        assert none[0][1] > everything[0][1]
    return sums


def test_port():
    """QEMU's machine has no such port: it comes back at once, which is a wake-up like any other."""
    micro.build()
    boot = micro.boot("destructive=idle_states states=port", cpus=3, vcpus=1)
    assert [line for line in boot.lines if line.startswith("upload")] == [f"upload {i}: 0" for i in range(3)]
    shallow, everything, none = entered(boot, 3, 3)
    assert everything[2] > 0 and everything[1] >= shallow[1]
    assert none[1] + none[2] <= everything[1] + everything[2] + 3       # the last sleeps before the limit


def test_mwait():
    micro.build()
    boot = bochs.boot("destructive=idle_states states=mwait", cpus=2)
    assert boot.says(r"CPU 1: idle state 1 \(C2\) is not used: MWAIT has no such state"), boot.tail(40)
    shallow, everything, _ = entered(boot, 2, 3)
    assert everything[1] >= shallow[1]
    assert everything[2] > 0, boot.tail(40)


def test_what_the_cpu_has_not():
    """QEMU's CPU has no MWAIT here: its states are left out, and it halts."""
    micro.build()
    boot = micro.boot("destructive=idle_states states=mwait", vcpus=1)
    assert sum("is not used: MWAIT has no hints" in line for line in boot.lines) == 3, boot.tail()
    entered(boot, 1, 2)


def test_options():
    micro.build()
    boot = micro.boot("destructive=idle_states states=port", vcpus=1, options="cpuidle=off")
    assert boot.says("^upload 0: -38$"), boot.tail()
    boot = micro.boot("only=time", vcpus=1, options="max_cstate=0")
    assert boot.finished and not boot.failed and boot.passed, boot.tail()
