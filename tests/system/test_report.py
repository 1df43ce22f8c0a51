# SPDX-License-Identifier: BSD-2-Clause
"""krypton-report: one command collects what a report of a crash wants."""

import re

import pytest

from machine import REFERENCE, TOP, read_report

pytestmark = pytest.mark.skipif(REFERENCE, reason="its log begins otherwise")

COMMAND = "/run/files/krypton-report"
MACHINE = {"files": [TOP / "packaging/krypton-report"]}


def test_report(dom0, guest):
    said = dom0.out(f"cd /tmp && {COMMAND} -g g && ls -l krypton-report-*.txt")
    assert re.match(r"krypton-report-\d{8}-\d{6}\.txt: look through it", said) and "-rw-------" in said
    part = read_report(dom0)

    def found(heading):
        return next(body for name, body in part.items() if name.startswith(heading))

    # Which hypervisor, which kernel, which tools.
    changeset = dom0.info()["xen_changeset"]
    assert changeset in found("versions") and dom0.out("uname -r") in found("versions")
    assert re.search(r"^xen-utils-4\.17 \S+ ii", found("versions"), re.M)
    # All that it said since it started, from its first line.
    log = found("the hypervisor's log")
    assert re.match(rf"\(XEN\) {re.escape(changeset)} \(Xen ABI 4\.17\), loaded by ", log), log[:200]
    assert "no longer kept" not in log and "pressed" not in log
    # What it is doing, with the last hypercalls.
    now = found("domains, run queues, registers, interrupts, the flight recorder")
    assert re.findall(r"'(.)' pressed", now) == list("qrdiT")
    events = now[now.index("'T' pressed"):]
    assert len(re.findall(r"^\(XEN\) +\d+ CPU\d \S+: ", events, re.M)) >= 20 and " hypercall " in f" {events}", events
    # The machine, the domains, and what was wished for of the guest.
    assert "xen_version" in found("xl info") and "Model name" in found("lscpu") and re.search(r"\[8086:", found("lspci"))
    assert re.search(r"^Domain-0 .*\ng ", found("xl list"), re.M)
    assert '"name": "g"' in found("guest g: xl list -l") and "guest ready" in found("guest g: logs")
    assert "Linux version" in found("dom0's kernel's log") or "Xen" in found("dom0's kernel's log")
    assert not re.findall(r"^\(.*: exit status \d+\)$", "".join(part.values()), re.M)


def test_again(dom0):
    """A second report has only its own debug keys' text in it, however often the keys were pressed before."""
    dom0.run("xl debug-keys qT")
    dom0.run(f"{COMMAND} -o - >/tmp/report")      # the keys' text is on this terminal too
    text = dom0.run("sed -n '/^==== domains, run queues/,/^==== xl info/p' /tmp/report; rm /tmp/report", raw=True).output
    assert re.findall(r"'(.)' pressed", text) == list("qrdiT")


def test_wrong_use(dom0):
    assert "Usage: krypton-report" in dom0.out(f"{COMMAND} --help")
    assert dom0.run(f"{COMMAND} -x 2>&1", check=False).status == 2
    assert dom0.run(f"{COMMAND} here 2>&1", check=False).status == 2
    refused = dom0.run(f"{COMMAND} -s /nothing 2>&1", check=False)
    assert refused.status == 1 and "no file /nothing" in refused.output
