/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/sched.c and its parts on simulated CPUs: shares follow weights, caps hold, everyone runs, wakers run
 * soon, affinity is kept, and idle CPUs set no timer. Then core/exit.c and core/vcpu_run.c with threads for
 * CPUs: no wakeup is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/sim_sched.h"

/* ---- What the tools are told ---- */

enum { UNKNOWN = -1 };

static struct {
    int state[MAX_GUESTS + 1][4]; /* by the changes told, of each vCPU; guest 0: the idle ones, by CPU */
    struct { uint32_t dom, vcpu; } left[2], entered[2]; /* by the last switch told, on each CPU */
    unsigned switches, continued, wakes;
} told;

static int *told_state(uint32_t dom, uint32_t vcpu)
{
    return &told.state[dom == TRACE_DOM_IDLE ? 0 : dom][vcpu];
}

static void hear_change(const struct trace_record *r)
{
    int *state = told_state(r->word[0] >> 16, r->word[0] & 0xffff);
    int from = TRC_HD_TO_EVENT(r->event) >> 8 & 3, to = TRC_HD_TO_EVENT(r->event) >> 4 & 3;

    assert_true(*state == UNKNOWN || *state == from);
    assert_int_not_equal(from, to);
    *state = to;
}

/* A tool that believes what it reads: every change begins where the one before ended, every switch too. */
static void hear(struct trace_cpu *t, const struct trace_record *r)
{
    uint32_t event = TRC_HD_TO_EVENT(r->event);

    if ((event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE)
        hear_change(r);
    if (event == TRC_SCHED_SWITCH_INFPREV) {
        if (told.switches > 2)
            assert_true(told.entered[fake_cpu].dom == r->word[0] && told.entered[fake_cpu].vcpu == r->word[1]);
        told.left[fake_cpu].dom = r->word[0];
        told.left[fake_cpu].vcpu = r->word[1];
    }
    if (event == TRC_SCHED_SWITCH_INFNEXT) {
        assert_false(told.left[fake_cpu].dom == r->word[0] && told.left[fake_cpu].vcpu == r->word[1]);
        told.entered[fake_cpu].dom = r->word[0];
        told.entered[fake_cpu].vcpu = r->word[1];
        told.switches++;
    }
    told.continued += event == TRC_SCHED_SWITCH_INFCONT;
    told.wakes += event == TRC_SCHED_WAKE;
}

static void tools_can_follow_who_runs(void **state)
{
    struct trace_cpu recorder[2] = { 0 };
    struct guest *g[3];

    memset(&told, 0, sizeof(told));
    memset(told.state, 0xff, sizeof(told.state));
    sim_start(2);
    for (unsigned i = 0; i < 2; i++) {
        recorder[i] = (struct trace_cpu){ .record = calloc(TRACE_RECORDS, sizeof(struct trace_record)), .wanted = TRC_ALL,
                                          .export = hear };
        fake_pcpu[i].trace = &recorder[i];
    }
    for (unsigned i = 0; i < 3; i++)
        g[i] = guest_new(2, 256, i == 2 ? 40 : 0);
    guest_up(g[0], MS(3), MS(5));
    guest_up(g[1], US(300), MS(2));
    guest_up(g[2], 0, 0);
    sim_run(SEC(5));
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(*told_state(g[i]->d.id, k), g[i]->v[k].runstate.state);
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu *v = fake_pcpu[i].current;

        assert_int_equal(told.entered[i].dom, v ? v->domain->id : TRACE_DOM_IDLE);
        assert_int_equal(*told_state(TRACE_DOM_IDLE, i), v ? RUNSTATE_runnable : RUNSTATE_running);
    }
    assert_true(told.switches > 1000 && told.continued > 10 && told.wakes > 1000);
    sim_end();
    for (unsigned i = 0; i < 2; i++) {
        fake_pcpu[i].trace = NULL;
        free(recorder[i].record);
    }
}

/* ---- Claims ---- */

static void one_cpu_is_shared_by_weight(void **state)
{
    static const uint16_t weight[] = { 256, 512, 1024, 77, 4000 };
    struct guest *g[5];
    unsigned sum = 0;

    sim_start(1);
    for (unsigned i = 0; i < 5; i++) {
        g[i] = guest_new(1, weight[i], 0);
        guest_up(g[i], 0, 0);
        sum += weight[i];
    }
    sim_run(SEC(60));
    for (unsigned i = 0; i < 5; i++) {
        double fair = 100.0 * weight[i] / sum;

        assert_share(g[i], SEC(60), fair, fair * 0.02);
    }
    sim_end();
}

static void three_equals_on_two_cpus_get_two_thirds_each(void **state)
{
    struct guest *g[3];

    sim_start(2);
    for (unsigned i = 0; i < 2; i++)
        guest_up(g[i] = guest_new(1, 256, 0), 0, 0);
    /* The two have a CPU each and no slices. Then the third comes. */
    sim_run(MS(100));
    guest_up(g[2] = guest_new(1, 256, 0), 0, 0);
    sim_run(SEC(20));
    for (unsigned i = 0; i < 3; i++)
        assert_share(g[i], SEC(20), 66.67, 66.67 * 0.02);
    sim_end();
}

