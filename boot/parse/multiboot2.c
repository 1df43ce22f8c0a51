/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot 2 information, one run of tags, into struct boot_info.
 *
 * Each kind of tag that says something to us has a row: its smallest size, and who reads it.
 */
#include "boot/parse/bootinfo.h"
#include "boot/parse/bytes.h"
#include "boot/parse/multiboot.h"
#include "lib/errno.h"

#define INFO_MAX (16U << 20)    /* far above what any loader passes */

struct state {
    struct boot_info *info;
    struct bytes efi_map;       /* the tag, if there is one */
    bool has_map;
    const char **why;
};

static int damaged(struct state *s, const char *what)
{
    *s->why = what;
    return -EINVAL;
}

static int read_cmdline(struct state *s, struct bytes tag)
{
    bytes_text(tag, 8, s->info->cmdline, sizeof(s->info->cmdline));
    return 0;
}

static int read_loader(struct state *s, struct bytes tag)
{
    bytes_text(tag, 8, s->info->loader, sizeof(s->info->loader));
    return 0;
}

static int read_module(struct state *s, struct bytes tag)
{
    uint32_t start = bytes_u32(tag, 8), end = bytes_u32(tag, 12);
    struct boot_module *m;

    if (end < start)
        return damaged(s, "multiboot2: a module ends before it starts");
    if (s->info->nr_modules == BOOT_MODULES_MAX) {
        s->info->modules_left_out++;
        return 0;
    }
    m = &s->info->module[s->info->nr_modules++];
    m->base = start;
    m->size = end - start;
    bytes_text(tag, 16, m->cmdline, sizeof(m->cmdline));
    return 0;
}

static int read_map(struct state *s, struct bytes tag)
{
    uint32_t step = bytes_u32(tag, 8);

    if (step < 20)
        return damaged(s, "multiboot2: the memory map's entries are too small");
    for (uint64_t off = 16; bytes_has(tag, off, step); off += step) {
        uint64_t base = bytes_u64(tag, off), size = bytes_u64(tag, off + 8);

        if (mem_map_add(&s->info->map, base, size, bytes_u32(tag, off + 16)))
            return damaged(s, "multiboot2: the memory map has too many ranges");
    }
    s->has_map = true;
    return 0;
}

static int read_screen(struct state *s, struct bytes tag)
{
    struct boot_screen *screen = &s->info->screen;
    uint8_t type = bytes_u8(tag, 29);

    if (type == MB_SCREEN_INDEXED)
        return 0;
    *screen = (struct boot_screen){
        .type = type == MB_SCREEN_TEXT ? SCREEN_TEXT : SCREEN_PIXELS,
        .base = bytes_u64(tag, 8),
        .pitch = bytes_u32(tag, 16),
        .width = bytes_u32(tag, 20),
        .height = bytes_u32(tag, 24),
        .bpp = bytes_u8(tag, 28),
    };
    if (type == MB_SCREEN_RGB) {
        if (!bytes_has(tag, 32, 6))
            return damaged(s, "multiboot2: the framebuffer's tag is cut short");
        boot_screen_colors(screen, tag.data + 32);
    }
    return 0;
}

static int read_efi_table(struct state *s, struct bytes tag)
{
    s->info->efi = true;
    s->info->efi_system_table = bytes_u64(tag, 8);
    return 0;
}

static int read_efi_handle(struct state *s, struct bytes tag)
{
    s->info->efi_image_handle = bytes_u64(tag, 8);
    return 0;
}

static int read_efi_services(struct state *s, struct bytes tag)
{
    (void)tag;
    s->info->efi_boot_services = true;
    return 0;
}

/* One that the runtime services need: its attribute 63 says so (UEFI 2.9, 7.2). */
static void read_efi_range(struct boot_info *info, struct bytes map, uint64_t off)
{
    if (!(bytes_u64(map, off + 32) >> 63))
        return;
    if (info->nr_efi_ranges == BOOT_EFI_RANGES_MAX) {
        info->efi_ranges_left_out++;
        return;
    }
    info->efi_range[info->nr_efi_ranges++] = (struct boot_efi_range){
        .base = bytes_u64(map, off + 8), .pages = bytes_u64(map, off + 24), .type = bytes_u32(map, off),
    };
}

static int read_efi_map(struct state *s, struct bytes tag)
{
    uint32_t step = bytes_u32(tag, 8);

    s->efi_map = tag;
    s->info->nr_efi_ranges = s->info->efi_ranges_left_out = 0;
    if (step < 40)
        return damaged(s, "multiboot2: the EFI memory map's entries are too small");
    for (uint64_t off = 16; bytes_has(tag, off, step); off += step)
        read_efi_range(s->info, tag, off);
    return 0;
}

