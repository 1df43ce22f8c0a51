/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_op on a domain's own memory, in all sizes: populate, increase, decrease, exchange, claims; what each leaves in
 * the counts, the names of frames and the allocator, and how far it gets in one go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"

#include <xen/memory.h>

enum { PAGES = 32u, ARGS = 20u, LIST = 21u, LISTS = 8u, MORE = 2048u }; /* lists: of 512 frames a page */
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static struct guest a;
static unsigned calls; /* how often the guest executed the last call */

static int one_guest(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_start(&a, PAGES - 2);
    a.d->max_pages = PAGES + MORE;
    return 0;
}

static int no_guest(void **state)
{
    guest_destroy(&a, control.v, 500);
    hosted_check();
    assert_null(domain_get(1));
    assert_int_equal(reservation_claimed(), 0);
    return 0;
}

static long memory_op(struct guest *g, unsigned cmd, const void *arg, size_t size)
{
    struct cpu_regs *r = g->v->regs;

    memcpy(machine_frame(g->m[ARGS]), arg, size);
    r->rax = __HYPERVISOR_memory_op, r->rdi = cmd, r->rsi = VA(ARGS);
    calls = 0;
    do {
        calls++;
        r->rip = 0x1000;
        plenty();
        hypercall_entry(g->v);
        hosted_leave(g->v, PLENTY);
    } while (r->rip == 0x1000 - 2 && calls < 10000);
    return (long)r->rax;
}

/* Entry i of the guest's list; LISTS pages follow each other in its address space. */
static xen_pfn_t *entry(unsigned i)
{
    return (xen_pfn_t *)machine_frame(a.m[LIST + i / 512]) + i % 512;
}

static long reserve(unsigned cmd, unsigned n, unsigned order, unsigned bits)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF,
                                        .mem_flags = XENMEMF_address_bits(bits) };

    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)VA(LIST));
    return memory_op(&a, cmd, &r, sizeof(r));
}

/* n extents of 2^order frames, the first called `pfn`. */
static long populate(unsigned n, unsigned order, uint64_t pfn)
{
    for (unsigned i = 0; i < n; i++)
        *entry(i) = pfn + ((uint64_t)i << order);
    return reserve(XENMEM_populate_physmap, n, order, 0);
}

static void assert_extents(unsigned n, unsigned order, uint64_t pfn)
{
    for (unsigned i = 0; i < n; i++) {
        mfn_t m = mfn(*entry(i));

        assert_int_equal(m.n & ((1u << order) - 1), 0);
        for (unsigned k = 0; k < 1u << order; k++) {
            assert_int_equal(frame_of(mfn_plus(m, k))->owner, a.d->id);
            assert_int_equal(m2p_get(mfn_plus(m, k)), pfn + ((uint64_t)i << order) + k);
        }
    }
}

/* ---- populate, increase, decrease ---- */

static void extents_of_all_sizes_come_and_go(void **state)
{
    uint64_t free = frames_free_count();

    for (unsigned order = 0; order <= 9; order++) {
        unsigned n = (unsigned)MORE >> order;

        assert_int_equal(populate(n, order, 5000), n);
        assert_int_equal(a.d->tot_pages, PAGES + (n << order));
        assert_int_equal(frames_free_count(), free - (n << order));
        assert_extents(n, order, 5000);
        if (order < 6)
            assert_true(calls > 1); /* it did not hold the CPU so long */
        assert_int_equal(reserve(XENMEM_decrease_reservation, n, order, 0), n);
        assert_int_equal(a.d->tot_pages, PAGES);
        assert_int_equal(frames_free_count(), free);
        hosted_check();
    }
}