static void weights_hold_across_cpus(void **state)
{
    static const uint16_t weight[] = { 256, 256, 512, 256, 512, 768 }; /* sum 2560 */
    struct guest *g[6];

    sim_start(4);
    for (unsigned i = 0; i < 6; i++)
        guest_up(g[i] = guest_new(2, weight[i], 0), 0, 0);
    sim_run(SEC(30));
    for (unsigned i = 0; i < 6; i++) {
        double fair = 400.0 * weight[i] / 2560;

        assert_share(g[i], SEC(30), fair, fair * 0.02);
    }
    sim_end();
}

/*
 * Its weight asks for more than the one CPU that its one vCPU can use: it gets that, the others share the
 * rest.
 */
static void nobody_starves_beside_a_huge_weight(void **state)
{
    struct guest *big, *g[3];

    sim_start(2);
    guest_up(big = guest_new(1, 65535, 0), 0, 0);
    for (unsigned i = 0; i < 3; i++)
        guest_up(g[i] = guest_new(1, i ? 256 : 1, 0), 0, 0);
    sim_run(SEC(40));
    assert_share(big, SEC(40), 100, 2);
    assert_share(g[1], SEC(40), 50, 1.5);
    assert_share(g[2], SEC(40), 50, 1.5);
    assert_true(sched_domain_time(&g[0]->d) > MS(50));
    sim_end();
}

/*
 * One has waited behind a huge weight for long, on a CPU of its own choice: that does not count afterwards.
 */
static void shares_recover_after_a_lopsided_time(void **state)
{
    cpumask_t zero = 1, one = 2, both = 3;
    struct guest *big, *g[4];
    uint64_t before[4];

    sim_start(2);
    big = guest_new(1, 65535, 0);
    assert_int_equal(sched_set_affinity(&big->v[0], &zero, NULL), 0);
    guest_up(big, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        g[i] = guest_new(1, 256, 0);
        assert_int_equal(sched_set_affinity(&g[i]->v[0], i ? &one : &zero, NULL), 0);
        guest_up(g[i], 0, 0);
    }
    sim_run(SEC(30));
    vcpu_pause_set(&big->v[0], PAUSE_DOWN);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sched_set_affinity(&g[i]->v[0], &both, NULL), 0);
    sim_run(MS(500));
    for (unsigned i = 0; i < 4; i++)
        before[i] = sched_domain_time(&g[i]->d);
    sim_run(SEC(5));
    for (unsigned i = 0; i < 4; i++)
        assert_in_range((uint64_t)(share(g[i], before[i], SEC(5)) * 100), 4900, 5100);
    sim_end();
}

