# SPDX-License-Identifier: BSD-2-Clause
"""What an administrator changes of running domains: CPUs and their shares, pools, memory, and what follows their ends.

Each test looks at what happened inside the domain or to its CPU time, not at an exit status alone.
"""

import re
import time

import pytest

from machine import COMMAND, GUEST

MACHINE = {"memory": 3072, "dom0_memory": 768}
BALLOON = "/sys/devices/system/xen_memory/xen_memory0"
DUMPS = "/var/lib/xen/dump"
TOOLS = "/usr/lib/xen-4.17/bin"
# What may follow the end of a guest.
ACTIONS = ["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"]


def online(domain):
    return domain.out("cat /sys/devices/system/cpu/online")


def wait_in(domain, condition, seconds=60):
    """Waits until a shell condition holds in dom0 or a guest."""
    result = domain.run(f"n=0; until {condition}; do n=$((n+1)); [ $n -lt {seconds} ] || break; sleep 1; done; {condition}",
                        timeout=seconds * 3, check=False)
    assert result.status == 0, f"not within {seconds} s: {condition}"


def vcpus(dom0, name):
    """Of each vCPU of a domain: the CPU it is on, its time, its hard and soft affinity."""
    rows = [line.split(maxsplit=6) for line in dom0.out(f"xl vcpu-list {name}").split("\n")[1:]]
    return [(row[3], float(row[5]), *row[6].split(" / ")) for row in rows]


def cpu_times(dom0, names):
    """CPU seconds of some domains, read as close together as can be."""
    rows = [line.split() for line in dom0.out("xl list").split("\n")[1:]]
    return [float(row[5]) for name in names for row in rows if row[0] == name]


def shares(dom0, names, seconds=12):
    """The parts of one CPU that domains get over some time, in percent, with CPU 1 to themselves."""
    start = dom0.out("cut -d' ' -f1 /proc/uptime")
    before = cpu_times(dom0, names)
    time.sleep(seconds)
    dom0.run(f"while ! awk '{{exit !($1 >= {start} + {seconds})}}' /proc/uptime; do sleep 1; done")
    clock = float(dom0.out("cut -d' ' -f1 /proc/uptime")) - float(start)
    return [(after - at) * 100 / clock for after, at in zip(cpu_times(dom0, names), before)]


BUSY = "for i in $(seq $(nproc)); do (while :; do :; done) > /dev/null 2>&1 & done"


@pytest.fixture
def two_busy(dom0):
    """Guests a and b, each with a loop that never ends, on CPU 1; dom0 on CPU 0."""
    guests = [dom0.guest(name, cpus="1") for name in ("a", "b")]
    for guest in guests:
        guest.boot()
    dom0.run("xl vcpu-pin 0 all 0")
    for guest in guests:
        guest.run(BUSY)
    yield guests
    dom0.run("xl vcpu-pin 0 all all")


# ---- Shares ----

def test_weights_and_caps(dom0, two_busy):
    dom0.run("xl sched-credit2 -d a -w 512")
    assert re.search(r"^a +\d+ +512 +0$", dom0.out("xl sched-credit2"), re.M)
    a, b = shares(dom0, "ab")
    assert a + b > 90
    assert a / b == pytest.approx(2, rel=0.05)
    dom0.run("xl sched-credit2 -d a -w 256 -c 30")
    a, b = shares(dom0, "ab")
    assert a == pytest.approx(30, abs=3)
    assert b > 60
    dom0.run("xl sched-credit2 -d a -c 0")
    a, b = shares(dom0, "ab")
    assert a / b == pytest.approx(1, rel=0.05)
    assert dom0.run("xl sched-credit2 -d a -c 101", check=False).status != 0    # it has one vCPU


def test_ratelimit(dom0):
    dom0.run("xl sched-credit2 -s -r 5000")
    assert "ratelimit=5000us" in dom0.out("xl sched-credit2 -s").replace(" ", "")
    assert dom0.run("xl sched-credit2 -s -r 50", check=False).status != 0
    dom0.run("xl sched-credit2 -s -r 1000")


# ---- CPU pools ----

@pytest.fixture
def pool(dom0):
    """Pool `two` with CPU 1; Pool-0 with CPU 0."""
    dom0.run("xl cpupool-cpu-remove Pool-0 1 && xl cpupool-create 'name=\"two\"' 'cpus=[\"1\"]'")
    yield "two"
    for name in list(dom0.domains())[1:]:
        dom0.run(f"xl destroy {name}", check=False)
    dom0.run("xl cpupool-destroy two; xl cpupool-cpu-add Pool-0 1", check=False)


