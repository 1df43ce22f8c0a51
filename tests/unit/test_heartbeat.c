/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/heartbeat.c: a CPU that comes to its timers is never accused; one that does not is, by its neighbour alone, once and
 * in time, even while that waits for it; and a late NMI accuses nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/heartbeat.h"
#include "core/time.h"
#include "core/timer.h"
#include "host/host.h"

#define CPUS    3u
#define TIMEOUT 4u /* seconds: a beat each second */

static jmp_buf after_panic;
static char why[256];

static void panicked(const char *text)
{
    strncpy(why, text, sizeof(why) - 1);
    longjmp(after_panic, 1);
}

static void at(unsigned ms) { host_tsc = ns_to_tsc(MS(ms)); }

/* The exit path of each CPU but those of @stuck. */
static void visit(unsigned stuck)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        host_cpu = cpu;
        if (!(stuck >> cpu & 1))
            timers_run();
    }
    host_cpu = 0;
}

static unsigned missed(unsigned cpu)
{
    unsigned seconds;

    host_cpu = cpu;
    seconds = heartbeat_missed();
    host_cpu = 0;
    return seconds;
}

static unsigned now_ms; /* goes on from test to test */

/* @ms milliseconds pass, in steps shorter than a beat. */
static void pass(unsigned ms, unsigned stuck)
{
    for (unsigned end = now_ms + ms; now_ms < end; ) {
        now_ms += 250;
        at(now_ms);
        visit(stuck);
    }
}

static int begin(void **state)
{
    host_panicked = panicked;
    why[0] = 0;
    for (unsigned i = 0; i < CPUS; i++)
        host_nmis[i] = 0;
    heartbeat_start(TIMEOUT);
    visit(0);
    return 0;
}

static int end(void **state)
{
    heartbeat_stop();
    pass(2000, 0); /* its timers find that it is off */
    for (unsigned i = 0; i < CPUS; i++) {
        uint64_t first;

        assert_int_equal(timers_count(i, &first), 0);
    }
    return 0;
}

static void who_beats_is_not_accused(void **state)
{
    pass(60000, 0);
    for (unsigned i = 0; i < CPUS; i++) {
        assert_int_equal(host_nmis[i], 0);
        assert_int_equal(missed(i), 0);
    }
}

static void who_does_not_is_accused_once_and_in_time(void **state)
{
    pass(3000, 0);
    pass(TIMEOUT * 1000 - 1000, 1u << 1);
    assert_int_equal(host_nmis[1], 0);
    pass(2250, 1u << 1);
    assert_int_equal(host_nmis[1], 1);
    assert_int_equal(host_nmis[0] + host_nmis[2], 0);
    assert_int_equal(missed(1), TIMEOUT);
    assert_int_equal(missed(0) + missed(2), 0);
    pass(1000, 1u << 1);
    assert_int_equal(host_nmis[1], 1);
}

/* It beat after the NMI was sent and before that arrived. */
static void a_late_nmi_means_nothing(void **state)
{
    pass(TIMEOUT * 1000 + 1500, 1u << 2);
    assert_int_equal(host_nmis[2], 1);
    assert_int_equal(missed(2), TIMEOUT);
    pass(250, 0);
    assert_int_equal(missed(2), 0);
    pass(30000, 0);
    assert_int_equal(host_nmis[2], 1);
    pass(TIMEOUT * 1000 + 1500, 1u << 2);
    assert_int_equal(host_nmis[2], 2);
    assert_int_equal(missed(2), TIMEOUT);
}

static void the_last_watches_the_first(void **state)
{
    pass(TIMEOUT * 1000 + 1500, 1u << 0);
    assert_int_equal(host_nmis[0], 1);
    assert_int_equal(host_nmis[1] + host_nmis[2], 0);
}

/* The one that watches is stuck too: its own neighbour sees it. */
static void two_in_a_row(void **state)
{
    pass(TIMEOUT * 1000 + 1500, 1u << 1 | 1u << 2);
    assert_int_equal(host_nmis[1], 1);
    assert_int_equal(host_nmis[2], 0);
}

/* All wait for CPU 1, which holds what they want: it is told, not one of them that waits. */
static void who_waits_watches(void **state)
{
    pass(1000, 0);
    for (unsigned ms = 0; ms < TIMEOUT * 1000 + 250; ms += 250) {
        now_ms += 250;
        at(now_ms);
        host_cpu = 0;
        heartbeat_watch();
    }
    assert_int_equal(host_nmis[1], 1);
    assert_int_equal(host_nmis[0] + host_nmis[2], 0);
}

static void who_does_not_answer_is_told_by_the_other(void **state)
{
    pass(TIMEOUT * 1000 + 1500, 1u << 1);
    if (!setjmp(after_panic)) {
        pass(TIMEOUT * 1000, 1u << 1);
        fail();
    }
    host_cpu = 0;
    assert_non_null(strstr(why, "CPU 1 does not come to its timers"));
    assert_int_equal(host_nmis[1], 1);
}

/* As a panic does, whose report takes long. */
static void nobody_is_missed_any_more(void **state)
{
    pass(TIMEOUT * 1000 + 1500, 1u << 1);
    assert_int_equal(missed(1), TIMEOUT);
    heartbeat_stop();
    assert_int_equal(missed(1), 0);
    pass(TIMEOUT * 4000, 1u << 1);
    assert_int_equal(host_nmis[1], 1);
    pass(250, 0);
}

/* As an SMI does, or a hypervisor below: whoever comes first afterwards sees nobody's beat. */
static void the_machine_stood_still(void **state)
{
    pass(2000, 0);
    now_ms += TIMEOUT * 2000;
    at(now_ms);
    visit(1u << 1 | 1u << 2);
    visit(1u << 0);
    pass(3000, 0);
    assert_int_equal(host_nmis[0] + host_nmis[1] + host_nmis[2], 0);
    /* One that does not come back is missed, from then on. */
    now_ms += TIMEOUT * 2000;
    at(now_ms);
    pass(TIMEOUT * 1000 + 1500, 1u << 1);
    assert_int_equal(host_nmis[1], 1);
}

static void one_cpu_has_no_watchdog(void **state)
{
    uint64_t first;

    pcpu_count = 1;
    heartbeat_start(TIMEOUT);
    pcpu_count = CPUS;
    assert_int_equal(timers_count(0, &first), 0);
    pass(TIMEOUT * 4000, 1u << 1);
    assert_int_equal(host_nmis[1], 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cpu_has_no_watchdog),
        T(who_beats_is_not_accused),
        T(who_does_not_is_accused_once_and_in_time),
        T(a_late_nmi_means_nothing),
        T(the_last_watches_the_first),
        T(two_in_a_row),
        T(who_waits_watches),
        T(the_machine_stood_still),
        T(nobody_is_missed_any_more),
        T(who_does_not_answer_is_told_by_the_other),
    };

    host_start(CPUS, 1024);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
