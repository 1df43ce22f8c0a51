/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/bitmap.c against an array of bools, at every size around word borders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/bitmap.h"
#include "lib/string.h"

enum { MAX_BITS = 200 };

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

struct model {
    bool bit[MAX_BITS];
    uint64_t map[BITMAP_WORDS(MAX_BITS)];
};

/* Random bits, with junk above @bits that must not be seen. */
static void fill_random(struct model *m, size_t bits, uint32_t one_in)
{
    memset(m->map, 0xff, sizeof(m->map));
    for (size_t i = 0; i < bits; i++) {
        m->bit[i] = rnd() % one_in == 0;
        if (m->bit[i])
            bitmap_set(m->map, i);
        else
            bitmap_clear(m->map, i);
    }
}

static void queries(void **state)
{
    struct model m;

    (void)state;
    for (size_t bits = 1; bits <= MAX_BITS; bits++) {
        size_t weight = 0, seen = 0, bit;

        fill_random(&m, bits, bits % 7 + 1);
        for (size_t i = bits; i-- > 0;) {
            size_t set = i, clear = i;

            assert_int_equal(bitmap_test(m.map, i), m.bit[i]);
            weight += m.bit[i];
            while (set < bits && !m.bit[set])
                set++;
            while (clear < bits && m.bit[clear])
                clear++;
            assert_int_equal(bitmap_next(m.map, bits, i), set);
            assert_int_equal(bitmap_next_clear(m.map, bits, i), clear);
        }
        assert_int_equal(bitmap_weight(m.map, bits), weight);
        assert_int_equal(bitmap_empty(m.map, bits), weight == 0);
        assert_int_equal(bitmap_next(m.map, bits, bits), bits);
        assert_int_equal(bitmap_next(m.map, bits, bits + 1000), bits);
        bitmap_for_each(bit, m.map, bits) {
            assert_true(m.bit[bit]);
            seen++;
        }
        assert_int_equal(seen, weight);
    }
}

static void two_maps(void **state)
{
    struct model a, b;
    uint64_t and[BITMAP_WORDS(MAX_BITS)], or[BITMAP_WORDS(MAX_BITS)], not[BITMAP_WORDS(MAX_BITS)];

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t bits = rnd() % MAX_BITS + 1;
        bool meets = false, subset = true, equal = true;

        fill_random(&a, bits, rnd() % 60 + 1);
        fill_random(&b, bits, rnd() % 3 + 1);
        bitmap_and(and, a.map, b.map, bits);
        bitmap_or(or, a.map, b.map, bits);
        bitmap_andnot(not, a.map, b.map, bits);
        for (size_t i = 0; i < bits; i++) {
            assert_int_equal(bitmap_test(and, i), a.bit[i] && b.bit[i]);
            assert_int_equal(bitmap_test(or, i), a.bit[i] || b.bit[i]);
            assert_int_equal(bitmap_test(not, i), a.bit[i] && !b.bit[i]);
            meets |= a.bit[i] && b.bit[i];
            subset &= !a.bit[i] || b.bit[i];
            equal &= a.bit[i] == b.bit[i];
        }
        assert_int_equal(bitmap_intersects(a.map, b.map, bits), meets);
        assert_int_equal(bitmap_subset(a.map, b.map, bits), subset);
        assert_int_equal(bitmap_equal(a.map, b.map, bits), equal);
        bitmap_copy(or, a.map, bits);
        assert_true(bitmap_equal(or, a.map, bits));
    }
}

static void all_or_nothing(void **state)
{
    uint64_t map[2];

    (void)state;
    for (size_t bits = 1; bits <= 128; bits++) {
        memset(map, 0x55, sizeof(map));
        bitmap_fill(map, bits);
        assert_int_equal(bitmap_weight(map, bits), bits);
        assert_int_equal(bitmap_next_clear(map, bits, 0), bits);
        assert_true(bits % 64 == 0 || map[bits / 64] >> (bits % 64) == 0);
        bitmap_zero(map, bits);
        assert_true(bitmap_empty(map, bits));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries),
        cmocka_unit_test(two_maps),
        cmocka_unit_test(all_or_nothing),
    };

    return cmocka_run_group_tests_name("lib/bitmap", tests, NULL, NULL);
}
