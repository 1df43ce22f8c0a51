# SPDX-License-Identifier: BSD-2-Clause
"""The machines of the benchmark: what boots, and the rows that come out of one boot.

A row is what its operation costs, and, if a plugin of QEMU watched (tests/bench/count.c), how often things happened in it that
instruction counting does not charge for.
"""

import pathlib
import re
import subprocess
import sys
import typing

import micro

OUT = micro.TOP / "build/bench"
KRYPTON = micro.TOP / "build/release/krypton"
XEN = micro.TOP / "build/images/xen"
KERNEL = micro.TOP / "build/images/dom0-vmlinuz"
DRIVERS = micro.TOP / "build/images/dom0-initrd"
PROGRAM = micro.TOP / "build/guests/macro/macro-initrd"
SYSTEMS = ("native", "Xen", "Krypton")
HYPERVISOR = {"Xen": XEN, "Krypton": KRYPTON}

ICOUNT = ("-icount", "shift=0,sleep=off")
DOM0 = "console=com1 com1=115200,8n1 loglvl=error guest_loglvl=error"
LINUX = "quiet loglevel=3 random.trust_cpu=on"
LIMIT = 1800        # seconds of wall time for one run, on however busy a machine

# In the order of count.c.
COUNTS = ("instructions", "hypercalls", "system calls", "traps", "CR3 loads", "CR4 loads", "INVLPG", "WRMSR", "IPIs", "bytes copied",
          "bytes cleared")
# Where the system is whose counts are meant: a hypervisor has the root slots that the ABI keeps for it, a kernel the upper half.
CODE = {"native": "from=ffff800000000000,to=ffffffffffffffff", "Xen": "from=ffff800000000000,to=ffff880000000000",
        "Krypton": "from=ffff800000000000,to=ffff880000000000"}
# A disk answers when the host likes: what passes until then is no cost, what is executed is.
EXECUTED = ("macro.file_sync", "macro.sql")

# name of a family of rows: CPUs of the machine, of the kernel, what the kernel is told
MACRO = {"macro": (1, 1, ""), "macro2": (2, 2, ""), "macro4": (4, 4, ""), "crowded4": (1, 4, "crowded=1")}


class Row(typing.NamedTuple):
    cost: int
    counts: dict


def plugin(name):
    """Builds tests/bench/NAME.c."""
    library = OUT / f"{name}.so"
    OUT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", micro.TOP, "-o", library,
                    micro.TOP / f"tests/bench/{name}.c"], check=True)
    return library


def run(system, what, machine, counted):
    """{row: Row} of one boot, and boot.entry_to_dom0 if `counted`. machine: QEMU's command line."""
    print(f"bench: {system}, {what}", file=sys.stderr)
    log = OUT / f"counts-{system}-{what}.txt"
    log.unlink(missing_ok=True)
    if counted:
        machine = [*machine, "-plugin", f"{plugin('count')},out={log},{CODE[system]}"]
    boot = micro.watch(machine, limit=LIMIT)
    costs = [(name, int(cost)) for name, cost in re.findall(r"^bench (\w+\.\w+) (\d+)$", "\n".join(boot.lines), re.M)]
    if not boot.says("^bench end") or boot.says("^bench failed"):
        sys.exit(f"bench: no end ({system}, {what}):\n{boot.tail()}")
    if not counted:
        return {name: Row(cost, {}) for name, cost in costs}
    entered, *lines = log.read_text().splitlines()
    if len(lines) < len(costs):
        sys.exit(f"bench: {len(costs)} rows and the counts of {len(lines)} ({system}, {what})")
    rows = {"boot.entry_to_dom0": Row(int(entered.split()[1]), {})}
    for (name, cost), line in zip(costs, lines):
        counts = dict(zip(COUNTS, map(int, line.split())))
        executed = counts.pop("instructions", None)
        rows[name] = Row(executed if name in EXECUTED else cost, counts)
    return rows


def micro_rows(system, counted=True, icount=True):
    """What operations cost our own guest, as the only domain."""
    machine = micro.qemu("-kernel", str(HYPERVISOR[system]), "-append", f"{DOM0} dom0_mem=64M,max:64M dom0_max_vcpus=1",
                         "-initrd", f"{micro.GUEST} bench=all", *(ICOUNT if icount else ()))
    rows = run(system, "operations", machine, counted)
    rows.pop("boot.entry_to_dom0", None)
    return rows


def macro_machine(system, family="macro", icount=True, more=""):
    """QEMU's command line for Debian's kernel with one program. more: of the kernel's."""
    cpus, vcpus, told = MACRO[family]
    initrd, disk = OUT / "initrd", OUT / "disk.img"
    OUT.mkdir(parents=True, exist_ok=True)
    drivers = DRIVERS.read_bytes()
    initrd.write_bytes(drivers + bytes(-len(drivers) % 4) + PROGRAM.read_bytes())       # the later /init is the one that stays
    if not disk.exists():
        subprocess.run(["mke2fs", "-q", "-t", "ext4", disk, "64M"], check=True)
    linux = f"{LINUX} {told} {more}"
    boot = (("-kernel", str(KERNEL), "-append", f"console=ttyS0 {linux}", "-initrd", str(initrd)) if system == "native" else
            ("-kernel", str(HYPERVISOR[system]), "-append", f"{DOM0} dom0_mem=384M,max:384M dom0_max_vcpus={vcpus}",
             "-initrd", f"{KERNEL} console=hvc0 {linux},{initrd}"))
    return micro.qemu(*boot, "-drive", f"file={disk},if=virtio,format=raw,snapshot=on", *(ICOUNT if icount else ()), cpus=cpus)


def macro_rows(system, family="macro", counted=True, icount=True):
    """What a stock kernel's operations cost its programs."""
    rows = run(system, family, macro_machine(system, family, icount), counted)
    rows.pop("boot.entry_to_dom0", None)
    return {name.replace("macro.", family + "."): row for name, row in rows.items()}


def size_rows(system):
    """Of 4 GiB and two CPUs: the way to dom0's first instruction, and what is kept, in KiB (guests/micro/bench_size.c)."""
    machine = micro.qemu("-kernel", str(HYPERVISOR[system]), "-append", f"{DOM0} dom0_mem=384M,max:384M dom0_max_vcpus=1",
                         "-initrd", f"{micro.GUEST} bench=size", *ICOUNT, cpus=2, memory=4096)
    return {**run(system, "size", machine, True), "size.image_kib": Row(HYPERVISOR[system].stat().st_size // 1024, {})}
