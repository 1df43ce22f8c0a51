/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A screen of characters does what a terminal does, and draws a cell only when it changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/textgrid.h"

#define COLUMNS 10u
#define ROWS    3u

static struct textgrid grid;
static char screen[ROWS][COLUMNS + 1];
static unsigned int drawn;

static void draw(unsigned int column, unsigned int row, char c)
{
    assert_true(column < COLUMNS && row < ROWS);
    screen[row][column] = c;
    drawn++;
}

static int fresh(void **state)
{
    (void)state;
    textgrid_init(&grid, COLUMNS, ROWS);
    memset(screen, 0, sizeof(screen));
    drawn = 0;
    textgrid_draw(&grid, draw);
    assert_int_equal(drawn, COLUMNS * ROWS);
    drawn = 0;
    return 0;
}

/* Write, draw, and see these lines; blanks at the end do not count. */
static void shows(const char *text, size_t n, const char *const want[ROWS])
{
    textgrid_write(&grid, text, n);
    textgrid_draw(&grid, draw);
    for (unsigned int row = 0; row < ROWS; row++) {
        char line[COLUMNS + 1];

        memset(line, ' ', COLUMNS);
        memcpy(line, want[row], strlen(want[row]));
        line[COLUMNS] = 0;
        assert_string_equal(screen[row], line);
    }
}

#define SHOWS(text, a, b, c) shows(text, sizeof(text) - 1, (const char *const[]){ a, b, c })

static void lines(void **state)
{
    (void)state;
    SHOWS("one\ntwo", "one", "two", "");
    assert_int_equal(drawn, 6);
    SHOWS("!", "one", "two!", "");
    assert_int_equal(drawn, 7);
    SHOWS("\rT", "one", "Two!", "");
    assert_int_equal(drawn, 8);
}

static void long_line(void **state)
{
    (void)state;
    /* A line that is just full does not leave an empty one behind it. */
    SHOWS("0123456789", "0123456789", "", "");
    assert_int_equal(grid.row, 0);
    SHOWS("\nabc", "0123456789", "abc", "");
    SHOWS("defghijKL", "0123456789", "abcdefghij", "KL");
}

static void scrolls(void **state)
{
    (void)state;
    SHOWS("aa\naa\nb\n", "aa", "b", "");
    drawn = 0;
    SHOWS("c", "aa", "b", "c");
    assert_int_equal(drawn, 1);
    /* Up by one: "aa" becomes "b", "b" becomes "c", and "c" goes. */
    SHOWS("\n", "b", "c", "");
    assert_int_equal(drawn, 1 + 4);
    SHOWS("\n\n\n\n\n", "", "", "");
}

static void control(void **state)
{
    (void)state;
    SHOWS("a\tb", "a       b", "", "");
    SHOWS("\t\tc", "a       b", "c", "");
    SHOWS("\b\b\bd\a\0e", "a       b", "de", "");
    SHOWS("\x01\x7f\x80\xff", "a       b", "de????", "");
}

static void sequences(void **state)
{
    (void)state;
    SHOWS("\033[1;31mred\033[0m\033cx\033", "redx", "", "");
    SHOWS("[2", "redx", "", "");
    SHOWS("Jy", "redxy", "", "");
}

static void cut_to_fit(void **state)
{
    static struct textgrid big;

    (void)state;
    textgrid_init(&big, 5000, 5000);
    assert_int_equal(big.columns, TEXTGRID_COLUMNS_MAX);
    assert_int_equal(big.rows, TEXTGRID_ROWS_MAX);
    for (unsigned int i = 0; i < TEXTGRID_ROWS_MAX * 2; i++)
        textgrid_write(&big, "\t\t\t\t\n0123456789012345678901234567890123456789", 45);
    textgrid_init(&big, 0, 5);
    textgrid_write(&big, "x\n", 2);
    textgrid_init(&big, 5, 0);
    textgrid_write(&big, "x\n", 2);
    textgrid_draw(&big, draw);
    assert_int_equal(drawn, 0);
}

/* The beginning stays, whatever was there before and comes after. */
static void holds(void **state)
{
    (void)state;
    SHOWS("old\nolder\noldest\nx", "older", "oldest", "x");
    textgrid_hold(&grid);
    drawn = 0;
    SHOWS("one\ntwo\n0123456789", "one", "two", "0123456789");
    assert_int_equal(drawn, COLUMNS * ROWS);
    SHOWS("more\nand more\b\b", "one", "two", "0123456789");
    textgrid_hold(&grid);
    SHOWS("one\ntwo\nthree\nfour", "one", "two", "three");
    SHOWS("\rfive", "one", "two", "three");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines, fresh),
        cmocka_unit_test_setup(long_line, fresh),
        cmocka_unit_test_setup(scrolls, fresh),
        cmocka_unit_test_setup(control, fresh),
        cmocka_unit_test_setup(sequences, fresh),
        cmocka_unit_test_setup(holds, fresh),
        cmocka_unit_test_setup(cut_to_fit, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
