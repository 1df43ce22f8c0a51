/* SPDX-License-Identifier: BSD-2-Clause */
/* Moving and filling memory by the CPU's own instructions; the rest of <string.h> is lib/string.c's. The direction flag is clear. */
#include "lib/string.h"
#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    void *d = dst;
    const void *s = src;
    size_t words = n / 8, bytes = n % 8;

    __asm__ volatile("rep movsq\n\tmov %3, %2\n\trep movsb" : "+D"(d), "+S"(s), "+c"(words) : "r"(bytes) : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    /* dst does not start inside src: going forward, each word is read before it is overwritten. */
    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    void *d = dst;
    uint64_t word = (uint8_t)byte * 0x0101010101010101UL;
    size_t words = n / 8, bytes = n % 8;

    __asm__ volatile("rep stosq\n\tmov %2, %1\n\trep stosb" : "+D"(d), "+c"(words) : "r"(bytes), "a"(word) : "memory");
    return dst;
}
