/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH start information, as QEMU gives it and then cut and bent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/bootinfo.h"
#include "lib/errno.h"
#include "tests/unit/fake_memory.h"

#define INFO    (MEMORY_BASE + 0x100)
#define MODULES (MEMORY_BASE + 0x200)
#define LINE    (MEMORY_BASE + 0x400)
#define MAP     (MEMORY_BASE + 0x600)
#define RSDP    (MEMORY_BASE + 0x800)

static struct boot_info info;
static const char *why;

static int make(void **state)
{
    memory_clear();
    put32(INFO, 0x336ec578);
    put32(INFO + 4, 1);
    put32(INFO + 12, 2);
    put64(INFO + 16, MODULES);
    put64(INFO + 24, LINE);
    put64(INFO + 32, RSDP);
    put64(INFO + 40, MAP);
    put32(INFO + 48, 2);
    put64(MODULES, 0x1000000);
    put64(MODULES + 8, 0x234567);
    put64(MODULES + 32, 0x2000000);
    put64(MODULES + 40, 0x1000);
    put64(MODULES + 48, LINE + 0x100);
    put_text(LINE, "noreboot loglvl=all -- only=hello -- x");
    put_text(LINE + 0x100, "second");
    put64(MAP + 8, 0xa0000);
    put32(MAP + 16, MEM_RAM);
    put64(MAP + 24, 0x100000);
    put64(MAP + 32, 0x3ff00000);
    put32(MAP + 40, MEM_RAM);
    put_text(RSDP, "RSD PTR ");
    put8(RSDP + 15, 2);
    put8(RSDP + 35, 0x77);
    return 0;
}

static int done(void **state)
{
    memory_done();
    return 0;
}

static int parse(void)
{
    why = NULL;
    return pvh_parse(memory_at, INFO, &info, &why);
}

static void refused(const char *part)
{
    assert_int_equal(parse(), -EINVAL);
    assert_non_null(why);
    assert_non_null(strstr(why, part));
}

static void all_of_it(void **state)
{
    assert_int_equal(parse(), 0);
    assert_int_equal(info.protocol, BOOT_PVH);
    assert_string_equal(info.cmdline, "noreboot loglvl=all");
    assert_int_equal(info.nr_modules, 2);
    assert_int_equal(info.module[0].base, 0x1000000);
    assert_int_equal(info.module[0].size, 0x234567);
    assert_string_equal(info.module[0].cmdline, "only=hello -- x");
    assert_string_equal(info.module[1].cmdline, "second");
    assert_int_equal(info.map.count, 2);
    assert_int_equal(info.map.range[1].size, 0x3ff00000);
    assert_int_equal(info.rsdp_size, 36);
    assert_int_equal(info.rsdp[35], 0x77);
    assert_int_equal(info.screen.type, SCREEN_NONE);
    assert_false(info.efi);
}

/* A module that has a command line keeps it, and then ours is not cut. */
static void own_command_line(void **state)
{
    put64(MODULES + 16, LINE + 0x100);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.module[0].cmdline, "second");
    assert_string_equal(info.cmdline, "noreboot loglvl=all -- only=hello -- x");
}

static void little(void **state)
{
    put32(INFO + 12, 0);
    put64(INFO + 24, 0);
    put64(INFO + 32, 0);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_modules, 0);
    assert_string_equal(info.cmdline, "");
    assert_int_equal(info.rsdp_size, 0);
    /* A root pointer of ACPI 1; one that is not there, of which the hypervisor looks for another. */
    put64(INFO + 32, RSDP);
    put8(RSDP + 15, 0);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.rsdp_size, 20);
    put64(INFO + 32, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.rsdp_size, 0);
}

static void bent(void **state)
{
    put32(INFO, 0x336ec579);
    refused("magic");
    make(state);
    put32(INFO + 4, 0);         /* then there is no map in it */
    refused("no memory map");
    make(state);
    put32(INFO + 48, 0);
    refused("no memory map");
    put32(INFO + 48, 0xffffffff);
    refused("too many");
    put32(INFO + 48, 1024);
    memory.size = MAP - MEMORY_BASE + 1023 * 24;
    refused("not in memory");
    make(state);
    put64(INFO + 40, 0);
    refused("not in memory");
    make(state);
    put64(MAP + 8, 0);
    put64(MAP + 32, 0);
    refused("empty");
    make(state);
    put64(INFO + 16, ~0ull);
    refused("list of modules");
    make(state);
    put64(MODULES + 8, ~0ull - 0x1000000);
    assert_int_equal(parse(), 0);
    put64(MODULES + 8, ~0ull - 0xffffff);
    refused("ends before it starts");
    make(state);
    put64(MODULES + 48, 5);
    refused("module's command line");
    make(state);
    put64(INFO + 24, 5);
    refused("command line");
    make(state);
    memory.size = INFO - MEMORY_BASE + 39;
    refused("not in memory");
}

static void many_modules(void **state)
{
    put32(INFO + 12, 0xffffffff);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_modules, BOOT_MODULES_MAX);
    assert_int_equal(info.modules_left_out, 0xffffffff - BOOT_MODULES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_it, make, done),
        cmocka_unit_test_setup_teardown(own_command_line, make, done),
        cmocka_unit_test_setup_teardown(little, make, done),
        cmocka_unit_test_setup_teardown(bent, make, done),
        cmocka_unit_test_setup_teardown(many_modules, make, done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
