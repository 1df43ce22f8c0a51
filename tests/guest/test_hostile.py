# SPDX-License-Identifier: BSD-2-Clause
"""The hostile families (guests/micro/hostile_*.c) on one, two and four CPUs: each attack, by dom0 and by a domU, ends as
the ABI says, and the hypervisor, the other vCPUs and the guest itself still work after each.

Results that differ from Debian's Xen are justified in hostile_differences.txt (as differences.txt of compare.py).
With more than one CPU each case also asks all others, which takes minutes: `make check` has one CPU, HOSTILE_CPUS="1 2 4" in
the environment the others (make hostile-cases). As a program it is the soak: test_hostile.py SECONDS [SEED [CPUS]],
`make hostile SECONDS=600`.
"""

import collections
import fnmatch
import os
import pathlib
import re
import sys
import time

import pytest

import micro

DIFFERENCES = pathlib.Path(__file__).with_name("hostile_differences.txt")
FIGURES = micro.TOP / "build/logs"
CASES_WANTED = 500
LIMIT = 1500
CPUS = [int(n) for n in os.environ.get("HOSTILE_CPUS", "1").split()]
# Refused operations by the thousand need not be in the log.
QUIET = "guest_loglvl=none"


def by_class(boot):
    """{class: [passed, failed]}; a case that dom0 and domU both try counts once, and passes when both do."""
    outcome = {}
    for name, (_, passed) in boot.cases.items():
        name = name.removeprefix("domU.")
        outcome[name] = outcome.get(name, True) and passed
    classes = collections.defaultdict(lambda: [0, 0])
    for name, passed in outcome.items():
        classes[name.split(".")[0].removeprefix("hostile_")][not passed] += 1
    return classes


def table(boot):
    classes = by_class(boot)
    lines = [f"  {name:14} {passed:5} passed {failed:3} failed" for name, (passed, failed) in sorted(classes.items())]
    passed, failed = (sum(c[i] for c in classes.values()) for i in (0, 1))
    return "\n".join(lines + [f"  {'all':14} {passed:5} passed {failed:3} failed"]), passed, failed


def why(boot):
    return "\n".join([line for line in boot.lines if re.search(r"not ok|failed$|# broken", line)] + [boot.tail(5)])


@pytest.fixture(scope="module")
def boots():
    """The boot with so many CPUs, kept for the comparison."""
    micro.build()
    made = {}

    def get(cpus):
        if cpus not in made:
            made[cpus] = micro.boot("only=hostile", cpus=cpus, vcpus=4, limit=LIMIT, options=QUIET)
        return made[cpus]
    return get


@pytest.mark.parametrize("cpus", CPUS)
def test_attacks(boots, capsys, cpus):
    boot = boots(cpus)
    text, passed, failed = table(boot)
    text = f"hostile cases, {cpus} CPUs\n{text}\n"
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / f"hostile-{cpus}.figures").write_text(text)
    with capsys.disabled():
        print("\n" + text)
    assert not boot.says(micro.HYPERVISOR_DEAD), boot.tail()
    assert boot.finished and not boot.failed and not failed, why(boot)
    assert passed >= CASES_WANTED


def justified():
    lines = [line.split(" ", 1) for line in DIFFERENCES.read_text().splitlines() if line and line[0] != "#"]
    assert all(len(line) == 2 for line in lines), "a difference needs a reason"
    return [line[0] for line in lines]


ALONE = "hostile_mov_ss"        # some of its tests end the reference's guest


def on_the_reference(args):
    return micro.boot(args, micro.TOP / "build/images/xen", cpus=1, vcpus=4, limit=LIMIT, options=QUIET)


def test_reference(boots):
    here, patterns = boots(1).cases, justified()
    boot = on_the_reference(f"only=hostile but=hostile_soak+{ALONE}")
    assert boot.finished, boot.tail()
    there = dict(boot.cases)
    for test in re.findall(r"^MOV_SS\((\w+),", (micro.SOURCES / f"{ALONE}.c").read_text(), re.M):
        there.setdefault(f"{ALONE}.then.{test}", ("end", False))
        there.update(on_the_reference(f"only={ALONE}.{test}").cases)
    gone = ("-", False)
    different = [f"{name}: reference {there.get(name, gone)[0]}, here {here.get(name, gone)[0]}"
                 for name in sorted(there.keys() | here.keys()) if not name.startswith((f"domU.{ALONE}", "hostile_soak"))
                 and here.get(name, gone)[0] != there.get(name, gone)[0]
                 and not any(fnmatch.fnmatchcase(name.removeprefix("domU."), p) for p in patterns)]
    assert not different, "\n".join(different)


def soak(seconds, seed, cpus):
    """Prints what was done; gives the exit status."""
    micro.build()
    start = time.monotonic()
    boot = micro.boot(f"only=hostile_soak seconds={seconds} seed={seed}", cpus=cpus, vcpus=4,
                      limit=seconds * 3 + 120, options=QUIET)
    operations = sum(int(m[1]) for line in boot.lines if (m := re.match(r"domU soak \d+ (\d+)$", line)))
    end = next((line for line in boot.lines if line.startswith("soaked")), "did not end:\n" + boot.tail())
    print(f"seed {seed}, {cpus} CPUs, {time.monotonic() - start:.0f} s: {operations} operations; {end}")
    return not end.endswith(" 0 leaks") or bool(boot.failed) or boot.says(micro.HYPERVISOR_DEAD)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:]]
    sys.exit(soak(*(numbers + [60, int(time.time()), 2][len(numbers):])))
