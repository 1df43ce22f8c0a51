/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/heap.c: its two invariants after every step of a long random run, and the order in which nodes leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/errno.h"
#include "lib/heap.h"

enum { N = 64 };

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void leaves_in_order(void **state)
{
    struct heap_node *slot[N], node[N] = { 0 };
    struct heap h;
    uint64_t before = 0;

    (void)state;
    heap_init(&h, slot, N);
    assert_null(heap_min(&h));
    for (int i = 0; i < N; i++)
        assert_int_equal(heap_insert(&h, &node[i], rnd() % 40), 0);
    assert_true(heap_check(&h));
    for (int i = 0; i < N; i++) {
        struct heap_node *min = heap_min(&h);

        assert_true(min->key >= before);
        before = min->key;
        heap_remove(&h, min);
        assert_false(heap_holds(min));
        assert_true(heap_check(&h));
    }
    assert_null(heap_min(&h));
}

static void random_steps(void **state)
{
    struct heap_node *slot[N], node[N] = { 0 };
    struct heap h;

    (void)state;
    heap_init(&h, slot, N);
    for (int step = 0; step < 20000; step++) {
        struct heap_node *n = &node[rnd() % N];
        uint64_t min = UINT64_MAX;
        size_t held = 0;

        if (!heap_holds(n))
            assert_int_equal(heap_insert(&h, n, rnd() % 1000), 0);
        else if (rnd() % 2)
            heap_rekey(&h, n, rnd() % 1000);
        else
            heap_remove(&h, n);
        assert_true(heap_check(&h));
        for (int i = 0; i < N; i++) {
            if (heap_holds(&node[i])) {
                held++;
                min = MIN(min, node[i].key);
            }
        }
        assert_int_equal(held, h.count);
        assert_true(held == 0 || heap_min(&h)->key == min);
    }
}

static void full_and_moved(void **state)
{
    struct heap_node *small[2], *large[3], node[3] = { 0 };
    struct heap h;

    (void)state;
    heap_init(&h, small, 2);
    heap_remove(&h, &node[0]);
    assert_int_equal(heap_insert(&h, &node[0], 3), 0);
    assert_int_equal(heap_insert(&h, &node[1], 2), 0);
    assert_int_equal(heap_insert(&h, &node[2], 1), -ENOSPC);
    assert_false(heap_holds(&node[2]));
    assert_ptr_equal(heap_move(&h, large, 3), small);
    small[0] = NULL;
    assert_int_equal(heap_insert(&h, &node[2], 1), 0);
    assert_true(heap_check(&h));
    assert_ptr_equal(heap_min(&h), &node[2]);
}

static void check_sees_damage(void **state)
{
    struct heap_node *slot[2], node[2] = { 0 };
    struct heap h;

    (void)state;
    heap_init(&h, slot, 2);
    assert_int_equal(heap_insert(&h, &node[0], 1), 0);
    assert_int_equal(heap_insert(&h, &node[1], 2), 0);
    node[0].key = 3;
    assert_false(heap_check(&h));
    node[0].key = 1;
    node[1].place = 1;
    assert_false(heap_check(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_in_order),
        cmocka_unit_test(random_steps),
        cmocka_unit_test(full_and_moved),
        cmocka_unit_test(check_sees_damage),
    };

    return cmocka_run_group_tests_name("lib/heap", tests, NULL, NULL);
}