def pools(dom0):
    """{pool: [CPUs, domains]}"""
    cpus = dict(line.split(maxsplit=1) for line in dom0.out("xl cpupool-list -c").split("\n")[1:] if " " in line.strip())
    rows = [line.split() for line in dom0.out("xl cpupool-list").split("\n")[1:]]
    return {row[0]: [cpus.get(row[0], "").strip(), int(row[4])] for row in rows}


def test_pool(dom0, pool):
    """A guest runs in its pool, moves to another with its work, and keeps the pool's last CPU."""
    assert pools(dom0) == {"Pool-0": ["0", 1], "two": ["1", 0]}
    assert dom0.info()["free_cpus"] == "0"
    guest = dom0.guest("g", vcpus=2, pool="two").boot()
    guest.run(BUSY)
    assert pools(dom0)["two"] == ["1", 1]
    for _ in range(3):
        assert [v[0] for v in vcpus(dom0, "g")] == ["1", "1"]
        assert {v[0] for v in vcpus(dom0, "Domain-0")} == {"0"}
    (before,), _ = cpu_times(dom0, "g"), time.sleep(5)
    assert cpu_times(dom0, "g")[0] - before > 2
    # All refused; xl's status does not always say so.
    for refused in ("cpupool-cpu-remove two 1", "cpupool-destroy two", "cpupool-migrate Domain-0 two", "vcpu-pin g 0 0"):
        dom0.run(f"xl {refused}", check=False)
    assert pools(dom0) == {"Pool-0": ["0", 1], "two": ["1", 1]}
    assert {v[2] for v in vcpus(dom0, "g")} == {"all"}
    dom0.run("xl cpupool-migrate g Pool-0")
    assert pools(dom0) == {"Pool-0": ["0", 2], "two": ["1", 0]}
    assert [v[0] for v in vcpus(dom0, "g")] == ["0", "0"]
    guest.run("kill $(jobs -p)", check=False)
    assert guest.out("echo $((6 * 7))") == "42"
    dom0.run("xl cpupool-migrate g two")
    assert [v[0] for v in vcpus(dom0, "g")] == ["1", "1"]


def test_pool_names_and_cpus(dom0, pool):
    dom0.run("xl cpupool-rename two dos")
    assert set(pools(dom0)) == {"Pool-0", "dos"}
    dom0.run("xl cpupool-rename dos two")
    dom0.run("xl cpupool-cpu-remove two 1")
    assert dom0.info()["free_cpus"] == "1"
    dom0.run("xl cpupool-cpu-remove Pool-0 0", check=False)
    assert pools(dom0)["Pool-0"][0] == "0"
    dom0.run("xl cpupool-cpu-add two 1")
    assert pools(dom0)["two"][0] == "1"
    assert dom0.run("xl cpupool-create 'name=\"three\"' 'sched=\"null\"'", check=False).status != 0
    dom0.run("xl cpupool-destroy two && xl cpupool-cpu-add Pool-0 all")
    assert pools(dom0) == {"Pool-0": ["0,1", 1]}
    dom0.run("xl cpupool-numa-split")
    assert pools(dom0) == {"Pool-node0": ["0,1", 1]}
    dom0.run("xl cpupool-rename Pool-node0 Pool-0")


# ---- vCPUs ----

def test_vcpu_set(dom0, guest):
    assert online(guest) == "0-1"
    dom0.run("xl vcpu-set g 1")
    wait_in(guest, "[ $(cat /sys/devices/system/cpu/online) = 0 ]")
    assert dom0.domains()["g"][2] == "1"
    assert guest.out("nproc; echo $((6 * 7))") == "1\n42"
    dom0.run("xl vcpu-set g 2")
    # The kernel only makes it present; who sets it online is udev elsewhere.
    wait_in(guest, "echo 1 > /sys/devices/system/cpu/cpu1/online")
    assert online(guest) == "0-1"
    assert dom0.domains()["g"][2] == "2"
    assert guest.out("taskset -c 1 sh -c 'echo $((6 * 7))'") == "42"


