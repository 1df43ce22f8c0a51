/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1 information as QEMU's -kernel passes it, then cut, bent and filled with noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/bootinfo.h"
#include "boot/parse/multiboot.h"
#include "lib/errno.h"
#include "tests/unit/fake_memory.h"

#define INFO    MEMORY_BASE
#define MODULES (MEMORY_BASE + 0x200)
#define MAP     (MEMORY_BASE + 0x300)
#define TEXT    (MEMORY_BASE + 0x500)
#define END     (MEMORY_BASE + 0x600)

static struct boot_info info;

static void map_entry(unsigned int i, uint64_t base, uint64_t len, uint32_t type)
{
    uint64_t at = MAP + i * 24;

    put32(at, 20);
    put64(at + 4, base);
    put64(at + 12, len);
    put32(at + 20, type);
}

static int set_up(void **state)
{
    (void)state;
    memory_clear();
    memory.size = END - MEMORY_BASE;
    put32(INFO, MB1_MEMORY | MB1_CMDLINE | MB1_MODULES | MB1_MAP | MB1_LOADER);
    put32(INFO + 4, 639);
    put32(INFO + 8, 130048);
    put32(INFO + 16, TEXT);
    put32(INFO + 20, 2);
    put32(INFO + 24, MODULES);
    put32(INFO + 44, 3 * 24);
    put32(INFO + 48, MAP);
    put32(INFO + 64, TEXT + 0x40);
    put_text(TEXT, "build/krypton dom0_mem=512M  com1=115200");
    put_text(TEXT + 0x40, "qemu");
    put_text(TEXT + 0x50, "vmlinuz console=hvc0 quiet");
    put_text(TEXT + 0x80, "initrd");
    put32(MODULES, 0x200000);
    put32(MODULES + 4, 0x9c0123);
    put32(MODULES + 8, TEXT + 0x50);
    put32(MODULES + 16, 0xa00000);
    put32(MODULES + 20, 0xa00000);
    put32(MODULES + 24, TEXT + 0x80);
    map_entry(0, 0, 0x9fc00, 1);
    map_entry(1, 0x9fc00, 0x400, 2);
    map_entry(2, 0x100000, 0x7ee0000, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_done();
    return 0;
}

static int parse(const char **why)
{
    return multiboot1_parse(memory_at, INFO, &info, why);
}

static void refused(const char *what)
{
    const char *why = NULL;

    assert_int_equal(parse(&why), -EINVAL);
    assert_non_null(why);
    assert_non_null(strstr(why, what));
}

static void reads_what_qemu_passes(void **state)
{
    const char *why;

    (void)state;
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.protocol, BOOT_MULTIBOOT1);
    assert_string_equal(info.loader, "qemu");
    assert_string_equal(info.cmdline, "dom0_mem=512M  com1=115200");
    assert_int_equal(info.map.count, 3);
    assert_int_equal(info.map.range[2].base, 0x100000);
    assert_int_equal(info.map.range[2].size, 0x7ee0000);
    assert_int_equal(info.map.range[1].type, MEM_RESERVED);
    assert_int_equal(info.nr_modules, 2);
    assert_int_equal(info.modules_left_out, 0);
    assert_int_equal(info.module[0].base, 0x200000);
    assert_int_equal(info.module[0].size, 0x7c0123);
    assert_string_equal(info.module[0].cmdline, "console=hvc0 quiet");
    assert_int_equal(info.module[1].size, 0);
    assert_string_equal(info.module[1].cmdline, "");
    assert_int_equal(info.screen.type, SCREEN_NONE);
}

static void sizes_stand_in_for_a_map(void **state)
{
    const char *why;

    (void)state;
    put32(INFO, MB1_MEMORY);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.map.count, 2);
    assert_int_equal(info.map.range[0].size, 639 << 10);
    assert_int_equal(info.map.range[1].base, 1 << 20);
    assert_int_equal(info.map.range[1].size, 130048 << 10);
    put32(INFO, 0);
    refused("no memory map");
}

