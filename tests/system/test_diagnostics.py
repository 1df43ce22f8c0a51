# SPDX-License-Identifier: BSD-2-Clause
"""What an administrator looks with: Debian's diagnostic tools in dom0, on a running guest."""

import re

import pytest

from machine import REFERENCE

TOOLS = "/usr/lib/xen-4.17/bin"
TRACE = "/tmp/trace.bin"


def log_of_keys(dom0, keys):
    """What the debug keys add to the hypervisor's log."""
    dom0.run("xl dmesg -c >/dev/null")
    dom0.run(f"xl debug-keys '{keys}'")
    return dom0.run("xl dmesg", raw=True).output


def load(guest):
    """Makes the guest work, and sleep in between, for a while."""
    guest.run("(for i in $(seq 400); do echo $i >/dev/null; usleep 10000 2>/dev/null || sleep 0.01; done) >/dev/null 2>&1 &")


@pytest.fixture
def buffers(dom0, guest):
    """The trace buffers: made once, they stay, so the memory they take is no leak."""
    dom0.run(f"xentrace -e 0x00021000 -T 1 {TRACE}; rm -f {TRACE}")
    dom0.baseline = dom0.free_memory()


@pytest.fixture
def trace(dom0, guest, buffers):
    """A capture of about two seconds while the guest works, and beside it (.txt) its records as xenalyze names them."""
    load(guest)
    dom0.run(f"rm -f {TRACE}; xentrace -D -e all -T 2 {TRACE}")
    dom0.run(f"xenalyze -a {TRACE} 2>/dev/null >{TRACE}.txt; [ -s {TRACE}.txt ]")
    yield TRACE
    dom0.run(f"rm -f {TRACE} {TRACE}.txt")


def test_xentrace(dom0, guest, trace):
    ident = dom0.domains()["g"][0]

    def count(pattern):
        return int(dom0.out(f"grep -c '{pattern}' {trace}.txt; true"))

    for pattern in (f"runstate_change d{ident}v[01] .*->running", f"runstate_change d{ident}v[01] .*->blocked",
                    f"sched_switch prev d{ident}v[01], run for", f"sched_switch next d{ident}v[01]", f"vcpu_wake d{ident}v[01]",
                    f"vcpu_block d{ident}v[01]", f" d{ident}v[01] hypercall 1d (sched_op) block", " d0v[01] hypercall "):
        assert count(pattern) > 10, pattern
    assert count(f" d{ident}v[01] page_fault") > 0


def test_xentrace_summary(dom0, guest, trace):
    ident = dom0.domains()["g"][0]
    summary = dom0.out(f"xenalyze --summary {trace} 2>/dev/null")
    assert f"|-- Domain {ident} --|" in summary and "|-- Domain 0 --|" in summary
    assert re.search(r"^ sched *: *\d+", summary, re.M)
    assert re.search(r"^ pv *: *\d+", summary, re.M)
    # Of the guest: how long each vCPU was in each state, and its hypercalls by name.
    own = summary[summary.index(f"|-- Domain {ident} --|"):]
    assert re.search(r"-- v0 --\n Runstates:\n +running: +\d+ +[\d.]+s", own), own
    assert re.search(r"hypercall +\d+\n(    .*\n)*    sched_op +\[29\]: +\d+", own), own


def test_xentrace_one_class(dom0, guest, buffers):
    load(guest)
    dom0.run(f"rm -f {TRACE}; xentrace -D -e 0x00021000 -T 1 {TRACE}")
    volume = dom0.out(f"xenalyze --summary {TRACE} 2>/dev/null | sed -n '/Log volume/,/Domain/p'")
    assert " sched " in volume and " pv " not in volume and " mem " not in volume
    dom0.run(f"rm -f {TRACE}")


