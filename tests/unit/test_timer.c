/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/timer.c: what is due runs, in order, on the CPU of its heap, and never early; a killed timer never
 * runs again; other CPUs may set, stop, move and kill at any moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/fake_sched.h"

void machine_relax(void) { usleep(1); }

struct probe {
    struct timer t;
    unsigned ran, cpu;
    uint64_t at, again; /* again: set for that long later */
};

static struct probe *last;

static void record(void *data)
{
    struct probe *p = data;

    p->ran++;
    p->cpu = this_pcpu()->id;
    p->at = now_ns();
    if (p->again)
        timer_set(&p->t, now_ns() + p->again);
    last = p;
}

static void probe_init(struct probe *p, unsigned cpu)
{
    *p = (struct probe){ 0 };
    timer_init(&p->t, record, p, cpu);
}

/* What the exit path of `cpu` does. */
static void visit(unsigned cpu)
{
    fake_cpu = cpu;
    if (fake_deadline[cpu] <= fake_tsc)
        atomic_fetch_or(&fake_pcpu[cpu].work, WORK_TIMER);
    while (atomic_exchange(&fake_pcpu[cpu].work, 0) & WORK_TIMER)
        timers_run();
    fake_cpu = 0;
}

/* As a guest's hypercall does it: no passage through the exit path is needed, and none of the machine's timer for what is later. */
static void is_armed_at_once_for_a_guest(void **state)
{
    struct vcpu somebody;
    struct probe a, b;

    fake_machine(2, true);
    fake_pcpu[0].current = &somebody;
    probe_init(&a, 1);
    probe_init(&b, 0);
    timer_set_here(&a.t, US(50));
    assert_int_equal(a.t.cpu, 0);
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(50)));
    timer_set(&b.t, US(20));
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(20)));
    timer_set(&b.t, US(80));
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(20)));
    assert_int_equal(atomic_load(&fake_pcpu[0].work), 0);
    fake_now(US(20));
    visit(0);
    assert_int_equal(a.ran + b.ran, 0);
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(50)));
    fake_now(US(50));
    visit(0);
    assert_int_equal(a.ran, 1);
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(80)));
    timer_set_here(&a.t, US(60));
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(60)));
    timer_stop(&a.t);
    timer_stop(&b.t);
    fake_now(US(60));
    visit(0);
    assert_true(fake_deadline[0] == ~0ull);
    timer_set(&a.t, US(90));
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(90)));
    fake_pcpu[0].current = NULL;
    fake_machine_end();
}

static void runs_when_due_and_arms_for_the_next(void **state)
{
    struct probe a, b;

    fake_machine(1, true);
    probe_init(&a, 0);
    probe_init(&b, 0);
    timer_set(&a.t, US(50));
    timer_set(&b.t, US(20));
    visit(0);
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(20)));
    fake_now(US(20) - 1);
    visit(0);
    assert_int_equal(b.ran, 0);
    fake_now(US(20));
    visit(0);
    assert_int_equal(b.ran, 1);
    assert_int_equal(a.ran, 0);
    assert_int_equal(fake_deadline[0], ns_to_tsc(US(50)));
    fake_now(US(60));
    visit(0);
    assert_int_equal(a.ran, 1);
    assert_true(fake_deadline[0] == ~0ull);
    fake_machine_end();
}

static void a_past_time_runs_at_once_and_setting_again_moves_it(void **state)
{
    struct probe a;

    fake_machine(1, true);
    fake_now(MS(5));
    probe_init(&a, 0);
    timer_set(&a.t, MS(1));
    visit(0);
    assert_int_equal(a.ran, 1);
    timer_set(&a.t, MS(6));
    timer_set(&a.t, MS(9));
    fake_now(MS(7));
    visit(0);
    assert_int_equal(a.ran, 1);
    fake_now(MS(9));
    visit(0);
    assert_int_equal(a.ran, 2);
    timer_set(&a.t, MS(10));
    timer_stop(&a.t);
    timer_stop(&a.t);
    fake_now(MS(11));
    visit(0);
    assert_int_equal(a.ran, 2);
    fake_machine_end();
}

static void its_function_may_set_it_again(void **state)
{
    struct probe a;

    fake_machine(1, true);
    probe_init(&a, 0);
    a.again = MS(1);
    timer_set(&a.t, MS(1));
    for (unsigned ms = 0; ms <= 10; ms++) {
        fake_now(MS(ms));
        visit(0);
    }
    assert_int_equal(a.ran, 10);
    timer_kill(&a.t);
    fake_now(MS(20));
    visit(0);
    assert_int_equal(a.ran, 10);
    fake_machine_end();
}

