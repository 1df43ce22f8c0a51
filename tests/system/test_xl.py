# SPDX-License-Identifier: BSD-2-Clause
"""Each command of Debian's xl that a host's owner uses daily, on one running guest."""

import json
import re

import pytest

from machine import COMMAND, GUEST, SWITCH


def test_info(dom0):
    info = dom0.info()
    assert info["xen_version"].startswith("4.17")
    assert info["xen_scheduler"] == "credit2"
    assert "xen-3.0-x86_64" in info["xen_caps"].split()
    assert info["virt_caps"].startswith("pv")
    assert f"dom0_mem={dom0.dom0_memory}M" in info["xen_commandline"]
    assert int(info["total_memory"]) - int(info["free_memory"]) >= dom0.dom0_memory
    assert "cpu:    core" in dom0.out("xl info -n")


def test_list(dom0, guest):
    domains = dom0.domains()
    assert list(domains) == ["Domain-0", "g"]
    ident, memory, vcpus, state = domains["g"]
    assert (memory, vcpus) == ("128", "2")
    assert int(ident) > 0 and set(state) <= set("rb-")
    listed = {d["config"]["c_info"].get("name"): d for d in json.loads(dom0.out("xl list -l"))}
    assert listed["g"]["domid"] == int(ident)
    assert listed["g"]["config"]["b_info"]["max_vcpus"] == 2
    assert "Domain-0" in listed


def test_vcpu_list(dom0, guest):
    rows = [line.split() for line in dom0.out("xl vcpu-list g").split("\n")[1:]]
    assert [(row[0], row[2]) for row in rows] == [("g", "0"), ("g", "1")]
    assert all(re.fullmatch(r"[r-][b-][p-]", row[4]) and float(row[5]) > 0 for row in rows)


def test_domid_domname_uptime(dom0, guest):
    ident = dom0.domains()["g"][0]
    assert dom0.out("xl domid g") == ident
    assert dom0.out(f"xl domname {ident}") == "g"
    assert re.search(rf"^g +{ident} +\d+:\d\d:\d\d$", dom0.out("xl uptime g"), re.M)
    assert dom0.run("xl domid nobody", check=False).status != 0


def test_list_options(dom0, guest):
    """What `list` says more of a domain; security labels there are none of."""
    ident, uuid = dom0.domains()["g"][0], dom0.out("xl list -v g | tail -n 1").split()[6]
    assert uuid == dom0.out(f"xenstore-read /local/domain/{ident}/vm").split("/")[-1]
    assert dom0.out("xl list -Z g | tail -n 1").split()[:2] == ["g", ident]
    assert dom0.out("xl list -c g | tail -n 1").split()[-1] == "Pool-0"


def test_claims(dom0, guest):
    """All that was claimed for a guest is the guest's once it is there."""
    rows = {row.split()[0]: row.split() for row in dom0.out("xl claims").split("\n")[1:]}
    assert {name: row[-1] for name, row in rows.items()} == {"Domain-0": "0", "g": "0"}


def test_xenstore_tree(dom0, guest):
    """The tools' and the guest's nodes are there, with the guest's own state."""
    ident = dom0.domains()["g"][0]
    tree = dom0.out(f"xenstore-ls -f /local/domain/{ident}")
    nodes = dict(re.findall(rf'^/local/domain/{ident}/(\S+) = "(.*)"', tree, re.M))
    assert nodes["name"] == "g" and nodes["domid"] == ident
    assert nodes["memory/target"] == nodes["memory/static-max"] == str(128 << 10)
    assert [nodes[f"cpu/{cpu}/availability"] for cpu in range(2)] == ["online"] * 2
    assert int(nodes["console/ring-ref"]) > 0 and int(nodes["store/ring-ref"]) > 0
    assert nodes["control/platform-feature-multiprocessor-suspend"] == "1"
    assert nodes["control/feature-poweroff"] == nodes["control/feature-suspend"] == "1"
    assert dom0.out(f"xenstore-ls -f /vm | grep -c '/name = \"g\"'") == "1"


def test_rename(dom0, guest):
    dom0.run("xl rename g other")
    assert list(dom0.domains()) == ["Domain-0", "other"]
    dom0.run("xl rename other g")


def test_console_both_ways(dom0, guest):
    assert guest.out("echo $((6 * 7))") == "42"
    assert guest.out("nproc") == "2"
    # More than a ring's worth out, and a long line in.
    assert guest.out("seq 1 2000") == "\n".join(map(str, range(1, 2001)))
    text = "abcdefghij" * 50
    assert guest.out(f"echo {text} | wc -c") == "501"


def test_pause_unpause(dom0, guest):
    dom0.run("xl pause g")
    assert dom0.domains()["g"][3] in ("--p---", "-bp---")   # b: had nothing to do then
    times = [dom0.out("xl list g").split("\n")[1].split()[5] for _ in range(2)]
    assert times[0] == times[1]
    dom0.run("xl unpause g")
    assert guest.out("echo back") == "back"


