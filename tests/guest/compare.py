#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares what the micro guest observes on two hypervisors.

    compare.py REFERENCE [HYPERVISOR]

Prints each observation that differs and is not justified in differences.txt, each justification that is no longer
needed, and each test that passes on one only. Exit status 0 when there is nothing to print. differences.txt has one
observation a line, `*` allowed in the name, then why it may differ; REFERENCE is Debian's hypervisor
(testbed/build-oracle makes build/images/xen).
"""

import collections
import fnmatch
import pathlib
import sys

import micro

DIFFERENCES = pathlib.Path(__file__).with_name("differences.txt")


def justified():
    """{pattern: reason}; a line without a reason is an error."""
    reasons = {}
    for number, line in enumerate(DIFFERENCES.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            pattern, _, reason = line.partition(" ")
            if not reason.strip():
                sys.exit(f"{DIFFERENCES}:{number}: a difference needs a reason")
            reasons[pattern] = reason.strip()
    return reasons


def observe(hypervisor):
    """{name: [values]} and the tests that passed; family by family when one boot does not reach the end."""
    boots = [micro.boot(hypervisor=hypervisor)]
    if not boots[0].finished:
        boots = [micro.boot(f"only={family}", hypervisor, limit=60) for family in micro.families()[0]]
    values, passed = collections.defaultdict(list), set()
    for boot in boots:
        passed |= set(boot.passed)
        for name, value in boot.observed:
            values[name].append(value)
    return values, passed


def problems(reference, other):
    """Lines to print: what differs, or is justified, without need."""
    (want, want_passed), (got, got_passed) = observe(reference), observe(other)
    reasons, used, found = justified(), set(), []
    for name in sorted(want.keys() | got.keys()):
        if want[name] == got[name]:
            continue
        matches = {pattern for pattern in reasons if fnmatch.fnmatchcase(name.removeprefix("domU."), pattern)}
        used |= matches
        if not matches:
            found.append(f"{name}: reference {' '.join(want[name]) or '-'}, here {' '.join(got[name]) or '-'}")
    found += [f"{name}: passes only on the reference" for name in sorted(want_passed - got_passed)]
    found += [f"{name}: fails on the reference" for name in sorted(got_passed - want_passed)]
    # A pattern may cover what happens to agree on this machine; an exact name may not.
    found += [f"{p}: justified but no longer different" for p in reasons if p not in used and "*" not in p]
    return found


def main():
    reference = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else micro.TOP / "build/images/xen"
    other = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else micro.HYPERVISOR
    micro.build()
    found = problems(reference, other)
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
