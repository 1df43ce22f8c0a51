/* SPDX-License-Identifier: BSD-2-Clause */
/* See lib/textgrid.h. */
#include "lib/textgrid.h"

#include "lib/string.h"

#define TAB 8u

void textgrid_init(struct textgrid *g, unsigned int columns, unsigned int rows)
{
    memset(g, 0, sizeof(*g));
    g->columns = MIN(columns, TEXTGRID_COLUMNS_MAX);
    g->rows = MIN(rows, TEXTGRID_ROWS_MAX);
    memset(g->wanted, ' ', sizeof(g->wanted));
}

void textgrid_hold(struct textgrid *g)
{
    textgrid_init(g, g->columns, g->rows);
    g->holds = true;
}

static void next_line(struct textgrid *g)
{
    if (g->holds && g->row + 1 == g->rows) {
        g->full = true;
        return;
    }
    g->column = 0;
    if (++g->row < g->rows)
        return;
    g->row = g->rows - 1;
    memmove(g->wanted[0], g->wanted[1], g->row * sizeof(g->wanted[0]));
    memset(g->wanted[g->row], ' ', sizeof(g->wanted[0]));
}

static void put(struct textgrid *g, char c)
{
    if (g->column == g->columns)
        next_line(g);
    if (!g->full)
        g->wanted[g->row][g->column++] = c;
}

static void text(struct textgrid *g, char c)
{
    switch (c) {
    case '\n':
        next_line(g);
        break;
    case '\r':
        g->column = 0;
        break;
    case '\b':
        g->column -= g->column > 0;
        break;
    case '\t':
        g->column = MIN(ROUNDDOWN(g->column, TAB) + TAB, g->columns);
        break;
    case '\033':
        g->state = TEXTGRID_ESCAPE;
        break;
    case '\0':
    case '\a':
        break;
    default:
        put(g, c >= ' ' && c < 0x7f ? c : '?');
    }
}

static void one(struct textgrid *g, char c)
{
    switch (g->state) {
    case TEXTGRID_TEXT:
        text(g, c);
        break;
    case TEXTGRID_ESCAPE:
        g->state = c == '[' ? TEXTGRID_SEQUENCE : TEXTGRID_TEXT;
        break;
    case TEXTGRID_SEQUENCE:
        if (c >= '@' && c <= '~')
            g->state = TEXTGRID_TEXT;
    }
}

void textgrid_write(struct textgrid *g, const char *s, size_t n)
{
    if (!g->columns || !g->rows)
        return;
    for (size_t i = 0; i < n && !g->full; i++)
        one(g, s[i]);
}

void textgrid_draw(struct textgrid *g, void (*draw)(unsigned int column, unsigned int row, char c))
{
    for (unsigned int row = 0; row < g->rows; row++)
        for (unsigned int column = 0; column < g->columns; column++) {
            char c = g->wanted[row][column];

            if (g->shown[row][column] == c)
                continue;
            g->shown[row][column] = c;
            draw(column, row, c);
        }
}
