/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EFI system table as OVMF leaves it, then cut and bent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/efi.h"
#include "lib/errno.h"
#include "tests/unit/fake_memory.h"

#define SYSTEM  (MEMORY_BASE + 0x100)
#define RUNTIME (MEMORY_BASE + 0x200)
#define VENDOR  (MEMORY_BASE + 0x400)
#define TABLES  (MEMORY_BASE + 0x800)
#define NR      9

static struct firmware_efi efi;

static void put_wide(uint64_t at, const char *s)
{
    for (; *s; s++, at += 2)
        put16(at, (uint8_t)*s);
    put16(at, 0);
}

static int make(void **state)
{
    (void)state;
    memory_clear();
    memcpy(memory.byte + 0x100, "IBI SYST", 8);
    put32(SYSTEM + 8, 2 << 16 | 70);
    put32(SYSTEM + 12, 120);
    put64(SYSTEM + 24, VENDOR);
    put32(SYSTEM + 32, 0x10000);
    put64(SYSTEM + 88, RUNTIME);
    put64(SYSTEM + 104, NR);
    put64(SYSTEM + 112, TABLES);
    memcpy(memory.byte + 0x200, "RUNTSERV", 8);
    put32(RUNTIME + 8, 2 << 16 | 60);
    put_wide(VENDOR, "EDK II");
    return 0;
}

static int done(void **state)
{
    (void)state;
    memory_done();
    return 0;
}

static void refused(const char *part)
{
    static const struct firmware_efi none;
    const char *why = "";

    memset(&efi, 0xaa, sizeof(efi));
    assert_int_equal(efi_parse(memory_at, SYSTEM, &efi, &why), -EINVAL);
    assert_non_null(strstr(why, part));
    assert_memory_equal(&efi, &none, sizeof(efi));
}

static void what_dom0_asks_for(void **state)
{
    const char *why;

    (void)state;
    memset(&efi, 0xaa, sizeof(efi));
    assert_int_equal(efi_parse(memory_at, SYSTEM, &efi, &why), 0);
    assert_int_equal(efi.version, 2 << 16 | 70);
    assert_int_equal(efi.runtime_version, 2 << 16 | 60);
    assert_int_equal(efi.revision, 0x10000);
    assert_true(efi.services == RUNTIME);
    assert_true(efi.tables == TABLES);
    assert_int_equal(efi.nr_tables, NR);
    assert_int_equal(efi.vendor[0], 'E');
    assert_int_equal(efi.vendor[5], 'I');
    assert_int_equal(efi.vendor[6], 0);
    assert_int_equal(efi.vendor[99], 0);
}

static void tables_that_are_not_there(void **state)
{
    const char *why;

    (void)state;
    assert_int_equal(efi_parse(memory_at, MEMORY_BASE + MEMORY_SIZE - 119, &efi, &why), -EINVAL);
    assert_int_equal(efi_parse(memory_at, UINT64_MAX, &efi, &why), -EINVAL);
    put8(SYSTEM, 'x');
    refused("no system table");
    make(NULL);
    put64(SYSTEM + 88, 0);
    refused("no runtime services");
    make(NULL);
    put8(RUNTIME + 7, 0);
    refused("no runtime services");
    make(NULL);
    put64(SYSTEM + 112, MEMORY_BASE + MEMORY_SIZE - NR * 24 + 1);
    refused("list of tables");
}

static void impossible_counts(void **state)
{
    static const uint64_t bad[] = { 0, 1025, UINT32_MAX, 1ull << 32 | 1, UINT64_MAX, UINT64_MAX / 24 + 2 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        put64(SYSTEM + 104, bad[i]);
        refused("list of tables");
    }
}

static void names_without_an_end(void **state)
{
    const char *why;

    (void)state;
    for (unsigned int i = 0; i < 200; i++)
        put16(VENDOR + i * 2, (uint16_t)('a' + i % 26));
    assert_int_equal(efi_parse(memory_at, SYSTEM, &efi, &why), 0);
    assert_int_equal(efi.vendor[98], 'a' + 98 % 26);
    assert_int_equal(efi.vendor[99], 0);
    put64(SYSTEM + 24, MEMORY_BASE + MEMORY_SIZE - 5);
    put16(MEMORY_BASE + MEMORY_SIZE - 5, 'x');
    put16(MEMORY_BASE + MEMORY_SIZE - 3, 'y');
    assert_int_equal(efi_parse(memory_at, SYSTEM, &efi, &why), 0);
    assert_int_equal(efi.vendor[1], 'y');
    assert_int_equal(efi.vendor[2], 0);
    put64(SYSTEM + 24, UINT64_MAX);
    assert_int_equal(efi_parse(memory_at, SYSTEM, &efi, &why), 0);
    assert_int_equal(efi.vendor[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_dom0_asks_for, make, done),
        cmocka_unit_test_setup_teardown(tables_that_are_not_there, make, done),
        cmocka_unit_test_setup_teardown(impossible_counts, make, done),
        cmocka_unit_test_setup_teardown(names_without_an_end, make, done),
    };

    return cmocka_run_group_tests_name("boot/parse/efi", tests, NULL, NULL);
}
