# SPDX-License-Identifier: BSD-2-Clause
"""The micro guest passes on the hypervisor: every family of hypercalls, and every way to end a domain.

One boot runs all families. If the guest or the machine does not reach the end of it, each family gets its own boot,
so that one fatal test does not hide the others.
"""

import pytest

import micro

TESTS, DESTRUCTIVE = micro.families()

# What the console must show after each test that ends the guest.
ENDS = {
    "no_handler": r"(?i)d(om|omain )?0.*crash",
    "no_stack": r"(?i)d(om|omain )?0.*crash",
    "iret_no_stack": r"(?i)d(om|omain )?0.*crash",
    "iret_to_user_without_tables": r"(?i)d(om|omain )?0.*crash",
    "poweroff": r"(?i)dom(ain )?0 (halted|powered off)",
    "reboot": r"(?i)dom(ain )?0.*reboot",
    "crash": r"(?i)d(om|omain )?0.*crash",
    "watchdog_reason": r"(?i)dom(ain )?0.*watchdog",
    "unknown_reason": r"(?i)dom(ain )?0.*(99|reboot|crash)",
    "watchdog_expires": r"(?i)watchdog",
}


@pytest.fixture(scope="session")
def guest():
    if not micro.HYPERVISOR.exists():
        pytest.fail(f"{micro.HYPERVISOR} is not built: `make`, or KRYPTON_HV=FILE")
    micro.build()


@pytest.fixture(scope="session")
def everything(guest):
    return micro.boot()


def test_hello(guest):
    boot = micro.boot("only=hello", until="hello from the micro guest")
    assert boot.says("hello from the micro guest"), boot.tail()


@pytest.mark.parametrize("family", TESTS)
def test_family(everything, family):
    boot = everything if everything.finished else micro.boot(f"only={family}")
    failed = {name: why for name, why in boot.failed.items() if name.split(".")[0] == family}
    passed = [name for name in boot.passed if name.split(".")[0] == family]
    assert not boot.says(micro.HYPERVISOR_DEAD), boot.tail()
    assert not failed, "\n".join(f"{name}: {w}" for name, why in failed.items() for w in why)
    # Some families have tests made by a macro, which the sources do not name.
    assert set(passed) >= {f"{family}.{test}" for test in TESTS[family]}, boot.tail()


def test_intel(guest):
    boot = micro.boot("only=user", cpu=micro.CPU_INTEL)
    assert boot.passed == [f"user.{test}" for test in TESTS["user"]], boot.tail()


@pytest.mark.parametrize("test", DESTRUCTIVE)
def test_end(guest, test):
    boot = micro.boot(f"destructive={test}", until=ENDS[test] + r"[^\n]*\n")
    assert boot.says("hello from the micro guest") and boot.says(ENDS[test]), boot.tail()
    assert not boot.says(micro.HYPERVISOR_DEAD), boot.tail()
