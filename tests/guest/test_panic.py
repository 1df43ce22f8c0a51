# SPDX-License-Identifier: BSD-2-Clause
"""When the hypervisor ends itself, what its serial line said is enough to know where it was and what came before."""

import re
import subprocess

import pytest

import micro

READER = micro.TOP / "testbed/read-panic"
SYMBOLS = micro.HYPERVISOR.with_name("krypton-syms")
REPORT = micro.TOP / "packaging/krypton-report"
# From the key to the guest's entry, each with its line of source.
CALLED = ("crash at {}x86/panic.c:", "key_run at {}core/keys.c:", "sysctl_debug_keys at {}abi/sysctl.c:", "at {}x86/entry.S:")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """What the serial line said."""
    micro.build()
    boot = micro.boot("only=version keys=C", until=r"the machine restarts", limit=60)
    path = tmp_path_factory.mktemp("panic") / "serial"
    path.write_text("\r\n".join(boot.lines))
    return path


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def test_report_is_read(log):
    text = output(READER, log, SYMBOLS)
    assert text.startswith("*** panic: asked for by debug key 'C'"), text
    called = text[text.index("called from:"):]
    for function in CALLED:
        assert re.search(rf"{function.format('')}\d+", called), text
    # What the CPU did last: the hypercalls of the guest.
    assert re.search(r"the last \d+ events of each CPU", text), text
    assert "hypercall" in text[text.index("the last "):], text


def test_report_to_send(log, tmp_path):
    """krypton-report -s: the life of the hypervisor that ended so, and no other's, and where that was."""
    lives = tmp_path / "serial"
    lives.write_text("(XEN) Krypton before (Xen ABI 4.17), loaded by nobody\r\n(XEN) an earlier life\r\n" + log.read_text())
    text = output(REPORT, "-s", lives, "-e", SYMBOLS, "-o", "-")
    where, said = (re.search(rf"^==== {heading}.*\n((?:(?!====).*\n)*)", text, re.M)[1] for heading in ("where it", "the serial line"))
    assert where.startswith("(XEN) *** panic: asked for by debug key 'C'"), text
    places = [re.search(rf"0x[0-9a-f]{{16}}: .*{function.format('.*')}\d+", where) for function in CALLED]
    assert all(places) and [p.start() for p in places] == sorted(p.start() for p in places), text
    assert re.match(r"\(XEN\) Krypton .*, loaded by ", said) and "*** panic: asked for" in said, text
    assert "an earlier life" not in text and "\r" not in text


def test_no_report(tmp_path):
    log = tmp_path / "serial"
    log.write_text("(XEN) all is well\n")
    assert subprocess.run([READER, log], stderr=subprocess.DEVNULL).returncode == 1
    assert "(no crash in it)" in output(REPORT, "-s", log, "-o", "-")
