/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every pair of the operations below at the same time, one on each CPU, in every order with up to SCHEDULE_PREEMPTIONS (1)
 * changes of turn. The first stops at each point in turn, and the other goes to its end, or with two changes to each of its
 * points, before the first goes on. A point is whenever one asks which CPU it is on, as it takes and gives back each lock,
 * takes budget, looks who runs; and before each access to a guest's memory. Who waits for the other gives it its turn, which
 * is no change. Afterwards all must be in order, as after any operation alone, and when all have died every frame is back.
 */
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/fibers.h"
#include "tests/unit/hosted.h"
#include "tests/unit/small_world.h"
#include "tests/unit/small_world_more.h"

enum { WAITS_MAX = 100000, SHOWN = 3 };

/* ---- Operations, each by a vCPU of a's, of b's, or dom0's ---- */

static const struct {
    op_fn *run;
    const struct guest *by;
    const char *name;
} all[] = {
#define BY(guest, op) { op, &guest, #op }
    BY(a, unmap_p), BY(a, map_p1), BY(a, p_maps_p1), BY(a, p_maps_p2), BY(a, p_read_only), BY(a, store_p), BY(a, store_p1_other_cpu),
    BY(a, store_high), BY(a, pin_p_l1), BY(a, pin_p_l2), BY(a, unpin_p), BY(a, pin_p1_l1), BY(a, hang_in_p), BY(a, hang_out),
    BY(a, empty_p), BY(a, fill_p_with_p1), BY(a, give_p), BY(a, give_p2), BY(a, get_one), BY(a, flush_here), BY(a, root_again),
    BY(a, info_in_p), BY(a, exchange_p), BY(a, transfer_p), BY(a, revoke), BY(b, grant_map_in_b), BY(b, grant_unmap_in_b),
    BY(b, grant_copy_to_b), BY(b, store_b), BY(control, tool_maps_p1), BY(control, tool_unmaps_p1), BY(control, end_a_begins),
    BY(control, end_a), BY(control, end_b),

    BY(a, a_sends), BY(b, b_sends), BY(a, a_sends_ipi), BY(a, a_closes), BY(b, b_closes), BY(a, a_closes_unbound), BY(a, a_allocates),
    BY(b, b_binds), BY(a, a_moves_port), BY(a, a_unmasks), BY(a, a_resets), BY(b, b_resets), BY(a, a_port_status), BY(a, fifo_in_p),
    BY(a, grants_version_2), BY(a, grants_larger), BY(a, grants_swapped), BY(b, grant_copy_to_a), BY(b, grant_map_entry_in_b),
    BY(a, ldt_in_p), BY(a, gdt_in_p), BY(a, copy_page), BY(a, clear_p), BY(a, flush_all), BY(a, flush_p), BY(a, user_root),
    BY(a, unpin_root), BY(a, p_is_pfn_100), BY(a, va_maps_p2), BY(a, p_moves_up), BY(a, two_in_p),
    BY(a, kernel_store_in_p), BY(b, grant_map_two_in_b), BY(a, runstate_in_p), BY(a, time_in_p), BY(control, log_on),
    BY(control, log_clean), BY(control, log_off), BY(control, tool_pauses), BY(control, tool_looks_at_p),
    BY(control, tool_gives_one), BY(control, tool_takes_p2), BY(control, end_b_begins),
#undef BY
};

static struct vcpu *who(unsigned op, unsigned cpu) { return all[op].by == &control ? control.v : all[op].by->d->vcpu[cpu]; }

/* ---- Turns ---- */

static unsigned points[FIBERS];  /* that each has passed */
static unsigned stops[FIBERS];   /* where it gives up its turn; 0: nowhere */
static unsigned waits;
static bool stopped;             /* the first has come to its stop */
static bool worked[ARRAY_SIZE(all)];
static unsigned pair_now[FIBERS]; /* their operations */

static void point(void)
{
    unsigned me = fiber_now;

    if (me == MAIN || ++points[me] != stops[me])
        return;
    stopped = true;
    fiber_yield();
}

static void points_begin(unsigned stop, unsigned back)
{
    memset(points, 0, sizeof(points));
    stops[0] = stop, stops[1] = back;
    waits = 0;
    stopped = false;
    host_point = host_guest_moves = point;
}

static void points_end(void) { host_point = host_guest_moves = NULL; }

