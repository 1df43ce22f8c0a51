/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EFI loader's two parts that call nobody: its configuration file, and what it tells the hypervisor, read back by the
 * hypervisor's own parser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/bootinfo.h"
#include "efi/config.c"
#include "efi/info.c"

/* ---- The configuration ---- */

static struct efi_config c;
static const char *why;

static int config(const char *text, const char *section)
{
    why = NULL;
    return efi_config_read(text, strlen(text), section, &c, &why);
}

#define TWO "[global]\r\ndefault = b\r\n\r\n[a]\r\nkernel=ka\r\noptions=oa\r\n[b]\r\n  kernel = kb quiet  \r\nramdisk=rb\r\n"

static void sections(void **state)
{
    assert_int_equal(config(TWO, ""), 0);
    assert_string_equal(c.section, "b");
    assert_string_equal(c.kernel, "kb quiet");
    assert_string_equal(c.ramdisk, "rb");
    assert_string_equal(c.options, "");
    assert_int_equal(config(TWO, "a"), 0);
    assert_string_equal(c.kernel, "ka");
    assert_string_equal(c.options, "oa");
    assert_string_equal(c.ramdisk, "");
    assert_int_equal(config(TWO, "c"), -EINVAL);
    assert_non_null(strstr(why, "no kernel="));
    /* A section in pieces, and a key twice: the first counts. */
    assert_int_equal(config("[x]\noptions=1\n[y]\nkernel=y\n[x]\nkernel=x\nkernel=z", "x"), 0);
    assert_string_equal(c.options, "1");
    assert_string_equal(c.kernel, "x");
}

static void no_default(void **state)
{
    assert_int_equal(config("options=o\n[a]\nkernel=ka\n[b]\nkernel=kb\nramdisk=rb", ""), 0);
    assert_string_equal(c.section, "");
    assert_string_equal(c.options, "o");
    assert_string_equal(c.kernel, "ka");
    assert_string_equal(c.ramdisk, "rb");
}

static void no_lines(void **state)
{
    assert_int_equal(config("#kernel=x\n  # kernel=x\nkernels=x\nxkernel=x\nkernel\n=x\n[kernel=x]\n", ""), -EINVAL);
    assert_int_equal(config("", ""), -EINVAL);
    assert_int_equal(config("kernel=", ""), -EINVAL);
    assert_int_equal(config("[]\nkernel=x", ""), 0);
    assert_int_equal(efi_config_read("a\0kernel=x", 10, "", &c, &why), 0);
    assert_string_equal(c.kernel, "x");
}

static void too_long(void **state)
{
    char text[CONFIG_VALUE_MAX + 8];

    memset(text, 'x', sizeof(text));
    memcpy(text, "kernel=", 7);
    assert_int_equal(efi_config_read(text, 7 + CONFIG_VALUE_MAX - 1, "", &c, &why), 0);
    assert_int_equal(strlen(c.kernel), CONFIG_VALUE_MAX - 1);
    assert_int_equal(efi_config_read(text, 7 + CONFIG_VALUE_MAX, "", &c, &why), -EINVAL);
    text[200] = 0;
    assert_int_equal(config("kernel=x", text), -EINVAL);
    memcpy(text, "[global]\ndefault=", 17);
    assert_int_equal(config(text, ""), -EINVAL);
}

static void names(void **state)
{
    static const char *const want[] = { "xen-4.17_krypton.cfg", "xen-4.17.cfg", "xen-4.cfg", "xen.cfg" };
    char name[64] = "";

    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(efi_config_next_name("xen-4.17_krypton.efi", name, sizeof(name)));
        assert_string_equal(name, want[i]);
    }
    assert_false(efi_config_next_name("xen-4.17_krypton.efi", name, sizeof(name)));
    name[0] = 0;
    assert_true(efi_config_next_name("BOOTX64.EFI", name, sizeof(name)));
    assert_string_equal(name, "BOOTX64.cfg");
    assert_false(efi_config_next_name("BOOTX64.EFI", name, sizeof(name)));
    name[0] = 0;
    assert_false(efi_config_next_name("", name, sizeof(name)));
    assert_false(efi_config_next_name("BOOTX64.EFI", name, 11));
    assert_true(efi_config_next_name("BOOTX64.EFI", name, 12));
}

