/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Characters as pixels, in every size of pixel; and what a loader may say of a screen that nobody can draw on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/font.h"
#include "lib/pixels.h"

#define WIDTH  20u      /* two characters and half of one */
#define HEIGHT 35u      /* two lines and a bit */

static const struct pixels_color rgb888[3] = { { 16, 8 }, { 8, 8 }, { 0, 8 } };
static const struct pixels_color rgb565[3] = { { 11, 5 }, { 5, 6 }, { 0, 5 } };
static const struct pixels_color rgb10[3] = { { 20, 10 }, { 10, 10 }, { 0, 10 } };

static uint32_t pixel(const struct pixels *p, unsigned int x, unsigned int y)
{
    uint32_t v = 0;

    for (unsigned int i = 0; i < p->bytes; i++)
        v |= (uint32_t)p->base[y * p->pitch + x * p->bytes + i] << i * 8;
    return v;
}

/* One character at the lower right; everything else, between the lines' ends too, stays as it was. */
static void character(unsigned int bpp, const struct pixels_color color[3], uint32_t ink)
{
    unsigned int bytes = (bpp + 7) / 8, pitch = WIDTH * bytes + 12;
    uint8_t *memory = malloc((size_t)pitch * HEIGHT), *before = malloc((size_t)pitch * HEIGHT);
    struct pixels p;

    assert_true(pixels_init(&p, WIDTH, HEIGHT, pitch, bpp, color));
    assert_int_equal(pixels_columns(&p), 2);
    assert_int_equal(pixels_rows(&p), 2);
    assert_int_equal(p.ink, ink);
    p.base = memory;
    memset(memory, 0x77, (size_t)pitch * HEIGHT);
    memset(before, 0x77, (size_t)pitch * HEIGHT);
    pixels_character(&p, 1, 1, '%');
    for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
        for (unsigned int x = 0; x < FONT_WIDTH; x++)
            assert_int_equal(pixel(&p, 8 + x, 16 + y), font_glyph['%' - ' '][y] >> (7 - x) & 1 ? ink : 0);
        memset(memory + (16 + y) * pitch + 8 * bytes, 0x77, FONT_WIDTH * bytes);
    }
    assert_memory_equal(memory, before, (size_t)pitch * HEIGHT);
    pixels_clear(&p);
    for (unsigned int y = 0; y < HEIGHT; y++) {
        for (unsigned int x = 0; x < WIDTH; x++)
            assert_int_equal(pixel(&p, x, y), 0);
        assert_int_equal(memory[y * pitch + WIDTH * bytes], 0x77);
    }
    free(memory);
    free(before);
}

static void every_size(void **state)
{
    static const struct pixels_color rgb555[3] = { { 10, 5 }, { 5, 5 }, { 0, 5 } };

    (void)state;
    character(15, rgb555, 0x15 << 10 | 0x15 << 5 | 0x15);
    character(16, rgb565, 0x15 << 11 | 0x2a << 5 | 0x15);
    character(24, rgb888, 0xaaaaaa);
    character(32, rgb888, 0xaaaaaa);
    character(30, rgb10, 0x2aa << 20 | 0x2aa << 10 | 0x2aa);
}

static void impossible(void **state)
{
    static const struct pixels_color none[3], wide[3] = { { 16, 17 }, { 8, 8 }, { 0, 8 } }, far[3] = { { 25, 8 }, { 8, 8 }, { 0, 8 } };
    struct pixels p;

    (void)state;
    assert_true(pixels_init(&p, 800, 600, 3200, 32, rgb888));
    assert_true(pixels_init(&p, 8, 16, 32, 32, rgb888));
    assert_false(pixels_init(&p, 7, 16, 32, 32, rgb888));
    assert_false(pixels_init(&p, 8, 15, 32, 32, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3199, 32, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3201, 32, rgb888));
    assert_true(pixels_init(&p, 800, 600, 2401, 24, rgb888));
    assert_false(pixels_init(&p, 0x80000000, 600, 0x200, 32, rgb888));
    assert_false(pixels_init(&p, 800, 0xffffffff, 3200, 32, rgb888));
    assert_true(pixels_init(&p, 8192, 8192, 32768, 32, rgb888));
    assert_false(pixels_init(&p, 8192, 8193, 32768, 32, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3200, 8, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3200, 0, rgb888));
    assert_false(pixels_init(&p, 800, 600, 6400, 33, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3200, 16, rgb888));
    assert_false(pixels_init(&p, 800, 600, 3200, 32, none));
    assert_false(pixels_init(&p, 800, 600, 3200, 32, wide));
    assert_false(pixels_init(&p, 800, 600, 3200, 32, far));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(impossible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
