/* SPDX-License-Identifier: BSD-2-Clause */
/* See lib/pixels.h. */
#include "lib/pixels.h"
#include "lib/font.h"

#define SIZE_MAX_BYTES (256ull << 20)
#define GREY 0xaau      /* of 0xff, in each colour */

bool pixels_init(struct pixels *p, uint32_t width, uint32_t height, uint32_t pitch, unsigned int bpp,
                 const struct pixels_color color[3])
{
    *p = (struct pixels){ .pitch = pitch, .width = width, .height = height, .bytes = (bpp + 7) / 8 };
    if (bpp < 15 || bpp > 32 || width < FONT_WIDTH || height < FONT_HEIGHT || (uint64_t)width * p->bytes > pitch ||
        (uint64_t)pitch * height > SIZE_MAX_BYTES)
        return false;
    if (p->bytes != 3 && pitch % p->bytes)
        return false;
    for (unsigned int i = 0; i < 3; i++) {
        if (color[i].bits == 0 || color[i].bits > 16 || color[i].pos + color[i].bits > p->bytes * 8)
            return false;
        p->ink |= ((GREY * 0x101) >> (16 - color[i].bits)) << color[i].pos;
    }
    return true;
}

unsigned int pixels_columns(const struct pixels *p)
{
    return p->width / FONT_WIDTH;
}

unsigned int pixels_rows(const struct pixels *p)
{
    return p->height / FONT_HEIGHT;
}

static void put(const struct pixels *p, uint64_t at, uint32_t pixel)
{
    volatile uint8_t *to = p->base + at;

    switch (p->bytes) {
    case 2:
        *(volatile uint16_t *)to = (uint16_t)pixel;
        break;
    case 4:
        *(volatile uint32_t *)to = pixel;
        break;
    default:
        for (unsigned int i = 0; i < p->bytes; i++)
            to[i] = (uint8_t)(pixel >> i * 8);
    }
}

void pixels_character(const struct pixels *p, unsigned int column, unsigned int row, char c)
{
    const uint8_t *glyph = font_glyph[clamp_index((size_t)(c - FONT_FIRST), FONT_COUNT)];

    for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
        uint64_t line = (uint64_t)(row * FONT_HEIGHT + y) * p->pitch + (uint64_t)column * FONT_WIDTH * p->bytes;

        for (unsigned int x = 0; x < FONT_WIDTH; x++)
            put(p, line + x * p->bytes, glyph[y] & 0x80u >> x ? p->ink : 0);
    }
}

void pixels_clear(const struct pixels *p)
{
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            put(p, (uint64_t)y * p->pitch + (uint64_t)x * p->bytes, 0);
}