def test_create_paused(dom0):
    guest = dom0.guest("own")
    guest.create("-p")
    assert dom0.domains()["own"][3] == "--p---"
    assert dom0.out(f"cat {guest.log} 2>/dev/null; true") == ""
    dom0.run("xl unpause own")
    guest.wait()


def test_shutdown(dom0):
    guest = dom0.guest("own", vcpus=2).boot()
    dom0.run("xl shutdown -w own", timeout=GUEST)
    guest.gone()
    # A PV guest without ACPI powers off as a halt.
    assert re.search("reboot: (Power down|System halted)", dom0.run(f"tail -n 5 {guest.log}", raw=True).output)


def test_reboot(dom0):
    guest = dom0.guest("own", vcpus=2).boot()
    before = int(dom0.out("xl domid own"))
    dom0.run("xl reboot own")
    dom0.wait(f'[ "$(xl domid own 2>/dev/null || echo {before})" -gt {before} ]', GUEST, "a new domain id")
    dom0.wait(f"[ $(grep -c 'guest ready' {guest.log}) = 2 ]", GUEST, "the second start")


def test_destroy(dom0):
    dom0.guest("own", vcpus=2).boot()
    dom0.run("xl destroy own")
    assert "own" not in dom0.domains()
    assert dom0.run("xl destroy own", check=False).status != 0


def test_dmesg_and_debug_keys(dom0):
    # The hypervisor's log goes to the console as well; raw keeps it in the output.
    first = dom0.run("xl dmesg", raw=True).output
    assert len(first.split("\n")) > 20
    dom0.run("xl dmesg -c > /dev/null")
    assert dom0.run("xl dmesg", raw=True).output.strip() == ""
    dom0.run("xl debug-keys h")
    assert re.search(r"\(XEN\) +(key )?'h'", dom0.run("xl dmesg", raw=True).output)


def test_console_switch(dom0):
    """Ctrl-A three times: what is typed goes to the hypervisor's key commands; three times more: to dom0 again."""
    dom0.child.send(SWITCH * 3)
    dom0.expect([r"\(XEN\) [^\n]*(DOM0|hypervisor|Xen)[^\n]*\n"], COMMAND)
    dom0.child.send("h")
    dom0.expect([r"\(XEN\) +(key )?'h'"], COMMAND)
    dom0.child.send(SWITCH * 3)
    dom0.expect([r"\(XEN\) [^\n]*(?i:dom0)[^\n]*\n"], COMMAND)
    dom0.child.send("\n")     # ends the line that holds the first two of each three, which dom0 gets
    assert dom0.out("echo back") == "back"


def test_top(dom0, guest):
    rows = [line.split() for line in dom0.out("xentop -b -i 2 -d 1").split("\n")]
    assert [row[0] for row in rows if row] == ["NAME", "Domain-0", "g"] * 2
    times = [float(row[2]) for row in rows if row and row[0] == "Domain-0"]
    assert times[0] <= times[1]


@pytest.mark.parametrize("kernel, vcpus", [
    ("vmlinuz", 1), ("vmlinuz", 2), ("vmlinuz", 4), ("vmlinuz", 8), ("vmlinuz-full", 1), ("vmlinuz-full", 4),
])
def test_vcpus(dom0, kernel, vcpus):
    """Both kernels of Debian run, with more vCPUs than there are CPUs too."""
    guest = dom0.guest("own", vcpus=vcpus, kernel=f"/guests/{kernel}", memory=192).boot()
    assert guest.out("nproc") == str(vcpus)
    # Each vCPU does work: a loop of its own on each, all counted.
    guest.run(f"for c in $(seq 0 {vcpus - 1}); do taskset -c $c sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i > /tmp/'$c & done; wait")
    assert guest.out("cat /tmp/[0-9] | sort -u; ls /tmp | wc -l") == f"3000\n{vcpus}"
    assert dom0.domains()["own"][2] == str(vcpus)


def test_affinity(dom0, guest):
    dom0.run("xl vcpu-pin g 0 1 all && xl vcpu-pin g 1 all 0")
    rows = [line.split() for line in dom0.out("xl vcpu-list g").split("\n")[1:]]
    assert " ".join(rows[0][6:]) == "1 / all"
    assert " ".join(rows[1][6:]) == "all / 0"


def test_programs_keep_their_registers(dom0):
    """The dynamic linker keeps what a function is given, in SSE registers too: by XSAVE, as it finds that switched on."""
    assert dom0.out("python3 -c 'import math; print(math.log(10))'") == "2.302585092994046"
    assert " xsave " in dom0.out("grep -m1 ^flags /proc/cpuinfo")


def test_memory_is_true(dom0):
    """free_memory falls by what a guest takes and its overhead, and comes back."""
    free = dom0.free_memory()
    guest = dom0.guest("own", memory=256).boot()
    taken = free - dom0.free_memory()
    assert 256 <= taken <= 256 + 16
    guest.destroy()
    dom0.memory_back(free)
