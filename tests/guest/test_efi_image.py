# SPDX-License-Identifier: BSD-2-Clause
"""krypton.efi, which the firmware starts itself: its configuration, what it hands over, and that it can be signed."""

import re
import shutil
import subprocess

import pytest

import micro
from test_screen import on_screen, render

EFI = micro.HYPERVISOR.with_name("krypton.efi")
CONFIG = f"""# Two ways to boot.
[global]
default=usual

[other]
options={micro.COMMAND_LINE} dom0_max_vcpus=3
kernel=none

[usual]
options={micro.COMMAND_LINE} console=com1,vga
kernel=micro only=version end=none
"""


def make_disk(path, files):
    """A FAT file system with these files ({path on it: contents or path here}) on it."""
    with open(path, "wb") as disk:
        disk.truncate(64 << 20)
    subprocess.run(["mkfs.vfat", path], check=True, stdout=subprocess.DEVNULL)
    made = set()
    for name, content in files.items():
        parts = name.split("/")[:-1]
        for n in range(len(parts)):
            directory = "/".join(parts[:n + 1])
            if directory not in made:
                subprocess.run(["mmd", "-i", path, f"::{directory}"], check=True)
                made.add(directory)
        source = path.parent / "content"
        source.write_bytes(content.encode() if isinstance(content, str) else content.read_bytes())
        subprocess.run(["mcopy", "-i", path, source, f"::{name}"], check=True)
    return path


def start(tmp_path, files, until, then=None):
    micro.build()
    disk = make_disk(tmp_path / "esp", {"EFI/BOOT/BOOTX64.EFI": EFI, **files})
    return micro.watch(micro.qemu("-M", "q35", "-vga", "std", "-drive", f"if=none,id=esp,format=raw,snapshot=on,file={disk}",
                                  "-device", "ide-hd,drive=esp,bootindex=0", *micro.efi(),
                                  *(then.options if then else [])),
                       until, then=then.look if then else None, limit=120)


class Look(micro.Monitor):
    """Keeps what is on the screen."""

    def __init__(self, directory):
        super().__init__(directory / "monitor")
        self.file = directory / "screen"

    def look(self):
        self.seen = self.screen(self.file)


def test_boots(tmp_path):
    """It finds its configuration by a shorter name than its own, and the hypervisor all that GRUB would tell it."""
    look = Look(tmp_path)
    boot = start(tmp_path, {"EFI/BOOT/BOOTX64.cfg": CONFIG, "EFI/BOOT/micro": micro.GUEST}, r"\d+ passed, \d+ failed", look)
    assert boot.finished and not boot.failed, boot.tail()
    assert boot.says(r"loaded by Krypton's EFI loader")
    assert boot.says(r"Command line: console=com1 .* console=com1,vga$")
    assert boot.says(r"\(XEN\) EFI 2\.\d, \d+ tables") and boot.says(r"\(XEN\) ACPI: 1 CPUs")
    assert not boot.says("EFI's runtime services are not used")
    width, height, pixels = look.seen
    assert pixels == render(on_screen(boot, width // 8, height // 16), width, height)


def test_boots_by_grub(tmp_path):
    """GRUB's script makes an entry of all hypervisors in /boot, of this file too: its image is where multiboot 2 looks for one."""
    micro.build()
    iso = tmp_path / "boot.iso"
    subprocess.run([micro.TOP / "testbed/build-iso", EFI, iso, micro.COMMAND_LINE, "only=version end=none", micro.GUEST], check=True,
                   capture_output=True)
    boot = micro.watch(micro.qemu("-cdrom", str(iso), "-boot", "d"), r"\d+ passed, \d+ failed")
    assert boot.says(r"loaded by GRUB 2") and boot.finished and not boot.failed, boot.tail()


@pytest.mark.parametrize("config,complaint", [
    (None, "BOOTX64.EFI: there is no configuration file beside this image"),
    ("[global]\ndefault=a\n[a]\noptions=noreboot\n", "BOOTX64.cfg: there is no kernel= in the section"),
    ("kernel=vmlinuz quiet\n", "vmlinuz quiet: there is no such file"),
])
def test_complains(tmp_path, config, complaint):
    """What can't be booted is said on the firmware's console, and the firmware goes on."""
    files = {} if config is None else {"EFI/BOOT/BOOTX64.cfg": config}
    boot = start(tmp_path, files, re.escape(complaint))
    assert complaint in "\n".join(boot.lines), boot.tail()


def test_signed(tmp_path):
    """sbsign takes it without a warning, and what is signed is verified; one byte changed, it is not."""
    assert shutil.which("sbsign"), "apt-get install sbsigntool"
    key, cert, signed = tmp_path / "key", tmp_path / "cert", tmp_path / "signed.efi"
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=throw-away/", "-keyout", key, "-out", cert,
                    "-nodes", "-days", "2"], check=True, capture_output=True)
    result = subprocess.run(["sbsign", "--key", key, "--cert", cert, "--output", signed, EFI], check=True, text=True,
                            capture_output=True)
    assert "warning" not in result.stderr.lower(), result.stderr
    verify = ["sbverify", "--cert", cert]
    assert subprocess.run([*verify, signed], text=True, capture_output=True).returncode == 0
    assert subprocess.run([*verify, EFI], capture_output=True).returncode != 0
    bad = bytearray(signed.read_bytes())
    bad[len(EFI.read_bytes()) // 2] ^= 1
    signed.write_bytes(bad)
    assert subprocess.run([*verify, signed], capture_output=True).returncode != 0
