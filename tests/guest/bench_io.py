# SPDX-License-Identifier: BSD-2-Clause
"""Rows of a guest's disk and network (guests/macro/io.c, net.c): a whole dom0 with Debian's tools, and two guests on its backends,
of which one answers the other.

The disk is QEMU's null device, which is done at once. Costs are all instructions that the CPUs executed, in the guest, in dom0 and in
the hypervisor. On the bare machine the same program has the null device to itself, and no neighbour.
"""

import sys

import bench_runs
import micro
from bench_runs import KERNEL, LIMIT, LINUX, OUT, PROGRAM

sys.path.insert(1, str(micro.TOP / "tests/system"))
import machine                                          # noqa: E402

GUEST_INITRD = micro.TOP / "build/images/guest-initrd"
NULL_DISK = ["-drive", "if=none,id=null,driver=null-co,size=64M,read-zeroes=on", "-device", "virtio-blk-pci,drive=null,serial=null"]
GUEST = """name = "{name}"
kernel = "/guests/vmlinuz"
ramdisk = "/run/files/io-initrd"
extra = "console=hvc0 quiet loglevel=3 random.trust_cpu=on {program}"
memory = 192
vcpus = 1
vif = ["bridge=xenbr0"]
disk = [{disk}]
on_reboot = "destroy"
"""
GUESTS = {"io": {"program": "iodisk=/dev/xvda addr=10.1.0.2 dom0=10.1.0.1 guest=10.1.0.3",
                 "disk": '"format=raw,vdev=xvda,access=rw,backendtype=phy,target=/dev/disk/null"'},
          "neighbour": {"program": "addr=10.1.0.3 answer=yes", "disk": ""}}


class Counted(machine.Machine):
    """With a null disk, instruction counting, and a plugin that writes to `counts`."""

    def __init__(self, system, counts, **settings):
        super().__init__(f"bench-io-{system}", cpus=1, memory=1280, threads="single", kernel=bench_runs.HYPERVISOR[system],
                         options="dom0_max_vcpus=1", **settings)
        self.more = [*NULL_DISK, *bench_runs.ICOUNT, *bench_runs.plugin_options(system, counts)]

    def qemu(self):
        return super().qemu() + self.more


def in_guest(system):
    """{row: Row} of the guest's disk and network."""
    print(f"bench: {system}, io", file=sys.stderr)
    machine.BOOT = machine.COMMAND = machine.GUEST = LIMIT
    initrd, counts = OUT / "io-initrd", OUT / f"counts-{system}-io.txt"
    initrd.write_bytes(bench_runs.joined(GUEST_INITRD, PROGRAM))
    configs = [OUT / f"{name}.cfg" for name in GUESTS]
    for config, (name, of) in zip(configs, GUESTS.items()):
        config.write_text(GUEST.format(name=name, **of))
    host = Counted(system, counts, files=[initrd, *configs, PROGRAM.parent / "root/init"])
    try:
        host.boot()
        host.run("mkdir -p /dev/disk; for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" != null ] || ln -s ../${d##*/} /dev/disk/null; done")
        host.run("(/run/files/init answer > /dev/null 2>&1 &); cd /run/files && xl create neighbour.cfg && xl create io.cfg", LIMIT)
        host.wait("! xl domid io > /dev/null 2>&1", LIMIT, "end of the guest")
        text = host.run("cat /var/log/xen/console/guest-io.log", raw=True).output
        host.type("poweroff -f")
        host.ended()
    except machine.MachineError as error:
        sys.exit(f"bench: no end ({system}, io): {error}")
    finally:
        host.kill()
    return bench_runs.rows_of(text, counts, f"{system}, io")


def alone():
    """The disk's rows on the bare machine."""
    initrd = OUT / "io-initrd-native"
    initrd.write_bytes(bench_runs.joined(bench_runs.DRIVERS, PROGRAM))
    return bench_runs.run("native", "io", micro.qemu("-kernel", str(KERNEL), "-append", f"console=ttyS0 {LINUX} iodisk=/dev/vda",
                                                     "-initrd", str(initrd), *NULL_DISK, *bench_runs.ICOUNT), True)


def io_rows(system):
    return alone() if system == "native" else in_guest(system)