def test_the_last_vcpu_stays(dom0, guest):
    """The tool refuses to leave a guest, or dom0, without any vCPU; all of them stay and work."""
    for name, domain in (("g", guest), ("Domain-0", dom0)):
        result = dom0.run(f"xl vcpu-set {name} 0 2>&1", check=False)
        assert result.status != 0 and "Requested 0 VCPUs" in result.output
        assert domain.out("cat /sys/devices/system/cpu/online; nproc; echo $((6 * 7))") == "0-1\n2\n42"
        assert dom0.domains()[name][2] == "2"


def test_vcpu_set_dom0(dom0):
    assert online(dom0) == "0-1"
    dom0.run("xl vcpu-set Domain-0 1")
    wait_in(dom0, "[ $(cat /sys/devices/system/cpu/online) = 0 ]")
    assert dom0.domains()["Domain-0"][2] == "1"
    dom0.run("xl vcpu-set Domain-0 2")
    wait_in(dom0, "echo 1 > /sys/devices/system/cpu/cpu1/online")
    assert online(dom0) == "0-1"
    assert dom0.domains()["Domain-0"][2] == "2"


def test_pins(dom0, guest):
    """A vCPU that works is on the CPU it is pinned to; on the one it prefers, if that is free."""
    guest.run(BUSY)
    for cpu in ("0", "1"):
        dom0.run(f"xl vcpu-pin g all {cpu}")
        for _ in range(3):
            assert [v[0] for v in vcpus(dom0, "g")] == [cpu, cpu]
    dom0.run("xl vcpu-pin g all all 1")
    assert [v[2:] for v in vcpus(dom0, "g")] == [("all", "1")] * 2
    dom0.run("xl vcpu-pin g all all all")
    guest.run("kill $(jobs -p)", check=False)


# ---- Memory ----

def kib(domain, what="MemTotal"):
    return int(domain.out(f"awk '/^{what}:/{{print $2}}' /proc/meminfo"))


def test_mem_set(dom0):
    """What a guest gives back is free on the host; what it gets again is its own, up to what mem-max allows."""
    guest = dom0.guest("own", memory=128, maxmem=256).boot()
    free, total = dom0.free_memory(), kib(guest)
    assert guest.out(f"cat {BALLOON}/info/current_kb") == str(128 << 10)
    for target, now in ((96, 96), (128, 128), (200, 200), (256, 256), (128, 128)):
        dom0.run(f"xl mem-set own {target}")
        wait_in(guest, f"[ $(cat {BALLOON}/info/current_kb) = {now << 10} ]")
        assert int(guest.out(f"cat {BALLOON}/target_kb")) == target << 10
        assert abs(kib(guest) - total - ((now - 128) << 10)) < 1024
        assert abs(dom0.free_memory() - free - (128 - now)) <= 2
        assert dom0.domains()["own"][1] == str(now)
    assert guest.out("head -c 31457280 /dev/zero > /tmp/x; wc -c < /tmp/x; rm /tmp/x") == str(30 << 20)
    assert dom0.run("xl mem-set own 300", check=False).status != 0
    dom0.run("xl mem-max own 200")
    assert dom0.run("xl mem-set own 256", check=False).status != 0
    dom0.run("xl mem-set own 200")
    wait_in(guest, f"[ $(cat {BALLOON}/info/current_kb) = {200 << 10} ]")


def test_mem_set_dom0(dom0):
    """dom0 shrinks, comes back, and grows beyond what it was started with."""
    free, total = dom0.free_memory(), kib(dom0)
    dom0.run("xl mem-set 0 600")
    wait_in(dom0, f"[ $(cat {BALLOON}/info/current_kb) = {600 << 10} ]")
    assert abs(total - kib(dom0) - (168 << 10)) < 1024
    assert abs(dom0.free_memory() - free - 168) <= 2
    dom0.run("xl mem-max 0 1200 && xl mem-set 0 1000")
    wait_in(dom0, f"for m in /sys/devices/system/memory/memory*/state; do echo online > $m 2>/dev/null; done; "
                  f"[ $(cat {BALLOON}/info/current_kb) = {1000 << 10} ]")
    wait_in(dom0, f"[ $(awk '/^MemTotal:/{{print $2}}' /proc/meminfo) -gt {total + (220 << 10)} ]")
    assert abs(free - dom0.free_memory() - 232) <= 4
    dom0.run("xl mem-set 0 768")
    wait_in(dom0, f"[ $(cat {BALLOON}/info/current_kb) = {768 << 10} ]")
    dom0.wait(f"[ $(($(xl info free_memory) - {free})) -ge -2 ]", 30)
    dom0.baseline = dom0.free_memory()


