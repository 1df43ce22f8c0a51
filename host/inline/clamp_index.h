/* SPDX-License-Identifier: BSD-2-Clause */
/* clamp_index() of lib/types.h, in plain C. */
#ifndef HOST_CLAMP_INDEX_H
#define HOST_CLAMP_INDEX_H

/* The value is read back through memory so that the compiler cannot use what the caller's check proved to drop the mask. */
static inline size_t clamp_index(size_t index, size_t size)
{
    size_t i, inside;

    WRITE_ONCE(i, index);
    i = READ_ONCE(i);
    inside = 0 - (~(i | (size - 1 - i)) >> 63);
    return i & inside;
}

#endif
