# SPDX-License-Identifier: BSD-2-Clause
"""libvirt, as Debian ships it, manages guests: what virsh asks for is looked at inside the guest and by xl."""

import re

import pexpect
import pytest

from machine import COMMAND, GUEST, REFERENCE, sparse_disk
from pair import ADDRESSES, DISK, pair
from virsh import HOST, Virsh

MACHINE = {**HOST, "memory": 1536, "dom0_memory": 640}
MAC = "00:16:3e:00:00:02"
SETTINGS = {"vcpus": 2, "memory": 128, "vif": [f"bridge=xenbr0,mac={MAC}"], "args": "addr=10.1.0.2/16"}
AUTOSTARTED = "/run/libvirt/libxl/autostarted"  # made by the first start of the daemon since the host's


@pytest.fixture
def virsh(dom0):
    virsh = Virsh(dom0)
    if dom0.run("pidof libvirtd", check=False).status:
        virsh.start_all()
    return virsh


@pytest.fixture
def g(dom0, virsh):
    """A guest that libvirt defined from xl's configuration and started; the tests of this file share it."""
    if not dom0.kept:
        guest = dom0.guest("g", **SETTINGS)
        dom0.run(f"virsh -c xen:///system domxml-from-native xen-xl {guest.config} > /run/g.xml")
        virsh("define /run/g.xml")
        assert virsh("domstate g") == "shut off"
        virsh("start g")
        dom0.kept = guest.wait()
        guest.module = __name__
        dom0.baseline = dom0.free_memory()
    return dom0.kept


def wait_in(guest, condition, seconds=60):
    result = guest.run(f"n=0; until {condition}; do n=$((n+1)); [ $n -lt {seconds} ] || break; sleep 1; done; {condition}",
                       timeout=seconds * 3, check=False)
    assert result.status == 0, f"not within {seconds} s: {condition}"


def times_ready(dom0, guest):
    return int(dom0.run(f"grep -c 'guest ready' {guest.log}", check=False).output)


def wait_ready_again(dom0, guest, before):
    dom0.wait(f"[ $(grep -c 'guest ready' {guest.log}) -gt {before} ]", GUEST, "the guest started again")
    guest.prepared = False


def test_host(dom0, virsh):
    info = dom0.info()
    assert re.search(r"Running hypervisor: Xen 4\.17\.", virsh("version"))
    node = virsh.fields("nodeinfo")
    assert node["CPU(s)"] == info["nr_cpus"]
    assert int(node["Memory size"].split()[0]) // 1024 == pytest.approx(int(info["total_memory"]), abs=1)
    assert int(re.search(r"(\d+) KiB", virsh("freecell")).group(1)) // 1024 == pytest.approx(dom0.free_memory(), abs=1)
    capabilities = virsh("capabilities")
    assert "<machine>xenpv</machine>" in capabilities
    assert capabilities.count("<cpu id=") == int(info["nr_cpus"])


def test_what_a_domain_is(dom0, virsh, g):
    """libvirt, xl and the guest say the same of the guest."""
    domain = dom0.domains()["g"]
    info = virsh.fields("dominfo g")
    assert [info["Id"], info["CPU(s)"], info["State"]] == [domain[0], "2", "running"]
    assert info["Used memory"] == f"{int(domain[1]) * 1024} KiB"
    assert [line.split() for line in virsh("list").split("\n")] == [["0", "Domain-0", "running"], [domain[0], "g", "running"]]
    xml = virsh("dumpxml g")
    for want in ("<type arch='x86_64' machine='xenpv'>linux</type>", "<kernel>/guests/vmlinuz</kernel>", f"address='{MAC}'"):
        assert want in xml
    said = g.out("cat /sys/hypervisor/uuid /sys/class/net/eth0/address; nproc; cat /proc/cmdline").split("\n")
    assert said[:3] == [info["UUID"], MAC, "2"]
    assert f"<cmdline>{said[3].strip()}</cmdline>" in xml
    vcpus = virsh("vcpuinfo g")
    assert len(re.findall(r"^VCPU:", vcpus, re.M)) == 2 and vcpus.count("CPU Affinity:   yy") == 2
    assert sum(float(s) for s in re.findall(r"CPU time: +([\d.]+)s", vcpus)) > 0


def test_console(dom0, virsh, g):
    tty = dom0.out("xenstore-read /local/domain/$(xl domid g)/console/tty")
    assert virsh("ttyconsole g").strip() == tty
    dom0.type("virsh -c xen:///system console g")
    dom0.expect(["Escape character is"], COMMAND)

    def answered():
        g.type("echo guest-$((40 + 2))")
        return g.expect([r"guest-42\r*\n", pexpect.TIMEOUT], 15) == 0
    assert any(answered() for _ in range(8))    # what is typed before virsh has made the terminal its own is dropped
    g.detach()


