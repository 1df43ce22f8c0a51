/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader tells the hypervisor: multiboot 2 information, as GRUB makes it. The calls add a tag each, between the first
 * and the last. One that does not fit is left out, and info_end() says so.
 */
#ifndef KRYPTON_EFI_INFO_H
#define KRYPTON_EFI_INFO_H

#include "lib/types.h"

struct info {
    uint8_t *data;
    uint32_t size, room;        /* bytes */
    bool full;
};

/* Where pixels are, in the words of EFI's graphics output. */
struct info_screen {
    uint64_t base;
    uint32_t pitch, width, height;
    uint8_t bits;               /* of a pixel */
    uint8_t color[6];           /* position and width of red, green and blue */
};

/* @data: aligned to 8, of @room bytes. */
void info_begin(struct info *i, void *data, uint32_t room);
/* Text as it stands: a file's name, a blank, options. */
void info_command_line(struct info *i, const char *text);
void info_loader(struct info *i, const char *name);
/* In memory below 4 GiB. */
void info_module(struct info *i, uint32_t base, uint32_t size, const char *text);
void info_screen(struct info *i, const struct info_screen *s);
void info_system_table(struct info *i, uint64_t maddr);
/* ACPI's root pointer: 20 bytes, or 36 of version 2. */
void info_acpi(struct info *i, const void *rsdp, uint32_t size);
/* EFI's own memory map, @step bytes for each entry. */
void info_efi_map(struct info *i, const void *map, uint32_t size, uint32_t step, uint32_t version);
/* False if something did not fit. */
bool info_end(struct info *i);

#endif