/* ---- What the hypervisor is told ---- */

static _Alignas(8) uint8_t room[2048];

static const void *at(uint64_t maddr, size_t len)
{
    uint64_t start = (uint64_t)(uintptr_t)room;

    return maddr >= start && maddr - start <= sizeof(room) && len <= sizeof(room) - (maddr - start) ? (const void *)maddr : NULL;
}

static bool tell(uint32_t size)
{
    static const struct info_screen screen = { 0x4000000000, 4096, 1024, 768, 32, { 16, 8, 8, 8, 0, 8 } };
    uint64_t map[2][6] = { { 7, 0x100000, 0, 0x300, 15 }, { 6, 0x400000, 0, 4, 15 | 1ull << 63 } };
    struct info i;

    info_begin(&i, room, size);
    info_command_line(&i, "krypton.efi noreboot");
    info_loader(&i, "a loader");
    info_module(&i, 0x200000, 0x12345, "vmlinuz quiet");
    info_module(&i, 0x300000, 1, "initrd");
    info_system_table(&i, 0x7fe00018);
    info_acpi(&i, "RSD PTR 0123456789abcdefghijklmnopqrs", 36);
    info_screen(&i, &screen);
    info_efi_map(&i, map, sizeof(map), sizeof(map[0]), 1);
    return info_end(&i);
}

static void told(void **state)
{
    static struct boot_info b;
    uint32_t size;

    assert_true(tell(sizeof(room)));
    assert_int_equal(multiboot2_parse(at, (uint64_t)(uintptr_t)room, &b, &why), 0);
    assert_string_equal(b.loader, "a loader");
    assert_string_equal(b.cmdline, "noreboot");
    assert_int_equal(b.nr_modules, 2);
    assert_int_equal(b.module[0].base, 0x200000);
    assert_int_equal(b.module[0].size, 0x12345);
    assert_string_equal(b.module[0].cmdline, "quiet");
    assert_int_equal(b.module[1].size, 1);
    assert_string_equal(b.module[1].cmdline, "");
    assert_true(b.efi);
    assert_false(b.efi_boot_services);
    assert_int_equal(b.efi_system_table, 0x7fe00018);
    assert_int_equal(b.rsdp_size, 36);
    assert_memory_equal(b.rsdp, "RSD PTR 0123456789abcdefghijklmnopqr", 36);
    assert_int_equal(b.screen.type, SCREEN_PIXELS);
    assert_int_equal(b.screen.base, 0x4000000000);
    assert_int_equal(b.screen.pitch, 4096);
    assert_int_equal(b.screen.width, 1024);
    assert_int_equal(b.screen.height, 768);
    assert_int_equal(b.screen.bpp, 32);
    assert_int_equal(b.screen.red_pos, 16);
    assert_int_equal(b.screen.green_pos, 8);
    assert_int_equal(b.screen.blue_bits, 8);
    assert_int_equal(b.map.count, 2);
    assert_int_equal(b.map.range[0].type, MEM_RAM);
    assert_int_equal(b.map.range[0].size, 0x300000);
    assert_int_equal(b.nr_efi_ranges, 1);
    assert_int_equal(b.efi_range[0].base, 0x400000);

    /* In less room than it takes it says so, and writes nothing behind that. */
    memcpy(&size, room, sizeof(size));
    for (uint32_t n = 0; n < size; n++) {
        memset(room, 0x5a, sizeof(room));
        assert_false(tell(n));
        assert_int_equal(room[n], 0x5a);
    }
    assert_true(tell(size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections),
        cmocka_unit_test(no_default),
        cmocka_unit_test(no_lines),
        cmocka_unit_test(too_long),
        cmocka_unit_test(names),
        cmocka_unit_test(told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
