/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all loaders' parsers need; see boot/parse/bootinfo.h.
 */
#include "boot/parse/bootinfo.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Take the first word of @line, and the blanks around it, off. */
static void drop_word(char *line)
{
    const char *p = line;

    while (*p == ' ')
        p++;
    while (*p && *p != ' ')
        p++;
    while (*p == ' ')
        p++;
    memmove(line, p, strlen(p) + 1);
}

void boot_arguments(char *line, const char *loader)
{
    static const char stand_in[] = "placeholder";
    size_t len = sizeof(stand_in) - 1;
    bool stands_in = strncmp(line, stand_in, len) == 0 && (line[len] == ' ' || !line[len]);

    if (strncmp(loader, "GRUB ", 5) != 0 || stands_in)
        drop_word(line);
}

int boot_text(boot_at_t at, uint64_t maddr, char *dst, size_t room)
{
    for (size_t n = 0; n + 1 < room; n++) {
        const char *c = at(maddr + n, 1);

        if (!c)
            return -EINVAL;
        dst[n] = *c;
        if (!*c)
            return 0;
    }
    dst[room - 1] = '\0';
    return 0;
}

void boot_screen_colors(struct boot_screen *s, const uint8_t colors[6])
{
    s->red_pos = colors[0];
    s->red_bits = colors[1];
    s->green_pos = colors[2];
    s->green_bits = colors[3];
    s->blue_pos = colors[4];
    s->blue_bits = colors[5];
}
