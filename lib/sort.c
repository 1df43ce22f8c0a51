/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heap sort; see lib/sort.h.
 */
#include "lib/sort.h"

static void swap(char *a, char *b, size_t size)
{
    while (size--) {
        char c = *a;

        *a++ = *b;
        *b++ = c;
    }
}

/* Let the element at @i sink until no child of it, among the first @count, belongs after it. */
static void sink(char *base, size_t i, size_t count, size_t size, int (*order)(const void *, const void *))
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= count)
            return;
        if (child + 1 < count && order(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (order(base + i * size, base + child * size) >= 0)
            return;
        swap(base + i * size, base + child * size, size);
        i = child;
    }
}

void sort(void *base, size_t count, size_t size, int (*order)(const void *, const void *))
{
    char *at = base;

    for (size_t i = count / 2; i-- > 0;)
        sink(at, i, count, size, order);
    while (count > 1) {
        count--;
        swap(at, at + count * size, size);
        sink(at, 0, count, size, order);
    }
}