static void the_result_says_how_many_fitted(void **state)
{
    a.d->max_pages = PAGES + 10;
    assert_int_equal(populate(6, 1, 5000), 5);
    assert_extents(5, 1, 5000);
    assert_int_equal(populate(1, 0, 6000), 0);
    /* What was not ours ends a decrease. */
    assert_int_equal(populate(0, 0, 0), 0);
    a.d->max_pages = PAGES + 14;
    assert_int_equal(populate(4, 0, 7000), 4);
    *entry(2) = control.m[3].n;
    assert_int_equal(reserve(XENMEM_decrease_reservation, 4, 0, 0), 2);
    *entry(0) = ~0ul;
    assert_int_equal(reserve(XENMEM_decrease_reservation, 1, 0, 0), 0);
    /* The same of so many that several are done together. */
    a.d->max_pages = a.d->tot_pages + FRAMES_AT_ONCE + 13;
    assert_int_equal(populate(2 * FRAMES_AT_ONCE, 0, 7500), FRAMES_AT_ONCE + 13);
    assert_extents(FRAMES_AT_ONCE + 13, 0, 7500);
    *entry(FRAMES_AT_ONCE + 5) = *entry(3); /* given back already, in the same call */
    assert_int_equal(reserve(XENMEM_decrease_reservation, FRAMES_AT_ONCE + 13, 0, 0), FRAMES_AT_ONCE + 5);
    assert_int_equal(a.d->tot_pages, a.d->max_pages - FRAMES_AT_ONCE - 5);
    hosted_check();
    /* A guest of no privilege may not ask for more than 2 MiB in one piece. */
    a.d->max_pages = PAGES + MORE;
    assert_int_equal(populate(1, 10, 8000), 0);
    assert_int_equal(populate(1, 9, 8000), 1);
    assert_int_equal(populate(1, 0, 9000), 1);
    /* A limit below what it has: it gets nothing, and keeps all. */
    a.d->max_pages = 5;
    assert_int_equal(populate(1, 0, 9001), 0);
    hosted_check();
}

static void increase_needs_no_list_and_names_nothing(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 3, .extent_order = 2, .domid = DOMID_SELF };

    assert_int_equal(memory_op(&a, XENMEM_increase_reservation, &r, sizeof(r)), 3);
    assert_int_equal(a.d->tot_pages, PAGES + 12);
    assert_int_equal(reserve(XENMEM_increase_reservation, 2, 0, 0), 2);
    assert_int_equal(m2p_get(mfn(*entry(1))), M2P_INVALID);
    assert_int_equal(frame_of(mfn(*entry(1)))->owner, 1);
}

static void low_addresses_are_found_if_asked_for(void **state)
{
    assert_int_equal(reserve(XENMEM_increase_reservation, 4, 0, 23), 4); /* below 8 MiB */
    for (unsigned i = 0; i < 4; i++)
        assert_true(*entry(i) < 2048);
    assert_int_equal(reserve(XENMEM_increase_reservation, 4, 0, 12), 0);
}

/* ---- exchange ---- */

static struct xen_memory_exchange answer;

/* The guest's frames named in the first list for as many that lie together otherwise, by the second one's names. */
static long exchange(unsigned nr_in, unsigned order_in, unsigned nr_out, unsigned order_out, uint64_t pfn)
{
    struct xen_memory_exchange x = {
        .in = { .nr_extents = nr_in, .extent_order = order_in, .domid = DOMID_SELF },
        .out = { .nr_extents = nr_out, .extent_order = order_out, .domid = DOMID_SELF },
    };
    long rc;

    for (unsigned i = 0; i < nr_out; i++)
        *entry(512 * LISTS / 2 + i) = pfn + ((uint64_t)i << (order_out & 63));
    set_xen_guest_handle(x.in.extent_start, (xen_pfn_t *)VA(LIST));
    set_xen_guest_handle(x.out.extent_start, (xen_pfn_t *)VA(LIST + LISTS / 2));
    rc = memory_op(&a, XENMEM_exchange, &x, sizeof(x));
    memcpy(&answer, machine_frame(a.m[ARGS]), sizeof(answer));
    return rc;
}

/* The answers become the next call's list. */
static void turn_over(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        *entry(i) = *entry(512 * LISTS / 2 + i);
}

