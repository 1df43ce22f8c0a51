/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of bits; see lib/bitmap.h.
 */
#include "lib/bitmap.h"

/* The valid bits of word @w of a map of @bits bits. */
static uint64_t valid(size_t w, size_t bits)
{
    size_t left = bits - w * 64;

    return left >= 64 ? ~0UL : (1UL << left) - 1;
}

void bitmap_zero(uint64_t *map, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        map[w] = 0;
}

void bitmap_fill(uint64_t *map, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        map[w] = valid(w, bits);
}

void bitmap_copy(uint64_t *dst, const uint64_t *src, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        dst[w] = src[w];
}

void bitmap_and(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        dst[w] = a[w] & b[w];
}

void bitmap_or(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        dst[w] = a[w] | b[w];
}

void bitmap_andnot(uint64_t *dst, const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        dst[w] = a[w] & ~b[w];
}

bool bitmap_empty(const uint64_t *map, size_t bits)
{
    return bitmap_next(map, bits, 0) >= bits;
}

bool bitmap_equal(const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++) {
        if ((a[w] ^ b[w]) & valid(w, bits))
            return false;
    }
    return true;
}

bool bitmap_intersects(const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++) {
        if (a[w] & b[w] & valid(w, bits))
            return true;
    }
    return false;
}

bool bitmap_subset(const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t w = 0; w < BITMAP_WORDS(bits); w++) {
        if (a[w] & ~b[w] & valid(w, bits))
            return false;
    }
    return true;
}

/* Ones of @x, by halves: no instruction that a CPU may lack, no library call. */
static size_t ones(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555UL;
    x = (x & 0x3333333333333333UL) + (x >> 2 & 0x3333333333333333UL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return x * 0x0101010101010101UL >> 56;
}

size_t bitmap_weight(const uint64_t *map, size_t bits)
{
    size_t n = 0;

    for (size_t w = 0; w < BITMAP_WORDS(bits); w++)
        n += ones(map[w] & valid(w, bits));
    return n;
}

/* The first bit at or after @from that is set in @map once @flip has been applied to each word. */
static size_t find(const uint64_t *map, size_t bits, size_t from, uint64_t flip)
{
    size_t w = from / 64;
    uint64_t word;

    if (from >= bits)
        return bits;
    word = (map[w] ^ flip) & valid(w, bits) & ~0UL << (from % 64);
    while (!word) {
        if (++w >= BITMAP_WORDS(bits))
            return bits;
        word = (map[w] ^ flip) & valid(w, bits);
    }
    return w * 64 + (size_t)__builtin_ctzl(word);
}

size_t bitmap_next(const uint64_t *map, size_t bits, size_t from)
{
    return find(map, bits, from, 0);
}

size_t bitmap_next_clear(const uint64_t *map, size_t bits, size_t from)
{
    return find(map, bits, from, ~0UL);
}
