/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/alloc.c: blocks split and merge without losing or doubling a frame, limits hold, stale CPUs are
 * flushed, and small pieces come back to whole pages. core/lock.c is under it, with its order checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/fake_core.h"

#include "core/alloc.c"
#include "core/lock.c"

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* The blocks on one list; how many frames they have. */
static uint64_t check_list(unsigned node, unsigned z, unsigned order)
{
    const struct zone *zone = &nodes[node].zone[z];
    uint64_t listed = 0;
    uint32_t before = 0;

    assert_int_equal(zone->orders >> order & 1, zone->free[order] != 0);
    for (uint32_t n = zone->free[order]; n; before = n, n = frame_table[n].next) {
        uint32_t buddy = n ^ 1u << order;

        assert_int_equal(frame_table[n].prev, before);
        assert_int_equal(frame_table[n].cursor, order);
        assert_int_equal(zone_index(n), z);
        assert_int_equal(n & ((1u << order) - 1), 0);
        assert_true(order == MAX_ORDER || !is_free_head(buddy, order) || numa_node_of(mfn(buddy)) != node);
        for (uint32_t i = 0; i < 1u << order; i++) {
            assert_true(frame_table[n + i].refs & REFS_FREE);
            assert_true(i == 0 || frame_table[n + i].cursor == NOT_HEAD);
            assert_int_equal(numa_node_of(mfn(n + i)), node);
        }
        listed += 1u << order;
    }
    return listed;
}

/* Each invariant of core/alloc.c, and that the lists hold exactly the free frames, of each node as many as counted. */
static void check(void)
{
    uint64_t listed = 0, marked = 0, total = 0;

    for (unsigned node = 0; node < NUMA_NODES_MAX; node++) {
        uint64_t here = 0;

        for (unsigned z = 0; z < ZONES; z++)
            for (unsigned order = 0; order <= MAX_ORDER; order++)
                here += check_list(node, z, order);
        assert_int_equal(here, frames_free_on(node));
        assert_true(here <= frames_total_on(node));
        listed += here;
        total += frames_total_on(node);
    }
    for (uint64_t n = 0; n < frame_count; n++)
        marked += (frame_table[n].refs & REFS_FREE) != 0;
    assert_int_equal(listed, frames_free_count());
    assert_int_equal(marked, listed);
    assert_int_equal(total, frames_total_count());
}

static int setup(void **state)
{
    (void)state;
    fake_machine(4096);
    memset(nodes, 0, sizeof(nodes));
    memset(slabs, 0, sizeof(slabs));
    zones_end = 0;
    pcpu_online = 1;
    numa_undivided(&numa);
    return 0;
}

/* Three nodes, none of which begins where a large block would; the first is in two places. */
static void divide(void)
{
    numa.nodes = 3;
    numa.spans = 4;
    numa.span[1] = (struct numa_span){ 1000, 1 };
    numa.span[2] = (struct numa_span){ 2049, 0 };
    numa.span[3] = (struct numa_span){ 3003, 2 };
}

static int setup_nodes(void **state)
{
    setup(state);
    divide();
    frames_add(mfn(1), mfn(4096));
    return 0;
}

static void ranges_merge(void **state)
{
    mfn_t m;

    (void)state;
    frames_add(mfn(0), mfn(100));
    frames_add(mfn(200), mfn(1024));
    check();
    assert_int_equal(frames_total_count(), 99 + 824);
    frames_add(mfn(100), mfn(200));
    frames_add(mfn(1024), mfn(9000)); /* cut at the last frame */
    check();
    assert_int_equal(frames_free_count(), 4095);
    m = frames_alloc(11, 0);
    assert_int_equal(m.n, 2048);
    assert_true(mfn_same(frames_alloc(11, 0), MFN_NONE));
    assert_int_equal(frames_alloc(10, 0).n, 1024);
    frames_free(m, 11, true);
    check();
}

/* What lies behind the frame table may look like anything. */
static void the_last_frame_has_no_buddy(void **state)
{
    (void)state;
    frame_count = 1001;
    frame_table[1001] = (struct frame){ .refs = REFS_FREE, .cursor = 0 };
    frames_add(mfn(1000), mfn(1001));
    check();
    assert_int_equal(frames_alloc(0, 0).n, 1000);
    assert_true(mfn_same(frames_alloc(0, 0), MFN_NONE));
}

