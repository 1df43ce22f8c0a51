#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where a row of bench.py spends its instructions in the hypervisor, by function; see tests/bench/profile.c.

Two runs, one with more samples of the row than the other: what the difference counts is the row's alone.
"""

import argparse
import bisect
import collections
import subprocess
import sys

import bench_runs
import micro

SYMBOLS = micro.TOP / "build/release/krypton-syms"
FEW = 20


def functions(symbols=SYMBOLS):
    """(addresses, names) of the hypervisor's code, sorted."""
    lines = subprocess.run(["nm", symbols], capture_output=True, text=True, check=True).stdout.split("\n")
    known = sorted((int(line.split()[0], 16), line.split()[2]) for line in lines if line.split()[1:2] in (["t"], ["T"]))
    return [address for address, _ in known], [name for _, name in known]


def function_at(known, address):
    """Its name; known: of functions()."""
    addresses, names = known
    return names[bisect.bisect(addresses, address) - 1]


def code(known):
    """A plugin's options: where the hypervisor's code is."""
    return f"from=ffff820000200000,to={known[0][-1] + 1:x}"


def count(row, samples, known):
    """{block: instructions} of one run."""
    family, name = row.split(".")
    out = bench_runs.OUT / "profile.txt"
    out.unlink(missing_ok=True)
    boot = (bench_runs.macro_machine("Krypton", family, more=f"row={name} samples={samples}") if family in bench_runs.MACRO else
            bench_runs.micro_machine("Krypton", f"{family} row={row} samples={samples} end", *bench_runs.ICOUNT,
                                     **bench_runs.SCALE_MACHINE if family in bench_runs.SCALE.split("+") else {}))
    machine = [*boot, "-plugin", f"{bench_runs.plugin('profile')},out={out},{code(known)}"]
    boot = micro.watch(machine, limit=bench_runs.LIMIT)
    if not boot.says("^bench end"):
        sys.exit(f"profile: the program did not finish:\n{boot.tail()}")
    if not boot.says(rf"^bench \w+\.{name} "):
        sys.exit(f"profile: no row {row}: see guests/macro and guests/micro")
    counts = collections.Counter()
    for line in out.read_text().split("\n")[:-1]:
        address, instructions = line.split()
        counts[int(address, 16)] += int(instructions)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="of bench.py")
    parser.add_argument("--samples", type=int, default=200, help="how many the row is the mean of (%(default)s)")
    parser.add_argument("--top", type=int, default=40, help="functions to print (%(default)s)")
    options = parser.parse_args()
    known = functions()
    many = count(options.row, FEW + options.samples, known)
    many.subtract(count(options.row, FEW, known))
    by_function = collections.Counter()
    for address, instructions in many.items():
        by_function[function_at(known, address)] += instructions
    whole = sum(by_function.values())
    print(f"{whole / options.samples:>10.0f}  in the hypervisor for each {options.row}")
    for name, instructions in by_function.most_common(options.top):
        print(f"{instructions / options.samples:>10.1f} {instructions / whole:>6.1%}  {name}")


if __name__ == "__main__":
    main()
