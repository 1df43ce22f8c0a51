/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 2 information as GRUB passes it on BIOS and EFI machines, then cut, bent and filled with noise.
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

#define INFO MEMORY_BASE

static struct boot_info info;
static uint64_t next;       /* where the next tag goes */

static void finish(void)
{
    put32(next, MB2_END);
    put32(next + 4, 8);
    put32(INFO, (uint32_t)(next + 8 - INFO));
    memory.size = next + 8 - INFO;
}

/* A tag of @size bytes; gives its address. */
static uint64_t tag(uint32_t type, uint32_t size)
{
    uint64_t at = next;

    put32(at, type);
    put32(at + 4, size);
    next += ROUNDUP((uint64_t)size, 8);
    return at;
}

static void text_tag(uint32_t type, const char *text)
{
    put_text(tag(type, (uint32_t)(8 + strlen(text) + 1)) + 8, text);
}

static uint64_t module_tag(uint32_t start, uint32_t end, const char *text)
{
    uint64_t at = tag(MB2_MODULE, (uint32_t)(16 + strlen(text) + 1));

    put32(at + 8, start);
    put32(at + 12, end);
    put_text(at + 16, text);
    return at;
}

static uint64_t map_tag(uint32_t entries)
{
    uint64_t at = tag(MB2_MAP, 16 + entries * 24);

    put32(at + 8, 24);
    for (uint32_t i = 0; i < entries; i++) {
        put64(at + 16 + i * 24, i * 0x100000UL);
        put64(at + 24 + i * 24, 0x9f000);
        put32(at + 32 + i * 24, 1 + i % 2);
    }
    return at;
}

static uint64_t efi_map_tag(void)
{
    static const uint32_t types[] = { 7, 4, 0, 9, 10, 8, 14, 11 };
    uint64_t at = tag(MB2_EFI_MAP, 16 + ARRAY_SIZE(types) * 48);

    put32(at + 8, 48);
    put32(at + 12, 1);
    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        put32(at + 16 + i * 48, types[i]);
        put64(at + 24 + i * 48, i << 20);
        put64(at + 40 + i * 48, 16);
    }
    return at;
}

static int set_up(void **state)
{
    (void)state;
    memory_clear();
    next = INFO + 8;
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
    return multiboot2_parse(memory_at, INFO, &info, why);
}

static void refused(const char *what)
{
    const char *why = NULL;

    finish();
    assert_int_equal(parse(&why), -EINVAL);
    assert_non_null(why);
    assert_non_null(strstr(why, what));
}

static void all_tags(void)
{
    uint64_t at;

    text_tag(MB2_CMDLINE, "placeholder dom0_mem=1G");
    text_tag(MB2_LOADER, "GRUB 2.06-13+deb12u1");
    module_tag(0x1000000, 0x1800001, "placeholder root=/dev/sda1");
    module_tag(0x2000000, 0x2000000, "");
    map_tag(3);
    at = tag(MB2_SCREEN, 38);
    put64(at + 8, 0xc0000000);
    put32(at + 16, 8192);
    put32(at + 20, 2048);
    put32(at + 24, 1024);
    put8(at + 28, 32);
    put8(at + 29, MB_SCREEN_RGB);
    put8(at + 32, 16);
    put8(at + 37, 8);
    at = tag(MB2_ACPI2, 8 + 36);
    put_text(at + 8, "RSD PTR new");
    at = tag(MB2_ACPI1, 8 + 20);
    put_text(at + 8, "RSD PTR old");
    put64(tag(MB2_EFI64, 16) + 8, 0x7f8ec018);
    put64(tag(MB2_EFI64_HANDLE, 16) + 8, 0x7e000018);
    tag(MB2_EFI_BS, 8);
    efi_map_tag();
    tag(99, 13);
    put32(tag(MB2_LOAD_BASE, 12) + 8, 0xbf800000);
    finish();
}

static void reads_what_grub_passes(void **state)
{
    const char *why;

    (void)state;
    all_tags();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.protocol, BOOT_MULTIBOOT2);
    assert_string_equal(info.cmdline, "dom0_mem=1G");
    assert_int_equal(info.nr_modules, 2);
    assert_int_equal(info.module[0].base, 0x1000000);
    assert_int_equal(info.module[0].size, 0x800001);
    assert_string_equal(info.module[0].cmdline, "root=/dev/sda1");
    assert_int_equal(info.map.count, 3);
    assert_int_equal(info.map.range[1].type, 2);
    assert_int_equal(info.screen.type, SCREEN_PIXELS);
    assert_int_equal(info.screen.width, 2048);
    assert_int_equal(info.screen.red_pos, 16);
    assert_int_equal(info.screen.blue_bits, 8);
    assert_int_equal(info.rsdp_size, 36);
    assert_string_equal((char *)info.rsdp, "RSD PTR new");
    assert_true(info.efi && info.efi_boot_services);
    assert_int_equal(info.efi_system_table, 0x7f8ec018);
    assert_int_equal(info.efi_image_handle, 0x7e000018);
    assert_int_equal(info.load_base, 0xbf800000);
    assert_int_equal(info.nr_efi_ranges, 0);
}

