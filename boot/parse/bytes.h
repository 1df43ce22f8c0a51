/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of bytes somebody else wrote, read without trusting any offset or length found in it.
 *
 * Values are little-endian and may stand at any alignment.
 */
#ifndef KRYPTON_BOOT_PARSE_BYTES_H
#define KRYPTON_BOOT_PARSE_BYTES_H

#include "lib/string.h"
#include "lib/types.h"

struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes(const void *data, size_t size)
{
    return (struct bytes){ .data = data, .size = size };
}

/* Whether @len bytes at @off are inside @b; holds for any @off and @len. */
static inline bool bytes_has(struct bytes b, uint64_t off, uint64_t len)
{
    return off <= b.size && len <= b.size - off;
}

/* The @len bytes at @off, or an empty run with data NULL if they are not all inside @b. */
static inline struct bytes bytes_sub(struct bytes b, uint64_t off, uint64_t len)
{
    if (!b.data || !bytes_has(b, off, len))
        return bytes(NULL, 0);
    return bytes(b.data + off, len);
}

/* Values at @p, for which the caller has checked the room. */
static inline uint16_t le16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t le32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t le64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Values at @off; 0 if they are not inside @b. */
static inline uint8_t bytes_u8(struct bytes b, uint64_t off)
{
    return bytes_has(b, off, 1) ? b.data[off] : 0;
}

static inline uint16_t bytes_u16(struct bytes b, uint64_t off)
{
    return bytes_has(b, off, 2) ? le16(b.data + off) : 0;
}

static inline uint32_t bytes_u32(struct bytes b, uint64_t off)
{
    return bytes_has(b, off, 4) ? le32(b.data + off) : 0;
}

static inline uint64_t bytes_u64(struct bytes b, uint64_t off)
{
    return bytes_has(b, off, 8) ? le64(b.data + off) : 0;
}

/* Copy the text at @off, which ends at a NUL or at the end of @b, into @dst of @room > 0 bytes. */
static inline void bytes_text(struct bytes b, uint64_t off, char *dst, size_t room)
{
    size_t len = 0;

    while (len + 1 < room && bytes_u8(b, off + len))
        len++;
    if (len)
        memcpy(dst, b.data + off, len);
    dst[len] = '\0';
}

#endif
