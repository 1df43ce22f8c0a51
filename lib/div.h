/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products wider than 64 bits, for scaling clocks.
 */
#ifndef KRYPTON_LIB_DIV_H
#define KRYPTON_LIB_DIV_H

#include "lib/types.h"

/* floor(a * b / 2^shift), exact in between; @shift < 128. The result must fit 64 bits. */
static inline uint64_t mul_shift(uint64_t a, uint64_t b, unsigned int shift)
{
    return (uint64_t)((unsigned __int128)a * b >> shift);
}

/*
 * floor(a * b / c), exact in between; UINT64_MAX if it does not fit or @c is 0. By long division, since the
 * 128-bit one is a library call that the image does not have.
 */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t rest = (uint64_t)(product >> 64), low = (uint64_t)product;

    if (rest >= c)
        return UINT64_MAX;
    for (int i = 0; i < 64; i++) {
        bool carry = rest >> 63;

        rest = rest << 1 | low >> 63;
        low <<= 1;
        if (carry || rest >= c) {
            rest -= c;
            low |= 1;
        }
    }
    return low;
}

#endif