static void a_cap_holds_alone_and_in_company(void **state)
{
    static const struct { uint16_t cap; unsigned vcpus, others; } c[] = {
        { 10, 1, 0 }, { 35, 1, 0 }, { 50, 4, 0 }, { 150, 4, 0 }, { 200, 2, 0 }, { 20, 1, 3 },
        { 30, 4, 6 }, { 1, 1, 1 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
        struct guest *g;

        sim_start(4);
        guest_up(g = guest_new(c[i].vcpus, 256, c[i].cap), 0, 0);
        for (unsigned n = 0; n < c[i].others; n++)
            guest_up(guest_new(1, 256, 0), 0, 0);
        sim_run(SEC(10));
        assert_share(g, SEC(10), c[i].cap, 2);
        sim_end();
    }
}

static void a_cap_does_not_slow_who_stays_below_it_and_may_change(void **state)
{
    struct guest *g;
    uint64_t before;

    sim_start(1);
    g = guest_new(1, 256, 40);
    guest_up(g, MS(1), MS(3));
    sim_run(SEC(5));
    assert_share(g, SEC(5), 25, 1);
    assert_true(g->at[0].worst < US(50));
    g->sleep = 0;
    before = sched_domain_time(&g->d);
    sim_run(SEC(5));
    assert_in_range((uint64_t)share(g, before, SEC(5)), 38, 42);
    assert_int_equal(sched_set_domain(&g->d, 256, 0), 0);
    before = sched_domain_time(&g->d);
    sim_run(SEC(5));
    assert_in_range((uint64_t)share(g, before, SEC(5)), 99, 100);
    assert_int_equal(sched_set_domain(&g->d, 256, 15), 0);
    before = sched_domain_time(&g->d);
    sim_run(SEC(5));
    assert_in_range((uint64_t)share(g, before, SEC(5)), 13, 17);
    assert_int_equal(sched_set_domain(&g->d, 0, 15), -EINVAL);
    sim_end();
}

/* Percent of a CPU that each of n vCPUs gets of `cpus`: by weight, but none more than its `most`. */
static void fair_shares(unsigned n, double cpus, const unsigned *weight, const double *most, double *out)
{
    bool full[8] = { false };
    double left = cpus * 100;

    for (bool again = true; again; ) {
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
            sum += full[i] ? 0 : weight[i];
        again = false;
        for (unsigned i = 0; i < n && !again; i++) {
            if (full[i])
                continue;
            out[i] = left * weight[i] / sum;
            if (out[i] >= most[i]) {
                out[i] = most[i];
                left -= most[i];
                full[i] = again = true;
            }
        }
    }
}

/* Who is stopped by its cap, or sleeps, leaves the rest to the others, by their weights, wherever they run. */
static void shares_are_exact_beside_caps_and_sleepers(void **state)
{
    static const struct { unsigned cpus, n, weight[6], cap[6], sleep[6]; } c[] = {
        { 2, 3, { 256, 512, 256 }, { 0 }, { 0 } },
        { 1, 3, { 256, 512, 512 }, { 0, 0, 30 }, { 0 } },
        { 1, 3, { 256, 512, 256 }, { 0 }, { 0, 0, 7 } },
        { 2, 4, { 256, 256, 256, 256 }, { 0, 0, 0, 30 }, { 0 } },
        { 2, 4, { 256, 512, 256, 512 }, { 0, 0, 0, 30 }, { 0 } },
        { 2, 4, { 256, 512, 256, 256 }, { 0 }, { 0, 0, 0, 7 } },
        { 2, 4, { 256, 256, 256, 256 }, { 0, 0, 0, 20 }, { 0, 0, 0, 7 } },
        { 2, 6, { 256, 256, 256, 256, 256, 256 }, { 0, 0, 0, 20, 20 }, { 0, 0, 0, 7, 0, 7 } },
        { 3, 6, { 256, 512, 256, 256, 256, 1024 }, { 0, 0, 0, 30, 50 }, { 0 } },
        { 2, 6, { 256, 512, 256, 256, 256, 1024 }, { 0, 0, 0, 30, 50, 20 }, { 0 } },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
        double most[6], fair[6];

        sim_start(c[i].cpus);
        for (unsigned n = 0; n < c[i].n; n++) {
            struct guest *g = guest_new(1, (uint16_t)c[i].weight[n], (uint16_t)c[i].cap[n]);

            most[n] = c[i].sleep[n] ? 300.0 / (3 + c[i].sleep[n]) : 100;
            most[n] = c[i].cap[n] && c[i].cap[n] < most[n] ? c[i].cap[n] : most[n];
            guest_up(g, MS(3), MS(c[i].sleep[n]));
        }
        fair_shares(c[i].n, c[i].cpus, c[i].weight, most, fair);
        sim_run(SEC(10));
        for (unsigned n = 0; n < c[i].n; n++)
            assert_share(guests[n], SEC(10), fair[n], 0.5);
        sim_end();
    }
}

static void affinity_bounds_whom_weights_compare(void **state)
{
    cpumask_t zero = 1;
    struct guest *g[4];

    sim_start(2);
    for (unsigned i = 0; i < 4; i++) {
        g[i] = guest_new(1, i == 1 ? 512 : 256, i == 3 ? 30 : 0);
        if (i < 2)
            assert_int_equal(sched_set_affinity(&g[i]->v[0], &zero, NULL), 0);
        guest_up(g[i], 0, 0);
    }
    sim_run(SEC(10));
    assert_share(g[0], SEC(10), 33.33, 1);
    assert_share(g[1], SEC(10), 66.67, 1);
    assert_share(g[2], SEC(10), 70, 1);
    assert_share(g[3], SEC(10), 30, 1);
    sim_end();
}

static void who_sleeps_much_runs_soon_after_it_wakes(void **state)
{
    struct guest *g[2];

    sim_start(2);
    for (unsigned i = 0; i < 8; i++)
        guest_up(guest_new(1, 256, 0), 0, 0);
    for (unsigned i = 0; i < 2; i++)
        guest_up(g[i] = guest_new(1, 256, 0), US(100), MS(7));
    sim_run(SEC(20));
    for (unsigned i = 0; i < 2; i++) {
        assert_true(g[i]->at[0].woken > 2000);
        /* The rate limit, and once in a while the other one. */
        assert_in_range(g[i]->at[0].worst, 0, US(1300));
    }
    sim_end();
}

static void a_long_sleep_is_not_saved_up(void **state)
{
    struct guest *hog, *sleeper;
    uint64_t before;

    sim_start(1);
    guest_up(hog = guest_new(1, 256, 0), 0, 0);
    guest_up(sleeper = guest_new(1, 256, 0), 0, 0);
    vcpu_pause_set(&sleeper->v[0], PAUSE_BLOCKED);
    sim_run(SEC(10));
    vcpu_pause_clear(&sleeper->v[0], PAUSE_BLOCKED);
    before = sched_domain_time(&hog->d);
    sim_run(MS(100));
    assert_in_range(sched_domain_time(&hog->d) - before, MS(40), MS(60));
    sim_end();
}

static void an_event_that_came_before_is_not_slept_over(void **state)
{
    struct guest *g;
    struct vcpu *v;

    sim_start(1);
    g = guest_new(1, 256, 0);
    v = &g->v[0];
    guest_up(g, 0, 0);
    sim_run(MS(1));
    v->info->evtchn_upcall_mask = 1;
    vcpu_notify(v);
    vcpu_block(v);
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
    sim_run(MS(1));
    assert_ptr_equal(fake_pcpu[0].current, v);
    v->info->evtchn_upcall_pending = 0;
    v->nmi_pending = true;
    vcpu_block(v);
    sim_run(MS(1));
    assert_ptr_equal(fake_pcpu[0].current, v);
    v->nmi_pending = false;
    vcpu_block(v);
    sim_run(MS(1));
    assert_null(fake_pcpu[0].current);
    vcpu_kick(v);
    sim_run(MS(1));
    assert_ptr_equal(fake_pcpu[0].current, v);
    sim_end();
}

/* What a sender reads of the mask may be older than the guest's look at what is pending. */
static void a_vcpu_that_runs_is_told_of_an_event_that_it_masks(void **state)
{
    struct guest *g;
    struct vcpu *v;

    sim_start(2);
    g = guest_new(1, 256, 0);
    v = &g->v[0];
    guest_up(g, 0, 0);
    sim_run(MS(1));
    v->info->evtchn_upcall_mask = 1;
    fake_cpu = (unsigned)v->running_on;
    vcpu_notify(v);
    assert_int_equal(fake_pcpu[v->running_on].work & WORK_IRQ, 0); /* it looks on its way out */
    fake_cpu = !v->running_on;
    vcpu_notify(v);
    assert_int_equal(fake_pcpu[v->running_on].work & WORK_IRQ, WORK_IRQ);
    fake_cpu = 0;
    sim_end();
}

static void among_many_everyone_runs_often(void **state)
{
    struct guest *g[20];
    uint64_t before[20];

    sim_start(2);
    for (unsigned i = 0; i < 20; i++)
        guest_up(g[i] = guest_new(1, 256, 0), 0, 0);
    sim_run(SEC(1));
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 20; i++)
            before[i] = sched_domain_time(&g[i]->d);
        sim_run(MS(100));
        for (unsigned i = 0; i < 20; i++)
            assert_true(sched_domain_time(&g[i]->d) > before[i]);
    }
    sim_end();
}

