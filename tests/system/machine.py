# SPDX-License-Identifier: BSD-2-Clause
"""A whole machine under emulation, driven over its serial console.

Machine starts QEMU with a hypervisor and dom0, waits for dom0's shell and runs commands there; Guest runs commands
in a guest through `xl console`. Only stock tools are used above the hypervisor. All limits are in seconds of wall
time and far above what an idle machine needs: they end a hang, they measure nothing.
"""

import os
import pathlib
import re
import shlex
import subprocess
import tarfile
import time

import pexpect

TOP = pathlib.Path(__file__).resolve().parents[2]
IMAGES = TOP / "build/images"
LOGS = TOP / "build/logs"
# Cores of this host for each of the machines that run at a time.
CORES = len(os.sched_getaffinity(0)) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
HYPERVISOR = pathlib.Path(os.environ.get("KRYPTON_HV", TOP / "build/krypton")).resolve()

BOOT = 600      # until dom0's prompt
COMMAND = 150   # one command in dom0 or a guest
GUEST = 400     # until a guest has booted
CHUNK = 48      # characters typed at once: less than any buffer on their way

# Debian's own hypervisor, which the tests themselves are tried on (build-oracle).
REFERENCE = HYPERVISOR.name == "xen"

# The emulated CPU: with SMAP this QEMU faults IRET to ring 3, with MONITOR it faults MWAIT, and with AVX, new in its 7.2,
# programs that use it die at random under load, on the reference as well.
CPU = "EPYC,-smap,-monitor,-avx,-avx2,-fma,-f16c"
MICRO_CPU = "EPYC,-smap,-monitor"   # a kernel of our own in dom0's place asks about AVX

OVMF = "/usr/share/OVMF"

SWITCH = "\x01\x01"     # how QEMU is told to send one Ctrl-a; three of them switch the console's input
DEBUG_KEYS = "dqreiz"   # registers, domains, run queues, event channels, interrupts, I/O APIC pins

# What the hypervisor and dom0's kernel print may stand in the middle of a command's output.
NOISE = re.compile(r"\(XEN\) [^\n]*\n|\[ *\d+\.\d{6}\] [^\n]*\n")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FAILURES = ["dom0-start: FAILED", "dom0-initrd: FAILED", r"Panic on CPU", r"\*\*\* panic:", r"\(XEN\) [^\n]*\. Halted\.",
            "Kernel panic - not syncing"]


class MachineError(Exception):
    """The machine did not do what was waited for; the log tells more."""


class Result:
    """What a command printed and its exit status."""

    def __init__(self, command, status, output):
        self.command, self.status, self.output = command, status, output

    def __repr__(self):
        return f"{self.command!r} -> {self.status}\n{self.output}"


class Console:
    """Commands over one text stream, each closed by a marker that carries its exit status."""

    multiline = True    # does the shell at the other end take a command in several lines?

    def __init__(self, child):
        self.child = child
        self.count = 0

    def expect(self, patterns, timeout):
        """Waits for one of the patterns (a list) and returns its index; a dead or silent machine is an error."""
        try:
            return self.child.expect(patterns, timeout=timeout)
        except pexpect.TIMEOUT:
            last = self.tail()
            self.examine()
            raise MachineError(f"no {patterns} within {timeout} s; last output:\n{last}") from None
        except pexpect.EOF:
            raise MachineError(f"the machine ended while waiting for {patterns}; last output:\n{self.tail()}") from None

    def examine(self):
        """Makes the log tell what state the machine is in; what was waited for did not come."""

    def tail(self, lines=30):
        text = self.child.before if isinstance(self.child.before, str) else ""
        return "\n".join(text.replace("\r", "").split("\n")[-lines:])

    def type(self, line):
        """Types a line at the pace of its echo: the serial line has no flow control, and bursts would be lost."""
        for start in range(0, len(line), CHUNK):
            chunk = line[start:start + CHUNK]
            self.child.send(chunk)
            try:
                self.child.expect_exact(chunk[-8:], timeout=10)
            except pexpect.TIMEOUT:
                pass    # something else was printed amid the echo
            except pexpect.EOF:
                self.expect(["echo"], 1)
        self.child.send("\n")

    def command(self, command, timeout, raw=False):
        self.count += 1
        if command.rstrip().endswith("&"):
            command += " :"     # no ; may follow a &
        # In the echo the marks are split by quotes; only when run they come out whole.
        lines = ['{ echo "@S""%d@"' % self.count, *command.split("\n"), '}; echo "@E""%d@$?@"' % self.count]
        for line in lines if self.multiline else ["; ".join(lines)]:
            self.type(line)
        self.expect([rf"@S{self.count}@\r*\n(.*?)@E{self.count}@(\d+)@\r*\n"], timeout)
        output, status = self.child.match.groups()
        output = output.replace("\r", "")
        if not raw:
            output = NOISE.sub("", ESCAPES.sub("", output))
        return Result(command, int(status), output.strip("\n"))


