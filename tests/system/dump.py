# SPDX-License-Identifier: BSD-2-Clause
"""A guest's core file as `xl dump-core` writes it: an ELF whose sections hold the guest's pages, the list of what they are,
its vCPUs' registers and its shared_info page (the format is that of xen-dumpcore-elf, written by libxenctrl)."""

import mmap
import struct

PAGE = 4096
SECTIONS = {".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info", ".xen_pages", ".xen_p2m"}
NOTE_HEADER, NOTE_VERSION, NOTE_FORMAT = 0x2000001, 0x2000002, 0x2000003
PV_MAGIC = 0xf00febed

# Offsets in struct vcpu_guest_context and struct shared_info of <xen/arch-x86/xen.h>, 64-bit.
CONTEXT_SIZE, CONTEXT_RIP, CONTEXT_CR3 = 5168, 520 + 128, 5008
SHARED_WC_SEC, SHARED_MAX_PFN, SHARED_P2M_CR3, SHARED_P2M_VADDR = 3076, 3088, 3112, 3120


class Dump:
    """The file, checked for its form. frames: {pfn: mfn}; pages are found by mfn, as page tables name them."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert self.data[:7] == b"\x7fELF\x02\x01\x01"
        kind, machine = struct.unpack_from("<HH", self.data, 16)
        assert (kind, machine) == (4, 62)                   # a core, of x86-64
        self.sections = self.read_sections()
        assert set(self.sections) >= SECTIONS
        entries = list(struct.iter_unpack("<QQ", self.section(".xen_p2m")))
        self.frames = dict(entries)
        self.pfns = [pfn for pfn, _ in entries]
        self.place = {mfn: index for index, (_, mfn) in enumerate(entries)}
        self.contexts = self.section(".xen_prstatus")
        self.shared = self.section(".xen_shared_info")
        self.check(entries)

    def read_sections(self):
        """{name: (type, offset, size, size of an entry)}"""
        table, = struct.unpack_from("<Q", self.data, 40)
        size, count, names = struct.unpack_from("<HHH", self.data, 58)
        raw = [struct.unpack_from("<IIQQQQIIQQ", self.data, table + n * size) for n in range(count)]
        text = raw[names][4]
        return {self.data[text + r[0]:self.data.find(b"\0", text + r[0])].decode(): (r[1], r[4], r[5], r[9]) for r in raw}

    def section(self, name):
        _, offset, size, _ = self.sections[name]
        return self.data[offset:offset + size]

    def notes(self):
        """{type: content}"""
        data, at, found = self.section(".note.Xen"), 0, {}
        while at < len(data):
            name, size, kind = struct.unpack_from("<III", data, at)
            assert data[at + 12:at + 12 + name] == b"Xen\0"
            at += 12 + (name + 3 & ~3)
            found[kind] = data[at:at + size]
            at += size + 3 & ~3
        return found

    def check(self, entries):
        """The parts agree with each other."""
        notes = self.notes()
        magic, self.vcpus, pages, page_size = struct.unpack("<QQQQ", notes[NOTE_HEADER])
        assert (magic, page_size) == (PV_MAGIC, PAGE)
        assert struct.unpack("<Q", notes[NOTE_FORMAT]) == (1,)
        assert struct.unpack_from("<QQ", notes[NOTE_VERSION]) == (4, 17)
        assert len(self.contexts) == self.vcpus * CONTEXT_SIZE and self.sections[".xen_prstatus"][3] == CONTEXT_SIZE
        assert len(self.shared) == PAGE
        assert len(entries) == pages == self.sections[".xen_pages"][2] // PAGE and self.sections[".xen_pages"][3] == PAGE
        assert len(self.frames) == len(self.place) == pages     # no page twice, by either name
        assert self.sections[".xen_pages"][1] % PAGE == 0
        assert self.sections[".xen_pages"][1] + pages * PAGE <= len(self.data)

    # ---- Memory ----

    def page(self, mfn):
        """A frame's content; None if the dump has no such frame."""
        if mfn not in self.place:
            return None
        start = self.sections[".xen_pages"][1] + self.place[mfn] * PAGE
        return self.data[start:start + PAGE]

    def find(self, pattern):
        """The pfns of the pages that begin with some bytes."""
        start = self.sections[".xen_pages"][1]
        return [pfn for n, pfn in enumerate(self.pfns) if self.data[start + n * PAGE:start + n * PAGE + len(pattern)] == pattern]

    def context(self, vcpu, offset):
        return struct.unpack_from("<Q", self.contexts, vcpu * CONTEXT_SIZE + offset)[0]

    def root(self, vcpu=0):
        """The frame of a vCPU's top page table."""
        return self.context(vcpu, CONTEXT_CR3) >> 12

    def walk(self, address, root=None):
        """The mfn that an address is in by the guest's page tables; None: it is not mapped."""
        mfn = self.root() if root is None else root
        for shift in (39, 30, 21, 12):
            table = self.page(mfn)
            if table is None:
                return None
            entry, = struct.unpack_from("<Q", table, (address >> shift & 511) * 8)
            if not entry & 1:
                return None
            mfn = entry >> 12 & (1 << 40) - 1
        return mfn

    def read(self, address, size, root=None):
        """Bytes at an address of the guest, within its pages."""
        text = b""
        while size > 0:
            offset = address % PAGE
            text += self.page(self.walk(address, root))[offset:offset + size]
            size -= PAGE - offset
            address += PAGE - offset
        return text

    def number(self, address, root=None):
        return struct.unpack("<Q", self.read(address, 8, root))[0]