static void screens(void **state)
{
    static const uint8_t colors[6] = { 16, 8, 8, 8, 0, 8 };
    const char *why;

    (void)state;
    put32(INFO, MB1_MAP | MB1_SCREEN);
    put64(INFO + 88, 0xfd000000);
    put32(INFO + 96, 4096);
    put32(INFO + 100, 1024);
    put32(INFO + 104, 768);
    put8(INFO + 108, 32);
    put8(INFO + 109, MB_SCREEN_RGB);
    for (unsigned int i = 0; i < 6; i++)
        put8(INFO + 110 + i, colors[i]);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.screen.type, SCREEN_PIXELS);
    assert_int_equal(info.screen.base, 0xfd000000);
    assert_int_equal(info.screen.height, 768);
    assert_int_equal(info.screen.red_pos, 16);
    put8(INFO + 109, MB_SCREEN_TEXT);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.screen.type, SCREEN_TEXT);
    put8(INFO + 109, MB_SCREEN_INDEXED);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.screen.type, SCREEN_NONE);
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    put32(INFO + 16, 0x4000);
    refused("command line");
    put32(INFO + 16, TEXT);
    put32(INFO + 64, 0xfffffff0);
    refused("loader's name");
    put32(INFO + 64, TEXT + 0x40);
    put32(INFO + 44, 3 * 24 - 1);
    refused("damaged memory map");
    put32(INFO + 44, 0xffffffff);
    refused("memory map is not in memory");
    put32(INFO + 44, 0);
    refused("empty");
    put32(INFO + 44, 3 * 24);
    put32(MAP + 24, 0);
    refused("damaged memory map");
    put32(MAP + 24, 0xffffffff);
    assert_int_equal(parse(&(const char *){ NULL }), 0);
    assert_int_equal(info.map.count, 2);
    put32(MAP + 24, 20);
    put32(INFO + 24, END - 8);
    refused("list of modules");
    put32(INFO + 24, MODULES);
    put32(MODULES + 4, 0x1fffff);
    refused("ends before it starts");
    put32(MODULES + 4, 0x200000);
    put32(MODULES + 8, END);
    refused("module's string");
}

static void too_many_of_everything(void **state)
{
    const char *why;

    (void)state;
    memory.size = MEMORY_SIZE;
    for (unsigned int i = 0; i < 1025; i++)
        map_entry(i, i * 0x2000UL, 0x1000, 1);
    put32(INFO, MB1_MAP | MB1_MODULES);
    put32(INFO + 24, MODULES + 0x8000);
    put32(INFO + 20, 0xffffffff);
    put32(INFO + 44, 1024 * 24);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.map.count, 1024);
    assert_int_equal(info.nr_modules, BOOT_MODULES_MAX);
    assert_int_equal(info.modules_left_out, 0xffffffff - BOOT_MODULES_MAX);
    put32(INFO + 44, 1025 * 24);
    refused("too many ranges");
}

static void long_text_is_cut(void **state)
{
    const char *why;

    (void)state;
    memory.size = MEMORY_SIZE;
    memset(memory.byte + 0x1000, 'x', 2 * BOOT_CMDLINE_MAX);
    put8(MEMORY_BASE + 0x1001, ' ');
    put32(INFO + 16, MEMORY_BASE + 0x1000);
    put32(INFO + 64, MEMORY_BASE + 0x1100);
    assert_int_equal(parse(&why), 0);
    assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1 - 2);
    assert_int_equal(strlen(info.loader), sizeof(info.loader) - 1);
}

/* Whatever the memory ends at, the parser reads nothing beyond and never says yes to half a structure. */
static void cut_at_every_byte(void **state)
{
    const char *why;
    uint64_t needed = TEXT - MEMORY_BASE + 0x80 + sizeof("initrd");

    (void)state;
    for (uint64_t size = 0; size < END - MEMORY_BASE; size++) {
        memory.size = size;
        assert_int_equal(parse(&why), size < needed ? -EINVAL : 0);
        memory_done();
    }
}

static void noise(void **state)
{
    uint32_t seed = 1;
    const char *why;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        set_up(NULL);
        for (int i = 0; i < 8; i++) {
            seed = seed * 1664525 + 1013904223;
            memory.byte[(seed >> 8) % (END - MEMORY_BASE)] = (uint8_t)(seed >> 3);
        }
        int err = parse(&why);

        assert_true(err == 0 || (err == -EINVAL && why));
        memory_done();
    }
}

static void names_in_front_are_dropped(void **state)
{
    static const struct { const char *loader, *line, *want; } t[] = {
        { "qemu", "/boot/x a=1 b", "a=1 b" }, { "qemu", "  x   a", "a" }, { "qemu", "x", "" },
        { "qemu", "", "" },
        { "GNU GRUB 0.97", "/x a", "a" }, { "GRUB 2.06", "a=1 b", "a=1 b" },
        { "GRUB 2.06", "placeholder a=1", "a=1" }, { "GRUB 2.06", "placeholder", "" },
        { "GRUB 2.06", "placeholders=1 a", "placeholders=1 a" }, { "", "x y", "y" },
    };
    char line[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        strcpy(line, t[i].line);
        boot_arguments(line, t[i].loader);
        assert_string_equal(line, t[i].want);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_what_qemu_passes),
        CASE(sizes_stand_in_for_a_map),
        CASE(screens),
        CASE(names_what_is_wrong),
        CASE(too_many_of_everything),
        CASE(long_text_is_cut),
        CASE(cut_at_every_byte),
        CASE(noise),
        CASE(names_in_front_are_dropped),
    };

    return cmocka_run_group_tests_name("boot/parse/multiboot1", tests, NULL, NULL);
}
