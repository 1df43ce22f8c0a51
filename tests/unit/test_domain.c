/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/domain.c and domain_kill.c: creation, what keeps a dead domain, its end in pieces, and that nothing is left of it,
 * also when memory runs out in the middle of its making.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fibers.h"
#include "tests/unit/hosted.h"

#include "core/grant.h"
#include "core/port.h"
#include "core/vcpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <xen/sched.h>

enum { PAGES = 64 };

static struct domain_config config(domid_t id)
{
    return (struct domain_config){ .id = id, .max_vcpus = 2, .max_ports = ~0u, .max_grant_frames = ~0u,
                                   .max_maptrack_frames = ~0u, .max_grant_version = 2 };
}

static void kill_it(struct domain *d)
{
    struct guest g = { .d = d };

    guest_destroy(&g, control.v, PLENTY);
}

/* ---- Finding ---- */

static void ids_are_given_and_taken(void **state)
{
    struct domain_config any = config(0x7ff4), seven = config(7);
    struct domain *d, *same, *other;

    assert_int_equal(domain_create(&seven, &d), 0);
    assert_int_equal(d->id, 7);
    assert_int_equal(domain_create(&seven, &same), -EEXIST);
    assert_int_equal(domain_create(&any, &other), 0);
    assert_int_not_equal(other->id, 7);
    assert_int_not_equal(other->id, 0);
    same = domain_get(7);
    assert_ptr_equal(same, d);
    domain_put(same);
    same = domain_get_next(other->id < 7 ? other->id : 7);
    assert_ptr_equal(same, other->id < 7 ? other : d);
    domain_put(same);
    kill_it(d);
    assert_null(domain_get(7));
    kill_it(other);
    assert_null(domain_get(DOMID_SELF));
    assert_null(domain_get(DOMID_XEN));
    hosted_check();
}

static void numbers_are_checked(void **state)
{
    struct domain_config c = config(7);
    struct domain *d;

    c.max_vcpus = 0;
    assert_int_equal(domain_create(&c, &d), -EINVAL);
    c.max_vcpus = MAX_VCPUS + 1;
    assert_int_equal(domain_create(&c, &d), -EINVAL);
    c.max_vcpus = 2;
    assert_int_equal(domain_create(&c, &d), 0);
    assert_int_equal(domain_alloc_vcpus(d, 3), -EINVAL);
    assert_int_equal(domain_alloc_vcpus(d, 2), 0);
    assert_int_equal(domain_alloc_vcpus(d, 2), 0);
    kill_it(d);
}

static void another_domain_needs_the_privilege(void **state)
{
    struct guest g;
    struct domain *d;
    int err = 0;

    guest_create(&g, 3, 0, 4);
    assert_null(domain_target(g.d, 0, &err));
    assert_int_equal(err, -EPERM);
    d = domain_target(g.d, DOMID_SELF, &err);
    assert_ptr_equal(d, g.d);
    domain_put(d);
    d = domain_target(control.d, 3, &err);
    assert_ptr_equal(d, g.d);
    domain_put(d);
    assert_null(domain_target(control.d, 99, &err));
    assert_int_equal(err, -ESRCH);
    guest_destroy(&g, control.v, PLENTY);
}

/* ---- Ends ---- */

/* Everything a guest can hold at once; its free frames are counted before and after. */
static void a_death_in_pieces_leaves_nothing(void **state)
{
    static const unsigned units[] = { PLENTY, 100, 3, 1 };
    uint64_t before = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
        uint64_t gdt;
        evtchn_port_t port;
        struct guest g;

        guest_create(&g, 3, 0, PAGES);
        guest_start(&g, 32);
        assert_int_equal(pt_set_root(g.v, g.m[0], true), 0);
        gdt = g.m[40].n;
        assert_int_equal(frame_get_type(g.d, mfn(gdt), TYPE_SEG), 0);
        g.v->gdt[0] = mfn(gdt);
        g.v->gdt_ents = 512;
        assert_int_equal(port_alloc_unbound(g.d, 0, &port), 0);
        assert_int_equal(port_bind_virq(g.d, VIRQ_TIMER, 0, &port), 0);
        assert_int_equal(grants_grow(g.d, 3), 0);
        hosted_check();
        guest_destroy(&g, control.v, units[i]);
        hosted_check();
        assert_null(domain_get(3));
        /* The first one may have made the allocator's small pieces grow. */
        if (i)
            assert_int_equal(frames_free_count(), before);
        before = frames_free_count();
    }
}

