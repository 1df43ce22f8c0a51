/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the payload of a bzImage; see boot/parse/bzimage.h.
 *
 * Offsets are those of the Linux x86 boot protocol. The payload lies in the protected-mode part, which
 * follows the boot sector and its set-up sectors. Its last four bytes are the length of what it unpacks to:
 * gzip has them as part of its own format, for the others they come after the packed stream.
 */
#include "boot/parse/bytes.h"
#include "boot/parse/bzimage.h"
#include "lib/errno.h"

#define SETUP_SECTS     0x1f1
#define BOOT_FLAG       0x1fe
#define HEADER_MAGIC    0x202
#define VERSION         0x206
#define PAYLOAD_OFFSET  0x248
#define PAYLOAD_LENGTH  0x24c

static const struct {
    char magic[7];
    uint8_t len;
    int format;         /* enum kernel_format, or an error */
    const char *name;   /* or why not */
} formats[] = {
    { "\x7f" "ELF",         4, KERNEL_ELF,  "ELF" },
    { "\x1f\x8b",           2, KERNEL_GZIP, "gzip" },
    { "\xfd" "7zXZ",        6, KERNEL_XZ,   "xz" },
    { "\x28\xb5\x2f\xfd",   4, KERNEL_ZSTD, "zstd" },
    { "\x02\x21\x4c\x18",   4, KERNEL_LZ4,  "lz4" },
    { "BZh",                3, -EOPNOTSUPP,
      "kernel: packed with bzip2, which is not supported; use xz, zstd, gzip or lz4" },
    { "\x5d\0\0",           3, -EOPNOTSUPP,
      "kernel: packed with lzma, which is not supported; use xz, zstd, gzip or lz4" },
    { "\x89LZO",            4, -EOPNOTSUPP,
      "kernel: packed with lzo, which is not supported; use xz, zstd, gzip or lz4" },
};

const char *kernel_format_name(enum kernel_format format)
{
    return formats[format].name;
}

int kernel_format(const void *data, size_t size, const char **why)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if (size < formats[i].len || memcmp(data, formats[i].magic, formats[i].len) != 0)
            continue;
        *why = formats[i].name;
        return formats[i].format;
    }
    *why = "kernel: in no format known here";
    return -EINVAL;
}

/* @b is the whole payload, with the length at its end. */
static int describe(struct bytes b, struct kernel_payload *out, const char **why)
{
    int format = kernel_format(b.data, b.size, why);

    if (format < 0)
        return format;
    out->format = (enum kernel_format)format;
    out->data = b.data;
    out->size = b.size;
    out->unpacked = b.size;
    if (out->format == KERNEL_ELF)
        return 0;
    *why = "kernel: its payload is cut short";
    if (b.size < 16)
        return -EINVAL;
    out->unpacked = le32(b.data + b.size - 4);
    if (out->format != KERNEL_GZIP)
        out->size -= 4;
    return 0;
}

int bzimage_payload(const void *file, size_t size, struct kernel_payload *out, const char **why)
{
    struct bytes b = bytes(file, size), payload;
    int format = kernel_format(file, size, why);
    uint64_t start;

    if (format == KERNEL_ELF || format == KERNEL_GZIP)
        return describe(b, out, why);

    *why = "kernel: neither a bzImage nor an ELF file";
    if (!bytes_has(b, 0, PAYLOAD_LENGTH + 4) || bytes_u16(b, BOOT_FLAG) != 0xaa55 ||
        memcmp(b.data + HEADER_MAGIC, "HdrS", 4) != 0)
        return -EINVAL;
    *why = "kernel: a bzImage older than boot protocol 2.08 (Linux 2.6.26)";
    if (bytes_u16(b, VERSION) < 0x208)
        return -EINVAL;

    start = bytes_u8(b, SETUP_SECTS);
    start = ((start ? start : 4) + 1) * 512 + bytes_u32(b, PAYLOAD_OFFSET);
    payload = bytes_sub(b, start, bytes_u32(b, PAYLOAD_LENGTH));
    *why = "kernel: the bzImage is cut short: its payload ends after the file does";
    if (!payload.data)
        return -EINVAL;
    return describe(payload, out, why);
}
