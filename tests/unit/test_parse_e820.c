/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/e820.c: its three promises, and against a model that decides page by page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/e820.h"
#include "lib/errno.h"
#include "lib/string.h"

static struct mem_map map, scratch;

static int set_up(void **state)
{
    (void)state;
    memset(&map, 0, sizeof(map));
    return 0;
}

static void add(uint64_t base, uint64_t size, uint32_t type)
{
    assert_int_equal(mem_map_add(&map, base, size, type), 0);
}

static void normalise(void)
{
    const char *why = NULL;

    assert_int_equal(mem_map_normalise(&map, &scratch, &why), 0);
}

static void is(unsigned int i, uint64_t base, uint64_t size, uint32_t type)
{
    assert_true(i < map.count);
    assert_true(map.range[i].base == base);
    assert_true(map.range[i].size == size);
    assert_int_equal(map.range[i].type, type);
}

/* M1 to M3 of the header. */
static void promises_hold(void)
{
    for (unsigned int i = 0; i < map.count; i++) {
        const struct mem_range *r = &map.range[i], *before = r - 1;

        assert_true(r->size > 0 && r->base % PAGE_SIZE == 0 && r->size % PAGE_SIZE == 0);
        assert_true(r->base < MEM_ADDRESS_END && r->size <= MEM_ADDRESS_END - r->base);
        if (i == 0)
            continue;
        assert_true(before->base + before->size <= r->base);
        assert_true(before->base + before->size < r->base || before->type != r->type);
    }
}

static void seabios_map(void **state)
{
    (void)state;
    add(0, 0x9fc00, MEM_RAM);
    add(0x9fc00, 0x400, MEM_RESERVED);
    add(0xf0000, 0x10000, MEM_RESERVED);
    add(0x100000, 0xbfee0000, MEM_RAM);
    add(0xbffe0000, 0x20000, MEM_RESERVED);
    add(0xfffc0000, 0x40000, MEM_RESERVED);
    add(0x100000000, 0x40000000, MEM_RAM);
    add(0xfd00000000, 0x300000000, MEM_RESERVED);
    normalise();
    promises_hold();
    assert_int_equal(map.count, 8);
    is(0, 0, 0x9f000, MEM_RAM);
    is(1, 0x9f000, 0x1000, MEM_RESERVED);
    is(3, 0x100000, 0xbfee0000, MEM_RAM);
    assert_true(mem_map_ram(&map) == 0x9f000 + 0xbfee0000UL + 0x40000000);
    assert_true(mem_map_ram_end(&map) == 0x140000000);
    assert_true(mem_map_is_ram(&map, 0x100000, 0xbfee0000));
    assert_false(mem_map_is_ram(&map, 0x100000, 0xbfee0001));
    assert_false(mem_map_is_ram(&map, 0x9f000, 1));
    assert_false(mem_map_is_ram(&map, 0x200000, UINT64_MAX));
    assert_false(mem_map_is_ram(&map, 0xc0000000, 1));
}

static void the_stricter_type_wins(void **state)
{
    (void)state;
    add(0x5000, 0x2000, MEM_NVS);
    add(0x0, 0x10000, MEM_RAM);
    add(0x6000, 0x3000, MEM_ACPI);
    add(0x8000, 0x1000, MEM_UNUSABLE);
    add(0x7800, 0x1000, MEM_RESERVED);
    add(0xf000, 0x1000, 0x4242);
    add(0x4000, 0xc000, MEM_RAM);
    normalise();
    promises_hold();
    assert_int_equal(map.count, 6);
    is(0, 0, 0x5000, MEM_RAM);
    is(1, 0x5000, 0x2000, MEM_NVS);
    is(2, 0x7000, 0x1000, MEM_RESERVED);
    is(3, 0x8000, 0x1000, MEM_UNUSABLE);
    is(4, 0x9000, 0x6000, MEM_RAM);
    is(5, 0xf000, 0x1000, 0x4242);
}

static void odd_borders(void **state)
{
    (void)state;
    add(0x1001, 0x1ffe, MEM_RAM);           /* no whole page but one */
    add(0x5001, 0xffe, MEM_RAM);            /* none */
    add(0x7fff, 2, MEM_RESERVED);           /* two */
    add(UINT64_MAX - 10, 5, MEM_RAM);
    add(MEM_ADDRESS_END - 0x1000, UINT64_MAX, MEM_RESERVED);
    add(0x20000, 0, MEM_RESERVED);
    normalise();
    promises_hold();
    assert_int_equal(map.count, 2);
    is(0, 0x7000, 0x2000, MEM_RESERVED);
    is(1, MEM_ADDRESS_END - 0x1000, 0x1000, MEM_RESERVED);
}