static void mapped_frames_keep_a_dead_domain(void **state)
{
    uint64_t at = 7, free_before;
    struct guest g, other;
    struct domain *d;

    guest_create(&other, 4, 0, PAGES);
    guest_start(&other, 16);
    guest_create(&g, 3, 0, PAGES);
    hosted_check();
    d = g.d;
    assert_int_equal(pt_set(other.m[3], 100, pte_make(g.m[at].n, RW), other.d, g.d, false), 0);
    /* Its shared info page too, as a control domain would. */
    assert_int_equal(pt_set(other.m[3], 101, pte_make(d->shared_mfn.n, RW), other.d, g.d, false), 0);
    at = g.m[at].n;
    free_before = frames_free_count();
    guest_destroy(&g, control.v, 10);
    hosted_check();
    assert_true(frames_free_count() >= free_before + PAGES - 1);
    assert_int_equal(frame_of(mfn(at))->refs & REFS_COUNT, 1);
    assert_int_equal(frame_of(mfn(at))->owner, 3);
    assert_int_equal(d->life, DOMAIN_DEAD);
    assert_int_equal(d->tot_pages, 1);

    host_run(other.v);
    assert_int_equal(pt_set(other.m[3], 100, 0, other.d, other.d, false), 0);
    hosted_check();
    assert_true(frame_of(mfn(at))->refs & REFS_FREE);
    assert_int_equal(pt_set(other.m[3], 101, 0, other.d, other.d, false), 0);
    hosted_check();
    assert_null(domain_get(3));
    guest_destroy(&other, control.v, PLENTY);
}

static void dying_domains_get_nothing_new(void **state)
{
    struct guest g;
    int rc;

    guest_create(&g, 3, 0, PAGES);
    guest_start(&g, 16);
    host_run(control.v);
    this_pcpu()->budget = 1;
    rc = domain_kill(g.d);
    assert_int_equal(rc, -ERESTART);
    assert_true(domain_dying(g.d));
    g.d->max_pages = 1000;
    assert_true(mfn_same(reservation_add(g.d, 0, 0, 0), MFN_NONE));
    guest_destroy(&g, control.v, 1);
    hosted_check();
}

/* ---- No memory ---- */

/* Takes all free frames but n away, by order, largest first; gives them back. */
static struct { mfn_t m; unsigned order; } held[256];
static unsigned nr_held;

static void leave_free(uint64_t n)
{
    for (unsigned order = 12; nr_held < ARRAY_SIZE(held); ) {
        mfn_t m = frames_free_count() >= n + (1ull << order) ? frames_alloc(order, 0) : MFN_NONE;

        if (!mfn_same(m, MFN_NONE)) {
            held[nr_held].m = m;
            held[nr_held++].order = order;
        } else if (order-- == 0) {
            break;
        }
    }
}

static void give_back(void)
{
    while (nr_held) {
        nr_held--;
        for (uint64_t i = 0; i < 1ull << held[nr_held].order; i++)
            frame_of(mfn_plus(held[nr_held].m, i))->refs &= REFS_DIRTY;
        frames_free(held[nr_held].m, held[nr_held].order, true);
    }
}

static void no_memory_at_any_point_of_its_making(void **state)
{
    struct domain_config c = config(3);
    bool made = false;

    for (unsigned n = 0; n < 200 && !made; n++) {
        uint64_t before = frames_free_count();
        struct domain *d = NULL;
        int rc;

        leave_free(n);
        host_run(control.v);
        rc = domain_create(&c, &d);
        if (rc == 0) {
            rc = domain_alloc_vcpus(d, 2);
            made = rc == 0;
            kill_it(d);
        }
        hosted_leave(control.v, PLENTY);
        give_back();
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_null(domain_get(3));
        /* One page of small pieces of each size may have come into being. */
        assert_true(frames_free_count() + 8 >= before);
    }
    assert_true(made);
    hosted_check();
}

/* ---- Pausing, shutdown ---- */