static void affinity_is_kept(void **state)
{
    cpumask_t two = 4, low = 3, none = 0xf0, all = ~0ull;
    struct guest *pinned, *half;

    sim_start(4);
    pinned = guest_new(1, 256, 0);
    half = guest_new(2, 256, 0);
    for (unsigned i = 0; i < 4; i++)
        guest_up(guest_new(1, 256, 0), 0, 0);
    assert_int_equal(sched_set_affinity(&pinned->v[0], &two, NULL), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sched_set_affinity(&half->v[i], &low, NULL), 0);
    assert_int_equal(sched_set_affinity(&half->v[0], &none, NULL), -EINVAL);
    guest_up(pinned, MS(3), MS(2));
    guest_up(half, 0, 0);
    sim_run(SEC(5));
    assert_int_equal(pinned->at[0].seen, 4);
    assert_int_equal(half->at[0].seen & ~low, 0);
    assert_int_equal(half->at[1].seen & ~low, 0);
    /* Changed while it runs, it goes at once. */
    assert_int_equal(sched_set_affinity(&half->v[0], &two, NULL), 0);
    sim_settle();
    half->at[0].seen = 0;
    sim_run(SEC(1));
    assert_int_equal(half->at[0].seen, 4);
    assert_int_equal(sched_set_affinity(&half->v[0], &all, &all), 0);
    assert_int_equal(half->v[0].hard, 15);
    assert_int_equal(half->v[0].soft, 15);
    sim_end();
}

static void soft_affinity_is_a_wish(void **state)
{
    cpumask_t two = 4;
    struct guest *g, *other;

    sim_start(4);
    g = guest_new(1, 256, 0);
    assert_int_equal(sched_set_affinity(&g->v[0], NULL, &two), 0);
    guest_up(g, MS(1), MS(1));
    sim_run(SEC(1));
    assert_int_equal(g->at[0].seen, 4);
    /* With somebody there and other CPUs idle it runs all the same. */
    other = guest_new(1, 256, 0);
    assert_int_equal(sched_set_affinity(&other->v[0], &two, NULL), 0);
    guest_up(other, 0, 0);
    sim_run(SEC(1));
    assert_true(g->at[0].seen != 4);
    assert_share(g, SEC(2), 50, 1);
    sim_end();
}