@pytest.mark.skipif(REFERENCE, reason="built without counters")
def test_xenperf(dom0, guest):
    dom0.run("xenperf -r")
    guest.run("ls -R / >/dev/null 2>&1; true", timeout=300)     # what /proc lists may be gone by then
    counters = dict(re.findall(r"^(.+?) +T= *(\d+)", dom0.out("xenperf"), re.M))
    for name in ("hypercalls", "exceptions", "context switches", "events raised", "page faults handed to guests", "TLB flushes"):
        assert int(counters[name]) > 0, counters
    calls = dict(re.findall(r"^(\w+) +(\d+)$", dom0.out("xenperf -p"), re.M))
    assert int(calls["sched_op"]) > 0 and int(calls["sysctl"]) > 0
    assert len(dom0.out("xenperf -f").split("\n")) >= len(counters)


@pytest.mark.skipif(REFERENCE, reason="built without lock profile")
def test_xenlockprof(dom0, guest):
    dom0.run("xenlockprof -r")
    guest.run("ls -R / >/dev/null 2>&1; true", timeout=300)     # what /proc lists may be gone by then
    profile = dom0.out("xenlockprof")
    locks = dict(re.findall(r"^global lock (\w+) *: lock: *(\d+)\(", profile, re.M))
    assert int(locks["RUNQ"]) > 0 and int(locks["TIMER"]) > 0 and "DOMCTL" in locks
    assert float(re.search(r"total locked time: +([\d.]+)s", profile)[1]) > 0


def test_xenhypfs(dom0):
    tree = dom0.out("xenhypfs tree").split("\n")
    assert [line.strip() for line in tree][:6] == ["/", "buildinfo/", "changeset", "compileinfo/", "compile_by", "compile_date"]
    assert "guest_loglvl" in "".join(tree) and "loglvl" in "".join(tree)
    assert dom0.out("xenhypfs cat /buildinfo/version/major") == "4"
    assert dom0.out("xenhypfs cat /buildinfo/version/minor") == "17"
    assert "gcc" in dom0.out("xenhypfs cat /buildinfo/compileinfo/compiler") or not REFERENCE
    assert dom0.run("xenhypfs cat /nothing", check=False).status != 0
    assert dom0.run("xenhypfs write /buildinfo/changeset x", check=False).status != 0


def test_xenhypfs_pools(dom0):
    """A directory for each CPU pool; what CPUs run vCPUs in can be set while the pool has none."""
    assert dom0.out("xenhypfs ls /cpupool") == "<dir>    r- 0"
    assert dom0.out("xenhypfs ls /cpupool/0") == "<string> rw sched-gran"
    dom0.run("xl cpupool-cpu-remove Pool-0 1 && xl cpupool-create 'name=\"two\"' 'cpus=[\"1\"]'")
    assert dom0.out("xenhypfs ls /cpupool") == "<dir>    r- 0\n<dir>    r- 1"
    assert dom0.out("xenhypfs cat /cpupool/1/sched-gran") == "cpu"
    assert "Device or resource busy" in dom0.run("xenhypfs write /cpupool/1/sched-gran cpu 2>&1", check=False).output
    dom0.run("xl cpupool-cpu-remove two 1 && xenhypfs write /cpupool/1/sched-gran cpu")
    assert "Invalid argument" in dom0.run("xenhypfs write /cpupool/1/sched-gran bogus 2>&1", check=False).output
    dom0.run("xl cpupool-destroy two && xl cpupool-cpu-add Pool-0 1")
    assert dom0.run("xenhypfs cat /cpupool/1/sched-gran", check=False).status != 0


def test_set_parameters(dom0):
    before = dom0.out("xenhypfs cat /params/guest_loglvl")
    dom0.run("xl set-parameters guest_loglvl=info/debug")
    assert dom0.out("xenhypfs cat /params/guest_loglvl") == "info/debug"
    dom0.run("xenhypfs write /params/loglvl warning/all")
    assert dom0.out("xenhypfs cat /params/loglvl") == "warning/all"
    assert dom0.run("xl set-parameters loglvl=bogus", check=False).status != 0
    assert dom0.run("xl set-parameters nothing=1", check=False).status != 0
    dom0.run(f"xl set-parameters 'guest_loglvl={before} loglvl=all'")
    assert dom0.out("xenhypfs cat /params/guest_loglvl") == before


