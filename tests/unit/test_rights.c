/* SPDX-License-Identifier: BSD-2-Clause */
/* core/rights.c: ranges given and taken back in every way in which two can lie to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/domain.h"
#include "core/rights.h"
#include "tests/unit/hosted.h"

enum { SPAN = 12 };

static struct guest a;

static bool has(uint64_t first, uint64_t n) { return rights_has(a.d, RIGHTS_MMIO, first, n); }
static int set(uint64_t first, uint64_t n, bool give) { return rights_set(a.d, RIGHTS_MMIO, first, n, give); }

static void nothing_is_given_at_first(void **state)
{
    assert_false(has(0, 1));
    assert_int_equal(set(5, 1, false), 0); /* taking back what was never given */
    assert_false(has(5, 1));
}

static void impossible_ranges_are_refused(void **state)
{
    assert_int_equal(set(5, 0, true), -EINVAL);
    assert_int_equal(set(~0ull, 2, true), -EINVAL);
    assert_int_equal(set(~0ull - 1, 2, true), -EINVAL); /* its end could not be told from none */
    assert_false(has(5, 0));
    assert_false(has(~0ull, 2));
}

/* Against a bit for each number: two ranges given, one taken back, all of them wherever they can be. */
static void each_number_is_as_it_was_set_last(void **state)
{
    for (unsigned i = 0; i < SPAN * SPAN * SPAN; i++) {
        unsigned at[3] = { i % SPAN, i / SPAN % SPAN, i / SPAN / SPAN }, bits = 0;

        for (unsigned k = 0; k < 3; k++) {
            unsigned n = 1 + (i + k) % 4, mask = ((1u << n) - 1) << at[k];

            assert_int_equal(set(at[k], n, k < 2), 0);
            bits = k < 2 ? bits | mask : bits & ~mask;
        }
        for (unsigned first = 0; first < SPAN + 4; first++) {
            for (unsigned n = 1; n <= 5; n++) {
                unsigned mask = ((1u << n) - 1) << first;

                assert_int_equal(has(first, n), (bits & mask) == mask);
            }
        }
        assert_false(rights_has(a.d, RIGHTS_PORTS, at[0], 1)); /* a kind of their own */
        assert_int_equal(set(0, SPAN + 8, false), 0);
    }
}

static void too_many_ranges_change_nothing(void **state)
{
    unsigned given = 0;

    while (given < 1000 && set(2 * given, 1, true) == 0)
        given++;
    assert_int_equal(set(2 * given, 1, true), -ENOMEM);
    assert_true(given > 8 && given < 1000);
    assert_false(has(2 * given, 1));
    assert_true(has(2 * given - 2, 1));
    assert_int_equal(set(0, 1, true), 0); /* what is there already needs no room */
    assert_int_equal(set(0, 2 * given, true), 0);
    assert_true(has(0, 2 * given));
    for (unsigned i = 0; i + 1 < given; i++)
        assert_int_equal(set(2 * i + 1, 1, false), 0);
    assert_int_equal(set(0, 3 * given, false), 0);
    assert_false(has(2 * given - 2, 1));
}

static int begin(void **state)
{
    hosted_begin(HOSTED_RAM);
    guest_create(&a, 1, 0, 8);
    return 0;
}

static int end(void **state)
{
    guest_destroy(&a, control.v, PLENTY);
    hosted_check();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_given_at_first),
        cmocka_unit_test(impossible_ranges_are_refused),
        cmocka_unit_test(each_number_is_as_it_was_set_last),
        cmocka_unit_test(too_many_ranges_change_nothing),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
