/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorting an array in place, without memory of its own, in O(n log n) whatever the input.
 */
#ifndef KRYPTON_LIB_SORT_H
#define KRYPTON_LIB_SORT_H

#include "lib/types.h"

/*
 * Sort @count elements of @size bytes at @base so that @order never gives > 0 for neighbours. @order gives
 * < 0, 0, > 0 as its first argument belongs before, beside or after the second. Equal elements may change
 * places.
 */
void sort(void *base, size_t count, size_t size, int (*order)(const void *, const void *));

#endif
