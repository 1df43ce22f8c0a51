# SPDX-License-Identifier: BSD-2-Clause
"""The ELF file with symbols starts by its PVH note, as other hypervisors start a kernel."""

import subprocess

import micro

ELF = micro.HYPERVISOR.with_name("krypton-syms")


def test_pvh():
    micro.build()
    notes = subprocess.run(["readelf", "-nW", ELF], check=True, capture_output=True, text=True).stdout
    assert "Xen" in notes and "0x00000012" in notes, notes       # PHYS32_ENTRY
    boot = micro.watch(micro.qemu("-kernel", str(ELF), "-append", f"{micro.COMMAND_LINE} -- only=version", "-initrd", str(micro.GUEST)))
    assert boot.says(r"\(XEN\) Krypton .*, loaded by a PVH loader"), boot.tail()
    assert boot.says(r"\(XEN\) ACPI: 1 CPUs")
    assert boot.finished and not boot.failed and boot.passed, boot.tail()
    assert all(name.startswith("version.") for name in boot.passed)