class Machine(Console):
    """One QEMU. Parameters are those of the machine; boot() starts it."""

    def __init__(self, name, machine="pc", cpus=2, memory=2048, dom0_memory=512, root="virtio", disks=(), nics=(),
                 devices=(), files=(), threads=None, options="", dom0_options="", kernel=None, modules=None, iso=None, esp=None,
                 cpu=CPU, wire=None, layer=None, installed=None, efi=False, nodes=(), distance=None):
        """root, and each disk's kind: virtio, ahci, nvme, or shared: virtio, and what is written stays, for another
        machine that has it too. disks: (kind, path). nics: QEMU models. wire: ("listen" or "connect", port of this
        host): a NIC on a cable to another machine.
        dom0_memory: MiB, None: as the hypervisor chooses.
        files: paths on this host that dom0 finds in /run/files. layer: more programs for dom0, as of testbed/build-layer.
        threads: multi (one for each CPU) or single.
        kernel: the hypervisor; modules: its modules as given to -initrd (default: dom0's kernel and initrd).
        iso: boot from this CD instead; esp: from this disk, as the firmware does. installed: from this disk by its own loader, and
        again when it restarts; on EFI the end is the restart's, and start() is how it goes on.
        nodes: of NUMA, each (MiB of memory, its CPUs as "0-1"), memory their sum; distance: from each to each other.
        efi: the firmware is EFI (chipset q35). options, dom0_options: added to the command lines. cpu: the model, as of -cpu."""
        self.name, self.machine, self.cpus, self.memory, self.cpu = name, machine, cpus, memory, cpu
        self.dom0_memory, self.options, self.dom0_options = dom0_memory, options, dom0_options
        self.installed, self.efi = installed, efi
        self.nodes, self.distance = nodes, distance
        self.disks = [(root, installed or IMAGES / "dom0.img")] + list(disks)
        self.layer = layer
        if layer:
            self.disks.append(("virtio", IMAGES / f"{layer}.img"))
        self.nics, self.devices, self.files, self.wire = nics, devices, files, wire
        # More CPUs than this host has for us take turns in one thread: in threads of their own, those that wait for each
        # other would keep those they wait for from running, and two machines take three times as long.
        self.threads = threads or ("multi" if cpus <= CORES else "single")
        self.kernel, self.modules, self.iso, self.esp = kernel or HYPERVISOR, modules, iso, esp
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{name}.log"
        self.log.unlink(missing_ok=True)
        if files:
            self.disks.append(("virtio", pack_files(self.log.with_suffix(".tar"), files)))
        self.kept = None        # a guest that outlives a test
        self.baseline = None    # free memory that each test must leave
        super().__init__(None)

    def command_line(self):
        dom0 = f"dom0_mem={self.dom0_memory}M,max:{self.dom0_memory}M " if self.dom0_memory else ""
        # Where Xen saves FPU registers lazily, as on AMD by default, programs of its dom0 die at random in QEMU.
        eager = "spec-ctrl=eager-fpu " if self.kernel.name == "xen" else ""
        return f"console=com1 com1=115200,8n1 {dom0}{eager}loglvl=all guest_loglvl=all {self.options}".strip()

    def dom0_command_line(self):
        return f"console=hvc0 {self.dom0_options}".strip()

    def qemu(self):
        """The command that starts this machine, as a list."""
        modules = self.modules
        if modules is None:
            modules = f"{IMAGES}/dom0-vmlinuz {self.dom0_command_line()},{IMAGES}/dom0-initrd"
        args = ["qemu-system-x86_64", "-accel", f"tcg,thread={self.threads}", "-M", self.machine, "-cpu", self.cpu,
                "-smp", str(self.cpus), "-m", str(self.memory), "-nographic"]
        for number, (size, cpus) in enumerate(self.nodes):
            args += ["-object", f"memory-backend-ram,id=m{number},size={size}M",
                     "-numa", f"node,nodeid={number},cpus={cpus},memdev=m{number}"]
            args += [word for other in range(number)
                     for word in ("-numa", f"dist,src={other},dst={number},val={self.distance}")]
        if self.efi:
            args += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                     "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={OVMF}/OVMF_VARS_4M.fd"]
        if self.efi or not self.installed:
            args += ["-no-reboot"]      # after a restart OVMF was seen to hang, of plain Debian too
        if self.iso:
            args += ["-cdrom", str(self.iso), "-boot", "d"]
        elif self.esp:
            args += ["-drive", f"if=none,id=esp,format=raw,snapshot=on,file={self.esp}", "-device", "ide-hd,drive=esp,bootindex=0"]
        elif not self.installed:
            args += ["-kernel", str(self.kernel), "-append", self.command_line()]
            if modules:
                args += ["-initrd", modules]
        if any(kind == "ahci" for kind, _ in self.disks):
            args += ["-device", "ahci,id=ahci0"]
        for number, (kind, path) in enumerate(self.disks):
            keep = "file.locking=off" if kind == "shared" else "snapshot=on"
            args += ["-drive", f"if=none,id=d{number},file={path},format=raw,{keep}"]
            args += ["-device", {"virtio": f"virtio-blk-pci,drive=d{number}",
                                 "shared": f"virtio-blk-pci,drive=d{number},share-rw=on",
                                 "ahci": f"ide-hd,bus=ahci0.{number},drive=d{number}",
                                 "nvme": f"nvme,drive=d{number},serial=disk{number}"}[kind]]
        if not self.nics and not self.wire:
            args += ["-nic", "none"]
        for number, model in enumerate(self.nics):
            args += ["-netdev", f"user,id=n{number},net=10.0.{number + 2}.0/24", "-device", f"{model},netdev=n{number}"]
        if self.wire:
            end, port = self.wire
            args += ["-netdev", f"socket,id=wire,{end}=127.0.0.1:{port}",
                     "-device", f"virtio-net-pci,netdev=wire,mac=52:54:00:12:34:{1 + (end == 'connect'):02x}"]
        for device in self.devices:
            args += ["-device", device]
        return args

    def start(self):
        """Starts QEMU without waiting for anything."""
        for _, path in self.disks:
            if not os.path.exists(path):
                raise MachineError(f"no {path}: run `make images`")
        args = self.qemu()
        self.child = pexpect.spawn(args[0], args[1:], encoding="utf-8", codec_errors="replace", timeout=COMMAND,
                                   dimensions=(50, 400), maxread=65536)
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log.open("a", encoding="utf-8")
        self.child.logfile_read.write(shlex.join(args) + "\n")
        return self

    def boot(self):
        """Starts QEMU and waits for dom0's shell."""
        return self.start().reach_shell()

    def reach_shell(self):
        """Waits for dom0's shell and makes it one for programs."""
        found = self.expect(["dom0# "] + FAILURES, BOOT)
        if found:
            self.drain(5)
            raise MachineError(f"dom0 did not start: {self.child.after}{self.tail()}")
        self.plain_shell()
        if self.files:
            last = "abcdefgh"[sum(kind in ("virtio", "shared") for kind, _ in self.disks) - 1]
            self.run(f"mkdir /run/files && tar -xf /dev/vd{last} -C /run/files")
        if self.layer:
            self.run(f"modprobe overlay && mkdir /run/layer && mount -r -L {self.layer} /run/layer && "
                     "mount -t overlay -o lowerdir=/run/layer/usr:/usr overlay /usr && "
                     "for d in etc var; do [ ! -d /run/layer/$d ] || cp -a /run/layer/$d/. /$d; done")
        return self

    def plain_shell(self):
        """Makes the shell whose prompt was seen one for programs; HERE tells it from a guest's."""
        self.child.sendline("exec env PS1= PS2= HERE=dom0 bash --noediting --norc")
        self.child.sendline("dmesg -n 4; echo shell-is-$((40 + 2))")
        self.expect(["shell-is-42\r*\n"], COMMAND)

    def examine(self):
        """Asks the hypervisor by its debug keys, then the emulator by its monitor (Ctrl-a c)."""
        for keys in [SWITCH * 3, *DEBUG_KEYS, SWITCH * 3, "\x01c", "info pic\n", "info registers -a\n", "\x01c"]:
            self.child.send(keys)
            self.drain(1)
        self.child.logfile_read.flush()

    def drain(self, seconds):
        """Reads what still comes, so that the log has it."""
        try:
            self.child.expect(pexpect.EOF, timeout=seconds)
        except pexpect.TIMEOUT:
            pass

    def run(self, command, timeout=COMMAND, check=True, raw=False):
        """Runs a command in dom0. With check, a status other than 0 is an error."""
        result = self.command(command, timeout, raw)
        if check and result.status:
            raise MachineError(f"in dom0: {result}")
        return result

    def out(self, command, timeout=COMMAND):
        """What a command that must succeed in dom0 prints."""
        return self.run(command, timeout).output

    def wait(self, condition, timeout, what=None):
        """Waits until a shell condition holds in dom0."""
        result = self.run(f"n=0; until {condition}; do n=$((n+1)); [ $n -lt {timeout} ] || break; sleep 1; done; {condition}",
                          timeout=timeout * 3, check=False)
        if result.status:
            raise MachineError(f"waited {timeout} s for {what or condition}\n{result.output}")

    def info(self):
        """`xl info` as a dictionary."""
        return dict(re.findall(r"^(\w+) *: (.*)$", self.out("xl info"), re.M))

    def free_memory(self):
        return int(self.info()["free_memory"])

    def memory_back(self, before):
        """Waits until free memory is what it was, but for a MiB: the hypervisor's table of what dom0 has mapped grows with use
        and stays (debug key 'g' shows its pages)."""
        self.wait(f"[ $(xl info free_memory) -ge {before - 1} ]", 60, f"free memory of {before} MiB again")

    def domains(self):
        """`xl list` as {name: [id, memory, vcpus, state]}."""
        rows = [line.split() for line in self.out("xl list").split("\n")[1:] if line]
        return {row[0]: row[1:5] for row in rows}

    def guest(self, name, config="", **settings):
        """Writes a configuration of the small guest and returns it; see Guest."""
        return Guest(self, name, config, settings)

    def ended(self, timeout=COMMAND):
        """Waits until QEMU is gone and returns its exit status."""
        try:
            self.child.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            raise MachineError(f"the machine did not end within {timeout} s; last output:\n{self.tail()}") from None
        self.child.close()
        return self.child.exitstatus

    def alive(self):
        return self.child is not None and self.child.isalive()

    def kill(self):
        """Ends QEMU at once. Safe to call twice."""
        if self.child is not None:
            self.child.close(force=True)
            self.child.logfile_read.close()

    def log_tail(self, lines=80):
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.replace("\r", "").split("\n")[-lines:])


