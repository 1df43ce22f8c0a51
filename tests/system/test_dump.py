# SPDX-License-Identifier: BSD-2-Clause
"""A guest's core file shows the guest: its frames, its page tables, its registers, what was in its memory."""

import re
import struct
import subprocess
import time

import pytest

from dump import CONTEXT_RIP, PAGE, SHARED_MAX_PFN, SHARED_P2M_CR3, SHARED_P2M_VADDR, SHARED_WC_SEC, Dump
from machine import GUEST, LOGS, sparse_disk

DISK = LOGS / "dump.disk"       # how a core file gets out of the machine
MACHINE = {"memory": 3072, "dom0_memory": 768, "disks": [("shared", DISK)]}
DUMPS = "/var/lib/xen/dump"
SYMBOLS = ("linux_banner", "page_offset_base", "init_task", "saved_command_line")


@pytest.fixture(scope="module", autouse=True)
def disk():
    LOGS.mkdir(parents=True, exist_ok=True)
    yield sparse_disk(DISK, 160)
    DISK.unlink()


def fetch(dom0, path):
    """The core file at a path in dom0, which is removed there."""
    dom0.run(f"dd of=/dev/vdb bs=1M conv=fsync 2>/dev/null < {path} && rm {path}", timeout=GUEST)
    return Dump(DISK)


def symbols(guest):
    """Addresses of some of the kernel's symbols, as it tells them itself."""
    lines = guest.out(f"grep -E ' ({'|'.join(SYMBOLS)})$' /proc/kallsyms")
    found = {name: int(address, 16) for address, name in re.findall(r"^([0-9a-f]{16}) \w (\w+)$", lines, re.M)}
    assert set(found) == set(SYMBOLS)
    return found


def plant(guest):
    """Fills a page of the guest's memory; returns how it begins."""
    guest.run("n=$((6 * 7)); (echo planted-$n-page; dd if=/dev/zero bs=4096 count=1) 2>/dev/null | head -c 4096 > /tmp/page")
    return b"planted-42-page\n\0\0\0\0"


def shows(core, guest_kernel, address, pattern, memory):
    """Everything that is known of the guest is in the core file, and in its place."""
    assert memory * 256 - 64 <= len(core.frames) <= memory * 256
    assert core.vcpus == 2

    # By the page tables of each vCPU: the kernel's text, and where a pfn is in its own map of all memory.
    for vcpu in range(core.vcpus):
        root = core.root(vcpu)
        assert root in core.place
        banner = core.read(address["linux_banner"], len(guest_kernel) + 2, root)
        assert banner == guest_kernel.encode() + b"\n\0"
        assert core.walk(core.context(vcpu, CONTEXT_RIP), root) is not None
    base = core.number(address["page_offset_base"])
    for pfn in core.pfns[::500]:
        assert core.walk(base + pfn * PAGE) == core.frames[pfn]

    # The kernel's image is at the pfns that its addresses say.
    assert core.walk(address["init_task"]) == core.frames[(address["init_task"] - 0xffffffff80000000) // PAGE]
    command_line = core.number(address["saved_command_line"])
    assert core.read(command_line, 12) == b"console=hvc0"

    # What was planted is there, where the kernel's map of memory has that pfn; a free page of the pipe it came by may begin so too.
    planted = core.find(pattern)
    assert planted
    for pfn in planted:
        assert core.read(base + pfn * PAGE, len(pattern)) == pattern

    # The guest's own list of its frames is what the core file says.
    table, = struct.unpack_from("<Q", core.shared, SHARED_P2M_CR3)
    list_at, = struct.unpack_from("<Q", core.shared, SHARED_P2M_VADDR)
    assert table and list_at
    for pfn in core.pfns[::500]:
        assert core.number(list_at + 8 * pfn, table >> 12) == core.frames[pfn]
    assert struct.unpack_from("<Q", core.shared, SHARED_MAX_PFN)[0] == max(core.pfns) + 1
    assert 0 < time.time() - struct.unpack_from("<I", core.shared, SHARED_WC_SEC)[0] < 86400    # when the machine started


def test_live(dom0):
    guest = dom0.guest("live", memory=128, vcpus=2).boot()
    address, kernel, pattern = symbols(guest), guest.out("cat /proc/version"), plant(guest)
    dom0.run("xl dump-core live /disks/core", timeout=GUEST)
    assert guest.out("head -c 15 /tmp/page") == pattern.decode()[:15]     # it goes on
    guest.destroy()
    shows(fetch(dom0, "/disks/core"), kernel, address, pattern, 128)
    # Debian's readelf finds nothing wrong with it.
    shown = subprocess.run(["readelf", "-W", "-h", "-S", DISK], capture_output=True, text=True, check=True)
    assert not shown.stderr
    assert "CORE (Core file)" in shown.stdout and ".xen_p2m" in shown.stdout


@pytest.mark.parametrize("action", ["coredump-destroy", "coredump-restart"])
def test_crashed(dom0, action):
    """The core file of one that crashed has its last message; with -restart the guest is there anew."""
    dom0.run(f"mkdir -p {DUMPS}; rm -f {DUMPS}/*")
    guest = dom0.guest("dying", memory=128, vcpus=2, on_crash=action).boot()
    address, kernel, pattern = symbols(guest), guest.out("cat /proc/version"), plant(guest)
    guest.run("echo 1 > /proc/sys/kernel/sysrq")
    dom0.run("xl sysrq dying c")
    if action.endswith("restart"):
        dom0.wait(f"[ $(grep -c 'guest ready' {guest.log}) -ge 2 ]", GUEST, "another life of the guest")
        guest.destroy()
    else:
        guest.gone(GUEST)
    assert dom0.out(f"ls {DUMPS} | wc -l") == "1"
    core = fetch(dom0, f"{DUMPS}/*dying*")
    shows(core, kernel, address, pattern, 128)
    assert core.data.find(b"sysrq: Trigger a crash") > 0
