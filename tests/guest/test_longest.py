# SPDX-License-Identifier: BSD-2-Clause
"""The longest stays in the hypervisor: how many instructions until interrupts come through again, while the micro guest does all it
can. A plugin of QEMU counts them (tests/bench/longest.c); one CPU that counts instructions, so that each run says the same."""

import collections

import bench_runs
import micro
import profile

BOUND = 200_000
# To clear 2 MiB in one piece, a page at a time.
EXTENT, EXTENT_BOUND = "memset", 400_000
FIGURES = micro.TOP / "build/logs/longest.figures"
SYMBOLS = micro.HYPERVISOR.with_name("krypton-syms")


def stays(out, known):
    """[(instructions, function in which most of them were)] from the longest on."""
    found = []
    for line in out.read_text().splitlines():
        instructions, *where = line.split()
        functions = collections.Counter(profile.function_at(known, int(at, 16)) for at in where)
        found.append((int(instructions), functions.most_common(1)[0][0]))
    return found


def test_longest(tmp_path):
    micro.build()
    out = tmp_path / "longest"
    known = profile.functions(SYMBOLS)
    plugin = f"{bench_runs.plugin('longest')},out={out},{profile.code(known)}"
    boot = micro.boot(limit=600, vcpus=1, options="guest_loglvl=none", more=["-plugin", plugin, *bench_runs.ICOUNT])
    assert boot.finished and not boot.says(micro.HYPERVISOR_DEAD), boot.tail()
    found = stays(out, known)
    extents = [n for n, function in found if function == EXTENT]
    others = [stay for stay in found if stay[1] != EXTENT]
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(f"longest stay in the hypervisor: {others[0][0]} instructions, most in {others[0][1]}()\n"
                       f"to clear an extent of 2 MiB: {max(extents, default=0)}\n")
    assert others[0][0] <= BOUND, found
    assert max(extents, default=0) <= EXTENT_BOUND, found
