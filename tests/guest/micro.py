# SPDX-License-Identifier: BSD-2-Clause
"""Boots the micro guest as dom0 and reads its report.

The guest (guests/micro) prints one line per test, so a boot is a list of lines until the machine ends or the text
waited for appears. All limits are wall time in seconds, far above what an idle machine needs.
"""

import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = TOP / "guests/micro"
GUEST = pathlib.Path(os.environ.get("MICRO_GUEST", TOP / "build/guests/micro/micro"))
HYPERVISOR = pathlib.Path(os.environ.get("KRYPTON_HV", TOP / "build/krypton")).resolve()

# With SMAP this QEMU faults IRET to ring 3, with MONITOR it faults MWAIT.
CPU = "EPYC,-smap,-monitor"
CPU_INTEL = "Haswell-noTSX,-smap,-monitor"
COMMAND_LINE = "console=com1 com1=115200,8n1 dom0_mem=64M,max:64M loglvl=all guest_loglvl=all"
LIMIT = 180
OVMF = "/usr/share/OVMF"

# What the guest's own guest says comes with "domU " before it.
OK = re.compile(r"^(domU )?ok \d+ (\S+)")
NOT_OK = re.compile(r"^(domU )?not ok \d+ (\S+?):? (.*)")
OBSERVATION = re.compile(r"^(domU )?obs (\S+) (.*)")
# A hostile case: its name, what came of it, passed or failed.
CASE = re.compile(r"^(domU )?case (\S+) (\S+) (passed|failed)$")
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed")
# The end of the hypervisor itself, which no guest may cause.
HYPERVISOR_DEAD = re.compile(r"\*\*\* panic|Panic on CPU|FATAL (TRAP|PAGE FAULT)|Xen BUG at|Assertion .* failed")


class Monitor:
    """QEMU's monitor on a socket, for then=; options are QEMU's."""

    def __init__(self, path):
        self.path = path
        self.options = ["-monitor", f"unix:{path},server=on,wait=off"]

    def run(self, command):
        """Gives what it answers."""
        return self.run_all([command])

    def run_all(self, commands):
        """One after the other, each taken when the one before is done; gives what the last answers."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(LIMIT)
            link.connect(str(self.path))
            answer = self.prompt(link)
            for command in commands:
                link.sendall(command.encode() + b"\n")
                answer = self.prompt(link)
        return answer

    @staticmethod
    def prompt(link):
        answer = b""
        while not answer.endswith(b"(qemu) "):
            answer += link.recv(65536)
        return answer.decode(errors="replace")

    def memory(self, address, size, file):
        """What is in the machine's memory. file: where it may be put."""
        self.run(f"pmemsave {address:#x} {size} \"{file}\"")
        return file.read_bytes()

    def screen(self, file):
        """Width, height and pixels, three bytes each. file: where they may be put."""
        self.run(f"screendump \"{file}\"")
        kind, width, height, _, pixels = file.read_bytes().split(maxsplit=4)
        assert kind == b"P6"
        return int(width), int(height), pixels


class Debugger:
    """The registers of one CPU, by QEMU's gdb stub on a socket; the machine stands still meanwhile. options are QEMU's."""

    RFLAGS, CS = 17, 18

    def __init__(self, path):
        self.path = path
        self.options = ["-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb"]

    def __enter__(self):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(LIMIT)
        self.link.connect(str(self.path))
        self.unread = b""
        # Single registers are to be had by those alone who ask what there is.
        self.ask("qSupported:xmlRegisters=i386")
        self.ask("qXfer:features:read:target.xml:0,ffb")
        return self

    def __exit__(self, *_):
        self.ask("D")
        self.link.close()

    def ask(self, command):
        """Gives what it answers; each packet is $TEXT#SUM, and + is the receipt. That the machine stands still
        from now on (T) is told by itself, at some time after the link is up, and answers nothing."""
        self.link.sendall(b"$%s#%02x" % (command.encode(), sum(command.encode()) % 256))
        while (packet := self.receive()).startswith("T"):
            pass
        return packet

    def receive(self):
        while not (packet := re.search(rb"\$([^#]*)#..", self.unread)):
            data = self.link.recv(65536)
            assert data, "the machine ended"
            self.unread += data
        self.unread = self.unread[packet.end():]
        self.link.sendall(b"+")
        return packet[1].decode()

    def choose(self, cpu):
        assert self.ask(f"Hg{cpu + 1:x}") == "OK"

    def get(self, register):
        value = bytes.fromhex(self.ask(f"p{register:x}"))
        assert value
        return int.from_bytes(value, "little")

    def set(self, register, value, size):
        assert self.ask(f"P{register:x}={value.to_bytes(size, 'little').hex()}") == "OK"