static void low_memory_is_last_and_limits_hold(void **state)
{
    unsigned below = 0;

    (void)state;
    frames_add(mfn(1), mfn(4096));
    assert_true(frames_alloc(0, 0).n >= 2048);
    assert_true(frames_alloc(0, 20).n < 256);
    assert_true(frames_alloc(0, 20).n >= 128);
    assert_true(mfn_same(frames_alloc(0, 12), MFN_NONE));
    assert_int_equal(frames_alloc(0, 13).n, 1);
    assert_true(mfn_same(frames_alloc(0, 13), MFN_NONE));
    assert_true(mfn_same(frames_alloc(8, 20), MFN_NONE));
    assert_true(mfn_same(frames_alloc(19, 0), MFN_NONE));
    while (!mfn_same(frames_alloc(0, 18), MFN_NONE))
        below++;
    assert_int_equal(below, 63 - 1);
    assert_true(frames_alloc(0, 64).n >= 2048);
    check();
}

static void frames_are_of_the_nodes_asked_for(void **state)
{
    unsigned n[3] = { 0 };
    mfn_t m;

    (void)state;
    check();
    assert_int_equal(frames_total_on(0), 999 + 3003 - 2049);
    assert_int_equal(frames_total_on(1), 2049 - 1000);
    assert_int_equal(frames_total_on(2), 4096 - 3003);
    frames_kept(mfn(2000), 512);
    assert_int_equal(frames_total_on(1), 2049 - 1000 + 512);
    check();
    assert_true(mfn_same(frames_alloc_on(0, 0, 0), MFN_NONE));
    assert_true(mfn_same(frames_alloc_on(0, 0, 1u << 3), MFN_NONE)); /* not there */
    for (unsigned node = 0; node < 3; node++) {
        while (!mfn_same(m = frames_alloc_on(node == 1 ? 3 : 0, 0, 1u << node), MFN_NONE)) {
            assert_int_equal(numa_node_of(m), node);
            n[node]++;
        }
        check();
    }
    assert_int_equal(n[0], frames_total_on(0));
    assert_int_equal(n[1], 2048 / 8 - 1000 / 8); /* and the last frame alone */
    assert_int_equal(frames_free_on(1), 1);
    assert_int_equal(n[2], frames_total_on(2));
    assert_int_equal(frames_alloc_on(0, 0, NODES_ALL).n, 2048);
    assert_true(mfn_same(frames_alloc(0, 0), MFN_NONE));
}

/* High memory first, of whichever of the nodes has some; a limit of the address holds on any of them. */
static void of_several_nodes_the_highest(void **state)
{
    mfn_t m;

    (void)state;
    m = frames_alloc_on(0, 0, 5);
    assert_int_equal(numa_node_of(m), 2);
    m = frames_alloc_on(0, 0, 3);
    assert_int_equal(numa_node_of(m), 1);
    assert_true(m.n == 2048);
    m = frames_alloc_on(0, 23, 3);  /* below frame 2048 */
    assert_int_equal(numa_node_of(m), 1);
    assert_true(mfn_same(frames_alloc_on(0, 23, 4), MFN_NONE));
    m = frames_alloc_on(0, 21, 7);
    assert_true(m.n < 512);
    check();
}

/* Frames freed one by one merge up to the border of their node, and no further. */
static void blocks_end_with_their_node(void **state)
{
    (void)state;
    while (!mfn_same(frames_alloc(0, 0), MFN_NONE))
        ;
    for (uint32_t n = 4095; n; n--)
        frames_free(mfn(n), 0, true);
    check();
    assert_int_equal(frames_free_count(), 4095);
    assert_int_equal(frames_alloc_on(9, 0, 2).n, 1024);
    assert_int_equal(frames_alloc_on(9, 0, 2).n, 1536);
    assert_int_equal(frames_alloc_on(3, 0, 2).n, 1000);
    assert_int_equal(frames_alloc_on(0, 0, 2).n, 2048);
    assert_true(mfn_same(frames_alloc_on(5, 0, 2), MFN_NONE));
    check();
}