static void a_pin_override_ends_and_restores(void **state)
{
    cpumask_t low = 3;
    struct guest *g;

    sim_start(4);
    g = guest_new(1, 256, 0);
    assert_int_equal(sched_set_affinity(&g->v[0], &low, NULL), 0);
    guest_up(g, 0, 0);
    sim_run(MS(10));
    assert_int_equal(sched_pin_override(&g->v[0], 4), -EINVAL);
    assert_int_equal(sched_pin_override(&g->v[0], -1), -EINVAL);
    assert_int_equal(sched_pin_override(&g->v[0], 3), 0);
    assert_int_equal(sched_pin_override(&g->v[0], 2), -EBUSY);
    sim_run(MS(10));
    assert_int_equal(g->v[0].cpu, 3);
    assert_int_equal(sched_pin_override(&g->v[0], -1), 0);
    assert_int_equal(g->v[0].hard, 3);
    sim_run(MS(10));
    assert_true(g->v[0].cpu < 2);
    sim_end();
}

static void idle_cpus_and_lone_vcpus_have_no_timer(void **state)
{
    struct guest *g;
    unsigned kicks;

    sim_start(2);
    g = guest_new(1, 256, 0);
    guest_up(g, 0, 0);
    sim_run(SEC(1));
    assert_true(fake_deadline[0] == ~0ull);
    assert_true(fake_deadline[1] == ~0ull);
    kicks = fake_kicks;
    sim_run(SEC(10));
    assert_int_equal(fake_kicks, kicks);
    vcpu_pause_set(&g->v[0], PAUSE_BLOCKED);
    sim_run(SEC(1));
    assert_null(fake_pcpu[0].current);
    assert_null(fake_pcpu[1].current);
    assert_int_equal(idle_cpus, 3);
    assert_true(fake_deadline[0] == ~0ull && fake_deadline[1] == ~0ull);
    sim_end();
}

static void the_rate_limit_bounds_switches(void **state)
{
    struct guest *g;

    sim_start(1);
    assert_int_equal(pool_set_ratelimit_us(0, 50), -EINVAL);
    assert_int_equal(pool_set_ratelimit_us(0, 500001), -EINVAL);
    assert_int_equal(pool_set_ratelimit_us(0, 5000), 0);
    assert_int_equal(pool_ratelimit_us(0), 5000);
    guest_up(guest_new(1, 256, 0), 0, 0);
    guest_up(g = guest_new(1, 256, 0), US(50), MS(2));
    sim_run(SEC(10));
    assert_in_range(g->at[0].worst, US(2500), US(5000));
    assert_int_equal(pool_set_ratelimit_us(0, 1000), 0);
    sim_end();
}

static void runstates_add_up(void **state)
{
    struct vcpu_runstate_info r, area;
    struct guest *g, *other;

    sim_start(1);
    memset(fake_refs, 0, sizeof(fake_refs));
    g = guest_new(1, 256, 0);
    other = guest_new(1, 256, 0);
    sim_run(SEC(1));
    guest_up(g, MS(2), MS(3));
    guest_up(other, MS(2), MS(3));
    assert_int_equal(vcpu_area_set(&g->v[0], &g->v[0].runstate_area, 6 * PAGE_SIZE - 24, sizeof(r)), 0);
    sim_run(SEC(4));
    sched_runstate(&g->v[0], &r);
    assert_int_equal(r.time[0] + r.time[1] + r.time[2] + r.time[3], SEC(5));
    assert_int_equal(r.time[RUNSTATE_offline], SEC(1));
    assert_int_equal(r.time[RUNSTATE_running], g->at[0].ran);
    assert_true(r.time[RUNSTATE_blocked] > SEC(2));
    memcpy(&area, &fake_page[5][PAGE_SIZE - 24], sizeof(area));
    assert_int_equal(area.time[RUNSTATE_offline], SEC(1));
    assert_true(area.time[RUNSTATE_running] > SEC(1));
    assert_false(area.state_entry_time & XEN_RUNSTATE_UPDATE);
    vcpu_pause_set(&g->v[0], PAUSE_DOWN);
    sim_run(SEC(1));
    sched_runstate(&g->v[0], &r);
    assert_in_range(r.state, RUNSTATE_blocked, RUNSTATE_offline);
    assert_int_equal(vcpu_area_set(&g->v[0], &g->v[0].runstate_area, 0, 0), 0);
    sim_end();
}

static void yield_lets_the_other_go_first(void **state)
{
    struct guest *a, *b;
    struct vcpu *before;

    sim_start(1);
    a = guest_new(1, 65535, 0);
    b = guest_new(1, 1, 0);
    guest_up(a, 0, 0);
    guest_up(b, 0, 0);
    sim_run(MS(30));
    for (unsigned i = 0; i < 10; i++) {
        before = fake_pcpu[0].current;
        sched_give_way();
        sim_settle();
        assert_ptr_not_equal(fake_pcpu[0].current, before);
    }
    /* Alone it goes on. */
    vcpu_pause_set(&b->v[0], PAUSE_DOWN);
    sim_settle();
    sched_give_way();
    sim_settle();
    assert_ptr_equal(fake_pcpu[0].current, &a->v[0]);
    sim_end();
}

