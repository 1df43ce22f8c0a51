# SPDX-License-Identifier: BSD-2-Clause
"""What is where in a saved image of a PV guest: xl's header around libxl's records around libxc's records.

parts() gives {kind: [(start, end)]}, ranges of bytes; nothing is in two of them. The formats are the toolstack's, see its
documents libxl-migration-stream and libxc-migration-stream.
"""

import struct

XL_HEADER = 48      # magic of 32 bytes, four words; the last is the length of the configuration behind it
LIBXL_HEADER, LIBXL_CONTEXT = 16, 1
LIBXC_HEADERS = 24 + 16
END, PAGE_DATA = 0, 1

KINDS = {2: "pv info", 3: "p2m", 4: "vcpu", 5: "vcpu extended", 6: "vcpu xsave", 7: "shared info", 8: "tsc", 0xb: "vcpu msrs",
         0x11: "cpuid policy", 0x12: "msr policy"}


def records(image, offset):
    """Of either format: (offset, type, length of the body), the last one END."""
    while True:
        kind, length = struct.unpack_from("<II", image, offset)
        yield offset, kind, length
        offset += 8 + (length + 7 & ~7)
        if kind == END:
            return


def page_data(image, start, add):
    """A batch: a count, the pages' numbers and types, the contents of those that have any."""
    count, = struct.unpack_from("<I", image, start)
    entries = struct.unpack_from(f"<{count}Q", image, start + 8)
    add("pfns", start, start + 8 + 8 * count)
    at = start + 8 + 8 * count
    for entry in entries:
        kind = entry >> 60
        if kind >= 0xd:         # no page there, or none with contents
            continue
        for word in range(at, at + 4096, 8):
            if any(image[word:word + 8]):
                add("page tables" if kind & 7 in (1, 2, 3, 4) else "pages", word, word + 8)
        at += 4096


def parts(image):
    found = {}

    def add(kind, start, end):
        if end > start:
            found.setdefault(kind, []).append((start, end))

    assert image[:28] == b"Xen saved domain, xl format\n"
    config, = struct.unpack_from("<I", image, 44)
    libxl = XL_HEADER + config
    add("xl header", 0, XL_HEADER)
    add("xl configuration", XL_HEADER, libxl)
    assert image[libxl:libxl + 8] == b"LibxlFmt"
    add("libxl", libxl, libxl + LIBXL_HEADER)
    assert struct.unpack_from("<II", image, libxl + LIBXL_HEADER) == (LIBXL_CONTEXT, 0)
    libxc = libxl + LIBXL_HEADER + 8
    add("libxl", libxc - 8, libxc)
    add("libxc header", libxc, libxc + LIBXC_HEADERS)
    for at, kind, length in records(image, libxc + LIBXC_HEADERS):
        add("record header", at, at + 8)
        if kind == PAGE_DATA:
            page_data(image, at + 8, add)
        elif kind in KINDS:
            add(KINDS[kind], at + 8, at + 8 + length)
        end = at + 8 + (length + 7 & ~7)
    for at, kind, length in records(image, end):
        add("libxl", at, at + 8 + length)
    return found


def end(image):
    """Where the image ends, in a file that may go on."""
    return max(stop for ranges in parts(image).values() for _, stop in ranges)
