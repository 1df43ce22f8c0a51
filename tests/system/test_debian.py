# SPDX-License-Identifier: BSD-2-Clause
"""A guest that is a whole Debian on its own disk, which dom0 passes on as a device."""

import pytest

from machine import COMMAND, GUEST, IMAGES

MACHINE = {"memory": 3072, "disks": (("virtio", IMAGES / "debian.img"),)}
DISK = ["format=raw,vdev=xvda,access=rw,backendtype=phy,target=/dev/vdb"]


def log_in(dom0, guest):
    """Logs in on the guest's console, looks around, and shuts it down from inside."""
    guest.create()
    guest.wait("login: ", GUEST * 2)
    child = dom0.child
    dom0.type(f"xl console {guest.name}")
    child.sendline("")
    dom0.expect(["debian login: "], COMMAND)
    child.sendline("root")
    dom0.expect(["Password: "], COMMAND)
    child.sendline("krypton")
    dom0.expect([r"root@debian:~# "], COMMAND)
    dom0.type("cat /sys/hypervisor/type; findmnt -no SOURCE,OPTIONS /; runlevel; cat /etc/debian_version")
    dom0.expect([r"xen\r*\n/dev/xvda +rw[^\n]*\n.*2\r*\n12\.\d+\r*\n"], COMMAND)
    child.sendline("poweroff")
    dom0.expect(["reboot: (Power down|System halted)"], COMMAND)
    # xl console ends with the domain, but what is typed until then is lost.
    guest.detach()
    guest.gone()


def test_login(dom0):
    """Kernel and initrd of the guest's own /boot, handed over by dom0."""
    dom0.run("mkdir -p /mnt && mount -o ro /dev/vdb /mnt && cp /mnt/boot/vmlinuz-* /run/kernel && cp /mnt/boot/initrd.img-* /run/initrd; umount /mnt")
    log_in(dom0, dom0.guest("login", kernel="/run/kernel", ramdisk="/run/initrd", memory=384, vcpus=2, disk=DISK,
                            args="root=LABEL=debian ro"))


def test_pv_grub(dom0):
    """Debian's PV boot loader finds menu, kernel and initrd on the guest's disk."""
    log_in(dom0, dom0.guest("pvgrub", kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin", ramdisk=None, memory=512, disk=DISK))


def test_pygrub(dom0):
    """Debian's other way: a program in dom0 reads the guest's grub.cfg."""
    guest = dom0.guest("pygrub", 'bootloader = "pygrub"\n', kernel=None, ramdisk=None, extra=None, memory=384, disk=DISK)
    guest.create()
    guest.wait("login: ", GUEST * 2)
    dom0.run("xl shutdown -w pygrub", timeout=GUEST)
    guest.gone()
