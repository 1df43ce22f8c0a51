/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first member of a cpio archive; see boot/parse/cpio.h.
 *
 * A member is a header of hexadecimal digits, its name, and what is in it, the last two each from a multiple of four on (Linux:
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include "boot/parse/cpio.h"

#define HEADER_SIZE 110u
#define MODE        14u     /* where in the header; eight digits each */
#define FILE_SIZE   54u
#define NAME_SIZE   94u
#define TYPE_MASK   0170000u
#define TYPE_FILE   0100000u

/* The number at @off of the header; false if these are no eight digits. */
static bool number(const uint8_t *header, size_t off, uint32_t *n)
{
    *n = 0;
    for (size_t i = 0; i < 8; i++) {
        uint8_t c = header[off + i], lower = c | 0x20;

        if (c >= '0' && c <= '9')
            *n = *n << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *n = *n << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    return true;
}

struct bytes cpio_first_file(struct bytes archive)
{
    struct bytes none = bytes(NULL, 0);
    uint32_t mode, size, name;

    if (archive.size < HEADER_SIZE || (memcmp(archive.data, "070701", 6) != 0 && memcmp(archive.data, "070702", 6) != 0))
        return none;
    if (!number(archive.data, MODE, &mode) || !number(archive.data, FILE_SIZE, &size) || !number(archive.data, NAME_SIZE, &name))
        return none;
    if ((mode & TYPE_MASK) != TYPE_FILE || !size)
        return none;
    return bytes_sub(archive, ROUNDUP(HEADER_SIZE + (uint64_t)name, 4), size);
}
