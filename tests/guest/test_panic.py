# SPDX-License-Identifier: BSD-2-Clause
"""When the hypervisor ends itself, what its serial line said is enough to know where it was and what came before."""

import re
import subprocess

import micro

READER = micro.TOP / "testbed/read-panic"


def test_report_is_read(tmp_path):
    micro.build()
    boot = micro.boot("only=version keys=C", until=r"the machine restarts", limit=60)
    log = tmp_path / "serial"
    log.write_text("\r\n".join(boot.lines))
    text = subprocess.run([READER, log, micro.HYPERVISOR.with_name("krypton-syms")], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    assert text.startswith("*** panic: asked for by debug key 'C'"), text
    called = text[text.index("called from:"):]
    # From the key to the guest's entry, each with its line of source.
    for function in ("crash at x86/panic.c:", "key_run at core/keys.c:", "sysctl_debug_keys at abi/sysctl.c:", "at x86/entry.S:"):
        assert re.search(rf"{function}\d+", called), text
    # What the CPU did last: the hypercalls of the guest.
    assert re.search(r"the last \d+ events of each CPU", text), text
    assert "hypercall" in text[text.index("the last "):], text


def test_no_report(tmp_path):
    log = tmp_path / "serial"
    log.write_text("(XEN) all is well\n")
    assert subprocess.run([READER, log], stderr=subprocess.DEVNULL).returncode == 1
