/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A screen of characters: text comes in as on a terminal, what changed goes out cell by cell.
 *
 * The screen itself is never read, and a cell that scrolling leaves as it was is not drawn again: reading and writing a
 * screen are slow. Colours and the other sequences that begin with ESC are left out.
 */
#ifndef KRYPTON_LIB_TEXTGRID_H
#define KRYPTON_LIB_TEXTGRID_H

#include "lib/types.h"

#define TEXTGRID_COLUMNS_MAX 256u
#define TEXTGRID_ROWS_MAX    128u

struct textgrid {
    unsigned int columns, rows;
    unsigned int column, row;   /* where the next character goes; column may be columns: the line is full */
    bool holds, full;           /* it does not scroll; and its last line has ended */
    enum { TEXTGRID_TEXT, TEXTGRID_ESCAPE, TEXTGRID_SEQUENCE } state;
    char wanted[TEXTGRID_ROWS_MAX][TEXTGRID_COLUMNS_MAX];       /* printable ASCII */
    char shown[TEXTGRID_ROWS_MAX][TEXTGRID_COLUMNS_MAX];        /* 0: not drawn yet */
};

/* Blank, the cursor at the upper left; a screen with more than the most columns or rows is used in part. */
void textgrid_init(struct textgrid *g, unsigned int columns, unsigned int rows);

/* Blank again, all of it to be drawn; from now on it does not scroll: what comes when it is full is left out. */
void textgrid_hold(struct textgrid *g);

/* As a terminal does: \n is the start of the next line, what is not printable is '?'. Nothing is drawn yet. */
void textgrid_write(struct textgrid *g, const char *s, size_t n);

/* Calls @draw for each cell that does not show what it should. */
void textgrid_draw(struct textgrid *g, void (*draw)(unsigned int column, unsigned int row, char c));

#endif
