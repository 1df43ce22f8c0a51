/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start information of the PVH boot ABI (<xen/arch-x86/hvm/start_info.h>), as other hypervisors and QEMU give it, into struct
 * boot_info.
 */
#include "boot/parse/bootinfo.h"
#include "boot/parse/bytes.h"
#include "lib/errno.h"

#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

_Static_assert(sizeof(struct hvm_start_info) == 56 && sizeof(struct hvm_modlist_entry) == 32 &&
               sizeof(struct hvm_memmap_table_entry) == 24, "as the header draws them");
_Static_assert(XEN_HVM_MEMMAP_TYPE_RAM == MEM_RAM && XEN_HVM_MEMMAP_TYPE_RESERVED == MEM_RESERVED &&
               XEN_HVM_MEMMAP_TYPE_ACPI == MEM_ACPI && XEN_HVM_MEMMAP_TYPE_NVS == MEM_NVS &&
               XEN_HVM_MEMMAP_TYPE_UNUSABLE == MEM_UNUSABLE && XEN_HVM_MEMMAP_TYPE_PMEM == MEM_PMEM, "E820's numbers");

#define SIZE_VERSION_0 40u
#define MAP_MAX        1024u    /* entries: as many as there is room for */

static int wrong(const char **why, const char *what)
{
    *why = what;
    return -EINVAL;
}

static int read_map(boot_at_t at, const struct hvm_start_info *si, struct boot_info *info, const char **why)
{
    size_t size = si->memmap_entries * sizeof(struct hvm_memmap_table_entry);
    const char *list;

    if (!si->memmap_entries)
        return wrong(why, "PVH: the loader gave no memory map");
    if (si->memmap_entries > MAP_MAX)
        return wrong(why, "PVH: the memory map has too many ranges");
    list = at(si->memmap_paddr, size);
    if (!list)
        return wrong(why, "PVH: the memory map is not in memory");
    for (uint32_t i = 0; i < si->memmap_entries; i++) {
        struct hvm_memmap_table_entry e;

        memcpy(&e, list + i * sizeof(e), sizeof(e));
        if (mem_map_add(&info->map, e.addr, e.size, e.type))
            return wrong(why, "PVH: the memory map has too many ranges");
    }
    return info->map.count ? 0 : wrong(why, "PVH: the memory map is empty");
}

static int read_module(boot_at_t at, const void *entry, struct boot_module *to, const char **why)
{
    struct hvm_modlist_entry m;

    memcpy(&m, entry, sizeof(m));
    if (m.size > UINT64_MAX - m.paddr)
        return wrong(why, "PVH: a module ends before it starts");
    to->base = m.paddr;
    to->size = m.size;
    if (m.cmdline_paddr && boot_text(at, m.cmdline_paddr, to->cmdline, sizeof(to->cmdline)))
        return wrong(why, "PVH: a module's command line is not in memory");
    return 0;
}

static int read_modules(boot_at_t at, const struct hvm_start_info *si, struct boot_info *info, const char **why)
{
    uint32_t count = MIN(si->nr_modules, (uint32_t)BOOT_MODULES_MAX);
    const char *list;
    int err = 0;

    if (!count)
        return 0;
    list = at(si->modlist_paddr, count * sizeof(struct hvm_modlist_entry));
    if (!list)
        return wrong(why, "PVH: the list of modules is not in memory");
    for (uint32_t i = 0; i < count && !err; i++)
        err = read_module(at, list + i * sizeof(struct hvm_modlist_entry), &info->module[i], why);
    info->nr_modules = count;
    info->modules_left_out = si->nr_modules - count;
    return err;
}

/* A loader that has no command lines for modules: what follows " -- " in ours is the first one's. */
static void split_command_line(struct boot_info *info)
{
    char *rest = strstr(info->cmdline, " -- ");

    if (!rest || !info->nr_modules || info->module[0].cmdline[0])
        return;
    strlcpy(info->module[0].cmdline, rest + 4, sizeof(info->module[0].cmdline));
    *rest = 0;
}

static void read_rsdp(boot_at_t at, uint64_t maddr, struct boot_info *info)
{
    const uint8_t *rsdp = maddr ? at(maddr, 20) : NULL;

    if (!rsdp)
        return;
    info->rsdp_size = rsdp[15] >= 2 && at(maddr, sizeof(info->rsdp)) ? sizeof(info->rsdp) : 20;
    memcpy(info->rsdp, at(maddr, info->rsdp_size), info->rsdp_size);
}

int pvh_parse(boot_at_t at, uint64_t maddr, struct boot_info *info, const char **why)
{
    struct hvm_start_info si = { 0 };
    const void *data = at(maddr, SIZE_VERSION_0);
    int err;

    memset(info, 0, sizeof(*info));
    info->protocol = BOOT_PVH;
    strlcpy(info->loader, "a PVH loader", sizeof(info->loader));
    if (!data)
        return wrong(why, "PVH: the start information is not in memory");
    memcpy(&si, data, SIZE_VERSION_0);
    if (si.magic != XEN_HVM_START_MAGIC_VALUE)
        return wrong(why, "PVH: the start information has another magic number");
    data = si.version >= 1 ? at(maddr, sizeof(si)) : NULL;
    if (data)
        memcpy(&si, data, sizeof(si));
    if (si.cmdline_paddr && boot_text(at, si.cmdline_paddr, info->cmdline, sizeof(info->cmdline)))
        return wrong(why, "PVH: the command line is not in memory");
    err = read_map(at, &si, info, why);
    if (!err)
        err = read_modules(at, &si, info, why);
    if (err)
        return err;
    split_command_line(info);
    read_rsdp(at, si.rsdp_paddr, info);
    return 0;
}
