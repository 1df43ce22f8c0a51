/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot 1 information structure and what it points to, into struct boot_info.
 */
#include "boot/parse/bootinfo.h"
#include "boot/parse/bytes.h"
#include "boot/parse/multiboot.h"
#include "lib/errno.h"

static int read_map(boot_at_t at, const struct mb1_info *mb, struct boot_info *info, const char **why)
{
    const void *data = at(mb->map, mb->map_size);
    struct bytes b = bytes(data, mb->map_size);
    uint64_t off = 0;

    *why = "multiboot: the memory map is not in memory";
    if (!data)
        return -EINVAL;
    *why = "multiboot: damaged memory map";
    while (off < b.size) {
        struct bytes entry = bytes_sub(b, off, sizeof(struct mb1_map_entry));
        uint32_t size;

        if (!entry.data)
            return -EINVAL;
        size = le32(entry.data);
        if (size < sizeof(struct mb1_map_entry) - 4)
            return -EINVAL;
        if (mem_map_add(&info->map, le64(entry.data + 4), le64(entry.data + 12), le32(entry.data + 20))) {
            *why = "multiboot: the memory map has too many ranges";
            return -EINVAL;
        }
        off += 4 + (uint64_t)size;
    }
    return 0;
}

/* Without a map, the two sizes in its place; there is always room for two ranges. */
static int read_sizes(const struct mb1_info *mb, struct boot_info *info)
{
    int err = mem_map_add(&info->map, 0, (uint64_t)mb->mem_lower << 10, MEM_RAM);

    return err ? err : mem_map_add(&info->map, 1UL << 20, (uint64_t)mb->mem_upper << 10, MEM_RAM);
}

static int read_memory(boot_at_t at, const struct mb1_info *mb, struct boot_info *info, const char **why)
{
    if (mb->flags & MB1_MAP)
        return read_map(at, mb, info, why);
    if (mb->flags & MB1_MEMORY)
        return read_sizes(mb, info);
    *why = "multiboot: the loader gave no memory map";
    return -EINVAL;
}

static int read_module(boot_at_t at, const void *entry, struct boot_info *info, const char **why)
{
    struct boot_module *to = &info->module[info->nr_modules];
    struct mb1_module m;

    memcpy(&m, entry, sizeof(m));
    *why = "multiboot: a module ends before it starts";
    if (m.end < m.start)
        return -EINVAL;
    *why = "multiboot: a module's string is not in memory";
    if (m.string && boot_text(at, m.string, to->cmdline, sizeof(to->cmdline)))
        return -EINVAL;
    boot_arguments(to->cmdline, info->loader);
    to->base = m.start;
    to->size = m.end - m.start;
    info->nr_modules++;
    return 0;
}

static int read_modules(boot_at_t at, const struct mb1_info *mb, struct boot_info *info, const char **why)
{
    uint32_t count = MIN(mb->nr_modules, (uint32_t)BOOT_MODULES_MAX);
    size_t size = count * sizeof(struct mb1_module);
    const char *list;
    int err = 0;

    if (!(mb->flags & MB1_MODULES) || count == 0)
        return 0;
    *why = "multiboot: the list of modules is not in memory";
    list = at(mb->modules, size);
    if (!list)
        return -EINVAL;
    for (uint32_t i = 0; i < count && !err; i++)
        err = read_module(at, list + i * sizeof(struct mb1_module), info, why);
    info->modules_left_out = mb->nr_modules - count;
    return err;
}

static void read_screen(const struct mb1_info *mb, struct boot_info *info)
{
    if (!(mb->flags & MB1_SCREEN) || mb->fb_type == MB_SCREEN_INDEXED)
        return;
    info->screen = (struct boot_screen){
        .type = mb->fb_type == MB_SCREEN_TEXT ? SCREEN_TEXT : SCREEN_PIXELS,
        .base = mb->fb_base,
        .pitch = mb->fb_pitch,
        .width = mb->fb_width,
        .height = mb->fb_height,
        .bpp = mb->fb_bpp,
    };
    if (mb->fb_type == MB_SCREEN_RGB)
        boot_screen_colors(&info->screen, mb->fb_colors);
}

int multiboot1_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why)
{
    const void *data = at(maddr, sizeof(struct mb1_info));
    struct mb1_info mb;
    int err;

    memset(info, 0, sizeof(*info));
    info->protocol = BOOT_MULTIBOOT1;
    *why = "multiboot: the information structure is not in memory";
    if (!data)
        return -EINVAL;
    memcpy(&mb, data, sizeof(mb));

    *why = "multiboot: the loader's name is not in memory";
    if ((mb.flags & MB1_LOADER) && boot_text(at, mb.loader, info->loader, sizeof(info->loader)))
        return -EINVAL;
    *why = "multiboot: the command line is not in memory";
    if ((mb.flags & MB1_CMDLINE) && boot_text(at, mb.cmdline, info->cmdline, sizeof(info->cmdline)))
        return -EINVAL;
    boot_arguments(info->cmdline, info->loader);

    err = read_memory(at, &mb, info, why);
    if (err)
        return err;
    *why = "multiboot: the memory map is empty";
    if (info->map.count == 0)
        return -EINVAL;
    read_screen(&mb, info);
    return read_modules(at, &mb, info, why);
}
