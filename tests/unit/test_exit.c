/* SPDX-License-Identifier: BSD-2-Clause */
/* core/exit.c: the way out, with more to be undone than one budget pays for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "core/exit.h"

enum { PAGES = 64, TABLES = 40 };

static struct guest a;
static unsigned interrupts, pieces_left;

static void interrupt(void)
{
    interrupts++;
    pieces_left += a.v->drain != 0;
}

/* A device does not wait until the last table is undone. */
static void interrupts_come_between_pieces(void **state)
{
    (void)state;
    guest_create(&a, 1, 0, PAGES);
    guest_tables(&a, 8);
    for (unsigned i = 0; i < TABLES; i++)
        guest_entry(&a, 2, 1 + i, 8 + i, RW); /* L1 tables with nothing in them: 512 units each */
    host_run(a.v);
    do
        plenty();
    while (type_pin(a.d, a.m[0], TYPE_L4) == -ERESTART);
    hosted_leave(a.v, PLENTY);
    hosted_check();
    assert_int_equal(type_unpin(a.m[0]), 0);

    host_interrupt = interrupt;
    this_pcpu()->work = 0;
    a.v->pause = 0; /* it runs, and goes on to run */
    core_exit();
    a.v->pause = PAUSE_DOWN;
    host_interrupt = NULL;
    assert_int_equal(a.v->drain, 0);
    assert_true(interrupts >= TABLES * PT_ENTRIES / BUDGET_UNITS);
    assert_int_equal(pieces_left, interrupts);
    hosted_check();
    guest_destroy(&a, control.v, PLENTY);
    hosted_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(interrupts_come_between_pieces) };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
