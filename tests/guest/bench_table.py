# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's result: rows of three systems, judged by our targets, as text, as CSV and as a plot (SVG)."""

import csv
import html
import math
import re
import typing

from bench_runs import COUNTS, SYSTEMS

# Ratios that we hold ourselves to, by row: instructions (KiB, for sizes) to Xen's. Each pattern is for a whole name.
TO_XEN = [
    (r"hypercall\.(null|vcpu_is_up|set_timer|singleshot_timer)", 0.6),
    (r"event\..*", 0.6),
    (r"trap\.(ud|page_fault|user_).*", 0.5),
    (r"trap\.(cpuid_prefixed|rdmsr|read_cr0|clts|port_in)", 0.4),
    (r"mm\.(mmu_update_1|update_va_mapping.*)", 0.6),
    (r"mm\.mmu_update_.*_each", 0.25),
    (r"mm\.store_.*", 0.4),
    (r"mm\.(un)?pin_.*", 0.25),
    (r"grant\.(un)?map_1", 0.6),
    (r"grant\.(un)?map_32_each", 0.3),
    (r"memory\..*", 0.3),
    (r"boot\..*", 0.3),
    (r"size\.(kept|idle_domain)_kib", 0.5),
]
LOOPS = r"\w+\.(integers|hash|copy)"    # without the kernel: compared with the bare machine
TO_NATIVE, OVERHEAD = 1.005, 0.5        # theirs; of the others: what we add to the bare machine, to what Xen adds
ELSEWHERE = "io."       # the bare kernel has the device itself, not a backend's: no target
COPY = ("grant.copy_4096", "grant.bare_copy_4096", 300)     # so many instructions more than the copy itself


class Line(typing.NamedTuple):
    row: str
    costs: tuple            # of SYSTEMS; None: there is no such row
    to_native: float
    to_xen: float
    overhead: float         # what Krypton adds to the bare machine, to what Xen adds
    judged: float           # that of the ratios which the target is about
    target: float
    counts: tuple           # of SYSTEMS: {count: number}

    @property
    def missed(self):
        return self.target is not None and self.judged is not None and self.judged > self.target


def ratio(a, b):
    return a / b if a is not None and b else None


def line_of(row, results):
    """results: {system: {row: Row}}."""
    found = [results[system].get(row) for system in SYSTEMS]
    native, xen, krypton = costs = [r and r.cost for r in found]
    to_native, to_xen, overhead = ratio(krypton, native), ratio(krypton, xen), None
    judged, target = to_xen, next((limit for pattern, limit in TO_XEN if re.fullmatch(pattern, row)), None)
    if native is not None and not row.startswith(ELSEWHERE):
        overhead = (krypton - native) / (xen - native) if None not in (xen, krypton) and xen > native else None
        judged, target = (to_native, TO_NATIVE) if re.fullmatch(LOOPS, row) else (overhead, OVERHEAD)
    if row == COPY[0] and COPY[1] in results["Krypton"]:
        judged, target = to_xen, ratio(results["Krypton"][COPY[1]].cost + COPY[2], xen)
    return Line(row, tuple(costs), to_native, to_xen, overhead, judged, target, tuple(r.counts if r else {} for r in found))


def added(x):
    """Of what Xen, and Krypton, add to the bare machine: (in the hypervisor, in the guest's kernel); None if it is not known."""
    native, *costs = x.costs
    inside = [counts.get("inside") for counts in x.counts[1:]]
    return None if x.overhead is None or None in inside else [(own, cost - own - native) for own, cost in zip(inside, costs)]


def shares(lines):
    """A table of added(); the least is our overhead to Xen's if the hypervisor cost nothing at all."""
    out = ["", f"{'added to the bare machine':<36} {'Xen itself':>11} {'its kernel':>11} {'Krypton':>11} {'its kernel':>11} "
               f"{'overhead/Xen':>13} {'least':>6}"]
    for x in lines:
        if of := added(x):
            (xen, xen_kernel), (krypton, kernel) = of
            out.append(f"{x.row:<36} {xen:>11} {xen_kernel:>11} {krypton:>11} {kernel:>11} {x.overhead:>13.2f} "
                       f"{kernel / (xen + xen_kernel):>6.2f}")
    return out if len(out) > 2 else []


def lines_of(results):
    rows = dict.fromkeys(row for system in SYSTEMS for row in results[system])
    return [line_of(row, results) for row in rows]


