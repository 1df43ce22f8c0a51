# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's table judges rows as docs/measuring.md says, and its three forms tell the same."""

import csv
import xml.etree.ElementTree

import bench_growth
import bench_table
from bench_runs import Row


def results(**rows):
    """{system: {row: Row}} of row=(native, Xen, Krypton); a dot in a name is written as two underscores."""
    systems = {"native": {}, "Xen": {}, "Krypton": {}}
    for name, costs in rows.items():
        for system, cost in zip(systems, costs):
            if cost is not None:
                systems[system][name.replace("__", ".")] = Row(cost, {"traps": 3} if system == "Krypton" else {})
    return systems


def line(**row):
    return bench_table.lines_of(results(**row))[0]


def test_operations_are_compared_with_xen():
    assert not line(hypercall__null=(None, 100, 60)).missed
    assert line(hypercall__null=(None, 100, 61)).missed


def test_a_row_without_target_is_not_missed():
    assert line(hypercall__unknown=(None, 100, 900)).target is None
    assert not line(hypercall__unknown=(None, 100, 900)).missed


def test_a_stock_kernel_is_judged_by_what_is_added_to_the_bare_machine():
    x = line(macro2__getpid=(1000, 1200, 1100))
    assert (x.to_native, x.judged, x.target, x.missed) == (1.1, 0.5, 0.5, False)
    assert line(macro2__getpid=(1000, 1200, 1101)).missed


def test_loops_are_judged_by_the_bare_machine():
    assert not line(macro__hash=(1000, 2000, 1005)).missed
    assert line(macro__hash=(1000, 2000, 1006)).missed


def test_what_xen_does_for_less_than_the_bare_machine_has_no_overhead():
    assert line(macro__stat=(1000, 900, 950)).judged is None


def test_a_grant_copy_may_cost_the_copy_and_some():
    for cost, missed in ((816, False), (817, True)):
        lines = bench_table.lines_of(results(grant__copy_4096=(None, 1923, cost), grant__bare_copy_4096=(None, 516, 516)))
        assert lines[0].missed is missed


def test_a_guests_device_is_not_compared_with_the_device_itself():
    x = line(io__read_4k=(100, 400, 300))
    assert (x.to_native, x.to_xen, x.overhead, x.target) == (3, 0.75, None, None)


def test_a_row_that_one_system_has_not():
    x = line(macro2__ping_pong_apart=(None, 100, 40))
    assert (x.overhead, x.to_xen, x.target) == (None, 0.4, None)


def test_a_row_that_a_hypervisor_lacks_is_missing():
    of = results(macro__getpid=(1, 2, 3), macro__stat=(1, None, None), hypercall__null=(None, 2, None), trap__ud=(None, 2, 3))
    assert bench_table.missing(of) == ["Xen: macro.stat", "Krypton: macro.stat", "Krypton: hypercall.null"]
    assert bench_table.missing(results(trap__ud=(None, 2, 3))) == []


def test_what_is_added_is_the_hypervisors_or_the_kernels():
    x = line(macro__stat=(1000, 1200, 1100))
    assert bench_table.added(x) is None
    x = x._replace(counts=({"inside": 1000}, {"inside": 150}, {"inside": 20}))
    assert bench_table.added(x) == [(150, 50), (20, 80)]
    assert bench_table.shares([x])[-1].split() == ["macro.stat", "150", "50", "20", "80", "0.50", "0.40"]


def test_three_forms(tmp_path):
    lines = bench_table.lines_of(results(hypercall__null=(None, 100, 50), trap__ud=(None, 100, 70)))
    text = bench_table.text(lines, "instructions")
    assert "1 of 2 targets met" in text and text.count("missed") == 1
    bench_table.write_csv(lines, tmp_path / "t.csv")
    table = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [(row["row"], row["Krypton"], row["met"], row["traps, Krypton"]) for row in table] == [
        ("hypercall.null", "50", "yes", "3"), ("trap.ud", "70", "no", "3")]
    drawn = xml.etree.ElementTree.fromstring(bench_table.svg(lines, "a < b"))
    colours = [bar.get("fill") for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert colours == [bench_table.GREEN, bench_table.RED]


FLAT = {"domains.send_at_0": 300, "domains.send_at_4": 300, "domains.send_at_64": 301, "vcpus.create_at_1": 1, "vcpus.create_at_64": 90,
        "vcpus.turn_at_1": 100, "vcpus.turn_at_4": 300, "vcpus.turn_at_64": 310, "hypercall.null": 5}


def test_what_runs_all_the_time_must_not_grow():
    assert bench_growth.grown(FLAT) == []
    assert bench_growth.grown(FLAT | {"vcpus.turn_at_64": 400}) == ["vcpus.turn grows: 100 at 1, 300 at 4, 400 at 64"]


def test_a_plot_of_growth_has_a_line_for_each_system():
    drawn = xml.etree.ElementTree.fromstring(bench_growth.svg("vcpus", {"native": {}, "Xen": FLAT, "Krypton": FLAT}))
    lines = [x.get("stroke") for x in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
    assert lines == [bench_growth.COLOURS["Xen"], bench_growth.COLOURS["Krypton"]] * 2
