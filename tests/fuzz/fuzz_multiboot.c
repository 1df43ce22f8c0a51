/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as the memory that a loader left: its information at the start, whatever that points to behind it.
 * The first byte chooses the protocol, multiboot 1 or 2 or PVH. An EFI system table that it names is read, too.
 */
#include <stdlib.h>

#include "boot/parse/bootinfo.h"
#include "boot/parse/efi.h"
#include "lib/errno.h"

#define BASE 0x1000UL

static const uint8_t *memory;
static size_t memory_size;

static const void *at(uint64_t maddr, size_t len)
{
    if (maddr < BASE || maddr - BASE > memory_size || len > memory_size - (maddr - BASE))
        return NULL;
    return memory + (maddr - BASE);
}

/* What callers rely on, whatever the loader wrote. */
static void check(const struct boot_info *info)
{
    static struct mem_map map, scratch;
    const char *why = NULL;

    if (info->nr_modules > BOOT_MODULES_MAX)
        abort();
    if (info->map.count == 0 || info->map.count > ARRAY_SIZE(map.range))
        abort();
    map = info->map;
    if (mem_map_normalise(&map, &scratch, &why)) {
        if (!why)
            abort();
        return;
    }
    for (unsigned int i = 0; i < map.count; i++) {
        const struct mem_range *r = &map.range[i];

        if (r->size == 0 || (r->base | r->size) % PAGE_SIZE || r->base + r->size > MEM_ADDRESS_END)
            abort();
        if (i > 0 && r[-1].base + r[-1].size > r->base)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    static struct firmware_efi efi;
    const char *why = NULL;
    int err;

    if (size == 0)
        return 0;
    memory = data + 1;
    memory_size = size - 1;
    if (data[0] & 2)
        err = pvh_parse(at, BASE, &info, &why);
    else
        err = data[0] & 1 ? multiboot2_parse(at, BASE, &info, &why) : multiboot1_parse(at, BASE, &info, &why);
    if (err == 0) {
        check(&info);
        err = efi_parse(at, info.efi_system_table, &efi, &why);
        if (err == 0 ? efi.vendor[ARRAY_SIZE(efi.vendor) - 1] || !at(efi.tables, efi.nr_tables) : err != -EINVAL)
            abort();
    } else if (err != -EINVAL || !why)
        abort();
    return 0;
}
