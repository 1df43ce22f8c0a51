# SPDX-License-Identifier: BSD-2-Clause
"""Machines of all sorts: how many CPUs, what they are called, and which clocks and interrupt controllers there are. Where QEMU has
no such machine, GRUB gives it other tables of the firmware."""

import re
import shutil
import struct
import subprocess

import pytest

import bochs
import micro

GRUB = """serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
{acpi}
multiboot2 /boot/hypervisor placeholder {options}
module2 /boot/micro placeholder {args}
boot
"""


def table(signature, body):
    """A table of the firmware, whose bytes add up to 0."""
    head = struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), 1, 0, b"TEST", b"TEST", 1, b"TEST", 1)
    whole = bytearray(head + body)
    whole[9] = -sum(whole) % 256
    return bytes(whole)


def madt(*cpus):
    """One I/O APIC, and CPUs with these ids; those above 254 have entries of the kind for x2APIC."""
    body = struct.pack("<II", 0xfee00000, 1) + struct.pack("<BBBBII", 1, 12, 0, 0, 0xfec00000, 0)
    for uid, apic_id in enumerate(cpus):
        body += struct.pack("<BBHIII", 9, 16, 0, apic_id, 1, uid) if apic_id > 254 else struct.pack("<BBBBI", 0, 8, uid, apic_id, 1)
    return table("APIC", body)


def boot_grub(tmp_path, *left_out, instead=b"", args="only=version", options="", cpus=1, machine="pc", more=()):
    """Boots from a CD; GRUB leaves tables of these names out, and puts one in. more: of QEMU's options."""
    boot = tmp_path / "cd/boot"
    (boot / "grub").mkdir(parents=True)
    shutil.copy(micro.HYPERVISOR, boot / "hypervisor")
    shutil.copy(micro.GUEST, boot / "micro")
    (boot / "table").write_bytes(instead)
    acpi = f"acpi --exclude={','.join(left_out)} {'/boot/table' if instead else ''}" if left_out else ""
    options = f"{micro.COMMAND_LINE} dom0_max_vcpus=2 {options}"
    (boot / "grub/grub.cfg").write_text(GRUB.format(acpi=acpi, options=options, args=args))
    subprocess.run(["grub-mkrescue", "-o", tmp_path / "cd.iso", tmp_path / "cd"], check=True, capture_output=True)
    return micro.watch(micro.qemu("-M", machine, "-cdrom", str(tmp_path / "cd.iso"), "-boot", "d", *more, cpus=cpus))


def passed(boot):
    return boot.finished and boot.passed and not boot.failed


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("cpus", [1, 2, 7, 64])
def test_cpus(machine, cpus):
    """All CPUs start, and dom0 has a vCPU on each; a part of them, if it says so."""
    micro.build()
    boot = micro.boot("only=sched+time+platform", cpus=cpus, vcpus=cpus, more=["-M", machine])
    assert boot.says(rf"\(XEN\) {cpus} CPUs?$"), boot.tail()
    assert boot.says(rf"\(XEN\) dom0: .* {cpus} vCPUs?,")
    assert ("platform.cpuinfo.max_present", str(cpus - 1)) in boot.observed
    assert passed(boot), boot.tail()


def test_more_cpus_than_there_is_room_for():
    micro.build()
    boot = micro.boot("only=version", cpus=65)
    assert boot.says(r"\(XEN\) 64 CPUs$") and passed(boot), boot.tail()
    boot = micro.boot("only=version", cpus=8, options="maxcpus=3")
    assert boot.says(r"\(XEN\) 3 CPUs$") and passed(boot), boot.tail()


def test_id_that_no_message_reaches(tmp_path):
    """Without x2APIC, ids have 8 bits: what is meant for 257 would come to 1, which runs already."""
    micro.build()
    boot = boot_grub(tmp_path, "APIC", instead=madt(0, 1, 257), args="only=version+sched", cpus=2)
    assert boot.says(r"\(XEN\) ACPI: 3 CPUs"), boot.tail()
    assert boot.says(r"the CPU with APIC id 257 is left out: ids above 254 need x2APIC"), boot.tail()
    assert boot.says(r"\(XEN\) 2 CPUs$")
    assert passed(boot), boot.tail()


@pytest.mark.parametrize("option, mode", [("", "x2APIC"), ("x2apic=off", "xAPIC")])
def test_x2apic(option, mode):
    """On Bochs, whose CPUs have it; QEMU's have it with KVM only."""
    micro.build()
    boot = bochs.boot("only=version+sched+time", cpus=4, options=option)
    assert boot.says(rf"\(XEN\) local APIC: {mode}, timer TSC deadline"), boot.tail()
    assert boot.says(r"\(XEN\) 4 CPUs$")
    assert passed(boot), boot.tail()



def megahertz(boot, clock):
    """What was measured by that clock."""
    found = [re.search(rf"TSC runs at ([\d.]+) MHz by the {clock}", line) for line in boot.lines]
    assert any(found), boot.tail()
    return float(next(filter(None, found))[1])


def test_clocks(tmp_path):
    """Each clock is used, if there is no better one or if it is asked for, and all agree on how fast the TSC is."""
    micro.build()
    boots = {
        "HPET": [micro.boot("only=time"), micro.boot("only=time", options="clocksource=hpet", more=["-M", "q35"])],
        "ACPI PM timer": [micro.boot("only=time", more=["-no-hpet"]),
                          micro.boot("only=time", options="clocksource=acpi", more=["-M", "q35"])],
        "PIT": [boot_grub(tmp_path, "HPET", "FACP", args="only=time"), micro.boot("only=time", options="clocksource=pit")],
    }
    expected = megahertz(boots["HPET"][0], "HPET")
    for clock, all_of_it in boots.items():
        for boot in all_of_it:
            assert megahertz(boot, clock) == pytest.approx(expected, rel=0.02)
            assert passed(boot), boot.tail()
            assert not boot.says("there is no such clock")


@pytest.mark.parametrize("asked, instead, machine", [("hpet", "ACPI PM timer", ["-no-hpet"]), ("tsc", "HPET", [])])
def test_clock_that_there_is_not(asked, instead, machine):
    """QEMU's CPUs do not say how fast their TSC is."""
    micro.build()
    boot = micro.boot("only=time", options=f"clocksource={asked}", more=machine)
    assert boot.says(r"\(XEN\) clocksource=: there is no such clock that counts"), boot.tail()
    assert megahertz(boot, instead) > 0
    assert passed(boot), boot.tail()


def test_clock_of_the_firmware(tmp_path):
    """dom0 reads and sets the firmware's clock, and an alarm, which it finds as it left it."""
    micro.build()
    boot = boot_grub(tmp_path, args="only=platform", machine="q35", more=micro.efi())
    assert passed(boot), boot.tail()
    observed = dict(boot.observed)
    assert observed["platform.firmware.efi_runtime"] == "0", boot.tail()
    assert [observed[f"platform.efi_time.{name}"] for name in ("set_alarm", "alarm", "no_alarm")] == ["0", "1", "0"], boot.tail(40)