static void nothing_is_lost_in_a_long_run(void **state)
{
    struct { mfn_t m; unsigned order; } held[64] = { 0 };
    static uint8_t owner[4096];

    (void)state;
    memset(owner, 0, sizeof(owner));
    if (numa.nodes == 1)
        frames_add(mfn(1), mfn(4096));
    for (unsigned step = 0; step < 4000; step++) {
        unsigned i = rnd() % 64, of = rnd() % 2 ? NODES_ALL : rnd() % 8;

        if (held[i].m.n) {
            memset(owner + held[i].m.n, 0, 1u << held[i].order);
            frames_free(held[i].m, held[i].order, rnd() % 2);
            held[i].m.n = 0;
        } else {
            unsigned order = rnd() % 8;
            mfn_t m = frames_alloc_on(order, rnd() % 4 ? 0 : 22, of);

            if (mfn_same(m, MFN_NONE))
                continue;
            assert_true(of >> numa_node_of(m) & 1);
            assert_int_equal(m.n & ((1u << order) - 1), 0);
            for (unsigned k = 0; k < 1u << order; k++) {
                assert_int_equal(owner[m.n + k]++, 0);
                assert_int_equal(frame_table[m.n + k].refs & ~REFS_DIRTY, 0);
            }
            held[i].m = m;
            held[i].order = order;
        }
        if (step % 16 == 0)
            check();
    }
    for (unsigned i = 0; i < 64; i++)
        for (unsigned k = 0; held[i].m.n && k < 1u << held[i].order; k++)
            frames_free(mfn_plus(held[i].m, k), 0, true); /* one by one: must merge all the same */
    check();
    assert_int_equal(frames_free_count(), 4095);
    assert_int_equal(frames_alloc(11, 0).n, numa.nodes == 1 ? 2048 : MFN_NONE.n);
}

static void dirt_stays_with_the_frame(void **state)
{
    mfn_t a, b;

    (void)state;
    frames_add(mfn(2), mfn(4));
    a = frames_alloc(0, 0);
    b = frames_alloc(0, 0);
    assert_int_equal(frame_of(a)->refs, REFS_DIRTY);
    frame_of(a)->refs = 0;
    frame_of(b)->refs = 0;
    frames_free(a, 0, false);
    frames_free(b, 0, true);
    assert_int_equal(frames_alloc(1, 0).n, 2);
    assert_int_equal(frame_of(a)->refs, 0);
    assert_int_equal(frame_of(b)->refs, REFS_DIRTY);
}

static void stale_cpus_are_flushed_before_reuse(void **state)
{
    mfn_t m;
    unsigned before;

    (void)state;
    pcpu_online = 0xf;
    frames_add(mfn(16), mfn(32));
    m = frames_alloc(4, 0);
    /* One of the sixteen had a guest's mapping until now. */
    frame_of(mfn_plus(m, 9))->stamp = machine_flush_stamp();
    frames_free(m, 4, true);
    machine_flush(0x3, FLUSH_ALL, 0);
    before = fake_flushes;
    m = frames_alloc(4, 0);
    assert_int_equal(fake_flushes, before + 1);
    assert_int_equal(machine_stale(0xf, frame_of(mfn_plus(m, 9))->stamp), 0);
    frames_free(m, 4, true);
    m = frames_alloc(4, 0);
    assert_int_equal(fake_flushes, before + 1); /* nothing stale: none needed */
}

static void pages_are_zeroed_and_the_hypervisors(void **state)
{
    uint8_t *p;

    (void)state;
    frames_add(mfn(1), mfn(64));
    memset(fake_ram, 0xc5, 64 * PAGE_SIZE);
    p = hv_pages(2);
    for (unsigned i = 0; i < 4 * PAGE_SIZE; i++)
        assert_int_equal(p[i], 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(frame_of(mfn_plus(machine_frame_mfn(p), i))->refs, 1);
        assert_int_equal(frame_of(mfn_plus(machine_frame_mfn(p), i))->owner, DOMID_XEN);
    }
    assert_null(hv_pages(6));
    hv_pages_free(p, 2);
    hv_pages_free(NULL, 0);
    assert_int_equal(frames_free_count(), 63);
    check();
}