static void a_shutdown_is_told_once_and_can_be_undone(void **state)
{
    struct guest g;
    int paused;

    guest_create(&g, 3, 0, 4);
    domain_unpause(g.d);
    paused = g.d->pause_count;
    assert_int_equal(paused, 0);
    domain_shutdown(g.d, SHUTDOWN_suspend);
    domain_shutdown(g.d, SHUTDOWN_crash);
    assert_int_equal(g.d->shutdown_code, SHUTDOWN_suspend);
    assert_int_equal(g.d->pause_count, 1);
    assert_true(g.v->pause & PAUSE_DOMAIN);
    domain_resume(g.d);
    domain_resume(g.d);
    assert_int_equal(g.d->pause_count, 0);
    assert_false(g.v->pause & PAUSE_DOMAIN);
    assert_int_equal(g.d->shutdown_code, -1);
    guest_destroy(&g, control.v, PLENTY);
    hosted_check();
}

/* ---- A guest that shuts down while a tool does something with it, on the other CPU ---- */

static struct domain *shared_by;
static unsigned points, stop_at;

/* The first comes to its stop: the other goes on. */
static void maybe_stop(void)
{
    if (fiber_now == 0 && ++points == stop_at)
        fiber_yield();
}

static void wait_for_other(void)
{
    assert_false(fiber_alone());
    fiber_yield();
}

static void tool_unpauses(void)    { domain_unpause(shared_by); }
static void tool_makes_vcpus(void) { assert_int_equal(domain_alloc_vcpus(shared_by, 2), 0); }
static void guest_ends(void)       { domain_shutdown(shared_by, SHUTDOWN_poweroff); }

static void make_vcpus_that_could_run(void)
{
    tool_makes_vcpus();
    for (unsigned i = 0; i < 2; i++)
        vcpu_pause_clear(shared_by->vcpu[i], PAUSE_DOWN);
}

/* On CPUs 0 and 1. */
static void together(void (*first)(void), void (*other)(void))
{
    points = 0;
    host_point = maybe_stop;
    host_relax = wait_for_other;
    fibers_run(first, other);
    host_point = host_relax = NULL;
    host_cpu = 0;
}

/* What both do, in each order with one change of turn: the domain is shut down, so all of it is paused. True if there was a stop. */
static bool end_while(void (*prepare)(void), void (*tool)(void))
{
    struct domain_config c = config(3);

    assert_int_equal(domain_create(&c, &shared_by), 0);
    prepare();
    together(tool, guest_ends);
    assert_int_equal(shared_by->pause_count, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_true(atomic_load(&shared_by->vcpu[i]->pause) & PAUSE_DOMAIN);
    kill_it(shared_by);
    return points >= stop_at;
}

static void who_shuts_down_stays_so_whatever_a_tool_undoes(void **state)
{
    for (stop_at = 1; end_while(make_vcpus_that_could_run, tool_unpauses); stop_at++)
        ;
    assert_true(stop_at > 4);
    for (stop_at = 1; end_while(tool_unpauses, tool_makes_vcpus); stop_at++)
        ;
    assert_true(stop_at > 4);
    hosted_check();
}

/* The guest is paused by a tool too. */
static void tool_resumes(void)
{
    domain_resume(shared_by);
    for (unsigned i = 0; i < 2; i++)
        assert_true(atomic_load(&shared_by->vcpu[i]->pause) & PAUSE_DOMAIN);
}

static void who_is_resumed_stays_paused_by_a_tool(void **state)
{
    struct domain_config c = config(3);

    stop_at = points = 0;
    do {
        assert_int_equal(domain_create(&c, &shared_by), 0);
        make_vcpus_that_could_run();
        together(guest_ends, tool_resumes);
        assert_int_equal(shared_by->pause_count, 1 + (shared_by->shutdown_code != -1));
        kill_it(shared_by);
    } while (points >= stop_at++);
    assert_true(stop_at > 2);
    hosted_check();
}

/* One fault's address, or that events are open, is not for another vCPU, and not for another domain. */
static void vcpus_beyond_the_shared_info_page_share_nothing(void **state)
{
    struct domain_config c[] = { config(3), config(4) };
    struct domain *d[2];
    struct vcpu *v[3];

    for (unsigned i = 0; i < 2; i++) {
        c[i].max_vcpus = XEN_LEGACY_MAX_VCPUS + 2;
        assert_int_equal(domain_create(&c[i], &d[i]), 0);
        assert_int_equal(domain_alloc_vcpus(d[i], c[i].max_vcpus), 0);
    }
    v[0] = d[0]->vcpu[XEN_LEGACY_MAX_VCPUS];
    v[1] = d[0]->vcpu[XEN_LEGACY_MAX_VCPUS + 1];
    v[2] = d[1]->vcpu[XEN_LEGACY_MAX_VCPUS];
    assert_int_equal(v[0]->info->evtchn_upcall_mask, 1);
    v[0]->info->arch.cr2 = 0x5678;
    v[0]->info->evtchn_upcall_mask = 0;
    v[0]->info->evtchn_upcall_pending = 1;
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(v[i]->info->arch.cr2, 0);
        assert_int_equal(v[i]->info->evtchn_upcall_mask, 1);
        assert_int_equal(v[i]->info->evtchn_upcall_pending, 0);
    }
    for (unsigned i = 0; i < 2; i++)
        kill_it(d[i]);
    hosted_check();
}