def test_pause(dom0, virsh, g):
    def spent():
        return [line.split()[5] for line in dom0.out("xl vcpu-list g").split("\n")[1:]]

    g.run("(while :; do :; done) > /dev/null 2>&1 & echo $! > /tmp/loop")
    virsh("suspend g")
    assert virsh("domstate g --reason") == "paused (user)"
    assert dom0.domains()["g"][3] == "--p---"
    before = spent()
    dom0.run("sleep 3")
    assert spent() == before
    virsh("resume g")
    assert virsh("domstate g") == "running"
    dom0.run("sleep 3")
    assert spent() != before
    g.run("kill $(cat /tmp/loop)")


def test_cpus(dom0, virsh, g):
    virsh("setvcpus g 1 --live")
    wait_in(g, "[ $(cat /sys/devices/system/cpu/online) = 0 ]")
    assert virsh("vcpucount g --live --current") == "1"
    virsh("setvcpus g 2 --live")
    wait_in(g, "echo 1 > /sys/devices/system/cpu/cpu1/online")
    assert dom0.domains()["g"][2] == virsh("vcpucount g --live --active") == "2"


def test_where_and_how_much_it_runs(dom0, virsh, g):
    virsh("vcpupin g 0 1", "vcpupin g 1 0")
    rows = [line.split() for line in dom0.out("xl vcpu-list g").split("\n")[1:]]
    assert [row[6] for row in rows] == ["1", "0"]
    virsh("vcpupin g 0 0-1", "vcpupin g 1 0-1")
    virsh("schedinfo g --set weight=512 --set cap=20")
    assert re.search(r"^g +\d+ +512 +20$", dom0.out("xl sched-credit2 -d g"), re.M)
    g.run("(while :; do :; done) > /dev/null 2>&1 & echo $! > /tmp/loop")
    command = "xl list g | awk 'END{print $6}'; cut -d' ' -f1 /proc/uptime"
    (spent, at), (spent_then, then) = [map(float, dom0.out(f"sleep {s}; {command}").split()) for s in (2, 12)]
    assert 15 < 100 * (spent_then - spent) / (then - at) < 25
    virsh("schedinfo g --set weight=256 --set cap=0")
    assert re.search(r"weight +: 256\ncap +: 0", virsh("schedinfo g"))
    g.run("kill $(cat /tmp/loop)")


def test_memory(dom0, virsh, g):
    free = dom0.free_memory()
    size = "cat /sys/devices/system/xen_memory/xen_memory0/info/current_kb"
    virsh("setmem g 98304 --live")
    wait_in(g, f"[ $({size}) = 98304 ]")
    dom0.wait(f"[ $(xl info free_memory) -ge {free + 30} ]", 30, "the memory that the guest gave")
    assert virsh.fields("dominfo g")["Used memory"] == "98304 KiB"
    virsh("setmem g 131072 --live")
    wait_in(g, f"[ $({size}) = 131072 ]")


def test_disk(dom0, virsh, g):
    dom0.run("truncate -s 16M /disks/libvirt.img")
    virsh("attach-disk g /disks/libvirt.img xvdb --live")
    assert virsh("domblklist g").split() == ["xvdb", "/disks/libvirt.img"]
    wait_in(g, "[ -b /dev/xvdb ]")
    g.run("echo krypton | dd of=/dev/xvdb bs=512 conv=sync,fsync 2> /dev/null")
    assert re.search(r"xvdb wr_bytes [1-9]", virsh("domblkstat g xvdb"))
    virsh("detach-disk g xvdb --live")
    wait_in(g, "[ ! -b /dev/xvdb ]")
    assert dom0.out("head -c 7 /disks/libvirt.img") == "krypton"
    assert virsh("domblklist g").strip() == ""
    dom0.wait("! losetup -a | grep -q libvirt.img", 60, "the loop device gone")
    dom0.run("rm /disks/libvirt.img")


def test_interface(dom0, virsh, g):
    virsh("attach-interface g bridge xenbr0 --mac 00:16:3e:00:00:03 --live")
    wait_in(g, "grep -q 00:16:3e:00:00:03 /sys/class/net/eth1/address 2> /dev/null")
    g.run("ip addr flush dev eth0; ip addr add 10.1.0.9/16 dev eth1; ip link set eth1 up")
    dom0.wait("ping -c 1 -W 2 10.1.0.9 > /dev/null", 60, "an answer over the new interface")
    virsh("detach-interface g bridge --mac 00:16:3e:00:00:03 --live")
    wait_in(g, "[ ! -e /sys/class/net/eth1 ]")
    g.run("ip addr add 10.1.0.2/16 dev eth0")