static void small_pieces(void **state)
{
    struct { uint8_t *p; size_t size; } held[400] = { 0 };

    (void)state;
    frames_add(mfn(1), mfn(4096));
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = rnd() % 400;

        if (held[i].p) {
            for (size_t k = 0; k < held[i].size; k++)
                assert_int_equal(held[i].p[k], (uint8_t)i); /* nobody else wrote here */
            hv_free(held[i].p, held[i].size);
            held[i].p = NULL;
            continue;
        }
        held[i].size = rnd() % 8 ? rnd() % 300 : rnd() % 9000;
        held[i].p = hv_alloc(held[i].size);
        assert_non_null(held[i].p);
        for (size_t k = 0; k < held[i].size; k++)
            assert_int_equal(held[i].p[k], 0);
        memset(held[i].p, (int)i, held[i].size);
    }
    for (unsigned i = 0; i < 400; i++)
        hv_free(held[i].p, held[i].size);
    assert_int_equal(frames_free_count(), 4095); /* each page came back */
    check();
}

static void no_memory_is_no_crash(void **state)
{
    void *p[300];
    unsigned n = 0;

    (void)state;
    assert_null(hv_alloc(100));
    assert_null(hv_alloc(~0ul));
    frames_add(mfn(1), mfn(3));
    while (n < 300 && (p[n] = hv_alloc(32)))
        n++;
    assert_int_equal(n, 256);
    while (n--)
        hv_free(p[n], 32);
    assert_int_equal(frames_free_count(), 2);
}

static void *churn(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg;
    uint8_t *p[16] = { 0 };

    fake_cpu = r;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (r = r * 1664525 + 1013904223) >> 8 & 15;
        size_t size = 16u << (i % 10);

        if (p[i]) {
            assert_int_equal(p[i][size - 1], (uint8_t)fake_cpu);
            hv_free(p[i], size);
            p[i] = NULL;
        } else if ((p[i] = hv_alloc(size))) {
            memset(p[i], (int)fake_cpu, size);
        }
    }
    for (unsigned i = 0; i < 16; i++)
        hv_free(p[i], 16u << (i % 10));
    return NULL;
}

static void many_cpus_at_once(void **state)
{
    pthread_t t[4];

    (void)state;
    pcpu_online = 0x1f;
    frames_add(mfn(1), mfn(128));
    frames_lock.ticket = 0xfff0fff0; /* the tickets wrap in this test */
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)(i + 1));
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_false(lock_held(&frames_lock));
    assert_int_equal(frames_free_count(), 127);
    check();
}

static void locks_note_what_is_held(void **state)
{
    struct lock d1 = LOCK_INIT(DOMAIN), d2 = LOCK_INIT(DOMAIN), port;

    (void)state;
    lock_init(&port, LOCK_PORT);
    lock(&d1);
    lock_second(&d2);
    lock(&port);
    assert_false(trylock(&port));
    unlock(&port);
    unlock(&d1);
    assert_int_equal(this_pcpu()->locks_held, HELD(LOCK_DOMAIN));
    assert_true(lock_held(&d2));
    unlock(&d2);
    assert_int_equal(this_pcpu()->locks_held, 0);
    assert_true(trylock(&d1));
    unlock(&d1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges_merge, setup),
        cmocka_unit_test_setup(the_last_frame_has_no_buddy, setup),
        cmocka_unit_test_setup(low_memory_is_last_and_limits_hold, setup),
        cmocka_unit_test_setup(nothing_is_lost_in_a_long_run, setup),
        { "nothing_is_lost_between_nodes", nothing_is_lost_in_a_long_run, setup_nodes, NULL, NULL },
        cmocka_unit_test_setup(frames_are_of_the_nodes_asked_for, setup_nodes),
        cmocka_unit_test_setup(of_several_nodes_the_highest, setup_nodes),
        cmocka_unit_test_setup(blocks_end_with_their_node, setup_nodes),
        cmocka_unit_test_setup(dirt_stays_with_the_frame, setup),
        cmocka_unit_test_setup(stale_cpus_are_flushed_before_reuse, setup),
        cmocka_unit_test_setup(pages_are_zeroed_and_the_hypervisors, setup),
        cmocka_unit_test_setup(small_pieces, setup),
        cmocka_unit_test_setup(no_memory_is_no_crash, setup),
        cmocka_unit_test_setup(many_cpus_at_once, setup),
        cmocka_unit_test_setup(locks_note_what_is_held, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
