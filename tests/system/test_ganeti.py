# SPDX-License-Identifier: BSD-2-Clause
"""Ganeti, as Debian ships it, runs a cluster of two hosts: what it is asked to do is looked at inside the instance and by xl."""

import pathlib
import shlex
import subprocess

import pytest

from machine import GUEST, REFERENCE, sparse_disk
from pair import ADDRESSES, pair

FILES = pathlib.Path(__file__).with_name("files")
NAMES = ("node1", "node2")
MAC = "00:16:3e:00:00:02"
JOB = 1800      # seconds for one command: Ganeti is some megabytes of Python, started anew for each job
NOT_BEGUN = "Getting the lockfile of the client: user error (Timeout in reading a response)"
# What instances may have: its own defaults want more of them than the small guest has.
BOUNDS = ("min:disk-size=16,cpu-count=1,disk-count=0,memory-size=64,nic-count=0,spindle-use=1/"
          "max:disk-size=4096,cpu-count=4,disk-count=4,memory-size=512,nic-count=4,spindle-use=4")
HYPERVISOR = "xen-pvm:xen_cmd=xl,kernel_path=/guests/vmlinuz,initrd_path=/guests/initrd,root_path=,blockdev_prefix=xvd"


def gnt(host, command):
    """What the command prints; it must succeed. When this machine is busy, the process of a job may miss Ganeti's own limit for
    its first answer: then nothing of the job was done, and it is asked for again."""
    for _ in range(3):
        result = host.run(f"gnt-{command}", timeout=JOB, check=False)
        if NOT_BEGUN not in result.output:
            break
    assert result.status == 0, result
    return result.output


def listed(host, fields):
    return gnt(host, f"instance list --no-headers --separator=, -o {fields} g").split(",")


@pytest.fixture
def cluster(machine, tmp_path):
    """Two nodes; the first is the master."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True)
    hosts = pair(machine, sparse_disk(tmp_path / "disk", 64), layer="ganeti", memory=1408, dom0_memory=800,
                 files=[FILES / "ganeti-node", key, key.with_suffix(".pub")])
    known = "\\n".join(f"{a} {n}" for a, n in zip((*ADDRESSES, "10.1.0.100", "127.0.0.1"), (*NAMES, "cluster", "localhost")))
    for host, name in zip(hosts, NAMES):
        host.run(f"hostname {name}; printf '{known}\\n' > /etc/hosts; bash /run/files/ganeti-node /run/files/key /dev/vdb")
    gnt(hosts[0], "cluster init --no-ssh-init --master-netdev xenbr0 --enabled-hypervisors xen-pvm "
                  "--enabled-disk-templates blockdev,diskless --nic-parameters link=xenbr0 "
                  f"--hypervisor-parameters {HYPERVISOR} --ipolicy-bounds-specs {BOUNDS} cluster")
    gnt(hosts[0], f"node add --no-ssh-key-check {NAMES[1]}")
    return hosts


@pytest.fixture
def instance(cluster):
    """A running instance on the first node, whose disk is the one that both have. Gives its console."""
    one, _ = cluster
    guest = one.guest("g")
    arguments = shlex.quote("console=hvc0 name=g addr=10.1.0.2/16")
    gnt(one, "instance add -t blockdev -o none+default --no-name-check --no-ip-check "
             f"-n {NAMES[0]} --disk 0:adopt=/dev/disk/instance --net 0:mac={MAC} -B memory=96,vcpus=2 "
             f"-H xen-pvm:kernel_args={arguments} g")
    return guest.wait()


def started_again(one, guest, times):
    one.wait(f"[ $(grep -c 'guest ready' {guest.log}) = {times} ]", GUEST, f"start {times}")
    guest.prepared = False


@pytest.mark.skipif(REFERENCE, reason="the reference cannot migrate PV guests")
def test_cluster(cluster, instance):
    """An instance is made, listed, stopped, started, moved while it runs, moved by a new start, and removed."""
    (one, two), guest = cluster, instance
    assert sorted(gnt(one, "node list --no-headers -o name").split()) == list(NAMES)
    assert listed(one, "pnode,status,oper_ram,oper_vcpus") == [NAMES[0], "running", "96", "2"]
    assert one.domains()["g"][1:3] == ["96", "2"]
    assert guest.out("cat /sys/class/net/eth0/address; nproc") == f"{MAC}\n2"
    guest.run("echo krypton | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null")
    assert one.out("dd if=/dev/vdb bs=512 count=1 iflag=direct 2>/dev/null | head -c 7") == "krypton"

    gnt(one, "instance shutdown g")
    assert "g" not in one.domains() and listed(one, "status,admin_state") == ["ADMIN_down", "down"]
    gnt(one, "instance startup g")
    started_again(one, guest, 2)
    assert guest.out("head -c 7 /dev/xvda") == "krypton"

    guest.run("head -c 8388608 /dev/urandom > /tmp/data; sha256sum /tmp/data > /tmp/sum")
    guest.run("(i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 1; done) > /dev/null 2>&1 &")
    gnt(one, f"instance migrate -f -n {NAMES[1]} g")
    assert "g" not in one.domains() and listed(one, "pnode,status") == [NAMES[1], "running"]
    guest = guest.at(two)
    assert guest.out("sha256sum -c /tmp/sum; nproc", timeout=GUEST) == "/tmp/data: OK\n2"
    guest.run("count=$(cat /tmp/count); sleep 10; [ $(cat /tmp/count) -gt $count ]")
    one.wait("ping -c 1 -W 2 10.1.0.2 > /dev/null", 60, "an answer of the instance")

    guest.run("echo written on the second | dd of=/dev/xvda bs=512 conv=sync,fsync 2>/dev/null")
    gnt(one, f"instance failover -f -n {NAMES[0]} g")
    assert "g" not in two.domains() and listed(one, "pnode,status") == [NAMES[0], "running"]
    guest = guest.at(one)
    started_again(one, guest, 3)
    assert guest.out("head -n 1 /dev/xvda; cat /tmp/sum 2>/dev/null; echo anew") == "written on the second\nanew"

    assert "ERROR" not in gnt(one, "cluster verify")
    gnt(one, "instance remove -f g")
    assert set(one.domains()) == {"Domain-0"} and gnt(one, "instance list --no-headers") == ""