def test_mem_set_dom0_too_small(dom0):
    """The tool refuses a target that dom0 could not live with. (Of a guest it asks anything; Linux then kills processes.)"""
    result = dom0.run("xl mem-set 0 64 2>&1", check=False)
    assert result.status != 0 and "below the minimum" in result.output
    assert dom0.domains()["Domain-0"][1] == str(dom0.dom0_memory)
    assert dom0.out(f"cat {BALLOON}/target_kb") == str(dom0.dom0_memory << 10)


def test_low_memory(dom0):
    """When memory is short the hypervisor tells xen-lowmemd, once. (It takes nothing of a dom0 of less than 1 GiB.)"""
    dom0.run(f"(stdbuf -oL {TOOLS}/xen-lowmemd > /run/lowmemd 2>&1 &)")
    dom0.guest("own", memory=dom0.free_memory() - 200).create("-p")
    dom0.run("sleep 3")
    assert dom0.out("cat /run/lowmemd") == ""
    dom0.guest("two", memory=dom0.free_memory() - 40).create("-p")
    dom0.wait("grep -q '^Dom0 pages' /run/lowmemd", 60, "xen-lowmemd to hear of it")
    said = dom0.out("cat /run/lowmemd")
    assert said.count("Got a virq kick") == 1
    available = int(re.search(r"Available free pages: 0x[0-9a-f]+:(\d+)", said).group(1)) // 256
    assert dom0.free_memory() - 1 <= available < 64     # in MiB
    dom0.run("kill $(pidof xen-lowmemd); xl destroy own; xl destroy two")


def test_dom0_makes_room(machine):
    """Without dom0_mem dom0 has it all, and gives what a guest needs when it is made."""
    dom0 = machine(dom0_memory=None, memory=1280).boot()
    assert dom0.free_memory() < 256
    before = kib(dom0)
    guest = dom0.guest("big", memory=400)
    guest.boot()
    assert before - kib(dom0) > 150 << 10
    assert kib(guest) > 300 << 10
    assert "outstanding_claims     : 0" in dom0.out("xl info")


# ---- Ends ----

def preserved(dom0, name):
    """The row of the domain that rename-restart kept; its name has the time."""
    rows = [row for known, row in dom0.domains().items() if re.fullmatch(rf"{name}-\d+T\d+Z", known)]
    assert len(rows) == 1
    return rows[0]


def fresh(dom0, guest):
    """Waits until another domain runs under the guest's name, and is ready."""
    dom0.wait(f"[ $(grep -c 'guest ready' {guest.log}) -ge 2 ]", GUEST, "the second start")


def core_shows(dom0, name, text):
    """The one core file that there is of a guest is an ELF, and has what its memory had; it is removed."""
    file = dom0.out(f"echo {DUMPS}/*{name}*")
    assert dom0.out(f"head -c 4 {file} | tail -c 3") == "ELF"
    dom0.run(f"grep -q {text} {file} && rm {file}")


@pytest.mark.parametrize("end, request_, ended", [("on_poweroff", "shutdown", "---s--"), ("on_reboot", "reboot", "---sr-")])
def test_end(dom0, end, request_, ended):
    """What becomes of guests that end by themselves, for every value that says what."""
    dom0.run(f"mkdir -p {DUMPS}; rm -f {DUMPS}/*")
    guests = {action: dom0.guest(action, memory=96, **{end: action}) for action in ACTIONS}
    for guest in guests.values():
        guest.create()
    first = {}
    for action, guest in guests.items():
        guest.wait()
        guest.run(f"echo kept-in-{action}-$((40 + 2)) > /tmp/token")
        first[action] = dom0.out(f"xl domid {action}")
    for action in guests:
        dom0.run(f"xl {request_} {action}")
    for action, guest in guests.items():
        if action == "preserve":
            dom0.wait(f"xl list preserve | grep -q -- '{ended}'", GUEST, "preserve shut down")
            assert dom0.out(f"xl domid preserve; grep -c 'guest ready' {guest.log}").split() == [first[action], "1"]
        elif action.endswith("restart"):
            fresh(dom0, guest)
            assert dom0.out(f"xl domid {action}") != first[action]
        else:
            guest.gone(GUEST)
    ident, _, _, state = preserved(dom0, "rename-restart")
    assert (ident, state) == (first["rename-restart"], ended)
    assert len(dom0.domains()) == 1 + 5     # dom0; three anew, one of them with its former life; one preserved
    for action in ("coredump-destroy", "coredump-restart"):
        core_shows(dom0, action, f"kept-in-{action}-42")
    assert dom0.out(f"ls {DUMPS}") == ""