/* Between the moment a pauser sets its bit and the one at which it has the queue's lock. */
static void who_was_paused_a_moment_ago_is_not_run(void **state)
{
    struct guest *g;

    sim_start(1);
    g = guest_new(1, 256, 0);
    guest_up(g, 0, 0);
    atomic_fetch_or(&g->v[0].pause, PAUSE_BLOCKED);
    assert_null(sched_pick(NULL));
    assert_int_equal(g->v[0].running_on, -1);
    sched_sleep(&g->v[0]);
    vcpu_pause_clear(&g->v[0], PAUSE_BLOCKED);
    sim_run(MS(1));
    assert_ptr_equal(fake_pcpu[0].current, &g->v[0]);
    sim_end();
}

/* Its affinity was changed just before its state was in memory, so nobody moved it. */
static void a_stray_finds_its_way(void **state)
{
    struct guest *g[3];

    sim_start(2);
    for (unsigned i = 0; i < 3; i++) {
        cpumask_t zero = 1;

        g[i] = guest_new(1, 256, 0);
        assert_int_equal(sched_set_affinity(&g[i]->v[0], &zero, NULL), 0);
        guest_up(g[i], 0, 0);
    }
    sim_run(SEC(1));
    for (unsigned i = 0; i < 3; i++)
        if (g[i]->v[0].running_on == -1)
            g[i]->v[0].hard = 2;
    sim_run(SEC(1));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(g[i]->v[0].cpu, g[i]->v[0].hard == 2);
    sim_end();
}

static void holds_are_counted(void **state)
{
    struct guest *g;

    sim_start(1);
    g = guest_new(1, 256, 0);
    vcpu_hold(&g->v[0]);
    vcpu_hold(&g->v[0]);
    guest_up(g, 0, 0);
    sim_run(MS(1));
    assert_null(fake_pcpu[0].current);
    vcpu_release(&g->v[0]);
    sim_run(MS(1));
    assert_null(fake_pcpu[0].current);
    vcpu_release(&g->v[0]);
    sim_run(MS(1));
    assert_ptr_equal(fake_pcpu[0].current, &g->v[0]);
    assert_int_equal(g->v[0].pause, 0);
    sim_end();
}

static void timers_of_a_vcpu_raise_its_virq(void **state)
{
    struct guest *g;

    sim_start(1);
    g = guest_new(1, 256, 0);
    guest_up(g, 0, 0);
    vcpu_set_periodic(&g->v[0], MS(10));
    sim_run(MS(105));
    assert_int_equal(fake_virqs, 10);
    fake_now(now_ns() + MS(500)); /* the CPU was elsewhere: missed ticks are one */
    sim_run(MS(1));
    assert_int_equal(fake_virqs, 11);
    vcpu_set_periodic(&g->v[0], 0);
    sim_run(MS(100));
    assert_int_equal(fake_virqs, 11);
    timer_set(&g->v[0].singleshot, 0);
    sim_run(MS(1));
    assert_int_equal(fake_virqs, 12);
    sim_end();
}

static void a_poll_ends_by_port_event_or_time(void **state)
{
    struct guest *g;
    uint32_t ports[2] = { 3, 4 };
    struct vcpu *v;

    sim_start(1);
    g = guest_new(1, 256, 0);
    v = &g->v[0];
    guest_up(g, 0, 0);
    sim_run(MS(1));
    v->info->evtchn_upcall_mask = 1;
    port_pending = 0;
    assert_int_equal(vcpu_poll(v, (uint32_t[]){ 99 }, 1, 0), -EINVAL);
    sim_settle();
    assert_ptr_equal(fake_pcpu[0].current, v);
    port_pending = 1u << 4;
    assert_int_equal(vcpu_poll(v, ports, 2, 0), 0);
    sim_settle();
    assert_ptr_equal(fake_pcpu[0].current, v);
    port_pending = 0;
    assert_int_equal(vcpu_poll(v, ports, 2, now_ns() + MS(5)), 0);
    sim_run(MS(4));
    assert_null(fake_pcpu[0].current);
    vcpu_notify(v); /* masked: it waits for its ports only */
    sim_settle();
    assert_null(fake_pcpu[0].current);
    sim_run(MS(2));
    assert_ptr_equal(fake_pcpu[0].current, v);
    assert_int_equal(v->poll_port, 0);
    assert_int_equal(vcpu_poll(v, ports, 1, 0), 0);
    sim_run(MS(1));
    assert_int_equal(v->poll_port, 3);
    port_poll_wake(v);
    sim_settle();
    assert_ptr_equal(fake_pcpu[0].current, v);
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_upcall_mask = 0;
    assert_int_equal(vcpu_poll(v, ports, 0, 0), 0);
    sim_run(MS(1));
    assert_null(fake_pcpu[0].current);
    vcpu_notify(v);
    sim_settle();
    assert_ptr_equal(fake_pcpu[0].current, v);
    sim_end();
}

