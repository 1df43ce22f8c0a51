#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What operations cost on the bare machine, under Debian's Xen and under Krypton: the same QEMU, the same workload, one run.

QEMU counts instructions, and the time stamp counter is that count, so each row is the same in every run. Such a count says nothing
of caches, TLBs or of how long an instruction takes: the rows compare paths, not seconds (docs/measuring.md).
"""

import argparse
import csv
import pathlib
import statistics
import sys

import bench_growth
import bench_io
import bench_runs
import bench_table
import micro
from bench_runs import Row, SYSTEMS

BASELINE = micro.TOP / "tests/bench/baseline.csv"
GROWTH = 1.05       # a row may cost so much of its baseline


def write(lines, unit, title, name, more=""):
    """Prints the table and what there is `more` to say, and leaves it in NAME.txt, NAME.csv and NAME.svg."""
    table = bench_table.text(lines, unit) + more
    print(table, end="")
    name.with_suffix(".txt").write_text(table)
    name.with_suffix(".svg").write_text(bench_table.svg(lines, title))
    bench_table.write_csv(lines, name.with_suffix(".csv"))
    print(f"bench: also in {name}.txt, .csv and .svg", file=sys.stderr)


def stock_kernel_rows(system):
    """Rows of all families; the bare kernel's of one CPU stand for its rows of several."""
    if system == "native":
        one = bench_runs.macro_rows(system)
        return {row.replace("macro.", family + "."): r for family, (vcpus, cpus) in bench_runs.MACRO.items()
                for row, r in one.items() if vcpus == cpus or row.removeprefix("macro.") in bench_runs.OVER}
    rows = {}
    for family in bench_runs.MACRO:
        rows.update(bench_runs.macro_rows(system, family))
    rows["boot.entry_to_linux"] = Row(bench_runs.boot_of(system, "macro2"), {})
    return rows


def everything(name):
    """Every row of every system."""
    results = {system: {} for system in SYSTEMS}
    for system in SYSTEMS:
        if system != "native":
            results[system].update(bench_runs.micro_rows(system))
            results[system].update(bench_runs.size_rows(system))
            results[system].update(bench_runs.ram_rows(system))
        results[system].update(stock_kernel_rows(system))
        results[system].update(bench_io.io_rows(system))
    write(bench_table.lines_of(results), "instructions (sizes: KiB)",
          "Instructions: Krypton to Xen 4.17 (what both add to the bare machine, where there is one)", name)
    costs = {system: {row: r.cost for row, r in rows.items()} for system, rows in results.items()}
    for family in bench_growth.FAMILIES:
        name.with_name(f"growth-{family}.svg").write_text(bench_growth.svg(family, costs))
    if missing := bench_table.missing(results):
        sys.exit("\n".join(["bench: these rows are missing:", *missing]))


def wall(pairs, name):
    """Medians of real time, in ticks of the host's time stamp counter: runs of the systems take turns, so that a load that comes and
    goes is in all of them alike."""
    runs = {system: [] for system in SYSTEMS}
    for _ in range(pairs):
        for system in SYSTEMS:
            rows = {} if system == "native" else bench_runs.micro_rows(system, counted=False, icount=False)
            rows.update(bench_runs.macro_rows(system, counted=False, icount=False))
            runs[system].append({row: r for row, r in rows.items() if not row.startswith("size.")})
    results = {system: {row: Row(round(statistics.median(run[row].cost for run in of)), {}) for row in of[0]}
               for system, of in runs.items()}
    lines = [x._replace(target=None) for x in bench_table.lines_of(results)]        # targets are about instructions
    spread = [f"\n{'Krypton to Xen, run by run':<36} {'least':>7} {'median':>7} {'most':>7}"]
    for row in results["Krypton"]:
        ratios = sorted(ours[row].cost / max(theirs[row].cost, 1) for ours, theirs in zip(runs["Krypton"], runs["Xen"]))
        spread.append(f"{row:<36} {ratios[0]:>7.2f} {statistics.median(ratios):>7.2f} {ratios[-1]:>7.2f}")
    write(lines, f"ticks, medians of {pairs} runs", "Time in the emulator: Krypton to Xen 4.17", name, "\n".join(spread) + "\n")


def check():
    """No row costs noticeably more than its baseline, and none grows that must not."""
    known = {row: int(cost) for row, cost in csv.reader(BASELINE.open())}
    ours = {row: r.cost for row, r in bench_runs.micro_rows("Krypton", counted=False).items()}
    worse = [f"{row}: {known[row]} -> {cost}" for row, cost in ours.items() if cost > known.get(row, cost) * GROWTH]
    lost = sorted(set(known) - set(ours))
    new = sorted(set(ours) - set(known))
    print(f"bench: {len(ours)} rows, {len(worse)} grew by more than {GROWTH - 1:.0%}, {len(lost)} are gone, {len(new)} have no baseline")
    if grown := bench_growth.grown(ours):
        sys.exit("\n".join(["bench: these must cost the same in a large machine:", *grown]))
    if worse or lost or new:
        sys.exit("\n".join(["bench: mend it, or say why and write the new baseline (make bench-baseline):", *worse, *lost, *new]))


def baseline():
    with BASELINE.open("w", newline="") as f:
        csv.writer(f).writerows(sorted((row, r.cost) for row, r in bench_runs.micro_rows("Krypton", counted=False).items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="Krypton's operations alone, against tests/bench/baseline.csv")
    parser.add_argument("--baseline", action="store_true", help="writes that file anew")
    parser.add_argument("--wall", type=int, metavar="PAIRS", help="real time instead of instructions: medians of so many paired runs")
    parser.add_argument("--out", type=pathlib.Path, help="where the tables go, without suffix (build/bench/table, build/bench/wall)")
    options = parser.parse_args()
    alone = options.check or options.baseline
    for path, how in ((micro.GUEST, "make micro"), (bench_runs.KRYPTON, "make release"), (bench_runs.PROGRAM, "make macro"),
                      (bench_runs.XEN, "make images"), (bench_runs.KERNEL, "make images"), (bench_runs.DRIVERS, "make images")):
        if not path.exists() and not (alone and path not in (micro.GUEST, bench_runs.KRYPTON)):
            sys.exit(f"bench: no {path}: {how}")
    bench_runs.OUT.mkdir(parents=True, exist_ok=True)
    if options.check:
        check()
    elif options.baseline:
        baseline()
    elif options.wall:
        wall(options.wall, options.out or bench_runs.OUT / "wall")
    else:
        everything(options.out or bench_runs.OUT / "table")


if __name__ == "__main__":
    main()