@pytest.mark.parametrize("action", ACTIONS)
def test_crash(dom0, action):
    guest = dom0.guest("own", on_crash=action).boot()
    first = dom0.out("xl domid own")
    dom0.run(f"mkdir -p {DUMPS}; rm -f {DUMPS}/*")
    guest.run("echo kept-in-$((40 + 2))-memory > /tmp/token; echo 1 > /proc/sys/kernel/sysrq")
    dom0.run("xl sysrq own c")
    if action.endswith("restart"):
        fresh(dom0, guest)
        assert dom0.out("xl domid own") != first
    elif action == "preserve":
        dom0.wait("xl list own | grep -q -- '---sc-'", GUEST, "own crashed")
        assert dom0.out("xl domid own") == first
    else:
        guest.gone()
    if action == "rename-restart":
        ident, _, _, state = preserved(dom0, "own")
        assert (ident, state) == (first, "---sc-")
    else:
        assert set(dom0.domains()) <= {"Domain-0", "own"}
    if action.startswith("coredump"):
        core_shows(dom0, "own", "kept-in-42-memory")
    assert dom0.out(f"ls {DUMPS}") == ""


def test_watchdog(dom0):
    """A guest whose watchdog is no longer poked is restarted as on_watchdog says."""
    dom0.run("tar -cf /disks/wdt.img -C /lib/modules/$(uname -r)/kernel/drivers/watchdog watchdog.ko xen_wdt.ko")
    guest = dom0.guest("own", kernel="/guests/vmlinuz-full", memory=192, on_watchdog="restart", on_crash="destroy",
                       disk=["format=raw,vdev=xvda,access=ro,target=/disks/wdt.img"]).boot()
    first = dom0.out("xl domid own")
    guest.run("cd /tmp; tar -xf /dev/xvda && insmod watchdog.ko && insmod xen_wdt.ko timeout=10 && cd /")
    guest.run("n=0; until [ -c /dev/watchdog ]; do n=$((n+1)); [ $n -lt 20 ] || break; sleep 1; done; [ -c /dev/watchdog ]")
    # Poked it lives; closed with the letter that says so it is stopped.
    guest.run("(for i in $(seq 16); do printf p >&3; sleep 1; done; printf V >&3) 3> /dev/watchdog", timeout=COMMAND)
    guest.run("sleep 14", timeout=COMMAND)
    assert dom0.out("xl domid own") == first
    guest.run("printf p > /dev/watchdog")
    fresh(dom0, guest)
    assert dom0.out("xl domid own") != first
    dom0.run("xl destroy own")
    dom0.wait("! losetup -a | grep -q wdt.img", 60)
    dom0.run("rm /disks/wdt.img")


def test_watchdog_of_dom0(machine):
    """A dom0 that no longer pokes its watchdog is dead: the machine starts again."""
    dom0 = machine(dom0_memory=512, memory=1024).boot()
    dom0.run(f"{TOOLS}/xenwatchdogd 15 5; sleep 25")        # poked, it lives
    dom0.child.sendline("kill -STOP $(pidof xenwatchdogd)")
    assert dom0.ended() == 0
    assert re.search(r"(?i)\(XEN\) .*dom0.*watchdog", dom0.log_tail())


def test_signals(dom0, guest):
    dom0.run("xl trigger g nmi 1")
    wait_in(guest, "dmesg | grep -q 'NMI received'")
    dom0.run("xl sysrq g h")
    wait_in(guest, "dmesg | grep -q 'sysrq: HELP'")
    assert "failed" in dom0.out("xl trigger g reset 2>&1")     # nothing a PV guest has


# ---- Save and restore ----