static void any_sizes_are_exchanged_for_any(void **state)
{
    enum { N = 1024 };

    assert_int_equal(populate(N, 0, 5000), N);
    for (unsigned in = 0; in <= 9; in++) {
        for (unsigned out = 0; out <= 9; out += 3) {
            assert_int_equal(exchange(N >> in, in, N >> out, out, 6000), 0);
            assert_int_equal(answer.nr_exchanged, N >> in);
            assert_true(calls == 2);
            turn_over(N >> out);
            assert_extents(N >> out, out, 6000);
            assert_int_equal(exchange(N >> out, out, N >> in, in, 7000), 0);
            turn_over(N >> in);
            assert_extents(N >> in, in, 7000);
            assert_int_equal(a.d->tot_pages, PAGES + N);
        }
        if (in < 9) {
            assert_int_equal(exchange(N >> in, in, N >> (in + 1), in + 1, 7000), 0);
            turn_over(N >> (in + 1));
        }
    }
    hosted_check();
}

static void a_part_that_fails_changes_nothing(void **state)
{
    enum { N = 1024 };
    uint64_t free;

    assert_int_equal(populate(N, 0, 5000), N);
    free = frames_free_count();
    *entry(700) = a.m[3].n; /* a page table */
    assert_int_equal(exchange(N, 0, 2, 9, 6000), -EINVAL);
    assert_int_equal(answer.nr_exchanged, 512);
    assert_int_equal(frames_free_count(), free);
    assert_int_equal(a.d->tot_pages, PAGES + N);
    for (unsigned i = 512; i < N; i++)
        if (i != 700)
            assert_int_equal(m2p_get(mfn(*entry(i))), 5000 + i);
    assert_int_equal(m2p_get(mfn(*entry(512 * LISTS / 2))), 6000);
    assert_int_equal(exchange(3, 0, 1, 2, 0), -EINVAL);
    assert_int_equal(exchange(1, 10, 1, 10, 0), -EINVAL);
    assert_int_equal(exchange(1, 1000, 1, 1000, 0), -EINVAL);
    assert_int_equal(exchange(0, 0, 0, 0, 0), 0);
    hosted_check();
}

/* ---- claims ---- */

static void a_claim_is_kept_from_others_and_used_up(void **state)
{
    uint64_t free = frames_free_count();
    struct guest b;

    a.d->max_pages = 1u << 20;
    assert_int_equal(reservation_claim(a.d, (1u << 20) + 1), -EINVAL);
    assert_int_equal(reservation_claim(a.d, free + PAGES + 1), -ENOMEM);
    assert_int_equal(reservation_claim(a.d, free + PAGES - 100), 0);
    assert_int_equal(a.d->claimed_pages, free - 100);
    assert_int_equal(reservation_claimed(), free - 100);
    assert_int_equal(reservation_claim(a.d, 10), -EINVAL); /* one at a time */
    /* Others get the rest. */
    guest_create(&b, 2, 0, 32);
    b.d->max_pages = 1000;
    while (!mfn_same(reservation_add(b.d, 0, 0, 0), MFN_NONE))
        ;
    assert_true(b.d->tot_pages < 100);
    assert_int_equal(reservation_claim(b.d, b.d->tot_pages + 1), -ENOMEM);
    assert_int_equal(populate(500, 0, 5000), 500);
    assert_int_equal(a.d->claimed_pages, free - 600);
    assert_int_equal(reservation_claim(a.d, 0), 0);
    assert_int_equal(reservation_claimed(), 0);
    assert_int_equal(reservation_claim(b.d, 200), 0);
    guest_destroy(&b, control.v, 500); /* its claim goes with it */
    assert_int_equal(reservation_claimed(), 0);
    host_run(a.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(extents_of_all_sizes_come_and_go, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(the_result_says_how_many_fitted, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(increase_needs_no_list_and_names_nothing, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(low_addresses_are_found_if_asked_for, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(any_sizes_are_exchanged_for_any, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(a_part_that_fails_changes_nothing, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(a_claim_is_kept_from_others_and_used_up, one_guest, no_guest),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
