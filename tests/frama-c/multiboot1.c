/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/multiboot1.c and boot_text(): any information with a memory map of some size up to 72 bytes and some number of
 * modules, and any memory behind its addresses. Without boot_arguments(), which is beyond Eva: it takes away as many characters as it finds.
 *
 * OPTIONS: -eva-split-return-function bytes_has:0
 * SEEDED: 58
 */
#include "tests/frama-c/memory.h"

#define boot_arguments boot_arguments_really
#include "boot/parse/bootinfo.c"
#undef boot_arguments

/* Shortens the line in place. */
void boot_arguments(char *line, const char *loader) { Frama_C_make_unknown(line, BOOT_CMDLINE_MAX - 1); }

#include "boot/parse/e820.c"
#include "boot/parse/multiboot1.c"

#define INFO 0x9500

static struct mb1_info given;
static struct boot_info info;

static const void *at(uint64_t maddr, size_t len)
{
    return maddr == INFO && len == sizeof(given) ? &given : memory_at(maddr, len);
}

int main(void)
{
    static const struct { uint32_t map_size, nr_modules; } some[] = {
        { 0, UINT32_MAX }, { 23, 17 }, { 24, 16 }, { 27, 2 }, { 48, 1 }, { 72, 0 },
    };
    const char *why;

    Frama_C_make_unknown((char *)&given, sizeof(given));
    //@ loop unroll 6;
    for (unsigned int i = 0; i < ARRAY_SIZE(some); i++) {
        given.map_size = some[i].map_size;
        given.nr_modules = some[i].nr_modules;
        multiboot1_parse(at, INFO, &info, &why);
    }
    return 0;
}
