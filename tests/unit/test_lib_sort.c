/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/sort.c: sorted, and the same elements, for every small array and some large ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/sort.h"
#include "lib/string.h"

static int by_value(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void check(const uint32_t *v, size_t n, uint64_t sum)
{
    for (size_t i = 0; i < n; i++) {
        sum -= v[i] * (uint64_t)v[i] + 1;
        assert_true(i == 0 || v[i - 1] <= v[i]);
    }
    assert_true(sum == 0);
}

static uint64_t signature(const uint32_t *v, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i] * (uint64_t)v[i] + 1;
    return sum;
}

static void every_small_array(void **state)
{
    uint32_t v[6];

    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        for (uint32_t code = 0; code < 1u << (2 * n); code++) {
            for (size_t i = 0; i < n; i++)
                v[i] = code >> (2 * i) & 3;
            uint64_t sum = signature(v, n);

            sort(v, n, sizeof(v[0]), by_value);
            check(v, n, sum);
        }
    }
}

static void large_arrays(void **state)
{
    static uint32_t v[5000];
    uint32_t seed = 7;

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
            seed = seed * 1664525 + 1013904223;
            v[i] = kind == 0 ? seed : kind == 1 ? (uint32_t)i : (uint32_t)(ARRAY_SIZE(v) - i);
        }
        uint64_t sum = signature(v, ARRAY_SIZE(v));

        sort(v, ARRAY_SIZE(v), sizeof(v[0]), by_value);
        check(v, ARRAY_SIZE(v), sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_array),
        cmocka_unit_test(large_arrays),
    };

    return cmocka_run_group_tests_name("lib/sort", tests, NULL, NULL);
}
