/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unsigned numbers and memory sizes out of text.
 *
 * Both advance *@text past what they took and fail, with *@text where it was, if there is no digit or the
 * value needs more than 64 bits.
 */
#ifndef KRYPTON_LIB_STRTOU_H
#define KRYPTON_LIB_STRTOU_H

#include "lib/errno.h"
#include "lib/types.h"

/* The value of @c as a digit, or 36 if it is none. */
static inline unsigned int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'z')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'Z')
        return (unsigned int)(c - 'A') + 10;
    return 36;
}

/* A number: decimal, hexadecimal after 0x, octal after 0. -EINVAL without digits, -ERANGE if too large. */
static inline int strtou(const char **text, uint64_t *value)
{
    const char *p = *text;
    unsigned int base = 10;
    uint64_t n = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
        base = 16;
        p += 2;
    } else if (p[0] == '0') {
        base = 8;
    }
    if (digit_value(*p) >= base)
        return -EINVAL;
    for (; digit_value(*p) < base; p++) {
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit_value(*p), &n))
            return -ERANGE;
    }
    *text = p;
    *value = n;
    return 0;
}

/*
 * A memory size in bytes: a number with a unit of B, K, M, G or T in either case. Without a unit it counts
 * KiB, as dom0_mem= and its like always have.
 */
static inline int strtosize(const char **text, uint64_t *bytes)
{
    const char *p = *text;
    unsigned int shift = 10;
    uint64_t n;
    int err = strtou(&p, &n);

    if (err)
        return err;
    switch (*p) {
    case 'b': case 'B': shift = 0; p++; break;
    case 'k': case 'K': shift = 10; p++; break;
    case 'm': case 'M': shift = 20; p++; break;
    case 'g': case 'G': shift = 30; p++; break;
    case 't': case 'T': shift = 40; p++; break;
    }
    if (n > UINT64_MAX >> shift)
        return -ERANGE;
    *text = p;
    *bytes = n << shift;
    return 0;
}

#endif
