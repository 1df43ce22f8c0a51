# SPDX-License-Identifier: BSD-2-Clause
"""dom0 comes up on every kind of machine: chipset, number of CPUs, memory, root disk, loader."""

import hashlib
import os
import re
import socket
import threading

import pytest

from machine import COMMAND, HYPERVISOR, build_esp, build_iso, kernel_in_initrd, sparse_disk, use_efi


def check_dom0(m):
    """dom0 and the toolstack see the machine as it is."""
    info = m.info()
    assert int(info["nr_cpus"]) == m.cpus
    assert m.memory - 64 <= int(info["total_memory"]) <= m.memory
    assert 0 < int(info["free_memory"]) < m.memory - m.dom0_memory
    assert (info["xen_major"], info["xen_minor"]) == ("4", "17")
    assert int(m.out("nproc")) == m.cpus
    total = int(re.search(r"MemTotal: *(\d+)", m.out("cat /proc/meminfo")).group(1))
    assert m.dom0_memory * 1024 * 0.7 < total <= m.dom0_memory * 1024
    assert m.domains() == {"Domain-0": ["0", str(m.dom0_memory), str(m.cpus), m.domains()["Domain-0"][3]]}


@pytest.mark.parametrize("machine_type, cpus, memory, root", [
    ("pc", 1, 1024, "virtio"),
    ("pc", 8, 4096, "ahci"),
    ("pc", 2, 16384, "nvme"),
    ("q35", 1, 4096, "nvme"),
    ("q35", 2, 1024, "ahci"),
    ("q35", 8, 16384, "virtio"),
])
def test_boot(machine, machine_type, cpus, memory, root):
    # bootscrub=0: the emulator need not find room for memory that nobody uses.
    m = machine(machine=machine_type, cpus=cpus, memory=memory, root=root, options="bootscrub=0",
                threads="multi" if cpus <= 2 else "single").boot()
    check_dom0(m)


def check_screen(m, driver):
    """dom0 has taken over the framebuffer that the hypervisor wrote to, with its drawing on it, and writes there."""
    assert m.out("cat /sys/class/graphics/fb0/name") == driver
    m.run("grep -q 'The screen is dom0' <<< \"$(xl dmesg)\"")
    m.run("dd if=/dev/urandom of=/run/pixels bs=4096 count=16 && cat /run/pixels >/dev/fb0 && cmp -n 65536 /run/pixels /dev/fb0")


def check_loader(m, loader):
    """It was this one, and what it started runs guests."""
    m.run(f"grep -q 'loaded by {loader}' <<< \"$(xl dmesg)\"")
    guest = m.guest("loaded").boot()
    assert guest.out("cat /sys/hypervisor/type") == "xen"
    guest.destroy()


def test_boot_grub_multiboot2(machine, tmp_path):
    m = machine(options="console=com1,vga")
    m.iso = build_iso(tmp_path / "boot.iso", m)
    m.boot()
    check_dom0(m)
    check_loader(m, "GRUB 2")
    check_screen(m, "VESA VGA")


def test_boot_efi(machine, tmp_path):
    """The same CD on a machine with EFI, whose variables dom0 reads and writes."""
    m = machine(machine="q35", efi=True, options="console=com1,vga")
    m.iso = build_iso(tmp_path / "boot.iso", m)
    m.boot()
    check_dom0(m)
    check_loader(m, "GRUB 2")
    check_screen(m, "EFI VGA")
    use_efi(m)


def test_boot_efi_image(machine, tmp_path):
    """The firmware starts the hypervisor itself, which finds its configuration beside it and dom0 there."""
    m = machine(machine="q35", efi=True, options="console=com1,vga")
    m.esp = build_esp(tmp_path / "esp", m)
    m.boot()
    check_dom0(m)
    check_loader(m, "Krypton.s EFI loader")
    check_screen(m, "EFI VGA")
    use_efi(m)


def test_boot_pvh(machine, tmp_path):
    """QEMU starts the ELF file by its PVH note. So it takes one module without a command line."""
    m = machine(kernel=HYPERVISOR.with_name("krypton-syms"), modules=str(kernel_in_initrd(tmp_path / "both")))
    m.options = f"-- {m.dom0_command_line()}"
    m.boot()
    check_dom0(m)
    check_loader(m, "a PVH loader")


