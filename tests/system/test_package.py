# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package: built twice it has the same bytes; an installed Debian takes it, runs on it, and is rid of it again."""

import re
import subprocess
import time

import pytest

from machine import BOOT, COMMAND, FAILURES, GUEST, IMAGES, TOP, Machine, pack_files, read_report, use_efi

PACKAGE = TOP / "build/deb/krypton-hypervisor.deb"


class Installed(Machine):
    """A machine whose disk has Debian on it. Root logs in on the serial line."""

    def log_in(self):
        """Waits for the login prompt and logs in."""
        if self.expect(["installed login: "] + FAILURES, BOOT):
            self.drain(5)
            self.kill()
            pytest.fail(f"no login: {self.child.after}")
        self.child.sendline("root")
        self.expect(["Password: "], COMMAND)
        self.child.sendline("krypton")
        self.expect([r"root@installed:~# "], COMMAND)
        self.plain_shell()

    def restart(self):
        """Restarts the machine from inside and logs in."""
        self.child.sendline("systemctl reboot")
        if self.efi:
            assert self.ended(BOOT) == 0
            self.start()
        self.log_in()

    def hypervisor(self):
        """What the kernel says it runs on, "" for the bare machine."""
        return self.out("cat /sys/hypervisor/type 2>/dev/null || true")

    def run_guest(self):
        """Starts the small guest on this terminal, types into its shell, and ends it."""
        self.type("xl create -c /guests/guest.cfg")
        self.expect(["guest ready"], GUEST)
        self.child.sendline("")
        self.expect(["guest:guest# "], COMMAND)
        self.child.sendline("echo guest-says-$((40 + 2))")
        self.expect(["guest-says-42"], COMMAND)
        time.sleep(2)   # xl looks for Ctrl-] only in a read of its own
        self.child.send("\x1d")
        time.sleep(2)
        assert list(self.domains()) == ["Domain-0", "guest"]
        self.run("xl destroy guest")


def test_the_same_tree_gives_the_same_package(tmp_path):
    """In another directory, under another umask."""
    debs = []
    for number, umask in enumerate(["022", "077"]):
        out = tmp_path / ("directory" * (1 + number))
        subprocess.run(["sh", "-c", f"umask {umask} && exec {TOP}/packaging/build-deb {out}"], check=True)
        debs.append((out / PACKAGE.name).read_bytes())
    assert debs[0] == debs[1]
    assert debs[0] == PACKAGE.read_bytes(), "build/deb is not of this tree: make deb"


def look_at_report(m, version):
    """The installed krypton-report knows of the package, and of how the hypervisor was started."""
    m.run("cd /tmp && krypton-report", timeout=BOOT)
    report = read_report(m)
    assert re.search(rf"^krypton-hypervisor {re.escape(version)} ii", report["versions"], re.M), report["versions"]
    assert report["the hypervisor's log"].startswith(f"(XEN) Krypton {version} (Xen ABI 4.17), loaded by GRUB")
    assert f"started by {'EFI' if m.efi else 'BIOS'}\n" in report["firmware"]
    assert re.search("^Domain-0 ", report["xl list -v"], re.M)
    # This disk has no pciutils, and nothing else is missing.
    assert re.findall(r"^\((.*): exit status \d+\)$", "".join(report.values()), re.M) == ["lspci"]


@pytest.mark.parametrize("chipset, efi", [("pc", False), ("q35", True)], ids=["bios", "efi"])
def test_life_of_the_package(machine, tmp_path, chipset, efi):
    """Installed on a running Debian, booted from GRUB's menu as its default, used with Xen's service, and removed."""
    disk = tmp_path / "disk"
    subprocess.run(["cp", IMAGES / "installed.img", disk], check=True)     # with its holes
    files = pack_files(tmp_path / "files.tar", [PACKAGE.resolve()])
    m = machine(kind=Installed, machine=chipset, efi=efi, installed=disk, root="shared", disks=[("virtio", files)]).start()
    m.log_in()
    assert m.hypervisor() == ""
    m.run("mkdir /run/files && tar -xf /dev/vdb -C /run/files")
    m.run("apt-get -y install /run/files/*.deb", timeout=BOOT)

    m.restart()
    assert m.hypervisor() == "xen"
    info = m.info()
    assert info["xen_extra"] == ".0-krypton"
    version = m.out("dpkg-query -W -f '${Version}' krypton-hypervisor")
    assert info["xen_changeset"] == f"Krypton {version}"
    assert m.out("systemctl is-active xen") == "active"
    m.run_guest()
    look_at_report(m, version)
    assert m.out("ls -d /sys/firmware/efi 2>/dev/null || true") == ("/sys/firmware/efi" if efi else "")
    if efi:
        use_efi(m)

    m.run("apt-get -y remove krypton-hypervisor", timeout=BOOT)
    m.restart()
    assert m.hypervisor() == ""
    m.run("dpkg --purge krypton-hypervisor", timeout=BOOT)
    assert m.out("find / -xdev -iname '*krypton*'") == ""
    assert m.out("grep -c multiboot /boot/grub/grub.cfg || true") == "0"
