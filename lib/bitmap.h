/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of bits in 64-bit words, for CPU masks, node masks and port sets.
 *
 * A bitmap of n bits is BITMAP_WORDS(n) words; bits at and above n in the last word may have any value
 * and are never counted or found. Nothing here is atomic.
 */
#ifndef KRYPTON_LIB_BITMAP_H
#define KRYPTON_LIB_BITMAP_H

#include "lib/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline void bitmap_set(uint64_t *map, size_t bit)
{
    map[bit / 64] |= 1UL << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
    map[bit / 64] &= ~(1UL << (bit % 64));
}

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
    return map[bit / 64] >> (bit % 64) & 1;
}

/* All @bits to 0, and the rest of the last word. */
void bitmap_zero(uint64_t *map, size_t bits);

/* All @bits to 1, and the rest of the last word to 0. */
void bitmap_fill(uint64_t *map, size_t bits);

void bitmap_copy(uint64_t *dst, const uint64_t *src, size_t bits);

/* dst = a & b, dst = a | b, dst = a & ~b; @dst may be @a or @b. */
void bitmap_and(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits);
void bitmap_or(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits);
void bitmap_andnot(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits);

bool bitmap_empty(const uint64_t *map, size_t bits);
bool bitmap_equal(const uint64_t *a, const uint64_t *b, size_t bits);
bool bitmap_intersects(const uint64_t *a, const uint64_t *b, size_t bits);

/* Whether each bit of @a is in @b. */
bool bitmap_subset(const uint64_t *a, const uint64_t *b, size_t bits);

/* How many of the @bits are set. */
size_t bitmap_weight(const uint64_t *map, size_t bits);

/* The first set (clear) bit at or after @from; @bits if there is none. */
size_t bitmap_next(const uint64_t *map, size_t bits, size_t from);
size_t bitmap_next_clear(const uint64_t *map, size_t bits, size_t from);

static inline size_t bitmap_first(const uint64_t *map, size_t bits)
{
    return bitmap_next(map, bits, 0);
}

/* Each set bit, upwards; the body may clear it. */
#define bitmap_for_each(bit, map, bits)                                 \
    for ((bit) = bitmap_first(map, bits); (bit) < (bits); (bit) = bitmap_next(map, bits, (bit) + 1))

#endif
