#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What operations cost a guest, in instructions: Krypton beside Debian's Xen, in the same machine and the same run.

The micro guest (guests/micro, bench_*.c) runs as dom0 under QEMU's instruction counting, where the time stamp counter is
the number of instructions executed, so each row is the same in every run. Such a count says nothing of caches, TLBs or
of how long an instruction takes: the rows compare paths, not seconds.
"""

import argparse
import csv
import pathlib
import re
import sys

import micro

KRYPTON = micro.TOP / "build/release/krypton"
XEN = micro.TOP / "build/images/xen"
BASELINE = micro.TOP / "tests/bench/baseline.csv"
GROWTH = 1.05       # a row may cost so much of its baseline
LIMIT = 600         # seconds of wall time for one run

# Ratios to Xen that we hold ourselves to, by row.
TARGETS = [
    (r"hypercall\.(null|vcpu_is_up|set_timer|singleshot_timer)", 0.6),
    (r"event\.", 0.6),
    (r"trap\.(ud|page_fault|user_).*", 0.5),
    (r"trap\.(cpuid_prefixed|rdmsr|read_cr0|clts|port_in)", 0.4),
    (r"mm\.(mmu_update_1|update_va_mapping.*)", 0.6),
    (r"mm\.mmu_update_.*_each", 0.25),
    (r"mm\.store_", 0.4),
    (r"mm\.(un)?pin_", 0.25),
    (r"grant\.(un)?map_1", 0.6),
    (r"grant\.(un)?map_32_each", 0.3),
    (r"memory\.", 0.3),
]


def run(hypervisor):
    """{row: instructions} of one run."""
    boot = micro.boot("bench=all", hypervisor, limit=LIMIT, vcpus=1, options="loglvl=error guest_loglvl=error",
                      more=("-icount", "shift=0,sleep=off"))
    text = "\n".join(boot.lines)
    rows = {name: int(value) for name, value in re.findall(r"^bench (\w+\.\w+) (\d+)$", text, re.M)}
    bad = re.findall(r"^bench failed.*$", text, re.M)
    if bad or "bench end" not in text:
        sys.exit(f"bench: the guest did not finish on {hypervisor}: {bad}\n{boot.tail()}")
    return rows


def target_of(row):
    return next((ratio for pattern, ratio in TARGETS if re.match(pattern, row)), None)


def compare(csv_path):
    """The table of both hypervisors; also as a file. Gives our rows."""
    print("bench: Debian's Xen, then Krypton; a few seconds each on an idle machine", file=sys.stderr)
    theirs, ours = run(XEN), run(KRYPTON)
    lines = [(row, theirs.get(row), cost, cost / theirs[row] if theirs.get(row) else None, target_of(row))
             for row, cost in ours.items()]
    print(f"{'instructions':<36} {'Xen':>10} {'Krypton':>10} {'ratio':>6} {'target':>6}")
    for row, xen, cost, ratio, target in lines:
        missed = " missed" if target and ratio and ratio > target else ""
        print(f"{row:<36} {xen or '-':>10} {cost:>10} {f'{ratio:.2f}' if ratio else '-':>6} {target or '':>6}{missed}")
    with csv_path.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["row", "xen", "krypton", "ratio", "target"])
        writer.writerows(lines)
    print(f"bench: {sum(bool(t) and r <= t for *_, r, t in lines if r)} of {sum(bool(t) for *_, t in lines)} targets met; "
          f"the table is also in {csv_path}", file=sys.stderr)
    return ours


def check():
    """No row costs noticeably more than its baseline."""
    known = {row: int(cost) for row, cost in csv.reader(BASELINE.open())}
    ours = run(KRYPTON)
    worse = [f"{row}: {known[row]} -> {cost}" for row, cost in ours.items() if cost > known.get(row, cost) * GROWTH]
    lost = sorted(set(known) - set(ours))
    print(f"bench: {len(ours)} rows, {len(worse)} grew by more than {GROWTH - 1:.0%}, {len(lost)} are gone")
    if worse or lost:
        sys.exit("\n".join(["bench: mend it, or say why and write the new baseline (make bench-baseline):", *worse, *lost]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="Krypton alone, against tests/bench/baseline.csv")
    parser.add_argument("--baseline", action="store_true", help="writes that file anew")
    parser.add_argument("--csv", type=pathlib.Path, default=micro.TOP / "build/bench.csv", help="where the table goes (%(default)s)")
    options = parser.parse_args()
    for path, how in ((micro.GUEST, "make micro"), (KRYPTON, "make release"), (XEN, "make images")):
        if not path.exists() and not (path == XEN and (options.check or options.baseline)):
            sys.exit(f"bench: no {path}: {how}")
    if options.check:
        check()
    elif options.baseline:
        with BASELINE.open("w", newline="") as f:
            csv.writer(f).writerows(sorted(run(KRYPTON).items()))
    else:
        compare(options.csv)


if __name__ == "__main__":
    main()