class Guest(Console):
    """The small busybox guest, or another one by its settings. Commands run through `xl console`."""

    multiline = False

    DEFAULTS = {"kernel": "/guests/vmlinuz", "ramdisk": "/guests/initrd", "memory": 128, "vcpus": 1, "vif": [], "disk": []}

    def __init__(self, machine, name, config, settings):
        super().__init__(machine.child)
        self.machine, self.name, self.prepared = machine, name, False
        settings = {"name": name, "extra": f"console=hvc0 name={name} {settings.pop('args', '')}",
                    **self.DEFAULTS, **settings}
        lines = [f"{key} = {value!r}".replace("'", '"') for key, value in settings.items() if value is not None]
        self.config = f"/tmp/{name}.cfg"
        text = "\n".join(lines) + "\n" + config
        machine.run(f"rm -f {self.log}; cat > {self.config} <<'END'\n{text}\nEND")

    @property
    def log(self):
        return f"/var/log/xen/console/guest-{self.name}.log"

    def at(self, machine):
        """The same guest, seen from a machine it moved to."""
        there = Guest.__new__(Guest)
        there.__dict__.update(self.__dict__, machine=machine, child=machine.child)
        return there

    def create(self, options="", check=True):
        """xl create, without waiting for the guest."""
        return self.machine.run(f"xl create {options} {self.config}", timeout=GUEST, check=check)

    def boot(self, ready="guest ready"):
        """Creates the guest and waits until its console said it is ready."""
        self.create()
        return self.wait(ready)

    def wait(self, ready="guest ready", timeout=GUEST):
        """Waits until the guest printed something; ends early when the domain is gone."""
        try:
            self.machine.wait(f"grep -qE {shlex.quote(ready)} {self.log} 2>/dev/null || ! xl domid {self.name} >/dev/null 2>&1",
                              timeout, f"{self.name}: {ready}")
            self.machine.run(f"grep -qE {shlex.quote(ready)} {self.log}")
        except MachineError as error:
            raise MachineError(f"{error}\n{self.machine.run(f'tail -n 40 {self.log}', check=False, raw=True)}") from None
        return self

    def examine(self):
        self.machine.examine()

    def attach(self):
        """Attaches to the guest's console. The first time, makes its shell a plain loop without line editing."""
        self.type(f"xl console {self.name}")
        if not self.prepared:
            self.child.sendline("")
            self.expect([f"guest:{self.name}# "], COMMAND)
            self.type('echo shell-is-$((40+2));while read -r l;do eval "$l";done')
            self.expect(["shell-is-42\r*\n"], COMMAND)
            self.prepared = True
        return self

    def detach(self):
        """Leaves the guest's console (Ctrl-]) and comes back to dom0's shell."""
        for pause in (0.3, 2, 5, 20):
            # xl looks for Ctrl-] only in a read of its own, so nothing may follow it closely.
            self.child.send("\x1d")
            time.sleep(pause)
            self.child.send("\n")
            self.type("echo on-${HERE-guest}")
            if self.machine.expect([r"on-dom0\r*\n", r"on-\w+\r*\n"], COMMAND) == 0:
                return
        raise MachineError("cannot leave the console")

    def run(self, command, timeout=COMMAND, check=True):
        """Runs a one-line command in the guest, attaching to its console for it."""
        self.attach()
        result = self.command(command, timeout)
        self.detach()
        if check and result.status:
            raise MachineError(f"in guest {self.name}: {result}")
        return result

    def out(self, command, timeout=COMMAND):
        return self.run(command, timeout).output

    def destroy(self):
        self.machine.run(f"xl destroy {self.name}")

    def gone(self, timeout=COMMAND):
        """Waits until the domain is no longer listed."""
        self.machine.wait(f"! xl domid {self.name} >/dev/null 2>&1", timeout, f"end of {self.name}")