def test_dump(dom0, virsh, g):
    g.run("echo kept-in-$((40 + 2))-memory > /tmp/secret")
    virsh("dump g /disks/core --live", timeout=GUEST)
    assert dom0.out("head -c 4 /disks/core | tail -c 3") == "ELF"
    dom0.run("grep -q kept-in-42-memory /disks/core; rm /disks/core")
    assert g.out("cat /tmp/secret") == "kept-in-42-memory"


def test_save_and_restore(dom0, virsh, g):
    """By a file, and as libvirt does it when the host goes down. The guest keeps its memory, and its time goes on."""
    uptime = "cut -d. -f1 /proc/uptime"
    before = int(g.out(f"echo remembered > /tmp/word; {uptime}"))
    free = dom0.free_memory()
    virsh("save g /disks/saved", timeout=GUEST)
    assert virsh("domstate g") == "shut off" and "g" not in dom0.domains()
    assert dom0.free_memory() > free + 120
    virsh("restore /disks/saved", timeout=GUEST)
    word, after = g.out(f"cat /tmp/word; {uptime}").split()
    assert word == "remembered" and int(after) >= before
    virsh("managedsave g", timeout=GUEST)
    assert "g" not in dom0.domains()
    assert virsh.fields("dominfo g")["Managed save"] == "yes"
    virsh("start g", timeout=GUEST)
    assert virsh.fields("dominfo g")["Managed save"] == "no"
    assert g.out("cat /tmp/word; ping -c 1 -W 20 10.1.0.1 > /dev/null && echo answers") == "remembered\nanswers"
    dom0.run("rm /disks/saved")


def test_daemon_starts_again(dom0, virsh, g):
    """The daemon finds the guest that runs; after the host's start, it starts the one that is to start then."""
    domid = dom0.domains()["g"][0]
    virsh("autostart g")
    virsh.stop_daemon()
    g.run("echo here > /tmp/still")
    virsh.start_daemon()
    assert virsh("domid g").strip() == domid
    assert g.out("cat /tmp/still") == "here"
    virsh("destroy g")
    assert set(dom0.domains()) == {"Domain-0"}
    virsh.stop_daemon()
    before = times_ready(dom0, g)
    dom0.run(f"rm {AUTOSTARTED}")
    virsh.start_daemon()
    wait_ready_again(dom0, g, before)
    virsh("autostart g --disable")
    assert virsh.fields("dominfo g")["Autostart"] == "disable"
    assert g.out("cat /tmp/still 2> /dev/null; echo fresh") == "fresh"


def test_reboot(dom0, virsh, g):
    domid, before = dom0.domains()["g"][0], times_ready(dom0, g)
    virsh("reboot g")
    wait_ready_again(dom0, g, before)
    assert int(virsh("domid g")) > int(domid)
    assert float(g.out("cut -d' ' -f1 /proc/uptime")) < 300


@pytest.mark.skipif(REFERENCE, reason="the reference cannot migrate PV guests")
def test_migrate(machine, tmp_path):
    """A running guest goes to another host and back, by the daemons' own connection; memory, disk, network and clock go with it."""
    hosts = pair(machine, sparse_disk(tmp_path / "disk", 64), **HOST, memory=1280, dom0_memory=640)
    virshs = [Virsh(host) for host in hosts]
    for virsh in virshs:
        virsh.start_all()
    guest = hosts[0].guest("g", **SETTINGS, disk=DISK)
    hosts[0].run(f"virsh -c xen:///system domxml-from-native xen-xl {guest.config} > /run/g.xml")
    virshs[0]("create /run/g.xml")
    guest.wait()
    guest.run("head -c 8388608 /dev/urandom > /tmp/data; sha256sum /tmp/data > /tmp/sum")
    guest.run("(i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 1; done) > /dev/null 2>&1 &")
    for number, (source, target) in enumerate(((0, 1), (1, 0))):
        virshs[source](f"migrate --live g xen+tcp://{ADDRESSES[target]}/system tcp://{ADDRESSES[target]}", timeout=GUEST * 2)
        assert set(hosts[source].domains()) == {"Domain-0"} and virshs[source]("list --all --name").split() == ["Domain-0"]
        assert virshs[target]("domstate g") == "running"
        guest = guest.at(hosts[target])
        count = int(guest.out("cat /tmp/count"))
        wait_in(guest, f"[ $(cat /tmp/count) -gt {count} ]")
        assert guest.out(f"sha256sum -c /tmp/sum; nproc; echo moved-{number} | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null",
                         timeout=GUEST) == "/tmp/data: OK\n2"
        assert hosts[target].out("dd if=/dev/vdb bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\\0'") == f"moved-{number}"
        hosts[0].wait("ping -c 1 -W 2 10.1.0.2 > /dev/null", 60, "an answer of the guest")
    virshs[0]("destroy g")
