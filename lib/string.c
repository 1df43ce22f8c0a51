/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C standard's byte and string functions, for the image only: hosted builds link the C library's.
 *
 * Compiled with -ffreestanding, so that the compiler does not turn a loop here into a call of itself.
 * The bulk loops move eight bytes at a time; the compiler's own expansions serve small constant sizes.
 */
#include "lib/string.h"
#include "lib/types.h"

/* Eight bytes at any alignment, of any type. */
typedef uint64_t __attribute__((aligned(1), may_alias)) word_t;

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    for (; n >= sizeof(word_t); n -= sizeof(word_t)) {
        *(word_t *)d = *(const word_t *)s;
        d += sizeof(word_t);
        s += sizeof(word_t);
    }
    while (n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= n) {
        /* @dst does not start inside @src: going forward, each word is read before it is overwritten. */
        for (; n >= sizeof(word_t); n -= sizeof(word_t)) {
            *(word_t *)d = *(const word_t *)s;
            d += sizeof(word_t);
            s += sizeof(word_t);
        }
        while (n--)
            *d++ = *s++;
        return dst;
    }
    for (; n >= sizeof(word_t); n -= sizeof(word_t))
        *(word_t *)(d + n - sizeof(word_t)) = *(const word_t *)(s + n - sizeof(word_t));
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    unsigned char *d = dst;
    uint64_t word = (uint8_t)byte * 0x0101010101010101UL;

    for (; n >= sizeof(word_t); n -= sizeof(word_t)) {
        *(word_t *)d = word;
        d += sizeof(word_t);
    }
    while (n--)
        *d++ = (unsigned char)byte;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
    const unsigned char *p = s;

    for (; n; n--, p++) {
        if (*p == (unsigned char)byte)
            return (void *)(uintptr_t)p;
    }
    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end)
        end++;
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    while (n && *a && *a == *b) {
        a++;
        b++;
        n--;
    }
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *what)
{
    size_t len = strlen(what);

    for (;; s++) {
        if (strncmp(s, what, len) == 0)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}