static void watchdogs_end_a_domain_that_stops_poking(void **state)
{
    struct guest *g;

    sim_start(1);
    g = guest_new(1, 256, 0);
    shutdown_seen = -1;
    assert_int_equal(watchdog_poke(&g->d, ~0u, 1), -EINVAL);
    assert_int_equal(watchdog_stop(&g->d, 1), -EINVAL);
    assert_int_equal(watchdog_start(&g->d, 2), 1);
    assert_int_equal(watchdog_start(&g->d, 100), 2);
    assert_int_equal(watchdog_start(&g->d, 2), -ENOSPC);
    for (unsigned i = 0; i < 5; i++) {
        sim_run(SEC(1));
        assert_int_equal(watchdog_poke(&g->d, 1, 2), 0);
    }
    assert_int_equal(watchdog_stop(&g->d, 2), 0);
    assert_int_equal(shutdown_seen, -1);
    sim_run(SEC(3));
    assert_int_equal(shutdown_seen, SHUTDOWN_watchdog);
    assert_int_equal(watchdog_start(&g->d, 1), 2);
    shutdown_seen = -1;
    watchdogs_kill(&g->d);
    sim_run(SEC(3));
    assert_int_equal(shutdown_seen, -1);
    sim_end();
}

/* Sleepers, hogs, caps, changes of affinity and weight, pauses: nothing is lost, no rule is broken. */
static void a_long_mixed_life_keeps_the_rules(void **state)
{
    unsigned r = 1;

    sim_start(3);
    for (unsigned i = 0; i < 12; i++) {
        struct guest *g = guest_new(1 + i % 3, (uint16_t)(1 + i * 100), i % 4 ? 0 : (uint16_t)(20 + i));

        guest_up(g, US(100 + i * 300), i % 3 ? US(50 + i * 700) : 0);
    }
    for (unsigned round = 0; round < 3000; round++) {
        struct guest *g = guests[(r = r * 1103515245 + 12345) >> 16 & 7];
        struct vcpu *v = &g->v[(r >> 8) % g->vcpus];
        cpumask_t mask = 1 + (r >> 20) % 7;

        switch (round % 6) {
        case 0: (void)sched_set_affinity(v, &mask, NULL); break;
        case 1: vcpu_pause_set(v, PAUSE_DOWN); break;
        case 2: (void)sched_set_domain(&g->d, (uint16_t)(1 + (r >> 12) % 3000), r >> 28 ? 0 : 30); break;
        case 3: vcpu_pause_clear(v, PAUSE_DOWN); break;
        case 4: (void)sched_set_affinity(v, NULL, &mask); break;
        default: vcpu_notify(v); break;
        }
        sim_run(US(r >> 22));
    }
    for (unsigned n = 0; n < guest_count; n++) {
        sched_set_domain(&guests[n]->d, 256, 0);
        for (unsigned i = 0; i < guests[n]->vcpus; i++) {
            cpumask_t all = 7;

            assert_int_equal(sched_set_affinity(&guests[n]->v[i], &all, &all), 0);
            vcpu_pause_clear(&guests[n]->v[i], PAUSE_DOWN);
            guests[n]->at[i].ran = 0;
        }
    }
    sim_run(SEC(3));
    for (unsigned n = 0; n < guest_count; n++)
        for (unsigned i = 0; i < guests[n]->vcpus; i++)
            assert_true(guests[n]->at[i].ran > 0);
    sim_end();
}

/* ---- Threads are CPUs; the guests play ping-pong by events ---- */

enum { THREADS = 3, PAIRS = 3 };

static struct { _Atomic unsigned ball, turns; } table[PAIRS];

/*
 * One step of the guest that is loaded here: if the ball is on its side, it plays it back; then it waits for
 * it.
 */
static void play(struct vcpu *v)
{
    unsigned pair = v->domain->id - 1u, me = v->id;

    if (table[pair].ball == me) {
        table[pair].turns++;
        table[pair].ball = !me;
        vcpu_notify(v->domain->vcpu[!me]);
    } else if (table[pair].turns % 7 == me) {
        sched_give_way();
    } else {
        if (table[pair].turns % 5 == 0)
            usleep(rand() % 30); /* the ball may come now: the event is there, the guest thinks it is not */
        vcpu_block(v);
    }
}

static void *cpu_thread(void *arg)
{
    fake_cpu = (unsigned)(uintptr_t)arg;
    if (setjmp(leave))
        return NULL;
    for (;;) {
        struct pcpu *c = this_pcpu();

        if (atomic_exchange(&fake_kicked[c->id], false) && !c->work)
            atomic_fetch_or(&c->work, WORK_IRQ);
        if (fake_deadline[c->id] <= fake_tsc)
            atomic_fetch_or(&c->work, WORK_TIMER);
        core_exit();
        assert_int_equal(c->current->running_on, (int)c->id);
        fake_tsc += 2000;
        play(c->current);
    }
}

