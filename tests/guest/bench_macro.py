#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a stock kernel's operations cost its programs, in instructions: alone, as dom0 of Debian's Xen, as dom0 of Krypton.

The program is guests/macro, the kernel is Debian's, the machine is QEMU with instruction counting, as in bench.py. What a
hypervisor costs is the difference to the bare kernel; the last column compares that difference, Krypton's to Xen's.
"""

import argparse
import csv
import pathlib
import re
import sys

import micro

KERNEL = micro.TOP / "build/images/dom0-vmlinuz"
INITRD = micro.TOP / "build/guests/macro/macro-initrd"
KRYPTON = micro.TOP / "build/release/krypton"
XEN = micro.TOP / "build/images/xen"
LIMIT = 1200        # seconds of wall time for one run
OPTIONS = "console=com1 com1=115200,8n1 dom0_mem=384M,max:384M dom0_max_vcpus=1 loglvl=error guest_loglvl=error"
LINUX = "quiet loglevel=3 random.trust_cpu=on"

LOOPS = {"macro.integers", "macro.hash", "macro.copy"}  # no kernel in it: compared with the bare machine
LOOP_TARGET, TARGET = 1.005, 0.5


def boots():
    """{name: QEMU's options}."""
    def dom0(hypervisor):
        return ("-kernel", str(hypervisor), "-append", OPTIONS, "-initrd", f"{KERNEL} console=hvc0 {LINUX},{INITRD}")
    return {"native": ("-kernel", str(KERNEL), "-append", f"console=ttyS0 {LINUX}", "-initrd", str(INITRD)),
            "Xen": dom0(XEN), "Krypton": dom0(KRYPTON)}


def run(name, options):
    """{row: instructions} of one run."""
    print(f"bench: {name} boots", file=sys.stderr)
    boot = micro.watch(micro.qemu(*options, "-icount", "shift=0,sleep=off"), "bench end", LIMIT)
    text = "\n".join(boot.lines)
    rows = {row: int(value) for row, value in re.findall(r"^bench (\w+\.\w+) (\d+)$", text, re.M)}
    if "bench end" not in text or "bench failed" in text:
        sys.exit(f"bench: the program did not finish ({name}):\n{boot.tail()}")
    return rows


def judge(row, native, xen, krypton):
    """(Krypton's cost to the bare kernel's, its overhead to Xen's, what the target is about, target)."""
    to_native = krypton / native
    overhead = (krypton - native) / (xen - native) if xen > native else None
    return (to_native, overhead, to_native, LOOP_TARGET) if row in LOOPS else (to_native, overhead, overhead, TARGET)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=pathlib.Path, default=micro.TOP / "build/bench-macro.csv", help="where the table goes (%(default)s)")
    options = parser.parse_args()
    for path, how in ((INITRD, "make macro"), (KRYPTON, "make release"), (XEN, "make images"), (KERNEL, "make images")):
        if not path.exists():
            sys.exit(f"bench: no {path}: {how}")
    columns = {name: run(name, machine) for name, machine in boots().items()}
    table, met = [], 0
    print(f"{'instructions':<24} {'native':>10} {'Xen':>10} {'Krypton':>10} {'/native':>8} {'overhead/Xen':>13} {'target':>7}")
    for row in columns["native"]:
        costs = [columns[name][row] for name in columns]
        to_native, overhead, judged, target = judge(row, *costs)
        met += judged is not None and judged <= target
        missed = " missed" if judged is not None and judged > target else ""
        print(f"{row:<24} " + " ".join(f"{cost:>10}" for cost in costs)
              + f" {to_native:>8.3f} {f'{overhead:.2f}' if overhead is not None else '-':>13} {target:>7}{missed}")
        table.append([row, *costs, to_native, overhead, target])
    with options.csv.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["row", *columns, "ratio to native", "overhead to Xen's", "target"])
        writer.writerows(table)
    print(f"bench: {met} of {len(table)} targets met; the table is also in {options.csv}", file=sys.stderr)


if __name__ == "__main__":
    main()
