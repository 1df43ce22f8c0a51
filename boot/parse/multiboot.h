/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and layouts of the Multiboot specifications 0.6.96 and 2.0, for the header in the image, the
 * entry code and the parsers. Includable from assembly.
 */
#ifndef KRYPTON_BOOT_PARSE_MULTIBOOT_H
#define KRYPTON_BOOT_PARSE_MULTIBOOT_H

/* In the image. */
#define MULTIBOOT1_HEADER_MAGIC     0x1badb002
#define MULTIBOOT1_HEADER_PAGES     0x00000001  /* modules on page borders */
#define MULTIBOOT1_HEADER_MEMORY    0x00000002  /* memory map wanted */

#define MULTIBOOT2_HEADER_MAGIC     0xe85250d6
#define MULTIBOOT2_ARCH_I386        0
#define MULTIBOOT2_HEADER_END       0
#define MULTIBOOT2_HEADER_REQUEST   1           /* which information we need */
#define MULTIBOOT2_HEADER_ADDRESS   2
#define MULTIBOOT2_HEADER_ENTRY     3
#define MULTIBOOT2_HEADER_CONSOLE   4
#define MULTIBOOT2_HEADER_SCREEN    5
#define MULTIBOOT2_HEADER_PAGES     6
#define MULTIBOOT2_HEADER_EFI_BS    7
#define MULTIBOOT2_HEADER_ENTRY_EFI32 8
#define MULTIBOOT2_HEADER_ENTRY_EFI64 9
#define MULTIBOOT2_HEADER_RELOCATABLE 10
#define MULTIBOOT2_HEADER_OPTIONAL  1           /* flag of a header tag */

/* In %eax at the entry point; %ebx has the address of the information. */
#define MULTIBOOT1_BOOT_MAGIC       0x2badb002
#define MULTIBOOT2_BOOT_MAGIC       0x36d76289

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* Multiboot 1 information; each part counts only with its flag. */
#define MB1_MEMORY      BIT(0)
#define MB1_CMDLINE     BIT(2)
#define MB1_MODULES     BIT(3)
#define MB1_MAP         BIT(6)
#define MB1_LOADER      BIT(9)
#define MB1_SCREEN      BIT(12)

struct mb1_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;      /* KiB below 640 KiB, and from 1 MiB to the first hole */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t nr_modules, modules;
    uint32_t symbols[4];
    uint32_t map_size, map;
    uint32_t drives_size, drives;
    uint32_t config_table;
    uint32_t loader;
    uint32_t apm_table;
    uint32_t vbe_control, vbe_mode_info;
    uint16_t vbe_mode, vbe_seg, vbe_off, vbe_len;
    uint64_t fb_base;
    uint32_t fb_pitch, fb_width, fb_height;
    uint8_t fb_bpp, fb_type;
    uint8_t fb_colors[6];               /* position and width of red, green, blue */
} __packed;
_Static_assert(sizeof(struct mb1_info) == 116, "Multiboot 0.6.96, 3.3");

struct mb1_module {
    uint32_t start, end;
    uint32_t string;
    uint32_t reserved;
} __packed;
_Static_assert(sizeof(struct mb1_module) == 16, "Multiboot 0.6.96, 3.3");

struct mb1_map_entry {
    uint32_t size;                      /* of the rest; the next entry follows after that */
    uint64_t base, len;
    uint32_t type;
} __packed;
_Static_assert(sizeof(struct mb1_map_entry) == 24, "Multiboot 0.6.96, 3.3");

/* Multiboot 2 information: a header, then tags on 8-byte borders. */
enum mb2_type {
    MB2_END,
    MB2_CMDLINE,
    MB2_LOADER,
    MB2_MODULE,
    MB2_MEMORY,
    MB2_BOOT_DEVICE,
    MB2_MAP,
    MB2_VBE,
    MB2_SCREEN,
    MB2_ELF_SECTIONS,
    MB2_APM,
    MB2_EFI32,
    MB2_EFI64,
    MB2_SMBIOS,
    MB2_ACPI1,
    MB2_ACPI2,
    MB2_NETWORK,
    MB2_EFI_MAP,
    MB2_EFI_BS,
    MB2_EFI32_HANDLE,
    MB2_EFI64_HANDLE,
    MB2_LOAD_BASE,
};

struct mb2_header {
    uint32_t size;                      /* of all, with this */
    uint32_t reserved;
} __packed;

struct mb2_tag {
    uint32_t type;
    uint32_t size;                      /* of the tag, with this, without padding */
} __packed;

/* Framebuffer types of both versions. */
#define MB_SCREEN_INDEXED   0
#define MB_SCREEN_RGB       1
#define MB_SCREEN_TEXT      2

#endif
#endif
