/* SPDX-License-Identifier: BSD-2-Clause */
/* What printable ASCII looks like: 8 pixels wide, 16 high. */
#ifndef KRYPTON_LIB_FONT_H
#define KRYPTON_LIB_FONT_H

#include "lib/types.h"

#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u
#define FONT_FIRST  ' '
#define FONT_COUNT  95u

/* A byte for each line from the top; its highest bit is the leftmost pixel. */
extern const uint8_t font_glyph[FONT_COUNT][FONT_HEIGHT];

#endif