def test_save_restore(dom0):
    """A guest goes on where it was: what it had in memory, what it was doing, its devices."""
    dom0.run("truncate -s 16M /disks/saved.img")
    guest = dom0.guest("own", vcpus=2, disk=["format=raw,vdev=xvda,access=rw,target=/disks/saved.img"],
                       vif=["bridge=xenbr0"], args="addr=10.1.0.5/16").boot()
    guest.run("head -c 8388608 /dev/urandom > /tmp/data; sha256sum /tmp/data > /tmp/sum")
    guest.run("(i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 1; done) > /dev/null 2>&1 &")
    wait_in(guest, "[ -s /tmp/count ]")
    first = dom0.out("xl domid own")
    for options in ("", "-p"):
        dom0.run("xl save own /disks/own.save", timeout=GUEST)
        assert "own" not in dom0.domains()
        count = None
        dom0.run(f"xl restore {options} /disks/own.save", timeout=GUEST)
        assert dom0.out("xl domid own") != first
        if options:
            assert dom0.domains()["own"][3] == "--p---"
            dom0.run("xl unpause own")
        guest.run("sha256sum -c /tmp/sum > /dev/null", timeout=COMMAND)
        count = int(guest.out("cat /tmp/count"))
        wait_in(guest, f"[ $(cat /tmp/count) -gt {count} ]")
        assert online(guest) == "0-1"
        guest.run("echo krypton | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null")
        assert dom0.out("head -c 7 /disks/saved.img") == "krypton"
        dom0.wait("ping -c 1 -W 2 10.1.0.5 > /dev/null", 60)
    dom0.run("xl destroy own; rm /disks/own.save")
    dom0.wait("! losetup -a | grep -q saved.img", 60)
    dom0.run("rm /disks/saved.img")


def test_time_after_restore(dom0):
    """What a guest's clocks say after half a minute in a file: the time of day is right, and none of it was stolen from it."""
    guest = dom0.guest("own", vcpus=2).boot()
    stolen = "awk '/^cpu /{print $9}' /proc/stat"           # 1/100 s, of both vCPUs
    ahead = int(guest.out("date +%s")) - int(dom0.out("date +%s"))
    before = int(guest.out(stolen))
    dom0.run("xl save own /disks/own.save && sleep 30 && xl restore /disks/own.save && rm /disks/own.save", timeout=GUEST)
    lost = int(guest.out(stolen)) - before
    assert 0 <= lost < 2000
    assert abs(int(guest.out("date +%s")) - int(dom0.out("date +%s")) - ahead) <= 5
    # What is not given to it from then on is stolen: it has a loop on each vCPU, and a third of a CPU.
    dom0.run("xl sched-credit2 -d own -c 30")
    guest.run(BUSY)
    at, before = dom0.out("cut -d. -f1 /proc/uptime"), int(guest.out(stolen))
    dom0.run("sleep 10")
    lost, clock = int(guest.out(stolen)) - before, int(dom0.out("cut -d. -f1 /proc/uptime")) - int(at)
    assert lost > clock * 100


def test_save_and_go_on(dom0):
    """`save -c` leaves the guest running; the file is a second life of it."""
    guest = dom0.guest("own").boot()
    guest.run("echo before > /tmp/token")
    first = dom0.out("xl domid own")
    dom0.run("xl save -c own /disks/own.save", timeout=GUEST)
    assert dom0.out("xl domid own") == first
    assert guest.out("cat /tmp/token; echo after > /tmp/token") == "before"
    dom0.run("xl destroy own && xl restore /disks/own.save", timeout=GUEST)
    assert guest.out("cat /tmp/token") == "before"
    dom0.run("rm /disks/own.save")


def test_dump_core(dom0, guest):
    guest.run("echo live-in-$((40 + 2))-memory > /tmp/token")
    dom0.run("xl dump-core g /disks/core", timeout=GUEST)
    assert dom0.out("head -c 4 /disks/core | tail -c 3") == "ELF"
    assert dom0.run("grep -q live-in-42-memory /disks/core", check=False, timeout=GUEST).status == 0
    assert guest.out("cat /tmp/token") == "live-in-42-memory"
    dom0.run("rm /disks/core")


# ---- The machine ----

def test_topology(dom0):
    info = dom0.info()
    assert int(info["nr_cpus"]) == dom0.cpus
    assert int(info["cores_per_socket"]) * int(info["threads_per_core"]) in (1, dom0.cpus)
    rows = [line.split() for line in dom0.out("xenpm get-cpu-topology").split("\n") if re.match(r"CPU\d", line)]
    assert [row[0] for row in rows] == [f"CPU{cpu}" for cpu in range(dom0.cpus)]
    listed = dom0.out("xl info -n").split("cpu_topology")[1].split("device")[0]
    table = re.findall(r"^ *(\d+): +(\d+) +(\d+) +(\d+)$", listed, re.M)
    assert [tuple(row[1:]) for row in rows] == [row[1:] for row in table]
    assert len({row[1:3] for row in table}) == dom0.cpus // int(info["threads_per_core"])
