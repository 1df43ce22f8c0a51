# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: `machine` makes machines of any kind, `dom0` is one that several tests share.

A test that fails leaves no machine behind: the next one starts on a fresh one. Each test that used the shared
dom0 is also checked for leaks: its guests gone, free memory is what it was before.
"""

import pytest

from machine import HYPERVISOR, IMAGES, LOGS, Machine


def pytest_sessionstart(session):
    missing = [path for path in (HYPERVISOR, IMAGES / "dom0.img") if not path.exists()]
    if missing and not session.config.option.collectonly:
        pytest.exit("not built: " + " ".join(map(str, missing)) + "; `make check` builds all", returncode=2)


def pytest_report_header(config):
    return f"hypervisor: {HYPERVISOR}; logs: {LOGS}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, f"report_{report.when}", report)
    if report.failed:
        for machine in getattr(item, "machines", []):
            report.sections.append((f"end of {machine.log}", machine.log_tail(400)))     # with what examine() asked


def failed(node):
    return any(getattr(node, f"report_{when}", None) and getattr(node, f"report_{when}").failed
               for when in ("setup", "call"))


def test_name(node):
    return node.name.replace("/", "_").replace("[", "-").replace("]", "")


class Shared:
    """The machine that tests with the same wishes share; at most one runs."""

    def __init__(self):
        self.machine, self.wishes = None, None

    def get(self, node, wishes):
        if self.machine and (self.wishes != wishes or not self.machine.alive()):
            self.drop()
        if not self.machine:
            self.machine, self.wishes = Machine(f"dom0-{test_name(node)}", **wishes), wishes
            node.machines = [self.machine]
            try:
                self.machine.boot()
            except Exception:
                self.drop()
                raise
        node.machines = [self.machine]
        return self.machine

    def drop(self):
        if self.machine:
            self.machine.kill()
        self.machine = None


@pytest.fixture(scope="session")
def shared():
    owner = Shared()
    yield owner
    owner.drop()


@pytest.fixture
def dom0(request, shared):
    """A booted dom0, shared with other tests. A module's MACHINE (a dictionary) says how it differs from the usual."""
    machine = shared.get(request.node, getattr(request.module, "MACHINE", {}))
    try:
        if machine.kept and machine.kept.module != request.module.__name__:
            machine.kept.destroy()
            machine.kept.gone()
            machine.kept = None
        machine.baseline = machine.free_memory()
    except Exception:
        shared.drop()
        raise
    yield machine
    if failed(request.node):
        shared.drop()
        return
    try:
        for name in machine.domains():
            if name != "Domain-0" and not (machine.kept and machine.kept.name == name):
                machine.run(f"xl destroy {name}")
        machine.memory_back(machine.baseline)
    except Exception:
        shared.drop()
        raise


@pytest.fixture
def guest(request, dom0):
    """A running guest with two vCPUs that the tests of a module share. They leave it running, under its name."""
    if not dom0.kept:
        dom0.kept = dom0.guest("g", vcpus=2).boot()
        dom0.kept.module = request.module.__name__
        dom0.baseline = dom0.free_memory()
    return dom0.kept


@pytest.fixture
def machine(request, shared):
    """A maker of machines for this test alone: machine(cpus=8).boot(). They end with the test. kind: their class."""
    shared.drop()
    made = request.node.machines = []

    def make(kind=Machine, **wishes):
        suffix = f"-{len(made)}" if made else ""
        made.append(kind(test_name(request.node) + suffix, **wishes))
        return made[-1]

    yield make
    for one in made:
        one.kill()
