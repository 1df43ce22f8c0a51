/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/types.h, lib/div.h, lib/strtou.h: the arithmetic that others take for granted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/div.h"
#include "lib/strtou.h"
#include "lib/types.h"

static void rounding(void **state)
{
    (void)state;
    assert_int_equal(ROUNDUP(0UL, PAGE_SIZE), 0);
    assert_int_equal(ROUNDUP(1UL, PAGE_SIZE), 4096);
    assert_int_equal(ROUNDUP(4096UL, PAGE_SIZE), 4096);
    assert_int_equal(ROUNDDOWN(8191UL, PAGE_SIZE), 4096);
    assert_true(ROUNDDOWN(0x123456789abcUL, PAGE_SIZE) == 0x123456789000UL);
    assert_int_equal(DIV_ROUNDUP(65, 64), 2);
    assert_int_equal(MIN(3, 4), 3);
    assert_int_equal(MAX(3, 4), 4);
}

static void clamp(void **state)
{
    (void)state;
    for (size_t size = 1; size < 70; size++) {
        for (size_t i = 0; i < 140; i++)
            assert_int_equal(clamp_index(i, size), i < size ? i : 0);
        assert_int_equal(clamp_index(SIZE_MAX, size), 0);
        assert_int_equal(clamp_index(1UL << 63, size), 0);
    }
}

struct outer {
    int a, b;
};

static void container(void **state)
{
    struct outer o;

    (void)state;
    assert_ptr_equal(container_of(&o.b, struct outer, b), &o);
}

static void wide_division(void **state)
{
    uint64_t x = 0x9e3779b97f4a7c15UL;

    (void)state;
    assert_int_equal(muldiv64(10, 10, 3), 33);
    assert_true(muldiv64(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(muldiv64(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(muldiv64(1, 1, 0) == UINT64_MAX);
    assert_true(mul_shift(UINT64_MAX, 1UL << 32, 32) == UINT64_MAX);
    for (int i = 0; i < 10000; i++) {
        uint64_t a = x, b, c;

        x = x * 6364136223846793005UL + 1442695040888963407UL;
        b = x;
        x = x * 6364136223846793005UL + 1442695040888963407UL;
        c = MAX(x >> (i % 60), (uint64_t)(((unsigned __int128)a * b) >> 64) + 1);
        assert_true(muldiv64(a, b, c) == (uint64_t)((unsigned __int128)a * b / c));
    }
}

static void numbers(void **state)
{
    static const struct { const char *text; int err; uint64_t value; const char *rest; } t[] = {
        { "0", 0, 0, "" }, { "17,", 0, 17, "," }, { "0x1fG", 0, 31, "G" }, { "010", 0, 8, "" },
        { "0x", 0, 0, "x" }, { "09", 0, 0, "9" }, { "", -EINVAL, 0, "" }, { "-1", -EINVAL, 0, "-1" },
        { "18446744073709551615", 0, UINT64_MAX, "" }, { "18446744073709551616", -ERANGE, 0, NULL },
        { "0x10000000000000000", -ERANGE, 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        const char *p = t[i].text;
        uint64_t v = 0;

        assert_int_equal(strtou(&p, &v), t[i].err);
        assert_true(v == t[i].value);
        assert_string_equal(p, t[i].rest ? t[i].rest : t[i].text);
    }
}

static void sizes(void **state)
{
    static const struct { const char *text; int err; uint64_t value; } t[] = {
        { "1", 0, 1024 }, { "1b", 0, 1 }, { "1B", 0, 1 }, { "1k", 0, 1024 }, { "512M", 0, 512UL << 20 },
        { "2G", 0, 2UL << 30 }, { "1t", 0, 1UL << 40 }, { "G", -EINVAL, 0 },
        { "16777216T", -ERANGE, 0 }, { "16777215T", 0, 16777215UL << 40 },
        { "18014398509481984", -ERANGE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        const char *p = t[i].text;
        uint64_t v = 0;

        assert_int_equal(strtosize(&p, &v), t[i].err);
        assert_true(v == t[i].value);
        if (t[i].err)
            assert_ptr_equal(p, t[i].text);
        else
            assert_string_equal(p, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding),
        cmocka_unit_test(clamp),
        cmocka_unit_test(container),
        cmocka_unit_test(wide_division),
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests_name("lib/types", tests, NULL, NULL);
}