/* A vCPU that is to stop leaves its CPU when its operation has ended. */
static void wait_for_other(void)
{
    struct vcpu *v;

    if (fiber_now == MAIN || ++waits > WAITS_MAX)
        abort();
    if (!fiber_alone()) {
        fiber_yield();
        return;
    }
    points_end();
    host_cpu = !fiber_now;
    v = current_vcpu();
    if (v && atomic_load(&v->pause))
        host_run(NULL);
    host_cpu = fiber_now;
    host_point = host_guest_moves = point;
}

/* ---- Schedules ---- */

static uint64_t schedules, pairs;
static bool busy; /* which of the two worlds it is */

static void run_mine(void)
{
    unsigned op = pair_now[fiber_now];

    happened = false;
    all[op].run();
    worked[op] |= happened && !stopped;
}

/* True if it leaves all as it must be. */
static bool run_schedule(unsigned one, unsigned other, unsigned stop, unsigned back)
{
    uint64_t before = frames_free_count();
    bool good;

    begin();
    begin_more();
    if (busy)
        begin_busy();
    for (host_cpu = 0; host_cpu < HOSTED_CPUS; host_cpu++)
        host_run(NULL);
    for (host_cpu = 0; host_cpu < HOSTED_CPUS; host_cpu++)
        host_run(who(host_cpu ? other : one, host_cpu));
    pair_now[0] = one, pair_now[1] = other;
    points_begin(stop, back);
    together = true;
    host_relax = wait_for_other;
    fibers_run(run_mine, run_mine);
    host_relax = NULL;
    together = false;
    points_end();
    for (host_cpu = 0; host_cpu < HOSTED_CPUS; host_cpu++) {
        if (current_vcpu())
            hosted_leave(current_vcpu(), PLENTY);
    }
    host_cpu = 0;
    good = !audit_run() && !host_audit() && !this_pcpu()->locks_held;
    schedules++;
    end(before);
    return good;
}

static uint64_t bad(unsigned one, unsigned other, unsigned stop, unsigned back)
{
    if (run_schedule(one, other, stop, back))
        return 0;
    print_message("bad: %s until point %u, %s until %u\n", all[one].name, stop, all[other].name, back);
    return 1;
}

/* The number of bad schedules of a pair; no more than a few. */
static uint64_t pair(unsigned one, unsigned other, unsigned changes)
{
    uint64_t n = bad(one, other, 0, 0);

    pairs++;
    for (unsigned stop = 1; changes && n < SHOWN; stop++) {
        n += bad(one, other, stop, 0);
        if (!stopped)
            return n;
        for (unsigned back = 1; changes > 1 && n < SHOWN; back++) {
            n += bad(one, other, stop, back);
            if (points[1] < back)
                break;
        }
    }
    return n;
}

/* dom0 has one vCPU; SCHEDULE_ONLY=NAME: pairs with this operation. */
static bool is_wanted(unsigned one, unsigned other)
{
    const char *only = getenv("SCHEDULE_ONLY");

    return (all[one].by != &control || all[other].by != &control) &&
           (!only || !strcmp(only, all[one].name) || !strcmp(only, all[other].name));
}

static uint64_t all_pairs(unsigned changes)
{
    uint64_t n = 0;

    for (unsigned one = 0; one < ARRAY_SIZE(all); one++) {
        for (unsigned other = 0; other < ARRAY_SIZE(all) && n < SHOWN; other++) {
            if (is_wanted(one, other))
                n += pair(one, other, changes);
        }
    }
    return n;
}

static int setup(void **state)
{
    int rc = hosted_begin(512);

    host_run(NULL);
    begin(); /* what is allocated once for all is there */
    kill(&a, PLENTY);
    kill(&b, PLENTY);
    domain_put(a.d);
    domain_put(b.d);
    return rc;
}

static unsigned setting(const char *name)
{
    const char *value = getenv(name);

    return value ? (unsigned)strtoul(value, NULL, 10) : 1;
}

static void every_schedule_leaves_all_in_order(void **state)
{
    unsigned changes = setting("SCHEDULE_PREEMPTIONS"), worlds = setting("SCHEDULE_WORLDS");

    for (unsigned world = 0; world < worlds; world++) {
        busy = world;
        assert_int_equal(all_pairs(changes), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        if (worlds > 1 && !worked[i] && !getenv("SCHEDULE_ONLY")) /* some wait for the second */
            fail_msg("%s never did anything", all[i].name);
    }
    print_message("%lu schedules of %lu pairs of %lu operations, at most %u changes of turn, worlds: %u\n", schedules, pairs / worlds,
                  ARRAY_SIZE(all), changes, worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_schedule_leaves_all_in_order) };

    return cmocka_run_group_tests(tests, setup, NULL);
}