/* Those with attribute 63, up to as many as there is room for. */
static void ranges_of_the_runtime_services(void **state)
{
    const char *why;
    uint64_t at = efi_map_tag();

    (void)state;
    put64(at + 48 + 1 * 48, 1ull << 63 | 15);
    put64(at + 48 + 7 * 48, 1ull << 63);
    put64(at + 48 + 6 * 48, ~0ull >> 1);
    finish();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.nr_efi_ranges, 2);
    assert_int_equal(info.efi_range[0].base, 1 << 20);
    assert_int_equal(info.efi_range[0].pages, 16);
    assert_int_equal(info.efi_range[0].type, 4);
    assert_int_equal(info.efi_range[1].type, 11);
    assert_int_equal(info.efi_ranges_left_out, 0);
}

static void too_many_ranges(void **state)
{
    const char *why;
    uint64_t at;

    (void)state;
    map_tag(1);
    at = tag(MB2_EFI_MAP, 16 + (BOOT_EFI_RANGES_MAX + 3) * 40);
    put32(at + 8, 40);
    for (unsigned i = 0; i < BOOT_EFI_RANGES_MAX + 3; i++)
        put64(at + 48 + i * 40, 1ull << 63);
    finish();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.nr_efi_ranges, BOOT_EFI_RANGES_MAX);
    assert_int_equal(info.efi_ranges_left_out, 3);
}

static void efi_map_alone(void **state)
{
    static const uint32_t want[] = { MEM_RAM, MEM_RAM, MEM_RESERVED, MEM_ACPI, MEM_NVS, MEM_UNUSABLE,
                                     MEM_PMEM, MEM_RESERVED };
    const char *why;
    uint64_t at = efi_map_tag();

    (void)state;
    put64(at + 40, UINT64_MAX);
    finish();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.map.count, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_int_equal(info.map.range[i].type, want[i]);
        assert_int_equal(info.map.range[i].base, i << 20);
        assert_true(info.map.range[i].size == (i ? 16 << PAGE_SHIFT : MEM_ADDRESS_END));
    }
    put32(at + 8, 39);
    refused("EFI memory map's entries");
}

static void names_what_is_wrong(void **state)
{
    uint64_t at;

    (void)state;
    refused("no memory map");
    at = map_tag(1);
    put32(at + 8, 19);
    refused("entries are too small");
    put32(at + 8, 24);
    put32(at + 4, 15);
    refused("too small for its type");
    put32(at + 4, 7);
    refused("size is wrong");
    put32(at + 4, 0xfffffff9);
    refused("size is wrong");
    put32(at + 4, 16 + 24 + 8);
    refused("tags have no end");
    put32(at + 4, 16 + 24);
    at = module_tag(2, 1, "");
    refused("ends before it starts");
    put32(at + 12, 2);
    at = tag(MB2_SCREEN, 37);
    put8(at + 29, MB_SCREEN_RGB);
    refused("framebuffer");
}

static void impossible_sizes(void **state)
{
    const char *why;

    (void)state;
    map_tag(1);
    finish();
    put32(INFO, 7);
    assert_int_equal(parse(&why), -EINVAL);
    put32(INFO, 0xffffffff);
    assert_int_equal(parse(&why), -EINVAL);
    put32(INFO, (uint32_t)memory.size + 1);
    assert_int_equal(parse(&why), -EINVAL);
    memory.size = 7;
    assert_int_equal(parse(&why), -EINVAL);
}

static void too_many_of_everything(void **state)
{
    const char *why;

    (void)state;
    for (unsigned int i = 0; i < BOOT_MODULES_MAX + 5; i++)
        module_tag(i, i + 1, "x");
    map_tag(1024);
    finish();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(info.nr_modules, BOOT_MODULES_MAX);
    assert_int_equal(info.modules_left_out, 5);
    assert_int_equal(info.map.count, 1024);
    map_tag(1);
    refused("too many ranges");
}

static void text_without_end(void **state)
{
    const char *why;
    uint64_t at = tag(MB2_CMDLINE, 8 + 2 * BOOT_CMDLINE_MAX);

    (void)state;
    memset(memory.byte + (at + 8 - MEMORY_BASE), 'x', 2 * BOOT_CMDLINE_MAX);
    text_tag(MB2_LOADER, "GRUB 2");
    at = tag(MB2_MODULE, 16);
    map_tag(1);
    finish();
    assert_int_equal(parse(&why), 0);
    assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_string_equal(info.module[0].cmdline, "");
}

static void cut_at_every_byte(void **state)
{
    const char *why;
    uint64_t whole;

    (void)state;
    all_tags();
    whole = memory.size;
    for (uint64_t size = 8; size < whole; size++) {
        put32(INFO, (uint32_t)size);
        memory.size = size;
        assert_int_equal(parse(&why), -EINVAL);
        memory_done();
    }
}

static void noise(void **state)
{
    uint32_t seed = 1;
    const char *why;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        set_up(NULL);
        all_tags();
        for (int i = 0; i < 4; i++) {
            seed = seed * 1664525 + 1013904223;
            memory.byte[4 + (seed >> 8) % (memory.size - 4)] = (uint8_t)(seed >> 3);
        }
        int err = parse(&why);

        assert_true(err == 0 || (err == -EINVAL && why));
        memory_done();
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_what_grub_passes),
        CASE(efi_map_alone),
        CASE(ranges_of_the_runtime_services),
        CASE(too_many_ranges),
        CASE(names_what_is_wrong),
        CASE(impossible_sizes),
        CASE(too_many_of_everything),
        CASE(text_without_end),
        CASE(cut_at_every_byte),
        CASE(noise),
    };

    return cmocka_run_group_tests_name("boot/parse/multiboot2", tests, NULL, NULL);
}
