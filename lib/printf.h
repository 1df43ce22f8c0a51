/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatting into a buffer of known size.
 *
 * Understood: %d %i %u %x %X %o %c %s %p %%; flags - 0 # + and space; width and precision as numbers or *;
 * lengths hh h l ll z j t. %p gives 0x and 16 digits. A NULL string prints as (null). Anything else is
 * copied as it stands, its argument not consumed.
 */
#ifndef KRYPTON_LIB_PRINTF_H
#define KRYPTON_LIB_PRINTF_H

#include <stdarg.h>

#include "lib/types.h"

/*
 * Format into @buf of @size bytes, always ended with NUL if @size > 0. Gives the length that the whole
 * text would have, so a result >= @size means that it was cut.
 */
size_t kvsnprintf(char *buf, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
size_t ksnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
