#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
x86/model/decode.c against objdump: random instructions, same length, name and width.

Run from the top of the tree; needs gcc and objdump (apt-get install gcc binutils). Exits 1 with the
first differences if there are any. An argument gives the number of instructions (default 20000);
with SHOW_UNKNOWN set in the environment it also lists what the decoder leaves alone.
"""
import ctypes
import os
import random
import re
import subprocess
import sys
import tempfile

SLOT = 32           # bytes for each instruction in the file; NOPs fill it up
PREFIXES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]

# Names in the order of enum insn_op, as objdump writes them without width suffix.
NAMES = """none in out ins outs cpuid rdmsr wrmsr rdtsc rdtscp rdpmc mov mov mov mov clts lmsw smsw invd wbinvd
hlt cli sti xgetbv xsetbv mov xchg cmpxchg cmpxchg8b xadd add or adc sbb and sub xor not neg inc dec
bts btr btc movs stos""".split()
FIRST_STORE = NAMES.index("xchg") - 1
WIDTHS = {"b": 1, "w": 2, "l": 4, "q": 8}


class Regs(ctypes.Structure):
    _fields_ = [("word", ctypes.c_uint64 * 21)]


class Context(ctypes.Structure):
    _fields_ = [("regs", ctypes.POINTER(Regs)), ("seg_base", ctypes.c_uint64 * 6),
                ("code64", ctypes.c_bool)]


class Insn(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint8) for n in
                "op length size addr_size src seg reg rm mem lock rep reg_high".split()] + \
               [(n, ctypes.c_uint64) for n in "ea src_ea imm".split()]


def build(directory):
    library = os.path.join(directory, "decode.so")
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-I.", "-shared", "-fPIC", "-o", library,
                    "x86/model/decode.c"], check=True)
    return ctypes.CDLL(library)


def random_bytes():
    code = [random.choice(PREFIXES) for _ in range(random.choice([0, 0, 0, 1, 1, 2]))]
    if random.random() < 0.5:
        code.append(0x40 | random.getrandbits(4))
    if random.random() < 0.4:
        code.append(0x0f)
    code += [random.getrandbits(8) for _ in range(12)]
    # A REX that does not stand right before the opcode is void; objdump shows it as an instruction.
    if any(a & 0xf0 == 0x40 and (b & 0xf0 == 0x40 or b in PREFIXES) for a, b in zip(code[:4], code[1:5])):
        return random_bytes()
    return bytes(code[:15])


def disassemble(path):
    """Slot number -> (length, text) of the instruction at the slot's start."""
    out = subprocess.run(["objdump", "-D", "-z", "-w", "-b", "binary", "-m", "i386:x86-64", "-M", "suffix",
                          path], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        m = re.match(r"\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)", line)
        if m and int(m.group(1), 16) % SLOT == 0:
            found[int(m.group(1), 16) // SLOT] = (len(m.group(2).split()), m.group(3).strip())
    return found


def mnemonic(text):
    """The instruction's name, past the prefixes that objdump shows as words."""
    words = r"lock|rep|repz|repnz|xacquire|xrelease|bnd|notrack|data16|addr32|[c-gs]s|rex(\.[WRXB]+)?"
    return re.sub(rf"^(({words})\s+)+", "", text)


def matches(insn, text):
    name = NAMES[insn.op]
    got = mnemonic(text).split()[0]
    if got.startswith("movnti"):
        got = got.replace("nti", "")
    if got == name:
        return True
    suffix = got[-1]
    if got[:-1] != name or suffix not in WIDTHS:
        return False
    return insn.op < FIRST_STORE and name in ("mov", "lmsw", "smsw") or WIDTHS[suffix] == insn.size


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    random.seed(1)
    different = decoded = 0
    with tempfile.TemporaryDirectory() as directory:
        lib = build(directory)
        regs = Regs()
        context = Context(ctypes.pointer(regs), (ctypes.c_uint64 * 6)(), True)
        known, unknown = [], []
        while len(known) < count:
            code, insn = random_bytes(), Insn()
            if lib.insn_decode(ctypes.byref(insn), code, len(code), ctypes.byref(context)) == 0:
                known.append((code[:insn.length], insn))
            elif len(unknown) < count:
                unknown.append((code, None))
        path = os.path.join(directory, "code")
        with open(path, "wb") as f:
            for code, _ in known + unknown:
                f.write(code.ljust(SLOT, b"\x90"))
        listing = disassemble(path)
        for n, (code, insn) in enumerate(known):
            length, text = listing.get(n, (0, "(none)"))
            decoded += 1
            if length != insn.length or not matches(insn, text):
                different += 1
                if different <= 20:
                    print(f"{code.hex(' ')}: ours {NAMES[insn.op]} size {insn.size} length {insn.length}; "
                          f"objdump {text} length {length}")
        if os.environ.get("SHOW_UNKNOWN"):
            for n, (code, _) in enumerate(unknown):
                print(code.hex(" "), "|", listing.get(count + n, (0, "(none)"))[1])
    print(f"{decoded} instructions compared with objdump, {different} differ")
    return 1 if different else 0


sys.exit(main())