def test_debug_keys(dom0, guest):
    ident = dom0.domains()["g"][0]
    keys = log_of_keys(dom0, "h")
    for key, what in (("q", "dump domain"), ("d", "dump registers"), ("r", "dump run queues"), ("e", "dump evtchn info"),
                      ("g", "print grant table usage"), ("m", "memory info"), ("u", "dump NUMA info"),
                      ("t", "display multi-cpu clock info"),
                      ("0", "dump Dom0 registers"), ("*", "print all diagnostics"), ("a", "dump timer queues"),
                      ("i", "dump interrupt bindings"), ("M", "dump MSI state"), ("z", "dump IOAPIC info")):
        assert re.search(rf"key '{re.escape(key)}' \(ascii '[0-9a-f]{{2}}'\) => {what}", keys), what
    domains = log_of_keys(dom0, "q")
    assert "General information for domain 0:" in domains and f"General information for domain {ident}:" in domains
    assert len(re.findall(r"VCPU\d+: CPU\d+", domains)) >= 4
    for key in "drat0egmuiMz":
        assert len(log_of_keys(dom0, key).split("\n")) > 1, key
    everything = log_of_keys(dom0, "*")
    assert f"domain {ident}" in everything


@pytest.mark.skipif(REFERENCE, reason="no such key")
def test_flight_recorder(dom0, guest):
    guest.run("true")
    lines = re.findall(r"\(XEN\) +(\d+) CPU(\d) (\S+): (.*)", log_of_keys(dom0, "T"))
    times = [int(line[0]) for line in lines]
    assert len(lines) >= 20 and times == sorted(times)
    assert any(" hypercall " in f" {line[3]} " and ") = " in line[3] for line in lines)
    # The last event of one CPU is the very hypercall that asked: sysctl.
    last = {line[1]: line[3] for line in lines}
    assert any(event.startswith("hypercall 35 (") for event in last.values()), last


def test_lsevtchn(dom0, guest):
    ident = dom0.domains()["g"][0]
    ports = dom0.out(f"{TOOLS}/lsevtchn {ident}")
    assert re.search(r"^ *\d+: VCPU 0: Interdomain \(Connected\) - Remote Domain 0, Port \d+", ports, re.M)
    assert re.search(r"^ *\d+: VCPU 1: IPI", ports, re.M)


def test_xen_diag(dom0):
    """A guest's grant table is as large as its configuration lets it be, and grows with what the guest grants."""
    guest = dom0.guest("own", max_grant_frames=48).boot()
    ident = dom0.domains()["own"][0]

    def frames():
        return tuple(map(int, re.fullmatch(rf"domid={ident}: nr_frames=(\d+), max_nr_frames=(\d+)",
                                           dom0.out(f"xen-diag gnttab_query_size {ident}")).groups()))

    before, most = frames()
    assert most == 48
    for number in range(4):
        dom0.run("xl network-attach own bridge=xenbr0")
        guest.run(f"n=0; until [ -e /sys/class/net/eth{number} ]; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 1; done; "
                  f"ip link set eth{number} up")
    assert before < frames()[0] <= most
    assert dom0.run("xen-diag gnttab_query_size 77", check=False).status != 0


def test_xenctx(dom0, guest):
    """Where each vCPU is: one in a loop of a program in user mode, one that waits in the kernel's hypercall."""
    ident = dom0.domains()["g"][0]
    first, last = (int(guest.out(f"awk '$3 == \"{name}\" {{print $1}}' /proc/kallsyms"), 16) for name in ("_stext", "_etext"))
    guest.run("(taskset -c 1 sh -c 'while :; do :; done' > /dev/null 2>&1 & echo $! > /tmp/loop)")

    def registers(vcpu):
        context = dom0.out(f"{TOOLS}/xenctx {ident} {vcpu}")
        assert "Code (instr addr" in context
        return context, {name: int(value, 16) for name, value in re.findall(r"\b(\w\w\w?): ([0-9a-f]+)", context)}

    def until(vcpu, condition):
        for _ in range(30):
            context, found = registers(vcpu)
            if condition(found):
                return context, found
        raise AssertionError(context)

    _, user = until(1, lambda r: r["cs"] == 0x33)
    assert user["rip"] < 1 << 47 and user["ss"] == 0x2b and user["rsp"] < 1 << 47
    context, idle = until(0, lambda r: r["cs"] | 3 == 0xe033 and r["rcx"] == r["rip"])
    assert first <= idle["rip"] < last and idle["rsp"] >> 47 == 0x1ffff
    assert " 0f 05 <" in context        # behind its SYSCALL
    trace = [int(address, 16) for address in re.findall(r"\[<([0-9a-f]{16})>\]", context)]
    assert trace[0] == idle["rip"] and sum(first <= address < last for address in trace) > 3
    guest.run("kill $(cat /tmp/loop)")
    assert guest.out("echo runs") == "runs"


