/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that can happen in a small world (small_world.h): every sequence of up to SMALL_SCOPE_DEPTH (3) of its
 * operations. Each sequence starts from the same state; after its last step all references are counted again and every TLB is
 * looked at, and when both domains have died every frame is back. A fault that needs no more than this to show is shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "tests/unit/small_world.h"

enum { DEPTH_MAX = 8 };

/* ---- Sequences ---- */

static uint64_t sequences, worked[ARRAY_SIZE(ops)];
static unsigned sequence[DEPTH_MAX], length;

/* Whether b, with no mapping left and on its CPU since before it lost it, reaches a page of a's. */
static bool b_reaches_a(void)
{
    host_cpu = 1;
    if (domain_dying(a.d) || domain_dying(b.d) || current_vcpu() != b.v || grants_mapped(b.d))
        return false;
    store_b();
    for (unsigned i = P; i < P + 3; i++) {
        if (frame_of(a.m[i])->owner == a.d->id && *(uint64_t *)((uint8_t *)machine_frame(a.m[i]) + LAST) == mark)
            return true;
    }
    return false;
}

/* True if the sequence leaves all as it must be. Its steps but the last were looked at as sequences of their own. */
static bool run_sequence(void)
{
    uint64_t before;
    bool good;

    before = frames_free_count();
    begin();
    for (unsigned i = 0; i < length; i++)
        happened = false, ops[sequence[i]]();
    worked[sequence[length - 1]] += happened;
    sequences++;
    good = !audit_run() && !host_audit() && !this_pcpu()->locks_held && !b_reaches_a();
    end(before);
    return good;
}

/* All sequences of `depth` operations that begin with the `length` chosen ones; the number of bad ones. */
static uint64_t all_sequences(unsigned depth)
{
    uint64_t bad = 0;

    if (length == depth) {
        if (run_sequence())
            return 0;
        print_message("bad:");
        for (unsigned i = 0; i < length; i++)
            print_message(" %u", sequence[i]);
        print_message("\n");
        return 1;
    }
    length++;
    for (unsigned i = 0; i < ARRAY_SIZE(ops) && bad < 5; i++) {
        sequence[length - 1] = i;
        bad += all_sequences(depth);
    }
    length--;
    return bad;
}

static int setup(void **state)
{
    return hosted_begin(512);
}

static void every_sequence_leaves_all_in_order(void **state)
{
    const char *wanted = getenv("SMALL_SCOPE_DEPTH");
    unsigned depth = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 3;

    assert_true(depth <= DEPTH_MAX);
    host_run(NULL);
    begin(); /* what is allocated once for all is there */
    kill(&a, PLENTY);
    kill(&b, PLENTY);
    domain_put(a.d);
    domain_put(b.d);
    for (unsigned d = 1; d <= depth; d++)
        assert_int_equal(all_sequences(d), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        if (depth >= 3 && !worked[i])
            fail_msg("operation %u never did anything", i);
    }
    print_message("%lu sequences of up to %u of %lu operations\n", sequences, depth, ARRAY_SIZE(ops));
}

/* The check can fail: with a machine whose flushes do nothing, two operations are enough to see it. */
static void lost_flushes_are_seen(void **state)
{
    uint64_t bad = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ops) && !bad; i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(ops) && !bad; k++) {
            for (unsigned l = 0; l < ARRAY_SIZE(ops) && !bad; l++) {
                uint64_t before = frames_free_count();

                begin();
                host_flushes_lost = true;
                ops[i](), ops[k](), ops[l]();
                bad += host_audit();
                host_flushes_lost = false;
                end(before);
            }
        }
    }
    assert_true(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_leaves_all_in_order),
        cmocka_unit_test(lost_flushes_are_seen),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
