# SPDX-License-Identifier: BSD-2-Clause
"""How costs grow with a machine: rows named FAMILY.WHAT_at_N, a plot for each family, and the rule for those that must not grow."""

import html
import math
import re

FAMILIES = {"domains": "other domains, of 32 MiB each", "vcpus": "vCPUs of the guest", "ram": "MiB of memory"}
# What runs all the time costs the same beside any number of domains and vCPUs.
FLAT = r"domains\.(set_timer|send|yield|populate|create|destroy)|vcpus\.(set_timer|send|turn)"
ALLOWED = 1.1

WIDTH, HEIGHT, GAP, LEFT, TOP = 220, 140, 90, 90, 50
COLOURS = {"Xen": "#c0392b", "Krypton": "#2a7f3f"}


def curves(costs):
    """{(family, what): [(N, cost)]}, of {row: cost}."""
    found = {}
    for row, cost in costs.items():
        name = re.fullmatch(r"(\w+)\.(\w+)_at_(\d+)", row)
        if name and name[1] in FAMILIES:
            found.setdefault((name[1], name[2]), []).append((int(name[3]), cost))
    return {key: sorted(points) for key, points in found.items()}


def grown(costs):
    """What grew that must not, a line each. The first step is not looked at: alone there is no other vCPU to change to."""
    out = []
    for (family, what), points in curves(costs).items():
        steps = [cost for _, cost in points[1:]]
        if re.fullmatch(FLAT, f"{family}.{what}") and max(steps) > ALLOWED * steps[0]:
            out.append(f"{family}.{what} grows: " + ", ".join(f"{cost} at {n}" for n, cost in points))
    return out


def panel(family, what, of, x0):
    """One quantity: steps to the right, each the next number of the row; cost upwards from 0, on one scale for all systems."""
    most = max(cost for points in of.values() for _, cost in points)
    numbers = sorted({n for points in of.values() for n, _ in points})
    x = {n: x0 + WIDTH * i / max(len(numbers) - 1, 1) for i, n in enumerate(numbers)}
    bottom = TOP + HEIGHT
    out = [f'<text x="{x0}" y="{TOP - 10}">{html.escape(what)}</text>',
           f'<path d="M{x0},{TOP} V{bottom} H{x0 + WIDTH}" fill="none" stroke="black"/>',
           f'<text x="{x0 - 4}" y="{TOP + 4}" text-anchor="end">{most}</text><text x="{x0 - 4}" y="{bottom}" text-anchor="end">0</text>']
    out += [f'<text x="{x[n]:.0f}" y="{bottom + 14}" text-anchor="middle">{n}</text>' for n in numbers]
    for system, points in of.items():
        path = " ".join(f"{x[n]:.1f},{bottom - HEIGHT * cost / max(most, 1):.1f}" for n, cost in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[system]}" stroke-width="2"/>')
    out.append(f'<text x="{x0 + WIDTH / 2:.0f}" y="{bottom + 30}" text-anchor="middle">{html.escape(FAMILIES[family])}</text>')
    return out


def svg(family, costs):
    """A panel for each quantity of the family. costs: {system: {row: cost}}."""
    systems = {system: curves(costs[system]) for system in COLOURS if system in costs}
    whats = list(dict.fromkeys(what for of in systems.values() for known, what in of if known == family))
    width = LEFT + len(whats) * (WIDTH + GAP) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{math.ceil(width)}" height="{TOP + HEIGHT + 60}" font-family="sans-serif" '
           'font-size="11">', '<rect width="100%" height="100%" fill="white"/>']
    for i, (system, colour) in enumerate(COLOURS.items()):
        out.append(f'<text x="{LEFT + 70 * i}" y="20" font-size="14" fill="{colour}">{system}</text>')
    for i, what in enumerate(whats):
        of = {system: c[family, what] for system, c in systems.items() if (family, what) in c}
        out += panel(family, what, of, LEFT + i * (WIDTH + GAP))
    return "\n".join(out) + "\n</svg>\n"
