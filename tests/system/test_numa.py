# SPDX-License-Identifier: BSD-2-Clause
"""A machine of two nodes, as the stock tools see it; guests get the memory of the node that they are to run on."""

import re

NODE = 1024     # MiB
MACHINE = {"nodes": ((NODE, "0"), (NODE, "1")), "distance": 31, "memory": 2 * NODE}


def nodes(machine):
    """`xl info -n` as {node: (MiB of memory, of which free, distances)}."""
    table = machine.out("xl info -n").split("numa_info")[1]
    return {int(node): (int(size), int(free), distances) for node, size, free, distances in
            re.findall(r"^ *(\d+): +(\d+) +(\d+) +([\d,]+)$", table, re.M)}


def pages_by_node(machine, name):
    """A domain's pages on each node, by debug key 'u'."""
    ident = machine.domains()[name][0]
    machine.run("xl dmesg -c >/dev/null; xl debug-keys u")
    report = machine.run("xl dmesg", raw=True).output
    found = re.search(rf"(?:Domain |d){ident} \(total: (\d+)\)[^\n]*((?:\n\(XEN\) +Node \d+: \d+)+)", report)
    assert found, report
    pages = [int(n) for n in re.findall(r"Node \d+: (\d+)", found.group(2))]
    assert sum(pages) == int(found.group(1)), report
    return pages


def affinity(machine, name):
    return machine.out(f"xl list -n {name}").split()[-1]


def test_nodes(dom0):
    found = nodes(dom0)
    assert {node: row[2] for node, row in found.items()} == {0: "10,31", 1: "31,10"}
    assert all(NODE - 64 <= size <= NODE and 0 < free <= size for size, free, _ in found.values())
    info = dom0.info()
    assert info["nr_nodes"] == "2"
    assert abs(sum(free for _, free, _ in found.values()) - int(info["free_memory"])) <= 1
    topology = dom0.out("xl info -n").split("cpu_topology")[1].split("device topology")[0]
    assert [row[-1] for row in re.findall(r"^ *(\d+): +(\d+) +(\d+) +(\d+)$", topology, re.M)] == ["0", "1"]
    assert sum(pages_by_node(dom0, "Domain-0")) == dom0.dom0_memory << 8


def test_a_guest_gets_the_memory_of_its_cpus_node(dom0):
    """With a soft affinity given, xl chooses no node: the hypervisor follows the vCPUs. (With a hard one alone xl 4.17
    chooses one without a look at it.)"""
    for node in (1, 0):
        before = nodes(dom0)
        guest = dom0.guest(f"n{node}", cpus=f"node:{node}", cpus_soft=f"node:{node}").boot()
        assert affinity(dom0, guest.name) == str(node)
        pages = pages_by_node(dom0, guest.name)
        assert pages[1 - node] == 0 and pages[node] >= 128 << 8
        after = nodes(dom0)
        assert before[node][1] - after[node][1] >= 127
        assert guest.out("echo $((6 * 7))") == "42"
        guest.destroy()
        guest.gone()


def test_xl_places_a_guest_by_itself(dom0):
    guest = dom0.guest("placed").boot()
    node = int(affinity(dom0, guest.name))
    pages = pages_by_node(dom0, guest.name)
    assert pages[1 - node] == 0 and pages[node] >= 128 << 8
    guest.destroy()
    guest.gone()


def test_a_pool_for_each_node(dom0):
    dom0.run("xl cpupool-numa-split")
    try:
        assert re.findall(r"^(\S+) +([\d,-]+)$", dom0.out("xl cpupool-list -c"), re.M) == [("Pool-node0", "0"), ("Pool-node1", "1")]
    finally:
        dom0.run("xl cpupool-destroy Pool-node1; xl cpupool-rename Pool-node0 Pool-0; xl cpupool-cpu-add Pool-0 all", check=False)