/* A domain goes to a pool of its own with one CPU, and comes back. */
static void change_pools(unsigned round, struct domain *d)
{
    unsigned cpu = round / 6 % THREADS, from = round % 6 == 5, id = 1;
    int rc;

    if (round % 6 == 2)
        assert_int_equal(pool_move(d, 1), 0);
    if (round % 6 == 4)
        for (unsigned i = 0; i < PAIRS; i++)
            assert_int_equal(pool_move(&guests[i]->d, 0), 0);
    if (round % 6 != 0 && round % 6 != 5)
        return;
    if (round == 0)
        assert_int_equal(pool_create(&id), 0);
    for (unsigned wait = 0; (rc = pool_remove_cpu(from, cpu)) == -ERESTART; wait++) {
        if (wait > 4000)
            fail_msg("CPU %u is not left", cpu);
        usleep(1000);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(pool_add_cpu(!from, cpu), 0);
}

static void no_wakeup_is_lost_between_cpus(void **state)
{
    pthread_t cpu[THREADS];
    unsigned last[PAIRS] = { 0 };

    sim_start(THREADS + 1);
    pcpu_online = (1u << THREADS) - 1; /* the last CPU is the test itself */
    for (unsigned i = 0; i < PAIRS; i++) {
        struct guest *g = guest_new(2, 256, i ? 0 : 60);

        table[i].ball = 0;
        table[i].turns = 0;
        guest_up(g, 0, 0);
    }
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&cpu[i], NULL, cpu_thread, (void *)i);
    fake_cpu = THREADS;
    for (unsigned round = 0; round < 60; round++) {
        struct vcpu *v = &guests[round % PAIRS]->v[round % 2];
        cpumask_t mask = 1 + round % 7;

        /* Meanwhile somebody holds them, moves them and reads their times. */
        vcpu_hold(v);
        assert_int_equal(v->running_on, -1);
        usleep(100);
        assert_int_equal(v->running_on, -1);
        vcpu_release(v);
        (void)sched_set_affinity(v, &mask, NULL);
        change_pools(round, v->domain);
        (void)sched_domain_time(v->domain);
        usleep(2000);
        for (unsigned i = 0; i < PAIRS; i++) {
            for (unsigned wait = 0; table[i].turns == last[i]; wait++) {
                if (wait > 4000)
                    fail_msg("pair %u stands still after %u turns", i, last[i]);
                fake_tsc += 100000;
                usleep(1000);
            }
            last[i] = table[i].turns;
        }
    }
    for (unsigned i = 0; i < PAIRS; i++)
        for (unsigned n = 0; n < 2; n++)
            vcpu_hold(&guests[i]->v[n]);
    stop = true;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(cpu[i], NULL);
    stop = false;
    fake_cpu = 0;
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_can_follow_who_runs),
        cmocka_unit_test(one_cpu_is_shared_by_weight),
        cmocka_unit_test(three_equals_on_two_cpus_get_two_thirds_each),
        cmocka_unit_test(weights_hold_across_cpus),
        cmocka_unit_test(nobody_starves_beside_a_huge_weight),
        cmocka_unit_test(shares_recover_after_a_lopsided_time),
        cmocka_unit_test(a_cap_holds_alone_and_in_company),
        cmocka_unit_test(a_cap_does_not_slow_who_stays_below_it_and_may_change),
        cmocka_unit_test(shares_are_exact_beside_caps_and_sleepers),
        cmocka_unit_test(affinity_bounds_whom_weights_compare),
        cmocka_unit_test(who_sleeps_much_runs_soon_after_it_wakes),
        cmocka_unit_test(a_long_sleep_is_not_saved_up),
        cmocka_unit_test(an_event_that_came_before_is_not_slept_over),
        cmocka_unit_test(a_vcpu_that_runs_is_told_of_an_event_that_it_masks),
        cmocka_unit_test(among_many_everyone_runs_often),
        cmocka_unit_test(affinity_is_kept),
        cmocka_unit_test(soft_affinity_is_a_wish),
        cmocka_unit_test(a_pin_override_ends_and_restores),
        cmocka_unit_test(idle_cpus_and_lone_vcpus_have_no_timer),
        cmocka_unit_test(the_rate_limit_bounds_switches),
        cmocka_unit_test(runstates_add_up),
        cmocka_unit_test(yield_lets_the_other_go_first),
        cmocka_unit_test(who_was_paused_a_moment_ago_is_not_run),
        cmocka_unit_test(a_stray_finds_its_way),
        cmocka_unit_test(holds_are_counted),
        cmocka_unit_test(timers_of_a_vcpu_raise_its_virq),
        cmocka_unit_test(a_poll_ends_by_port_event_or_time),
        cmocka_unit_test(watchdogs_end_a_domain_that_stops_poking),
        cmocka_unit_test(a_long_mixed_life_keeps_the_rules),
        cmocka_unit_test(no_wakeup_is_lost_between_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