def test_xen_mfndump(dom0, guest):
    ident = dom0.domains()["g"][0]
    assert re.search(r"Max MFN: \d+", dom0.out("xen-mfndump dump-m2p | head -3"))
    frames = dom0.out(f"xen-mfndump dump-p2m {ident} | grep '==>' | head -200")
    mfn = re.findall(r"mfn=0x([0-9a-f]+)", frames)
    assert len(mfn) > 100
    assert "memcpy(1, 2) = 0" in dom0.out(f"xen-mfndump memcmp-mfns {ident} 0x{mfn[50]} {ident} 0x{mfn[50]}")


def test_xenpm(dom0):
    assert [row.split()[0] for row in dom0.out("xenpm get-cpu-topology").split("\n")[1:]] == ["CPU0", "CPU1"]
    assert "Xen cpufreq is not enabled" in dom0.run("xenpm get-cpufreq-para 2>&1", check=False).output


def idle_states(dom0):
    """`xenpm get-cpuidle-states` as {cpu: [(times, ms) of C0, C1 and so on]}."""
    cpus = re.split(r"^cpu id +: ", dom0.out("xenpm get-cpuidle-states"), flags=re.M)[1:]
    pattern = r"^C\d+ +: transition \[ *(\d+)\]\n +residency +\[ *(\d+) ms\]"
    return {int(cpu.split()[0]): [(int(times), int(ms)) for times, ms in re.findall(pattern, cpu, re.M)] for cpu in cpus}


def test_idle_states(dom0):
    """The emulated firmware has no tables of states, so CPUs halt: C1."""
    assert "All C-states allowed" in dom0.out("xenpm get-cpuidle-states")
    before = idle_states(dom0)
    dom0.run("sleep 1")
    after = idle_states(dom0)
    assert sorted(after) == [0, 1] and all(len(states) == 2 for states in after.values())
    for cpu, states in after.items():
        assert states[1][0] > before[cpu][1][0] and states[1][1] > before[cpu][1][1]
    dom0.run("xenpm set-max-cstate 0")
    assert "All C-states allowed" not in dom0.out("xenpm get-cpuidle-states")
    before = idle_states(dom0)
    dom0.run("sleep 1")
    assert [states[1] for states in idle_states(dom0).values()] == [states[1] for states in before.values()]
    dom0.run("xenpm set-max-cstate unlimited")
    assert "All C-states allowed" in dom0.out("xenpm get-cpuidle-states")


def test_mcelog(dom0):
    """A corrected machine check, which the emulator's monitor (Ctrl-a c) makes, comes to dom0's own driver."""
    status = 1 << 63 | 1 << 60 | 1 << 58 | 0x135    # valid, enabled, with an address
    dom0.run("test -c /dev/mcelog")
    dom0.child.send(f"\x01cmce 0 2 {status:#x} 0 0x1234000 0\n\x01c")
    read = "dd if=/dev/mcelog bs=8192 count=1 2>/dev/null | od -A n -v -t x8 -w24 | head -n 1"
    seen = dom0.out(f"for i in $(seq 30); do r=$({read}); [ -n \"$r\" ] && break; sleep 1; done; echo $r")
    assert seen.split() == [f"{status:016x}", f"{0:016x}", f"{0x1234000:016x}"]     # struct xen_mce: status, misc, addr
    assert "machine check, corrected: bank 2" in dom0.run("xl dmesg", raw=True).output