static void limit(void **state)
{
    (void)state;
    add(0, 0x100000, MEM_RAM);
    add(0x200000, 0x100000, MEM_RESERVED);
    add(0x400000, 0x100000, MEM_RAM);
    add(0x600000, 0x100000, MEM_RAM);
    add(0x800000, 0x100000, MEM_RESERVED);
    normalise();
    mem_map_limit(&map, 0x480fff);
    promises_hold();
    assert_int_equal(map.count, 4);
    is(2, 0x400000, 0x80000, MEM_RAM);
    is(3, 0x800000, 0x100000, MEM_RESERVED);
    mem_map_limit(&map, 0);
    assert_int_equal(map.count, 2);
    assert_int_equal(mem_map_ram(&map), 0);
    assert_int_equal(mem_map_ram_end(&map), 0);
}

static void reserve(void **state)
{
    const char *why;

    (void)state;
    add(0, 0x100000, MEM_RAM);
    add(0x80000, 0x1000, MEM_RESERVED);
    normalise();
    assert_int_equal(mem_map_reserve(&map, 0x7f800, 0x3000, MEM_HELD, &scratch, &why), 0);
    promises_hold();
    is(1, 0x7f000, 0x1000, MEM_HELD);
    is(2, 0x80000, 0x1000, MEM_RESERVED);
    is(3, 0x81000, 0x2000, MEM_HELD);
    is(4, 0x83000, 0x7d000, MEM_RAM);
    assert_int_equal(mem_map_reserve(&map, 0x1000, 0, MEM_HELD, &scratch, &why), 0);
    assert_int_equal(map.count, 5);
}

static void fragments(void **state)
{
    const char *why = NULL;

    (void)state;
    for (unsigned int i = 0; i < 1023; i++)
        add(0x10000000 + i * 0x2000UL, 0x1000, i % 2 ? MEM_ACPI : MEM_NVS);
    add(0x10000000, 1023 * 0x2000UL, MEM_RAM);
    assert_int_equal(mem_map_add(&map, 1, 1, MEM_RAM), -ENOSPC);
    assert_int_equal(mem_map_normalise(&map, &scratch, &why), -ENOSPC);
    assert_non_null(why);
    assert_int_equal(map.count, 1024);
    map.count = 600;
    add(0, 0x10000000, MEM_RAM);
    normalise();
    assert_int_equal(map.count, 601);
    why = NULL;
    assert_int_equal(mem_map_reserve(&map, 0x10000000, 600 * 0x2000UL, MEM_RAM, &scratch, &why), -ENOSPC);
    assert_non_null(why);
    assert_int_equal(map.count, 601);
    promises_hold();
}

/* Random maps over 40 pages, byte borders included, against what each page alone would be. */
static void agrees_with_a_page_by_page_model(void **state)
{
    static const uint32_t strict[] = { MEM_RAM, MEM_HELD, MEM_PMEM, MEM_ACPI, MEM_NVS, 77, MEM_RESERVED,
                                       MEM_UNUSABLE };
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        unsigned int want[41] = { 0 };      /* 0: nothing, else index in strict[] + 1 */
        unsigned int n;

        map.count = 0;
        seed = seed * 1664525 + 1013904223;
        n = (seed >> 8) % 12;
        while (n--) {
            uint64_t base, size;
            unsigned int kind;

            seed = seed * 1664525 + 1013904223;
            base = (seed >> 6) % (40 * 8) * 512;
            seed = seed * 1664525 + 1013904223;
            size = MIN((uint64_t)(seed >> 6) % (20 * 8) * 512, 40 * PAGE_SIZE - base);
            kind = (seed >> 3) % ARRAY_SIZE(strict);
            add(base, size, strict[kind]);
            for (uint64_t p = 0; p < 40 && size; p++) {
                uint64_t lo = p * PAGE_SIZE, hi = lo + PAGE_SIZE;
                bool touches = base < hi && base + size > lo;
                bool covers = base <= lo && base + size >= hi;

                if (kind == 0 ? covers : touches)
                    want[p] = MAX(want[p], kind + 1);
            }
        }
        normalise();
        promises_hold();
        for (uint64_t p = 0; p < 40; p++) {
            uint32_t got = 0;

            for (unsigned int i = 0; i < map.count; i++) {
                const struct mem_range *r = &map.range[i];

                if (p * PAGE_SIZE >= r->base && p * PAGE_SIZE - r->base < r->size)
                    got = r->type;
            }
            assert_int_equal(got, want[p] ? strict[want[p] - 1] : 0);
        }
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(mem_type_name(MEM_RAM), "RAM");
    assert_string_equal(mem_type_name(MEM_NVS), "ACPI NVS");
    assert_string_equal(mem_type_name(1234), "unknown");
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(seabios_map),
        CASE(the_stricter_type_wins),
        CASE(odd_borders),
        CASE(limit),
        CASE(reserve),
        CASE(fragments),
        CASE(agrees_with_a_page_by_page_model),
        CASE(names),
    };

    return cmocka_run_group_tests_name("boot/parse/e820", tests, NULL, NULL);
}