static _Atomic bool stop;
static _Atomic unsigned found;

/* A guest that tries each moment whether there is a domain 9. */
static void *bind_to_nine(void *guest)
{
    evtchn_port_t port;

    host_cpu = 1;
    while (!stop)
        found += port_bind_interdomain(guest, 9, 1, &port) != -ESRCH;
    return NULL;
}

static void a_domain_in_the_making_can_be_named(void **state)
{
    struct domain_config c = config(9);
    struct domain *d;
    pthread_t other;
    struct guest g;

    c.max_ports = 131072; /* their array takes its time */
    guest_create(&g, 3, 0, 4);
    stop = false;
    assert_int_equal(pthread_create(&other, NULL, bind_to_nine, g.d), 0);
    for (found = 0; found < 300; ) {
        assert_int_equal(domain_create(&c, &d), 0);
        kill_it(d);
        while ((d = domain_get(9))) /* the other one may have it for a moment */
            domain_put(d);
    }
    stop = true;
    pthread_join(other, NULL);
    guest_destroy(&g, control.v, PLENTY);
    hosted_check();
}

static jmp_buf end;
static enum machine_end how_it_ended;

static void ended(enum machine_end how)
{
    how_it_ended = how;
    longjmp(end, 1);
}

static void a_machine_ends_with_its_control_domain(void **state)
{
    static const struct { int code; enum machine_end how; } ends[] = {
        { SHUTDOWN_poweroff, MACHINE_OFF }, { SHUTDOWN_reboot, MACHINE_REBOOT },
        { SHUTDOWN_crash, MACHINE_CRASHED }, { SHUTDOWN_watchdog, MACHINE_CRASHED },
    };

    host_ended = ended;
    for (volatile unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
        if (setjmp(end) == 0)
            domain_shutdown(control.d, ends[i].code);
        assert_int_equal(how_it_ended, ends[i].how);
    }
    host_ended = NULL;
}

/* ---- Holding ---- */

static void who_is_held_twice_is_released_twice(void **state)
{
    struct domain_config seven = config(7);
    struct domain *d;
    struct vcpu *v;

    assert_int_equal(domain_create(&seven, &d), 0);
    assert_int_equal(domain_alloc_vcpus(d, d->max_vcpus), 0);
    v = d->vcpu[0];
    vcpu_hold(v);
    vcpu_hold(v);
    vcpu_release(v);
    assert_true(atomic_load(&v->pause) & PAUSE_VCPU);
    vcpu_release(v);
    assert_false(atomic_load(&v->pause) & PAUSE_VCPU);
    kill_it(d);
    hosted_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_given_and_taken),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(another_domain_needs_the_privilege),
        cmocka_unit_test(a_death_in_pieces_leaves_nothing),
        cmocka_unit_test(mapped_frames_keep_a_dead_domain),
        cmocka_unit_test(dying_domains_get_nothing_new),
        cmocka_unit_test(no_memory_at_any_point_of_its_making),
        cmocka_unit_test(a_shutdown_is_told_once_and_can_be_undone),
        cmocka_unit_test(who_shuts_down_stays_so_whatever_a_tool_undoes),
        cmocka_unit_test(who_is_resumed_stays_paused_by_a_tool),
        cmocka_unit_test(vcpus_beyond_the_shared_info_page_share_nothing),
        cmocka_unit_test(who_is_held_twice_is_released_twice),
        cmocka_unit_test(a_domain_in_the_making_can_be_named),
        cmocka_unit_test(a_machine_ends_with_its_control_domain),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
