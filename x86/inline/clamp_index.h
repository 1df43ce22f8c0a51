/* SPDX-License-Identifier: BSD-2-Clause */
/* clamp_index() of lib/types.h, in two instructions and an AND: the comparison's borrow becomes the mask. */
#ifndef X86_CLAMP_INDEX_H
#define X86_CLAMP_INDEX_H

static inline size_t clamp_index(size_t index, size_t size)
{
    size_t inside;

    __asm__("cmp %2, %1\n\tsbb %0, %0" : "=r"(inside) : "r"(index), "er"(size) : "cc");
    return index & inside;
}

#endif
