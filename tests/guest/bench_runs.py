# SPDX-License-Identifier: BSD-2-Clause
"""The machines of the benchmark: what boots, and the rows that come out of one boot.

A row is what its operation costs, and, if a plugin of QEMU watched (tests/bench/count.c), how often things happened in it that
instruction counting does not charge for.
"""

import gzip
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
COUNTS = ("instructions", "inside", "hypercalls", "system calls", "traps", "CR3 loads", "CR4 loads", "INVLPG", "WRMSR", "IPIs",
          "bytes copied", "bytes cleared")
# Where the system is whose counts are meant: a hypervisor has the root slots that the ABI keeps for it, a kernel the upper half.
CODE = {"native": "from=ffff800000000000,to=ffffffffffffffff", "Xen": "from=ffff800000000000,to=ffff880000000000",
        "Krypton": "from=ffff800000000000,to=ffff880000000000"}
# A disk answers when the host likes: what passes until then is no cost, what is executed is.
EXECUTED = ("macro.file_sync", "macro.sql", "io.")

# Families of guests/micro: of one small machine; and how costs grow, with 64 vCPUs and memory for 64 domains.
OPERATIONS = "hypercall+event+grant+memory+mm+trap+between+size"
SCALE = "domains+vcpus"
SCALE_MACHINE = {"vcpus": 64, "memory": 4096}
RAM = (256, 1024, 4096, 16384, 65536)   # MiB

# name of a family of rows: (vCPUs of the kernel, CPUs of the machine). The bare kernel has one CPU in all of them:
# to start a second one, it waits in ways that take QEMU many minutes when it counts instructions.
MACRO = {"macro": (1, 1), "macro2": (2, 2), "macro4": (4, 4), "macro2on1": (2, 1)}
# Where CPUs are fewer, rows in which no vCPU spins until another has done something: that one may not be running. A kernel that
# loads drivers spins, too.
OVER = ("getpid", "ping_pong", "fork_exit", "fork_exec", "thread", "page_fault", "mmap_64", "mprotect_16",
        "twenty_processes_abreast", "ping_pong_apart")


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


def plugin_options(system, counts):
    """QEMU's options for a run whose counts go to that file."""
    counts.unlink(missing_ok=True)
    return ["-plugin", f"{plugin('count')},out={counts},{CODE[system]}"]


def joined(drivers, program):
    """Two initrds as one, in which the later /init is the one that stays. xl wants all of it compressed or nothing."""
    first = gzip.decompress(drivers.read_bytes())
    return first + bytes(-len(first) % 4) + program.read_bytes()


def rows_of(text, counts, what):
    """{row: Row} of what a boot printed. counts: the plugin's file, or None."""
    costs = [(name, int(cost)) for name, cost in re.findall(r"^bench (\w+\.\w+) (\d+)\r*$", text, re.M)]
    if not re.search(r"^bench end", text, re.M) or "bench failed" in text:
        sys.exit(f"bench: no end ({what}):\n{text[-3000:]}")
    if not counts:
        return {name: Row(cost, {}) for name, cost in costs}
    _, *lines = counts.read_text().splitlines()
    if len(lines) < len(costs):
        sys.exit(f"bench: {len(costs)} rows and the counts of {len(lines)} ({what})")
    rows = {}
    for (name, cost), line in zip(costs, lines):
        numbers = dict(zip(COUNTS, map(int, line.split())))
        executed = numbers.pop("instructions", None)
        rows[name] = Row(executed if name.startswith(EXECUTED) else cost, numbers)
    return rows


def run(system, what, machine, counted):
    """{row: Row} of a machine, which is QEMU's command line, from power on to its end."""
    print(f"bench: {system}, {what}", file=sys.stderr)
    counts = OUT / f"counts-{system}-{what}.txt" if counted else None
    boot = micro.watch([*machine, *(plugin_options(system, counts) if counted else ())], limit=LIMIT)
    return rows_of("\n".join(boot.lines), counts, f"{system}, {what}")