def build_iso(path, machine):
    """A GRUB CD that boots this machine's hypervisor and dom0 by multiboot 2."""
    subprocess.run([TOP / "testbed/build-iso", machine.kernel, path, machine.command_line(), machine.dom0_command_line()],
                   check=True, capture_output=True)
    return path


def build_esp(path, machine):
    """A disk from which the firmware starts this machine's hypervisor itself: a FAT file system with krypton.efi and its
    configuration, dom0's kernel and its initrd."""
    config = path.with_suffix(".cfg")
    config.write_text(f"[global]\ndefault=krypton\n\n[krypton]\noptions={machine.command_line()}\n"
                      f"kernel=vmlinuz {machine.dom0_command_line()}\nramdisk=initrd\n")
    sparse_disk(path, 64)
    for command in [["mkfs.vfat", path], ["mmd", "-i", path, "::EFI", "::EFI/BOOT"],
                    ["mcopy", "-i", path, machine.kernel.with_name("krypton.efi"), "::EFI/BOOT/BOOTX64.EFI"],
                    ["mcopy", "-i", path, config, "::EFI/BOOT/BOOTX64.cfg"],
                    ["mcopy", "-i", path, IMAGES / "dom0-vmlinuz", "::EFI/BOOT/vmlinuz"],
                    ["mcopy", "-i", path, IMAGES / "dom0-initrd", "::EFI/BOOT/initrd"]]:
        subprocess.run(command, check=True, capture_output=True)
    return path


