/* SPDX-License-Identifier: BSD-2-Clause */
/* core/reservation.c and the hypercalls on it: limits, sizes, memory maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PAGES = 64, MAPPED = 32, ARGS = 20 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static struct guest a;

static int one_guest(void **state)
{
    (void)state;
    guest_create(&a, 1, 0, PAGES);
    guest_start(&a, MAPPED);
    return 0;
}

static int no_guest(void **state)
{
    (void)state;
    host_guest_moves = NULL;
    guest_destroy(&a, control.v, 50);
    hosted_check();
    return 0;
}

static _Atomic bool stop;

/* Another vCPU of the guest, which has all that it may have. */
static void *populate(void *got)
{
    host_cpu = 1;
    while (!stop) {
        if (!mfn_same(reservation_add(a.d, 0, 0, M2P_INVALID), MFN_NONE))
            ++*(_Atomic unsigned *)got;
    }
    return NULL;
}

static void an_exchange_leaves_no_room(void **state)
{
    enum { N = 8 };
    xen_pfn_t *in = machine_frame(a.m[ARGS]), *out = in + N;
    _Atomic unsigned got = 0;
    pthread_t other;

    (void)state;
    for (unsigned i = 0; i < N; i++)
        in[i] = a.m[PAGES - 1 - i].n;
    stop = false;
    assert_int_equal(pthread_create(&other, NULL, populate, (void *)&got), 0);
    for (unsigned round = 0; round < 300; round++) {
        struct xen_memory_exchange x = { .in = { .nr_extents = N }, .out = { .nr_extents = N } };

        set_xen_guest_handle(x.in.extent_start, (xen_pfn_t *)VA(ARGS));
        set_xen_guest_handle(x.out.extent_start, (xen_pfn_t *)VA(ARGS) + N);
        assert_int_equal(reservation_exchange(a.d, &x), 0);
        memcpy(in, out, N * sizeof(*in));
    }
    stop = true;
    pthread_join(other, NULL);
    assert_int_equal(a.d->tot_pages, a.d->max_pages);
    assert_int_equal(got, 0);
    hosted_check();
}

/* ---- Hypercalls ---- */

static long memory_op(struct vcpu *v, uint64_t cmd)
{
    struct hypercall hc = { .v = v, .d = v->domain, .nr = __HYPERVISOR_memory_op, .arg = { cmd, VA(ARGS) } };

    return hypercall_run(&hc);
}

/* Whatever the caller may do: none of it is done in part either. */
static void a_large_extent_is_refused(void **state)
{
    struct xen_memory_reservation *r = machine_frame(a.m[ARGS]);
    uint64_t before = a.d->tot_pages;

    (void)state;
    a.d->max_pages = PAGES + (2u << RESERVATION_MAX_ORDER);
    a.d->privileges = PRIV_ALL;
    for (unsigned order = RESERVATION_MAX_ORDER; order <= RESERVATION_MAX_ORDER + 1; order++) {
        *r = (struct xen_memory_reservation){ .nr_extents = 1, .extent_order = order, .domid = DOMID_SELF };
        set_xen_guest_handle(r->extent_start, (xen_pfn_t *)(VA(ARGS) + 256));
        assert_int_equal(memory_op(a.v, XENMEM_populate_physmap), order == RESERVATION_MAX_ORDER);
    }
    assert_int_equal(a.d->tot_pages, before + (1u << RESERVATION_MAX_ORDER));
    assert_true(budget_spent()); /* that was one turn's work */
    plenty();
    hosted_check();
}

/* Where the answers to a list of single pages can't be written, nothing is kept of them that nobody knows of. */
static void pages_that_nobody_was_told_of_are_none(void **state)
{
    enum { N = 6, HOLE = MAPPED };
    struct xen_memory_reservation *r = machine_frame(a.m[ARGS]);
    xen_pfn_t *list = machine_frame(a.m[HOLE - 1]);
    uint64_t before = a.d->tot_pages;

    (void)state;
    a.d->max_pages = PAGES + N;
    for (unsigned i = 0; i < N; i++)
        list[i] = 1000 + i;
    *r = (struct xen_memory_reservation){ .nr_extents = N, .domid = DOMID_SELF };
    set_xen_guest_handle(r->extent_start, (xen_pfn_t *)VA(HOLE - 1));
    assert_true(pt_set_va(a.v, VA(HOLE - 1), pte_make(a.m[HOLE - 1].n, RO)));
    machine_flush(pcpu_online, FLUSH_ALL, 0);
    assert_int_equal(memory_op(a.v, XENMEM_populate_physmap), 0);
    assert_int_equal(a.d->tot_pages, before);
    hosted_check();
}

enum { ENTRIES = RESERVATION_MAX_E820, MAP = ARGS + 1 };
static unsigned moves;
static void *other_use;

/* Before the answer is written the tools set another map, and the old one's page is put to another use. */
static void other_map(void)
{
    if (++moves != 2)
        return;
    host_guest_moves = NULL;
    assert_int_equal(reservation_set_map(a.d, gptr(VA(MAP)), 1), 0);
    other_use = hv_alloc(ENTRIES * sizeof(struct e820entry));
    memset(other_use, 0xff, ENTRIES * sizeof(struct e820entry));
}

static void a_map_may_be_replaced_while_it_is_read(void **state)
{
    struct xen_memory_map *mm = machine_frame(a.m[ARGS]);
    struct e820entry *map = machine_frame(a.m[MAP]);

    (void)state;
    *mm = (struct xen_memory_map){ .nr_entries = ENTRIES };
    set_xen_guest_handle(mm->buffer, (void *)VA(MAP));
    assert_int_equal(memory_op(a.v, XENMEM_memory_map), -ENOSYS);
    for (unsigned i = 0; i < ENTRIES; i++)
        map[i] = (struct e820entry){ .addr = i, .type = 7 };
    assert_int_equal(reservation_set_map(a.d, gptr(VA(MAP)), ENTRIES), 0);
    moves = 0;
    host_guest_moves = other_map;
    assert_int_equal(memory_op(a.v, XENMEM_memory_map), 0);
    hv_free(other_use, ENTRIES * sizeof(struct e820entry));
    assert_int_equal(mm->nr_entries, ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_int_equal(map[i].addr, i);
        assert_int_equal(map[i].type, 7);
    }
    assert_int_equal(memory_op(a.v, XENMEM_memory_map), 0);
    assert_int_equal(mm->nr_entries, 1);
}

#define GUEST_TEST(f) cmocka_unit_test_setup_teardown(f, one_guest, no_guest)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(an_exchange_leaves_no_room),
        GUEST_TEST(a_large_extent_is_refused),
        GUEST_TEST(pages_that_nobody_was_told_of_are_none),
        GUEST_TEST(a_map_may_be_replaced_while_it_is_read),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
