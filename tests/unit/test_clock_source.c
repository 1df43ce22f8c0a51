/* SPDX-License-Identifier: BSD-2-Clause */
/* x86/model/clock_source.c: what is asked for comes first, each clock once; and how fast CPUID says that the TSC is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "x86/model/clock_source.h"

static void is(enum clock_source first, const enum clock_source *want)
{
    enum clock_source order[CLOCK_SOURCES];

    assert_int_equal(clock_order(first, order), CLOCK_SOURCES - 1);
    for (unsigned i = 0; i < CLOCK_SOURCES - 1; i++)
        assert_int_equal(order[i], want[i]);
}

#define IS(first, ...) is(first, (const enum clock_source[CLOCK_SOURCES - 1]){ __VA_ARGS__ })

static void orders(void **state)
{
    (void)state;
    IS(CLOCK_DEFAULT, CLOCK_HPET, CLOCK_ACPI, CLOCK_PIT, CLOCK_TSC);
    IS(CLOCK_HPET, CLOCK_HPET, CLOCK_ACPI, CLOCK_PIT, CLOCK_TSC);
    IS(CLOCK_ACPI, CLOCK_ACPI, CLOCK_HPET, CLOCK_PIT, CLOCK_TSC);
    IS(CLOCK_PIT, CLOCK_PIT, CLOCK_HPET, CLOCK_ACPI, CLOCK_TSC);
    IS(CLOCK_TSC, CLOCK_TSC, CLOCK_HPET, CLOCK_ACPI, CLOCK_PIT);
}

static uint64_t hz(uint32_t denominator, uint32_t numerator, uint32_t crystal, uint32_t base_mhz)
{
    return clock_tsc_hz((struct cpuid_leaf){ denominator, numerator, crystal, 0 }, (struct cpuid_leaf){ .a = base_mhz });
}

static void speeds(void **state)
{
    (void)state;
    assert_true(hz(2, 216, 24000000, 0) == 2592000000);
    assert_true(hz(2, 216, 24000000, 1000) == 2592000000);      /* the crystal is exact, the base speed is not */
    assert_true(hz(2, 216, 0, 2600) == 2600000000);
    assert_true(hz(2, 216, 0, 0xffff0000u + 2600) == 2600000000);
    assert_true(hz(3, 4000000000u, 60, 0) == 80000000000);      /* a product of more than 32 bits */
    assert_true(hz(2, 216, 0, 0) == 0);
    assert_true(hz(0, 216, 24000000, 2600) == 0);
    assert_true(hz(2, 0, 24000000, 2600) == 0);
    assert_true(hz(1, 1, 999999, 0) == 0);
    assert_true(hz(1, 0xffffffff, 0xffffffff, 0) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(orders), cmocka_unit_test(speeds) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
