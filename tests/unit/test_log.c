/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/log.c, core/console.c, core/keys.c: who sees which line, how much a guest may say, what late readers of the ring
 * get, and where typed characters go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/console.h"
#include "core/domain.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "lib/errno.h"

/* ---- The machine: a console that keeps what it was given, a clock that stands still ---- */

static char shown[1 << 20];
static size_t shown_len;
static uint64_t fake_now;
static unsigned fake_virqs;
static struct pcpu fake_pcpu;

void machine_console_write(const char *s, size_t n)
{
    assert_true(shown_len + n < sizeof(shown));
    memcpy(shown + shown_len, s, n);
    shown_len += n;
    shown[shown_len] = 0;
}

struct pcpu *machine_pcpu(void) { return &fake_pcpu; }
uint64_t machine_tsc(void) { return 0; }
void machine_relax(void) { fail_msg("nobody else holds a lock"); }
uint64_t now_ns(void) { return fake_now; }
void panic(const char *fmt, ...) { fail_msg("panic: %s", fmt); abort(); }

void virq_raise_global(unsigned virq)
{
    assert_int_equal(virq, VIRQ_CONSOLE);
    assert_int_equal(fake_pcpu.locks_held, 0);
    fake_virqs++;
}

static int reset(void **state)
{
    char rest[64];

    console_input('x');
    while (console_read(rest, sizeof(rest)))
        ;
    hv_log(LOG_ERR, "the line before is ended");
    log_levels(LOG_DEBUG, LOG_DEBUG);
    log_ring_clear();
    shown_len = fake_virqs = 0;
    shown[0] = 0;
    fake_now += SEC(100);
    return 0;
}

