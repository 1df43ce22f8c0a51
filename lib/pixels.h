/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters on a linear framebuffer, light grey on black. */
#ifndef KRYPTON_LIB_PIXELS_H
#define KRYPTON_LIB_PIXELS_H

#include "lib/types.h"

/* Where a colour's bits are in a pixel. */
struct pixels_color {
    uint8_t pos, bits;
};

struct pixels {
    volatile uint8_t *base;     /* pitch * height bytes */
    uint32_t pitch;             /* bytes from line to line */
    uint32_t width, height;     /* pixels */
    uint32_t bytes;             /* of a pixel: 2 to 4 */
    uint32_t ink;               /* a pixel of a character */
};

/*
 * Describe a screen, but for its base, from what a loader says of it, which may be anything. False if it can't be drawn
 * on: pixels of other sizes, lines shorter than their pixels or not of whole ones, a colour that is not in the pixel, less than one character, or
 * more than 256 MiB.
 */
bool pixels_init(struct pixels *p, uint32_t width, uint32_t height, uint32_t pitch, unsigned int bpp,
                 const struct pixels_color color[3]);

/* How many characters are in a line, and how many lines of them there are. */
unsigned int pixels_columns(const struct pixels *p);
unsigned int pixels_rows(const struct pixels *p);

/* Draw printable ASCII; the cell is inside the screen. */
void pixels_character(const struct pixels *p, unsigned int column, unsigned int row, char c);

/* All of it black. */
void pixels_clear(const struct pixels *p);

#endif
