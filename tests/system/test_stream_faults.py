# SPDX-License-Identifier: BSD-2-Clause
"""A saved image with a fault in it: it is refused with a word, or makes a guest that has the fault and harms nobody.

The guest is the micro guest: its image is small, it has tables of every kind, and looks at them itself when it is back.
There are no checksums in an image, so a fault in a page's contents is the guest's alone. In the environment: FAULTS=N,
how many bytes are changed; SEED=N, which.
"""

import collections
import os
import pathlib
import random
import re

import pytest

from machine import COMMAND, TOP, sparse_disk
import saved_image

FILES = pathlib.Path(__file__).with_name("files")
MICRO = TOP / "build/guests/micro/micro"
FAULTS = int(os.environ.get("FAULTS", "20"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
CUTS = max(3, FAULTS // 20)
BATCH = 20
EACH = 120      # seconds for one fault, at most
PANIC = r"\(XEN\).*(Panic on CPU|Assertion|BUG at|\*\*\* panic)"


class Saved:
    """A machine with the saved image in /run/image, and the image's bytes."""

    def __init__(self, host, image):
        self.host, self.image = host, image
        self.free = host.free_memory()
        self.tried = 0

    def restore(self, faults):
        """Restores with each of the faults (lines of a plan without their numbers); gives [(fault, status, verdict, error)]."""
        results = []
        for start in range(0, len(faults), BATCH):
            batch = faults[start:start + BATCH]
            plan = "\n".join(f"{number} {fault}" for number, fault in enumerate(batch))
            self.host.run(f"cat > /run/plan <<'END'\n{plan}\nEND")
            out = self.host.run("/run/files/stream-faults /run/image /run/plan", timeout=EACH * len(batch)).output
            lines = re.findall(r"^fault (\d+) (\d+) (\w+) ?(.*)$", out, re.M)
            assert [int(line[0]) for line in lines] == list(range(len(batch))), out
            results += [(fault, int(line[1]), line[2], line[3]) for fault, line in zip(batch, lines)]
            assert list(self.host.domains()) == ["Domain-0"]
            self.host.memory_back(self.free)
        return results


@pytest.fixture(scope="module")
def saved(request, shared, tmp_path_factory):
    """Saves the micro guest once; it shows that it can be restored, again and again."""
    path = sparse_disk(tmp_path_factory.mktemp("saved") / "image", 16)
    host = shared.get(request.node, {"cpus": 1, "memory": 1024, "disks": [("shared", path)],
                                     "files": [MICRO, FILES / "stream-faults"]})
    guest = host.guest("micro", kernel="/run/files/micro", ramdisk=None, memory=8, args="destructive=suspend")
    guest.boot("^suspended")
    # It has no xenstore: that it heard the word is said for it.
    host.run("(sleep 3; xenstore-write /local/domain/$(xl domid micro)/control/shutdown '') & "
             "xl save micro /run/image", timeout=COMMAND)
    host.wait("! xl domid micro > /dev/null 2>&1", 60)
    host.run("dd if=/run/image of=/dev/vdb bs=1M conv=fsync 2> /dev/null")
    image = path.read_bytes()
    yield Saved(host, image[:saved_image.end(image)])
    shared.drop()


def byte_faults(saved, count, rng):
    """Each kind of part is hit as often as another, whatever its size."""
    parts = saved_image.parts(saved.image)
    for number in range(count):
        kind = sorted(parts)[number % len(parts)]
        start, end = rng.choice(parts[kind])
        offset, old = rng.randrange(start, end), None
        old = saved.image[offset]
        yield kind, f"{offset} {old:02x} {old ^ rng.randrange(1, 256):02x}"


def whose(error):
    """Who refused: the hypervisor, where libxc reports the errno of a hypercall, or the tools by themselves."""
    return "hypervisor" if re.search(r"xc: error: .*\([1-9]\d* = ", error) else "tools"


def figures(kinds, results):
    """Counts to be read by people."""
    table, messages = collections.defaultdict(collections.Counter), collections.Counter()
    for kind, (_, status, verdict, error) in zip(kinds, results):
        if status:
            verdict = f"refused by the {whose(error)}"
            messages[re.sub(r"\d+|0x[0-9a-f]+|[0-9a-f]{6,}", "N", error.split("|")[0])] += 1
        table[kind][verdict] += 1
        table["all"][verdict] += 1
    for kind in sorted(table):
        print(f"{kind:18}", ", ".join(f"{count} {verdict}" for verdict, count in table[kind].most_common()))
    for message, count in messages.most_common():
        print(f"{count:5}  {message}")


def check(results):
    for fault, status, verdict, error in results:
        assert status not in (124, 137), f"{fault}: xl restore does not end"
        if status >= 128:
            print(f"{fault}: xl itself died, and left the domain ({verdict})")
        elif status:
            assert verdict == "none" and error, f"{fault}: refused, {verdict}: {error!r}"
        else:
            assert verdict != "none", f"{fault}: neither restored nor refused"


def test_whole(saved):
    """Without a fault it is right, twice."""
    old = f"{saved.image[0]:02x}"
    results = saved.restore([f"0 {old} {old}"] * 2)
    assert [(status, verdict) for _, status, verdict, _ in results] == [(0, "right")] * 2, results


def test_one_byte(saved):
    print(f"seed {SEED}")
    kinds, faults = zip(*byte_faults(saved, FAULTS, random.Random(SEED)))
    results = saved.restore(faults)
    figures(kinds, results)
    check(results)
    assert not re.search(PANIC, saved.host.log.read_text(errors="replace"))


def test_cut_off(saved):
    """A file that ends too soon is refused, wherever it ends."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    results = saved.restore([f"cut {rng.randrange(len(saved.image))} - -" for _ in range(CUTS)] + ["cut 0 - -"])
    check(results)
    assert all(status for _, status, _, _ in results), results


def test_no_room(saved):
    """The host has less memory than the guest had: refused, and what it got so far is free again."""
    host = saved.host
    filler = host.guest("filler", memory=host.free_memory() - 6)
    filler.create("-p")
    left = host.free_memory()
    assert left < 8
    result = host.run("xl restore -e /run/image 2>&1", check=False)
    assert result.status != 0 and re.search("(?i)memory|populate", result.output), result
    host.memory_back(left)
    assert set(host.domains()) == {"Domain-0", "filler"}
    filler.destroy()
    filler.gone()
    host.memory_back(saved.free)