static unsigned count(const char *what)
{
    unsigned n = 0;

    for (const char *p = shown; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* ---- The log ---- */

static void a_line_has_prefix_and_end(void **state)
{
    hv_log(LOG_INFO, "answer %d", 42);
    assert_string_equal(shown, "(XEN) answer 42\n");
}

static void levels_hold_lines_back(void **state)
{
    struct domain d = { .id = 3 };

    log_levels(LOG_WARN, LOG_ERR);
    hv_log(LOG_INFO, "quiet");
    hv_log(LOG_WARN, "loud");
    guest_log(&d, LOG_WARN, "quiet");
    guest_log(&d, LOG_ERR, "loud");
    assert_string_equal(shown, "(XEN) loud\n(XEN) d3: loud\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    char big[1000];

    memset(big, 'y', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    hv_log(LOG_ERR, "%s", big);
    assert_true(shown_len < 300 && shown[shown_len - 1] == '\n');
}

static void our_line_does_not_start_inside_dom0s(void **state)
{
    log_console("login: ", 7);
    hv_log(LOG_ERR, "hello");
    assert_string_equal(shown, "login: \n(XEN) hello\n");
}

static void a_refusal_gives_its_error_and_says_why(void **state)
{
    struct domain d = { .id = 1 };
    struct vcpu v = { .id = 2, .domain = &d };

    assert_int_equal(refuse(&v, -EINVAL, "port %u of %u", 9, 4), -EINVAL);
    assert_string_equal(shown, "(XEN) d1: v2 refused (-22): port 9 of 4\n");
    log_levels(LOG_DEBUG, LOG_INFO);
    assert_int_equal(refuse(&v, -EPERM, "quiet"), -EPERM);
    assert_null(strstr(shown, "quiet"));
}

static void one_guest_can_not_flood_the_log(void **state)
{
    struct domain a = { .id = 1 }, b = { .id = 2 };

    for (unsigned i = 0; i < 1000; i++)
        guest_log(&a, LOG_ERR, "flood");
    assert_int_equal(count("d1: flood"), 64);
    guest_log(&b, LOG_ERR, "calm");
    assert_int_equal(count("d2: calm"), 1);
    fake_now += SEC(6);
    guest_log(&a, LOG_ERR, "flood");
    assert_int_equal(count("d1: 936 more messages left out"), 1);
    assert_int_equal(count("d1: flood"), 65);
}

static void the_ring_keeps_the_newest(void **state)
{
    static char got[256 << 10];
    uint64_t at = 0, start;
    size_t n;

    for (unsigned i = 0; i < 20000; i++)
        hv_log(LOG_ERR, "line %u", i);
    start = log_ring_start();
    n = log_ring_read(&at, got, sizeof(got) - 1);
    assert_int_equal(n, 128 << 10);
    assert_int_equal(at, start + n);
    got[n] = 0;
    assert_non_null(strstr(got, "(XEN) line 19999\n"));
    assert_null(strstr(got, "(XEN) line 1\n"));
    assert_int_equal(log_ring_read(&at, got, sizeof(got)), 0);
    hv_log(LOG_ERR, "news");
    n = log_ring_read(&at, got, 6);
    assert_memory_equal(got, "(XEN) ", 6);
    shown_len = 0;
}

static void a_cleared_ring_is_empty_and_dom0s_text_never_gets_in(void **state)
{
    char got[100];
    uint64_t at = 0;

    hv_log(LOG_ERR, "old");
    log_ring_clear();
    log_console("dom0 talks\n", 11);
    assert_int_equal(log_ring_read(&at, got, sizeof(got)), 0);
    log_text("(d5) hi\n", 8);
    assert_int_equal(log_ring_read(&at, got, sizeof(got)), 8);
}

/* ---- What guests print ---- */

static void a_guests_pieces_become_lines(void **state)
{
    struct domain d = { .id = 7 };

    console_guest_write(&d, "Hel", 3);
    assert_string_equal(shown, "");
    console_guest_write(&d, "lo\r\nwor\033ld\n", 12);
    assert_string_equal(shown, "(d7) Hello\n(d7) wor?ld\n");
}

static void an_endless_line_is_broken(void **state)
{
    struct domain d = { .id = 7 };

    for (unsigned i = 0; i < 250; i++)
        console_guest_write(&d, "z", 1);
    assert_int_equal(count("(d7) zzz"), 2);
}

static void a_guest_prints_so_much_and_no_more(void **state)
{
    struct domain d = { .id = 7 };

    for (unsigned i = 0; i < 1000; i++)
        console_guest_write(&d, "\n", 1);
    assert_int_equal(count("(d7) "), 400);
    fake_now += SEC(6);
    console_guest_write(&d, "again\n", 6);
    assert_int_equal(count("(d7) again"), 1);
}

/* ---- What is typed ---- */

static void typed_characters_reach_dom0_in_order(void **state)
{
    char got[8];

    for (const char *p = "ls\r"; *p; p++)
        console_input(*p);
    assert_int_equal(fake_virqs, 3);
    assert_int_equal(console_read(got, 2), 2);
    assert_memory_equal(got, "ls", 2);
    assert_int_equal(console_read(got, sizeof(got)), 1);
    assert_int_equal(console_read(got, sizeof(got)), 0);
}

static void a_full_ring_loses_what_comes_later(void **state)
{
    char got[2000];

    for (unsigned i = 0; i < 3000; i++)
        console_input((char)('a' + i % 26));
    assert_int_equal(console_read(got, sizeof(got)), 1024);
    assert_int_equal(got[0], 'a');
}

static unsigned pressed;
static char last_key;
void key_press(char key)
{
    pressed++;
    last_key = key;
}

static void three_ctrl_a_switch_to_the_debug_keys(void **state)
{
    char got[8];

    console_input('\x01');
    console_input('\x01');
    console_input('Q');
    assert_int_equal(pressed, 0);
    assert_int_equal(console_read(got, sizeof(got)), 3);
    for (unsigned i = 0; i < 3; i++)
        console_input('\x01');
    console_input('Q');
    assert_int_equal(pressed, 1);
    assert_int_equal(last_key, 'Q');
    assert_int_equal(console_read(got, sizeof(got)), 2); /* the first two of the three */
    for (unsigned i = 0; i < 3; i++)
        console_input('\x01');
    console_input('Q');
    assert_int_equal(pressed, 1);
    assert_int_equal(console_read(got, sizeof(got)), 1);
}

static void another_letter_switches_and_input_may_start_with_the_debug_keys(void **state)
{
    char got[8];

    pressed = 0;
    console_switch_by('b', true);
    console_input('Q');
    assert_int_equal(pressed, 1);
    for (unsigned i = 0; i < 3; i++)
        console_input('\x02');
    for (unsigned i = 0; i < 3; i++)
        console_input('\x01');
    assert_int_equal(pressed, 1);
    assert_int_equal(console_read(got, sizeof(got)), 3);
    console_switch_by('a', false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_has_prefix_and_end, reset),
        cmocka_unit_test_setup(levels_hold_lines_back, reset),
        cmocka_unit_test_setup(a_long_line_is_cut_and_still_ends, reset),
        cmocka_unit_test_setup(our_line_does_not_start_inside_dom0s, reset),
        cmocka_unit_test_setup(a_refusal_gives_its_error_and_says_why, reset),
        cmocka_unit_test_setup(one_guest_can_not_flood_the_log, reset),
        cmocka_unit_test_setup(the_ring_keeps_the_newest, reset),
        cmocka_unit_test_setup(a_cleared_ring_is_empty_and_dom0s_text_never_gets_in, reset),
        cmocka_unit_test_setup(a_guests_pieces_become_lines, reset),
        cmocka_unit_test_setup(an_endless_line_is_broken, reset),
        cmocka_unit_test_setup(a_guest_prints_so_much_and_no_more, reset),
        cmocka_unit_test_setup(typed_characters_reach_dom0_in_order, reset),
        cmocka_unit_test_setup(a_full_ring_loses_what_comes_later, reset),
        cmocka_unit_test_setup(three_ctrl_a_switch_to_the_debug_keys, reset),
        cmocka_unit_test_setup(another_letter_switches_and_input_may_start_with_the_debug_keys, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
