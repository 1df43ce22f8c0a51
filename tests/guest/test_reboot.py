# SPDX-License-Identifier: BSD-2-Clause
"""The ways to restart: each one resets the machine, after which QEMU ends (-no-reboot). One that had no effect would be followed by
the next within a second."""

import subprocess

import pytest

import micro

WAYS = {"acpi": "ACPI's reset register", "kbd": "the keyboard controller", "pci": "the chipset", "Power": "switching its power",
        "triple": "a triple fault", "efi": "the firmware"}


def tried(boot):
    assert boot.ended, boot.tail()
    at = "(XEN) the machine restarts by "
    return [line[len(at):] for line in boot.lines if line.startswith(at)]


def restarts(option, *machine):
    """Reboots as dom0 asks for; gives what was tried."""
    micro.build()
    return tried(micro.boot("only=version end=reboot", options=option, more=machine, limit=60))


@pytest.mark.parametrize("way", ["acpi", "kbd", "pci", "Power", "triple"])
def test_way(way):
    assert restarts(f"reboot={way},cold", "-M", "q35") == [WAYS[way]]


def test_usual_order():
    """This machine's tables name no register, and it has no services of EFI: the next way follows."""
    assert restarts("", "-M", "pc") == [WAYS["acpi"], WAYS["kbd"]]
    assert restarts("reboot=efi", "-M", "pc") == [WAYS["efi"], WAYS["acpi"], WAYS["kbd"]]


def test_firmware(tmp_path):
    micro.build()
    iso = tmp_path / "boot.iso"
    subprocess.run([micro.TOP / "testbed/build-iso", micro.HYPERVISOR, iso, micro.COMMAND_LINE + " reboot=efi",
                    "only=version end=reboot", micro.GUEST], check=True, capture_output=True)
    assert tried(micro.watch(micro.qemu("-M", "q35", "-cdrom", str(iso), "-boot", "d", *micro.efi()))) == [WAYS["efi"]]