def missing(results):
    """`SYSTEM: row` of each row that a hypervisor lacks though another system has it; the bare machine has fewer."""
    rows = dict.fromkeys(row for system in SYSTEMS for row in results[system])
    return [f"{system}: {row}" for system in SYSTEMS if system != "native" for row in rows if row not in results[system]]


def number(value, digits=None):
    return "-" if value is None else str(value) if digits is None else f"{value:.{digits}f}"


def text(lines, unit):
    """Two tables: costs; and what happened in them, of each system where it did."""
    out = [f"{unit:<36} {'native':>10} {'Xen':>10} {'Krypton':>10} {'/native':>8} {'/Xen':>6} {'overhead/Xen':>13} {'target':>7}"]
    for x in lines:
        out.append(f"{x.row:<36} " + " ".join(f"{number(cost):>10}" for cost in x.costs)
                   + f" {number(x.to_native, 3):>8} {number(x.to_xen, 2):>6} {number(x.overhead, 2):>13}"
                   + f" {'' if x.target is None else f'{x.target:.4g}':>7}{' missed' if x.missed else ''}")
    judged = [x for x in lines if x.target is not None and x.judged is not None]
    if judged:
        out += ["", f"{sum(not x.missed for x in judged)} of {len(judged)} targets met"]
    out += shares(lines)
    counts = [c for c in COUNTS if c != "instructions"]
    if any(c for x in lines for c in x.counts):
        out += ["", f"{'in one operation (whole batch)':<36} {'':<8}" + "".join(f"{name:>14}" for name in counts)]
        for x in lines:
            out += [f"{x.row:<36} {system:<8}" + "".join(f"{n.get(name, '-'):>14}" for name in counts)
                    for system, n in zip(SYSTEMS, x.counts) if any(n.values())]
    return "\n".join(out) + "\n"


def write_csv(lines, path):
    counts = [c for c in COUNTS if c != "instructions"]
    with path.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["row", *SYSTEMS, "to native", "to Xen", "overhead to Xen's", "judged", "target", "met",
                         *(f"{name}, {system}" for name in counts for system in SYSTEMS)])
        for x in lines:
            met = "" if x.target is None or x.judged is None else "no" if x.missed else "yes"
            writer.writerow([x.row, *x.costs, x.to_native, x.to_xen, x.overhead, x.judged, x.target, met,
                             *(n.get(name, "") for name in counts for n in x.counts)])


# ---- The plot ----

LEFT, WIDTH, STEP, LEAST, MOST = 260, 560, 15, 0.05, 4.0
GREEN, RED, GREY = "#2a7f3f", "#c0392b", "#888"


def at(value):
    """Where a ratio is, on a logarithmic axis; what is beyond its ends is at them."""
    return LEFT + WIDTH * math.log(min(max(value, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)


def svg(lines, title):
    """A bar for each row from 1 (as Xen) to our ratio, and a tick where the target is: shorter paths go to the left."""
    shown = [(x, x.judged if x.judged is not None else x.to_xen) for x in lines]
    shown = [(x, value) for x, value in shown if value is not None]
    height = 50 + STEP * len(shown)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height + 20}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>', f'<text x="10" y="18" font-size="14">{html.escape(title)}</text>']
    for mark in (0.05, 0.1, 0.25, 0.5, 1, 2, 4):
        out.append(f'<line x1="{at(mark):.1f}" x2="{at(mark):.1f}" y1="40" y2="{height}" stroke="{"black" if mark == 1 else "#ddd"}"/>'
                   f'<text x="{at(mark):.1f}" y="36" text-anchor="middle">{mark:g}</text>')
    for i, (x, value) in enumerate(shown):
        y, (low, high) = 46 + STEP * i, sorted((at(value), at(1)))
        colour = GREY if x.target is None else RED if x.missed else GREEN
        out.append(f'<text x="{LEFT - 8}" y="{y + 9}" text-anchor="end">{html.escape(x.row)}</text>'
                   f'<rect x="{low:.1f}" y="{y}" width="{max(high - low, 1):.1f}" height="{STEP - 5}" fill="{colour}"/>'
                   f'<text x="{LEFT + WIDTH + 8}" y="{y + 9}">{value:.2f}</text>')
        if x.target is not None:
            out.append(f'<line x1="{at(x.target):.1f}" x2="{at(x.target):.1f}" y1="{y - 2}" y2="{y + STEP - 3}" stroke="black" stroke-width="2"/>')
    return "\n".join(out) + "\n</svg>\n"
