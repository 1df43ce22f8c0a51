/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen: VGA text or pixels, both by lib/textgrid.h. Its memory is found at its maddr_va(), by the first page tables
 * below 4 GiB only, by those of x86/mm.c wherever it is: until then, a screen above 4 GiB gets nothing, and then all.
 *
 * What the loader says is checked against what it says of memory: RAM is no screen.
 */
#include "x86/screen.h"

#include "boot/parse/bootinfo.h"
#include "boot/parse/cmdline.h"
#include "core/log.h"
#include "lib/pixels.h"
#include "lib/textgrid.h"
#include "x86/asm.h"
#include "x86/layout.h"
#include "x86/mm.h"

#define TEXT_BASE       0xb8000u
#define TEXT_COLUMNS    80u
#define TEXT_ROWS       25u
#define VGA_FIRST       0xa0000u
#define VGA_END         0xc0000u
#define CELL            2u          /* bytes: character, attribute */
#define ATTRIBUTE       0x0700u     /* light grey on black */
#define CRTC_INDEX      0x3d4
#define CRTC_DATA       0x3d5
#define CRTC_START_HI   0x0c
#define CRTC_START_LO   0x0d
#define CRTC_CURSOR_HI  0x0e
#define CRTC_CURSOR_LO  0x0f
#define FIRST_TABLES_END (4ull << 30)

static struct {
    enum { NO_SCREEN, TEXT, PIXELS } kind;
    uint64_t base, size;        /* maddr, bytes */
    bool cleared;               /* what the firmware left there is gone */
    bool given_up, keep;        /* to dom0; not to be */
} screen;
static struct textgrid grid;
static struct pixels pixels;
static volatile uint16_t *cells;
static uint32_t cells_pitch;    /* cells from line to line */

/* ---- VGA text ---- */

static void draw_text(unsigned int column, unsigned int row, char c)
{
    cells[row * cells_pitch + column] = ATTRIBUTE | (uint8_t)c;
}

/* The first cell of the screen, or that of the cursor. */
static void crtc_place(uint8_t high, uint8_t low, uint32_t cell)
{
    outb(CRTC_INDEX, high);
    outb(CRTC_DATA, (uint8_t)(cell >> 8));
    outb(CRTC_INDEX, low);
    outb(CRTC_DATA, (uint8_t)cell);
}

static void place_cursor(void)
{
    crtc_place(CRTC_CURSOR_HI, CRTC_CURSOR_LO, grid.row * cells_pitch + MIN(grid.column, grid.columns - 1));
}

/* Does its memory keep what is written to it? */
static bool text_answers(void)
{
    uint16_t was = cells[0];
    bool kept;

    cells[0] = 0x0755;
    kept = cells[0] == 0x0755;
    cells[0] = was;
    return kept;
}

static bool use_text(uint64_t base, uint32_t columns, uint32_t rows, uint32_t pitch)
{
    if (base < VGA_FIRST || base >= VGA_END || !columns || !rows || pitch % CELL || pitch / CELL < columns ||
        rows > (VGA_END - base) / pitch)
        return false;
    screen.base = base;
    screen.size = (uint64_t)pitch * rows;
    cells = maddr_va(base);
    cells_pitch = pitch / CELL;
    textgrid_init(&grid, columns, rows);
    return text_answers();
}

/* ---- Pixels ---- */

static void draw_pixels(unsigned int column, unsigned int row, char c)
{
    pixels_character(&pixels, column, row, c);
}

static bool use_pixels(const struct boot_screen *s)
{
    const struct pixels_color color[3] = {
        { s->red_pos, s->red_bits }, { s->green_pos, s->green_bits }, { s->blue_pos, s->blue_bits },
    };

    if (s->base % 4 || s->base >= DIRECT_END - DIRECT_VA || !pixels_init(&pixels, s->width, s->height, s->pitch, s->bpp, color))
        return false;
    screen.base = s->base;
    screen.size = (uint64_t)s->pitch * s->height;
    pixels.base = maddr_va(s->base);
    textgrid_init(&grid, pixels_columns(&pixels), pixels_rows(&pixels));
    return screen.size <= DIRECT_END - DIRECT_VA - s->base;
}

/* ---- Either ---- */

/* Is any of its pages RAM, or memory that the firmware uses? Of these the map says nothing or that they are reserved. */
static bool is_memory(const struct mem_map *map)
{
    uint64_t first = ROUNDDOWN(screen.base, PAGE_SIZE), end = ROUNDUP(screen.base + screen.size, PAGE_SIZE);

    for (unsigned i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];

        if (r->type != MEM_RESERVED && r->base < end && (r->size > UINT64_MAX - r->base || r->base + r->size > first))
            return true;
    }
    return false;
}

static bool find(const struct boot_info *info)
{
    const struct boot_screen *s = &info->screen;

    switch (s->type) {
    case SCREEN_PIXELS:
        screen.kind = PIXELS;
        return use_pixels(s);
    case SCREEN_TEXT:
        screen.kind = TEXT;
        return use_text(s->base, s->width, s->height, s->pitch);
    default:
        screen.kind = TEXT;
        return !info->efi && use_text(TEXT_BASE, TEXT_COLUMNS, TEXT_ROWS, TEXT_COLUMNS * CELL);
    }
}

void screen_init(const struct boot_options *options, const struct boot_info *info)
{
    if (!(options->console & OPTION_CONSOLE_VGA) || !find(info) || is_memory(&info->map)) {
        screen.kind = NO_SCREEN;
        screen.size = 0;
    }
    screen.keep = options->vga_keep;
}

uint64_t screen_base(void)
{
    return screen.base;
}

uint64_t screen_size(void)
{
    return screen.size;
}

static bool is_mapped(void)
{
    return mm_is_built() || screen.base + screen.size <= FIRST_TABLES_END;
}

static void draw(void)
{
    if (screen.kind == TEXT) {
        textgrid_draw(&grid, draw_text);
        place_cursor();
        return;
    }
    if (!screen.cleared)
        pixels_clear(&pixels);
    screen.cleared = true;
    textgrid_draw(&grid, draw_pixels);
}

void screen_write(const char *s, size_t n)
{
    if (screen.kind == NO_SCREEN || screen.given_up)
        return;
    textgrid_write(&grid, s, n);
    if (is_mapped())
        draw();
}

void screen_give_up(void)
{
    if (screen.kind == NO_SCREEN || screen.keep)
        return;
    hv_log(LOG_ERR, "The screen is dom0's from now on (vga=keep: ours, too)");
    screen.given_up = true;
}

/* dom0 may have scrolled by moving the start. */
void screen_take_back(void)
{
    if (screen.kind == NO_SCREEN)
        return;
    if (screen.kind == TEXT && screen.base == TEXT_BASE)
        crtc_place(CRTC_START_HI, CRTC_START_LO, 0);
    screen.cleared = screen.given_up = false;
    textgrid_hold(&grid);
}