def test_poweroff(machine):
    m = machine().boot()
    m.child.sendline("poweroff")
    assert m.ended() == 0
    assert "Power down" in m.log_tail()


def test_reboot(machine):
    # QEMU runs with -no-reboot, so a reset of the machine ends it.
    m = machine().boot()
    m.child.sendline("reboot")
    assert m.ended() == 0
    assert "Restarting system" in m.log_tail()


def test_dom0_limits(machine):
    m = machine(cpus=4, memory=2048, options="dom0_max_vcpus=2 dom0_vcpus_pin").boot()
    assert m.out("nproc") == "2"
    rows = [line.split() for line in m.out("xl vcpu-list Domain-0").split("\n")[1:]]
    assert [(row[3], row[6]) for row in rows] == [("0", "0"), ("1", "1")]


class Peer:
    """A TCP server on this host, seen by dom0 at the gateway of each emulated network. Takes bytes until their end,
    answers with as many of its own."""

    def __init__(self, size):
        self.sent = os.urandom(size)
        self.received = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            while chunk := connection.recv(1 << 16):
                self.received += chunk
            connection.sendall(self.sent)


def check_disk(m, device):
    """64 MiB written to a disk in dom0 are there when read back past the cache."""
    m.run(f"head -c 64M /dev/urandom > /run/data && dd if=/run/data of={device} bs=1M oflag=direct 2>/dev/null")
    written = m.out("sha256sum < /run/data", timeout=COMMAND * 2)
    assert m.out(f"dd if={device} bs=1M count=64 iflag=direct 2>/dev/null | sha256sum", timeout=COMMAND * 2) == written
    m.run("rm /run/data")


def check_nic(m, number, driver):
    """8 MiB go out and others come in through one NIC."""
    names = m.out(f"for d in /sys/class/net/*/device/driver; do echo $(readlink -f $d) $d; done")
    name = re.search(rf"/{driver} /sys/class/net/(\w+)/", names).group(1)
    m.run(f"ip addr add 10.0.{number + 2}.15/24 dev {name} && ip link set {name} up")
    m.wait(f"ping -c 1 -W 2 10.0.{number + 2}.2 >/dev/null", 60)
    peer = Peer(8 << 20)
    m.run(f"head -c 8M /dev/urandom > /run/out && nc -N 10.0.{number + 2}.2 {peer.port} < /run/out > /run/in")
    assert m.out("sha256sum < /run/out").split()[0] == hashlib.sha256(peer.received).hexdigest()
    assert m.out("sha256sum < /run/in").split()[0] == hashlib.sha256(peer.sent).hexdigest()
    m.run(f"ip link set {name} down")


@pytest.mark.parametrize("machine_type", ["pc", "q35"])
def test_devices(machine, tmp_path, machine_type):
    """dom0 drives each kind of disk and NIC, and USB input devices."""
    disks = [(kind, sparse_disk(tmp_path / kind, 65 + size)) for size, kind in enumerate(["virtio", "ahci", "nvme"])]
    m = machine(machine=machine_type, memory=4096, dom0_memory=1024, disks=disks,
                nics=["virtio-net-pci", "e1000e"],
                devices=["qemu-xhci,id=usb", "usb-tablet,bus=usb.0", "usb-kbd,bus=usb.0"]).boot()
    for size, kind in enumerate(["virtio", "ahci", "nvme"]):
        device = m.out(f"for d in /sys/block/*; do [ $(cat $d/size) = {(65 + size) << 11} ] && echo /dev/${{d##*/}}; done; true")
        assert device.startswith({"virtio": "/dev/vd", "ahci": "/dev/sd", "nvme": "/dev/nvme"}[kind])
        check_disk(m, device)
    check_nic(m, 0, "virtio_net")
    check_nic(m, 1, "e1000e")
    m.wait("coldplug; grep -q 'QEMU USB Tablet' /proc/bus/input/devices", 60)
    m.wait("coldplug; grep -q 'QEMU USB Keyboard' /proc/bus/input/devices", 60)
    m.wait("ls /sys/bus/usb/drivers/usbhid | grep -q :", 60)
    interrupts = m.out("cat /proc/interrupts")
    assert re.search(r"xen-pirq.*-msi(-x)? .*(nvme|virtio|ahci|xhci|e1000e|eth|ens|enp)", interrupts) \
        or re.search(r"xen-pirq +-msi", interrupts), interrupts