/* The newer root pointer is kept if a loader gives both. */
static int read_acpi(struct state *s, struct bytes tag)
{
    size_t size = MIN(tag.size - 8, sizeof(s->info->rsdp));

    if (size < s->info->rsdp_size)
        return 0;
    memcpy(s->info->rsdp, tag.data + 8, size);
    s->info->rsdp_size = size;
    return 0;
}

static int read_load_base(struct state *s, struct bytes tag)
{
    s->info->load_base = bytes_u32(tag, 8);
    return 0;
}

static const struct {
    uint32_t type, smallest;
    int (*read)(struct state *s, struct bytes tag);
} kinds[] = {
    { MB2_CMDLINE,      9,  read_cmdline },
    { MB2_LOADER,       9,  read_loader },
    { MB2_MODULE,       16, read_module },
    { MB2_MAP,          16, read_map },
    { MB2_SCREEN,       31, read_screen },
    { MB2_EFI64,        16, read_efi_table },
    { MB2_ACPI1,        28, read_acpi },
    { MB2_ACPI2,        44, read_acpi },
    { MB2_EFI_MAP,      16, read_efi_map },
    { MB2_EFI_BS,       8,  read_efi_services },
    { MB2_EFI64_HANDLE, 16, read_efi_handle },
    { MB2_LOAD_BASE,    12, read_load_base },
};

static int read_tag(struct state *s, struct bytes tag)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].type != le32(tag.data))
            continue;
        if (tag.size < kinds[i].smallest)
            return damaged(s, "multiboot2: a tag is too small for its type");
        return kinds[i].read(s, tag);
    }
    return 0;
}

static int read_tags(struct state *s, struct bytes all)
{
    uint64_t off = sizeof(struct mb2_header);

    for (;;) {
        struct bytes head = bytes_sub(all, off, sizeof(struct mb2_tag));
        struct bytes tag;
        int err;

        if (!head.data)
            return damaged(s, "multiboot2: the tags have no end");
        if (le32(head.data) == MB2_END)
            return 0;
        tag = bytes_sub(all, off, le32(head.data + 4));
        if (tag.size < sizeof(struct mb2_tag))
            return damaged(s, "multiboot2: a tag's size is wrong");
        err = read_tag(s, tag);
        if (err)
            return err;
        off += ROUNDUP((uint64_t)tag.size, 8);
    }
}

/* What an EFI memory type is in E820's terms, once boot services are over (UEFI 2.9, 7.2). */
static uint32_t efi_type(uint32_t type)
{
    switch (type) {
    case 1: case 2:     /* loader's code and data */
    case 3: case 4:     /* boot services' code and data */
    case 7:             /* free */
        return MEM_RAM;
    case 8:
        return MEM_UNUSABLE;
    case 9:
        return MEM_ACPI;
    case 10:
        return MEM_NVS;
    case 14:
        return MEM_PMEM;
    default:
        return MEM_RESERVED;
    }
}

/* Use the firmware's own map where the loader made none of it. */
static int use_efi_map(struct state *s)
{
    uint32_t step = bytes_u32(s->efi_map, 8);

    for (uint64_t off = 16; bytes_has(s->efi_map, off, step); off += step) {
        uint64_t base = bytes_u64(s->efi_map, off + 8), pages = bytes_u64(s->efi_map, off + 24);
        uint64_t size = MIN(pages, MEM_ADDRESS_END >> PAGE_SHIFT) << PAGE_SHIFT;

        if (mem_map_add(&s->info->map, base, size, efi_type(bytes_u32(s->efi_map, off))))
            return damaged(s, "multiboot2: the EFI memory map has too many ranges");
    }
    return 0;
}

int multiboot2_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why)
{
    struct state s = { .info = info, .why = why };
    const void *data = at(maddr, sizeof(struct mb2_header));
    uint32_t size;
    int err;

    memset(info, 0, sizeof(*info));
    info->protocol = BOOT_MULTIBOOT2;
    if (!data)
        return damaged(&s, "multiboot2: the information is not in memory");
    size = le32(data);
    if (size < sizeof(struct mb2_header) || size > INFO_MAX)
        return damaged(&s, "multiboot2: the information has an impossible size");
    data = at(maddr, size);
    if (!data)
        return damaged(&s, "multiboot2: the information is not in memory");

    err = read_tags(&s, bytes(data, size));
    if (!err && !s.has_map && s.efi_map.data)
        err = use_efi_map(&s);
    if (err)
        return err;
    if (info->map.count == 0)
        return damaged(&s, "multiboot2: the loader gave no memory map");

    boot_arguments(info->cmdline, info->loader);
    for (unsigned int i = 0; i < info->nr_modules; i++)
        boot_arguments(info->module[i].cmdline, info->loader);
    return 0;
}
