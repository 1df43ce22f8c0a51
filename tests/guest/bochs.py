#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The micro guest on Bochs, a processor that faults where QEMU's does not: non-canonical addresses in SYSRET, IRET and
WRMSR, reserved bits, privilege checks of segments. Once with an exit root, which this processor needs, and once without: then
most goes by the short ways.

    bochs.py [CPUS [GUEST-OPTIONS]] default: one, and the families that enter and leave the hypervisor in odd ways

Bochs starts from a CD made with GRUB. Needs bochs, bochs-term, bochsbios, vgabios, grub-pc-bin, xorriso, mtools. Exit
status 0 when every test and every case passed.
"""

import os
import pathlib
import pty
import shutil
import subprocess
import sys
import tempfile
import time

import micro

FAMILIES = "+".join(["traps", "iret", "user", "segments", "hostile_frame", "hostile_instruction", "hostile_descriptor",
                     "hostile_register"])
CPU = "corei7_skylake_x"
LIMIT = 1200                            # seconds

GRUB = """serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
menuentry "Krypton" {{
    multiboot /boot/hypervisor placeholder {options}
    module /boot/micro placeholder {args}
}}
"""

# The real-time clock is not slowed down to real time; com1 is what we read.
CONFIGURATION = """plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, iodebug=0
config_interface: textconfig
display_library: term
memory: host=512, guest=512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model={cpu}, count={cpus}, ips=50000000, reset_on_triple_fault=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={serial}
clock: sync=none, time0=utc
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
log: {log}
"""


def make_iso(work, args, options):
    tree = work / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    shutil.copy(micro.HYPERVISOR, tree / "boot/hypervisor")
    shutil.copy(micro.GUEST, tree / "boot/micro")
    options = f"{micro.COMMAND_LINE} dom0_max_vcpus=4 guest_loglvl=none {options}"
    (tree / "boot/grub/grub.cfg").write_text(GRUB.format(options=options, args=args))
    iso = work / "micro.iso"
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, tree], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return iso


def boot(args, cpus=1, limit=LIMIT, options=""):
    """One machine from power on to the guest's last line; gives a micro.Boot. options: more of the hypervisor's."""
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        serial = work / "serial"
        (work / "rc").write_text(CONFIGURATION.format(cpu=CPU, cpus=cpus, iso=make_iso(work, args, options), serial=serial,
                                                      log=work / "log"))
        (work / "commands").write_text("c\n")
        # Its display is a terminal, and its debugger waits for a command to begin.
        master, slave = pty.openpty()
        machine = subprocess.Popen(["bochs", "-q", "-f", work / "rc", "-rc", work / "commands"], stdin=slave,
                                   stdout=slave, stderr=slave, env=os.environ | {"TERM": "vt100"})
        os.close(slave)
        os.set_blocking(master, False)
        text, end = "", time.monotonic() + limit
        try:
            while time.monotonic() < end and machine.poll() is None:
                time.sleep(0.5)
                try:
                    os.read(master, 1 << 20)
                except (BlockingIOError, OSError):
                    pass
                text = serial.read_bytes().decode(errors="replace").replace("\r", "") if serial.exists() else ""
                result = micro.Boot(text.split("\n"))
                if result.finished or result.says(micro.HYPERVISOR_DEAD):
                    break
        finally:
            machine.kill()
            machine.wait()
            os.close(master)
        return micro.Boot(text.split("\n"))


def passes(args, cpus, option):
    result = boot(args, cpus, options=option)
    (micro.TOP / "build/logs").mkdir(parents=True, exist_ok=True)
    (micro.TOP / f"build/logs/bochs-{option}.log").write_text("\n".join(result.lines))
    bad = [name for name, (_, passed) in result.cases.items() if not passed]
    for name, expressions in result.failed.items():
        print(name, *expressions)
    print(f"Bochs ({CPU}, {cpus} CPUs, {option}): {len(result.passed)} tests passed, {len(result.failed)} failed; "
          f"{len(result.cases) - len(bad)} hostile cases passed, {len(bad)} failed")
    if not result.finished:
        print("did not end:\n" + result.tail())
    return result.finished and not bad and not result.failed


def main():
    if not shutil.which("bochs"):
        sys.exit("bochs: apt-get install bochs bochs-term bochsbios vgabios")
    micro.build()
    cpus = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    args = " ".join(sys.argv[2:]) or f"only={FAMILIES}"
    passed = [passes(args, cpus, option) for option in ("xpti=true", "xpti=false")]
    return not all(passed)


if __name__ == "__main__":
    sys.exit(main())
