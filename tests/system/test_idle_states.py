# SPDX-License-Identifier: BSD-2-Clause
"""Idle states from the firmware to the hypervisor by dom0's own kernel: a table for each CPU as real machines have it, with C1 and
with C2 by an I/O port, and performance states, without which the kernel's module does not start."""

import re
import struct

from machine import Machine

CPUS = 2
PORT = 0x80         # reading it does nothing, so the CPU comes back at once


def length(body):
    """Before a body: its length with these bytes, as AML has it in one or two bytes."""
    size = len(body) + 1
    return bytes([size]) if size < 64 else bytes([0x40 | (size + 1) & 15, (size + 1) >> 4])


def op(code, body):
    return bytes([code]) + length(body) + body


def number(n):
    return b"\x0c" + struct.pack("<I", n)


def package(*elements):
    return op(0x12, bytes([len(elements)]) + b"".join(elements))


def register(space, width, address):
    """A buffer with one generic register, and the end of resources."""
    raw = struct.pack("<BHBBBBQ", 0x82, 12, space, width, 0, 0, address) + b"\x79\0"
    return op(0x11, b"\x0a" + bytes([len(raw)]) + raw)


def name(segment, value):
    return b"\x08" + segment.encode() + value


def states(cpu):
    """What belongs to one of QEMU's processor objects."""
    fixed, port = 0x7f, 1
    halt = package(register(fixed, 0, 0), number(1), number(1), number(1000))
    by_port = package(register(port, 8, PORT), number(2), number(10), number(500))
    speed = package(*[number(n) for n in (2000, 10000, 10, 10, 0, 0)])
    path = b"\\\x2f\x03_SB_CPUS" + f"C{cpu:03X}".encode()
    return op(0x10, path + name("_CST", package(number(2), halt, by_port)) + name("_PPC", number(0)) +
              name("_PSS", package(speed)) + name("_PCT", package(register(fixed, 0, 0), register(fixed, 0, 0))))


class WithStates(Machine):
    def qemu(self):
        return super().qemu() + ["-acpitable", f"sig=SSDT,rev=2,data={self.table}"]


def test_uploaded(machine, tmp_path):
    m = machine(kind=WithStates, cpus=CPUS)
    m.table = tmp_path / "ssdt"
    m.table.write_bytes(b"".join(states(cpu) for cpu in range(CPUS)))
    m.boot()
    m.run("modprobe xen-acpi-processor")
    log = m.run("xl dmesg", raw=True).output
    assert all(re.search(rf"\(XEN\) CPU {cpu}: 2 idle states", log) for cpu in range(CPUS)), log
    assert log.count("dom0's tables of performance states are not used") == 1, log
    m.run("sleep 1")
    rows = re.findall(r"^C(\d) +: transition \[ *(\d+)\]", m.out("xenpm get-cpuidle-states"), re.M)
    assert [int(state) for state, _ in rows] == [0, 1, 2] * CPUS
    assert all(int(times) > 0 for _, times in rows), rows
