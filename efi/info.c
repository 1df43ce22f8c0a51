/* SPDX-License-Identifier: BSD-2-Clause */
/* See efi/info.h. Layouts: Multiboot 2.0, 3.6. */
#include "efi/info.h"

#include "boot/parse/multiboot.h"
#include "lib/string.h"

/* Room for a tag with @size bytes in it, its head written; NULL if there is none. */
static uint8_t *tag(struct info *i, enum mb2_type type, uint32_t size)
{
    struct mb2_tag head = { .type = type, .size = (uint32_t)sizeof(head) + size };
    uint8_t *at = i->data + i->size;

    if (size > i->room || ROUNDUP((uint64_t)head.size, 8) > i->room - i->size) {
        i->full = true;
        return NULL;
    }
    memset(at, 0, ROUNDUP(head.size, 8));
    memcpy(at, &head, sizeof(head));
    i->size += ROUNDUP(head.size, 8);
    return at + sizeof(head);
}

static void put32(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
    memcpy(at, &v, sizeof(v));
}

static void text_tag(struct info *i, enum mb2_type type, const char *text)
{
    uint32_t size = (uint32_t)strlen(text) + 1;
    uint8_t *at = tag(i, type, size);

    if (at)
        memcpy(at, text, size);
}

void info_begin(struct info *i, void *data, uint32_t room)
{
    *i = (struct info){ .data = data, .size = sizeof(struct mb2_header), .room = room, .full = room < sizeof(struct mb2_header) };
    if (i->full)
        i->size = i->room;
}

void info_command_line(struct info *i, const char *text)
{
    text_tag(i, MB2_CMDLINE, text);
}

void info_loader(struct info *i, const char *name)
{
    text_tag(i, MB2_LOADER, name);
}

void info_module(struct info *i, uint32_t base, uint32_t size, const char *text)
{
    uint32_t length = (uint32_t)strlen(text) + 1;
    uint8_t *at = tag(i, MB2_MODULE, 8 + length);

    if (!at)
        return;
    put32(at, base);
    put32(at + 4, base + size);
    memcpy(at + 8, text, length);
}

void info_screen(struct info *i, const struct info_screen *s)
{
    uint8_t *at = tag(i, MB2_SCREEN, 30);

    if (!at)
        return;
    put64(at, s->base);
    put32(at + 8, s->pitch);
    put32(at + 12, s->width);
    put32(at + 16, s->height);
    at[20] = s->bits;
    at[21] = MB_SCREEN_RGB;
    memcpy(at + 24, s->color, sizeof(s->color));
}

void info_system_table(struct info *i, uint64_t maddr)
{
    uint8_t *at = tag(i, MB2_EFI64, 8);

    if (at)
        put64(at, maddr);
}

void info_acpi(struct info *i, const void *rsdp, uint32_t size)
{
    uint8_t *at = tag(i, size > 20 ? MB2_ACPI2 : MB2_ACPI1, size);

    if (at)
        memcpy(at, rsdp, size);
}

void info_efi_map(struct info *i, const void *map, uint32_t size, uint32_t step, uint32_t version)
{
    uint8_t *at = tag(i, MB2_EFI_MAP, 8 + size);

    if (!at)
        return;
    put32(at, step);
    put32(at + 4, version);
    memcpy(at + 8, map, size);
}

bool info_end(struct info *i)
{
    (void)tag(i, MB2_END, 0);
    if (!i->full)
        put32(i->data, i->size);
    return !i->full;
}