static void another_cpu_is_kicked_only_for_a_new_first(void **state)
{
    struct probe a, b;

    fake_machine(2, true);
    probe_init(&a, 1);
    probe_init(&b, 1);
    fake_kicks = 0;
    timer_set(&a.t, MS(5));
    assert_int_equal(fake_kicks, 1);
    visit(1);
    timer_set(&b.t, MS(9));
    assert_int_equal(fake_kicks, 1);
    timer_set(&b.t, MS(2));
    assert_int_equal(fake_kicks, 2);
    fake_now(MS(10));
    visit(1);
    assert_int_equal(a.cpu, 1);
    assert_int_equal(b.cpu, 1);
    fake_machine_end();
}

static void a_moved_timer_keeps_its_time_and_its_room(void **state)
{
    struct probe a, b;

    fake_machine(2, true);
    probe_init(&a, 0);
    probe_init(&b, 0);
    timer_set(&a.t, MS(3));
    timer_move(&a.t, 1);
    timer_move(&b.t, 1); /* not set: stays so */
    timer_move(&b.t, 1);
    fake_now(MS(3));
    visit(0);
    assert_int_equal(a.ran, 0);
    visit(1);
    assert_int_equal(a.ran, 1);
    assert_int_equal(a.cpu, 1);
    assert_int_equal(b.ran, 0);
    fake_machine_end();
}

/* Thousands in the heap of one CPU; and without memory nothing changes. */
static void reserved_timers_all_fit(void **state)
{
    enum { N = 3000 };
    struct probe *p = calloc(N, sizeof(*p));

    fake_machine(2, true);
    for (unsigned i = 0; i < N; i += 3)
        assert_int_equal(timers_reserve(3), 0);
    fake_fail_alloc = 2;
    assert_int_equal(timers_reserve(100000), -ENOMEM);
    for (unsigned i = 0; i < N; i++) {
        probe_init(&p[i], 1);
        timer_set(&p[i].t, US(1 + (i * 7919u) % N));
    }
    for (unsigned us = 0; us <= N; us++) {
        fake_now(US(us));
        visit(1);
        if (us)
            assert_int_equal(last->at, US(us));
    }
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(p[i].ran, 1);
    timers_release(N);
    free(p);
    fake_machine_end();
}

/* ---- Threads ---- */

static _Atomic bool stop;
static _Atomic bool killed;
static _Atomic unsigned fired;

static void fire(void *data)
{
    struct timer *t = data;

    assert_false(killed);
    fired++;
    timer_set(t, now_ns() + US(1));
}

static void *cpu_thread(void *arg)
{
    fake_cpu = (unsigned)(uintptr_t)arg;
    while (!stop) {
        atomic_fetch_and(&this_pcpu()->work, ~(uint32_t)WORK_TIMER);
        timers_run();
        fake_tsc += 200;
    }
    return NULL;
}

static void killed_while_it_runs_moves_and_is_set_it_never_runs_again(void **state)
{
    pthread_t cpu[3];
    struct timer t;

    fake_machine(4, true);
    stop = false;
    for (uintptr_t i = 0; i < 3; i++)
        pthread_create(&cpu[i], NULL, cpu_thread, (void *)(i + 1));
    for (unsigned round = 0; round < 300; round++) {
        unsigned before = fired;

        killed = false;
        timer_init(&t, fire, &t, 1 + round % 3);
        timer_set(&t, now_ns());
        while (fired < before + 5)
            timer_move(&t, 1 + rand() % 3);
        timer_kill(&t);
        killed = true;
        memset(&t, 0xc5, sizeof(t));
    }
    stop = true;
    for (unsigned i = 0; i < 3; i++)
        pthread_join(cpu[i], NULL);
    fake_machine_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_when_due_and_arms_for_the_next),
        cmocka_unit_test(is_armed_at_once_for_a_guest),
        cmocka_unit_test(a_past_time_runs_at_once_and_setting_again_moves_it),
        cmocka_unit_test(its_function_may_set_it_again),
        cmocka_unit_test(another_cpu_is_kicked_only_for_a_new_first),
        cmocka_unit_test(a_moved_timer_keeps_its_time_and_its_room),
        cmocka_unit_test(reserved_timers_all_fit),
        cmocka_unit_test(killed_while_it_runs_moves_and_is_set_it_never_runs_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