class Boot:
    """What one boot said: passed (names), failed ({name: [expressions]}), observed ([(name, value)]), finished,
    ended (the machine did by itself, as a reset does with -no-reboot), and cases ({name: (result, passed)})."""

    def __init__(self, lines):
        self.lines, self.ended = lines, False
        self.passed, self.failed, self.observed, self.finished = [], {}, [], False
        self.cases = {}
        for line in lines:
            if match := OK.match(line):
                self.passed.append(self.name(match))
            elif match := NOT_OK.match(line):
                self.failed.setdefault(self.name(match), []).append(match[3])
            elif match := OBSERVATION.match(line):
                self.observed.append((self.name(match), match[3]))
            elif match := CASE.match(line):
                self.cases[self.name(match)] = (match[3], match[4] == "passed")
            elif SUMMARY.match(line):
                self.finished = True

    @staticmethod
    def name(match):
        return ("domU." if match[1] else "") + match[2]

    def says(self, pattern):
        return any(re.search(pattern, line) for line in self.lines)

    def tail(self, count=25):
        return "\n".join(self.lines[-count:])


def need(*commands):
    """Fails with the way to get a missing program; packages are Debian's."""
    packages = {"qemu-system-x86_64": "qemu-system-x86", "gcc": "gcc", "make": "make"}
    missing = [packages[c] for c in commands if not shutil.which(c)]
    if missing:
        raise RuntimeError("missing programs: apt-get install " + " ".join(missing))


def build():
    need("gcc", "make")
    if "MICRO_GUEST" not in os.environ:
        subprocess.run(["make", "-s", "-C", SOURCES], check=True)


def qemu(*options, cpu=CPU, cpus=1, memory=512):
    """QEMU's command line, without a kernel; the serial port is its standard output."""
    need("qemu-system-x86_64")
    return ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", cpu, "-smp", str(cpus), "-m", str(memory),
            "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot", *options]


def efi():
    """QEMU's options for a machine whose firmware is EFI; what it writes to its variables is lost."""
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={OVMF}/OVMF_VARS_4M.fd"]


def watch(command, until=None, limit=LIMIT, then=None):
    """One machine from power on to its end, or to a line matching `until`; then it is ended, after `then` was called if it is
    given. If that gives a pattern, the machine goes on until what it says from then on matches that. Gives a Boot."""
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text, seen, end, ended = b"", 0, time.monotonic() + limit, False
    try:
        while (left := end - time.monotonic()) > 0:
            if not select.select([machine.stdout], [], [], left)[0]:
                continue
            data = os.read(machine.stdout.fileno(), 65536)
            if not data:
                machine.wait(LIMIT)
                ended = True
                break
            text += data
            if until and re.search(until.encode(), text[seen:]):
                until, then, seen = then and then(), None, len(text)
                if not until:
                    break
            if HYPERVISOR_DEAD.search(text[-8192:].decode(errors="replace")):
                end = min(end, time.monotonic() + 2)    # the rest of its message
    finally:
        machine.kill()
        machine.wait()
    result = Boot(text.decode(errors="replace").replace("\r", "").split("\n"))
    result.ended = ended
    return result


def boot(args="", hypervisor=None, until=None, limit=LIMIT, cpu=CPU, cpus=1, vcpus=2, options="", more=(), then=None):
    """The micro guest as dom0. options: more of the hypervisor's, more: of QEMU's."""
    return watch(qemu("-kernel", str(hypervisor or HYPERVISOR), "-append", COMMAND_LINE + f" dom0_max_vcpus={vcpus} {options}",
                      "-initrd", f"{GUEST} {args}", *more, cpu=cpu, cpus=cpus), until, limit, then)


def families():
    """{family: [tests]} and {destructive test: family}, read from the sources."""
    tests, destructive = {}, {}
    for source in sorted(SOURCES.glob("test_*.c")):
        family = source.stem.removeprefix("test_")
        for kind, name in re.findall(r"^TEST(_DESTRUCTIVE)?\((\w+)\)", source.read_text(), re.M):
            if kind:
                destructive[name] = family
            else:
                tests.setdefault(family, []).append(name)
    return tests, destructive
