/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes and strings: the C standard's functions, and strlcpy().
 *
 * The image links lib/string.c; a hosted build has the C library's. strlcpy() is in lib/strlcpy.c for both.
 */
#ifndef KRYPTON_LIB_STRING_H
#define KRYPTON_LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);

/* Copy @src into @dst of @size bytes, always ended with NUL if @size > 0; gives strlen(@src). */
size_t strlcpy(char *restrict dst, const char *restrict src, size_t size);

#endif
