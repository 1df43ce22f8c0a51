/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying a string into a buffer of known size; see lib/string.h.
 */
#include "lib/string.h"

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
    size_t len = strlen(src);
    size_t n = len < size ? len : size - 1;

    if (size == 0)
        return len;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return len;
}