def micro_machine(system, families, *options, vcpus=1, dom0=64, **settings):
    """QEMU's command line for our own guest as dom0, which measures rows of these families. dom0: its MiB."""
    return micro.qemu("-kernel", str(HYPERVISOR[system]), "-append", f"{DOM0} dom0_mem={dom0}M,max:{dom0}M dom0_max_vcpus={vcpus}",
                      "-initrd", f"{micro.GUEST} bench={families}", *options, **settings)


def micro_rows(system, counted=True, icount=True):
    """What operations cost our own guest."""
    clock = ICOUNT if icount else ()
    rows = run(system, "operations", micro_machine(system, OPERATIONS, *clock), counted)
    return rows | run(system, "scale", micro_machine(system, SCALE, *clock, **SCALE_MACHINE), counted)


def macro_machine(system, family="macro", icount=True, more=""):
    """QEMU's command line for Debian's kernel with one program. more: of the kernel's."""
    vcpus, cpus = MACRO[family]
    initrd, disk = OUT / "initrd", OUT / "disk.img"
    OUT.mkdir(parents=True, exist_ok=True)
    initrd.write_bytes(PROGRAM.read_bytes() if vcpus > cpus else joined(DRIVERS, PROGRAM))
    if not disk.exists():
        subprocess.run(["mke2fs", "-q", "-t", "ext4", disk, "64M"], check=True)
    linux = f"{LINUX} {more or ('row=' + '+'.join(OVER) if vcpus > cpus else '')}"
    boot = (("-kernel", str(KERNEL), "-append", f"console=ttyS0 {linux}", "-initrd", str(initrd)) if system == "native" else
            ("-kernel", str(HYPERVISOR[system]), "-append", f"{DOM0} dom0_mem=384M,max:384M dom0_max_vcpus={vcpus}",
             "-initrd", f"{KERNEL} console=hvc0 {linux},{initrd}"))
    return micro.qemu(*boot, "-drive", f"file={disk},if=virtio,format=raw,snapshot=on", *(ICOUNT if icount else ()), cpus=cpus)


def macro_rows(system, family="macro", counted=True, icount=True):
    """What a stock kernel's operations cost its programs."""
    rows = run(system, family, macro_machine(system, family, icount), counted)
    vcpus, cpus = MACRO[family]
    if lost := [row for row in OVER if vcpus > cpus and f"macro.{row}" not in rows]:
        sys.exit(f"bench: no {', '.join(lost)} ({system}, {family})")
    return {name.replace("macro.", family + "."): row for name, row in rows.items()}


def size_rows(system):
    """Of 4 GiB and two CPUs: the way to dom0's first instruction, and memory that no guest gets, in KiB (guests/micro/bench_size.c)."""
    rows = run(system, "size", micro_machine(system, "size", *ICOUNT, dom0=384, cpus=2, memory=4096), True)
    rows["size.image_kib"] = Row(HYPERVISOR[system].stat().st_size // 1024, {})
    rows["boot.entry_to_dom0"] = Row(boot_of(system, "size"), {})
    return rows


def ram_rows(system):
    """The way to dom0's first instruction, and what the hypervisor keeps, in machines of one CPU and more and more memory. The host
    gives what is touched."""
    rows = {}
    for mib in RAM:
        backing = ("-object", f"memory-backend-ram,id=ram,size={mib}M,reserve=off", "-machine", "memory-backend=ram")
        size = run(system, f"ram{mib}", micro_machine(system, "size", *backing, *ICOUNT, memory=mib), True)
        rows[f"ram.entry_at_{mib}"] = Row(boot_of(system, f"ram{mib}"), {})
        rows[f"ram.kept_kib_at_{mib}"] = size["size.kept_kib"]
    return rows


def boot_of(system, what):
    """Instructions of all CPUs from the loader's jump to dom0's first one, in a run that was counted."""
    return int((OUT / f"counts-{system}-{what}.txt").read_text().split("\n")[0].split()[1])