def kernel_in_initrd(path):
    """dom0's initrd with dom0's kernel in front, for loaders that take one module only."""
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "-L", "--quiet"], cwd=IMAGES, input=b"dom0-vmlinuz\n", check=True,
                             capture_output=True).stdout
    path.write_bytes(archive + (IMAGES / "dom0-initrd").read_bytes())
    return path


def use_efi(m):
    """dom0 reads the firmware's variables and writes one, which is what grub-install and efibootmgr do."""
    m.run("modprobe efivarfs && { mountpoint -q /sys/firmware/efi/efivars || "
          "mount -t efivarfs efivarfs /sys/firmware/efi/efivars; } && cd /sys/firmware/efi/efivars")
    m.run("cat BootOrder-* >/dev/null")
    name = "Krypton-11111111-93ca-11d2-aa0d-00e098032b8c"
    # One write, with the attributes in front. What is there is protected against its removal.
    m.run(rf"printf '\007\000\000\000value' >/tmp/v && dd if=/tmp/v of={name} bs=99 && cmp {name} /tmp/v")
    m.run(f"chattr -i {name} && rm {name} && ! [ -e {name} ] && cd /")


def read_report(m):
    """What krypton-report wrote in /tmp, as {heading: text}, as it is; the file is removed."""
    text = m.run("cat /tmp/krypton-report-*.txt && rm /tmp/krypton-report-*.txt", raw=True).output.replace("\r", "")
    parts = re.split(r"^==== (.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def pack_files(path, files):
    """A tar archive of some files that can serve as a raw disk."""
    with tarfile.open(path, "w") as archive:
        for file in files:
            archive.add(file, arcname=os.path.basename(file))
    with open(path, "r+b") as disk:
        disk.truncate((os.path.getsize(path) + 0xfffff) & ~0xfffff)
    return path


def sparse_disk(path, mebibytes):
    """A blank disk image."""
    with open(path, "wb") as disk:
        disk.truncate(mebibytes << 20)
    return path
