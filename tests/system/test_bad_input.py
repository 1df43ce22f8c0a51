# SPDX-License-Identifier: BSD-2-Clause
"""What is given wrongly is refused with a clear word and leaves nothing behind: to the hypervisor at boot, to xl later."""

import re

import pytest

from machine import COMMAND, GUEST, IMAGES, REFERENCE

INITRD = IMAGES / "dom0-initrd"


def truncated(path, size):
    path.write_bytes((IMAGES / "dom0-vmlinuz").read_bytes()[:size])
    return path


def refused_at_boot(m, words):
    """One line names the thing and the remedy (the reference only panics), and no dom0 starts."""
    m.start()
    m.expect([r"\(XEN\) Panic on CPU" if REFERENCE else rf"\(XEN\) [^\n]*(?i:{words})[^\n]*\. Halted\.\r*\n"], COMMAND)
    m.drain(2)
    log = m.log.read_text()
    assert "dom0-initrd: " not in log and "Linux version" not in log


@pytest.mark.parametrize("size", [1000, 4_000_000])
def test_boot_truncated_kernel(machine, tmp_path, size):
    refused_at_boot(machine(modules=f"{truncated(tmp_path / 'kernel', size)} console=hvc0,{INITRD}"), "kernel")


@pytest.mark.parametrize("path", ["/bin/busybox", "/etc/passwd"])
def test_boot_not_a_pv_kernel(machine, path):
    refused_at_boot(machine(modules=f"{path} console=hvc0,{INITRD}"), "kernel")


def test_boot_no_module(machine):
    refused_at_boot(machine(modules=""), "module")


# The reference gives dom0 what there is when more is asked for.
@pytest.mark.parametrize("memory", [4] if REFERENCE else [4, 1 << 20])
def test_boot_impossible_dom0_mem(machine, memory):
    refused_at_boot(machine(memory=1024, dom0_memory=memory), "dom0_mem")


def test_boot_too_little_memory(machine):
    refused_at_boot(machine(memory=64, dom0_memory=60), "memory")


@pytest.mark.parametrize("cpu", ["qemu32", "EPYC,-nx"])
def test_boot_old_cpu(machine, cpu):
    refused_at_boot(machine(cpu=cpu), "64-bit|x86-64|nx")


def refused(dom0, guest, words):
    """xl create fails with its own error, and the domain is not there."""
    result = guest.create(check=False)
    assert result.status != 0
    assert re.search(words, result.output), result
    assert list(dom0.domains()) == ["Domain-0"]


def test_guest_more_memory_than_free(dom0):
    refused(dom0, dom0.guest("big", memory=1 << 16), "(?i)failed|unable|free")


def test_guest_memory_just_too_big(dom0):
    """The domain is half built when memory runs out."""
    refused(dom0, dom0.guest("big", memory=dom0.free_memory() + 16), "(?i)failed|unable|free")


@pytest.mark.parametrize("content", ["cp /etc/passwd", "head -c 4000000 /guests/vmlinuz >", "cp /bin/busybox", "truncate -s 0"])
def test_guest_unusable_kernel(dom0, content):
    dom0.run(f"{content} /tmp/kernel")
    refused(dom0, dom0.guest("bad", kernel="/tmp/kernel"), "(?i)kernel|domain builder|xc_dom|failed")


def test_guest_missing_kernel(dom0):
    refused(dom0, dom0.guest("bad", kernel="/guests/none"), "(?i)no such file|not found|failed")


@pytest.mark.parametrize("vcpus", [9000, 100_000])
def test_guest_wrong_vcpu_count(dom0, vcpus):
    refused(dom0, dom0.guest("bad", vcpus=vcpus), "(?i)vcpu|invalid|fail|domain")


def test_guest_missing_disk(dom0):
    refused(dom0, dom0.guest("bad", disk=["format=raw,vdev=xvda,access=rw,target=/disks/none.img"]), "(?i)none.img|disk|device")


def test_guest_missing_bridge(dom0):
    refused(dom0, dom0.guest("bad", vif=["bridge=nowhere"]), "(?i)nowhere|bridge|device")


def test_guest_same_name_twice(dom0):
    guest = dom0.guest("g").boot()
    result = guest.create(check=False)
    assert result.status != 0 and "already exists" in result.output
    assert guest.out("echo alive") == "alive"


def test_guest_panics(dom0):
    """A guest kernel that panics is removed, its neighbour does not notice."""
    neighbour = dom0.guest("neighbour").boot()
    guest = dom0.guest("crash", vcpus=2, on_crash="destroy", args="panic=0").boot()
    guest.attach()
    guest.child.sendline("echo c > /proc/sysrq-trigger")
    dom0.expect(["Kernel panic - not syncing"], COMMAND)
    guest.detach()
    guest.gone(GUEST)
    assert neighbour.out("echo alive") == "alive"


def test_guest_crash_preserved(dom0):
    guest = dom0.guest("crash", on_crash="preserve").boot()
    guest.attach()
    guest.child.sendline("echo c > /proc/sysrq-trigger")
    dom0.expect(["Kernel panic - not syncing"], COMMAND)
    guest.detach()
    dom0.wait("xl list crash | grep -q -- '---.*c'", 60, "the state 'crashed'")
    guest.destroy()
    guest.gone()
