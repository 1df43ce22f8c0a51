/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever can be stopped and gone on with gives the same end as in one piece: each operation below is done with a budget of
 * one unit at a time, two, three and so on, and what it leaves (frames and their counters, tables, results, what the caller
 * was told) is compared with what it leaves when it runs through. Then again with the caller's other vCPU at work in each
 * gap, on things of its own; and with one that works on the very same things, where no end is the only right one, but
 * there must be one, and all references must be right at each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/operations.h"

enum { TURNS = 20000 };

static uint64_t in_pieces; /* runs compared */

/* ---- Gaps ---- */

static unsigned gaps;

static void nothing(void) { }

static void set_entry(struct vcpu *v, unsigned i, uint64_t entry)
{
    plenty();
    assert_int_equal(pt_set(a.m[3], i, entry, a.d, a.d, false), 0);
}

/* On things of its own: all is as before when it is done. */
static void other_works(void)
{
    struct vcpu *v = a.d->vcpu[1];

    if (domain_dying(a.d) || !v->initialised)
        return;
    host_cpu = 1;
    host_run(v);
    (void)host_guest_store(v, va(MAPPED - 1), 0);
    set_entry(v, 500, pte_make(a.m[OTHER].n, RW));
    (void)host_guest_store(v, va(500), 0);
    set_entry(v, 500, 0);
    plenty();
    assert_int_equal(type_pin(a.d, a.m[OTHER + 1], TYPE_L1), 0);
    assert_int_equal(type_unpin(a.m[OTHER + 1]), 0);
    hosted_leave(v, PLENTY);
    host_cpu = 0;
}

/* On the very things that the call is about, something else each time. */
static void other_meddles(void)
{
    struct vcpu *v = a.d->vcpu[1];
    grant_entry_v1_t *e = machine_frame(grants_frame(b.d, false, 0));

    if (domain_dying(a.d) || !v->initialised)
        return;
    host_cpu = 1;
    host_run(v);
    this_pcpu()->budget = 300;
    switch (gaps % 8) {
    case 0: (void)!type_pin(a.d, a.m[TREE + gaps % 7], TYPE_L1); break;
    case 1: (void)!type_unpin(a.m[TREE + gaps % 7]); break;
    case 2: (void)reservation_remove(a.d, a.m[FREE + gaps % N]); break;
    case 3:
        if (!frame_get_type(a.d, a.m[TREE + gaps % 7], TYPE_WRITABLE))
            frame_put_type(a.m[TREE + gaps % 7]);
        break;
    case 4: (void)!pt_set(a.m[3], 200 + gaps % N, pte_make(a.m[FREE + gaps % N].n, RO), a.d, a.d, false); break;
    case 5: e[8 + gaps % N].flags = 0; break;
    case 6: (void)!type_pin(a.d, a.m[TREE], TYPE_L4); break;
    default: (void)!reservation_add(a.d, 0, 0, 5000 + gaps).n;
    }
    hosted_leave(v, 64);
    host_cpu = 0;
}

/* ---- Runs ---- */

struct outcome { uint64_t result, digest; unsigned pieces; };

static struct outcome run(const struct op *op, unsigned units, void (*gap)(void))
{
    uint64_t before = frames_free_count();
    struct outcome o = { 0 };
    struct vcpu *v;
    struct cpu_regs *r;

    world_begin();
    op->ready();
    hosted_leave(a.v, PLENTY);
    v = by_control ? control.v : a.v;
    host_run(v);
    r = v->regs;
    r->rax = nr, r->rdi = arg[0], r->rsi = arg[1], r->rdx = arg[2], r->r10 = arg[3], r->r8 = 0;
    for (;;) {
        r->rip = CODE + 2;
        r->rax = nr;
        this_pcpu()->budget = units;
        hypercall_entry(v);
        hosted_leave(v, units);
        hosted_check();
        o.pieces++;
        assert_true(o.pieces < TURNS);
        if (r->rip != CODE)
            break;
        gaps++;
        gap();
        if (gap != nothing)
            hosted_check();
    }
    o.result = r->rax;
    o.digest = mix(digest(), o.result);
    if (op->ready == op_list)
        for (unsigned i = 0; i < PT_ENTRIES; i++)
            o.digest = mix(o.digest, i % 13 ? 0 : ((uint64_t *)page(&control, 6))[i]);
    world_end(before);
    return o;
}

static const unsigned units[] = { 1, 2, 3, 4, 5, 7, 11, 16, 33, 64, 130, 257, 513, 1100 };

static void pieces_give_the_same(void **state)
{
    unsigned most = 0;

    (void)run(&ops[0], PLENTY, nothing); /* what is allocated once is there */
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        struct outcome whole = run(&ops[i], ~0u, nothing), parts;

        assert_int_equal(whole.pieces, 1);
        assert_int_equal(whole.result, ops[i].result);
        for (unsigned k = 0; k < 2 * ARRAY_SIZE(units); k++) {
            parts = run(&ops[i], units[k / 2], k & 1 ? other_works : nothing);
            in_pieces++;
            if (!k && parts.pieces < ops[i].pieces)
                fail_msg("%s: %u pieces, a unit at a time", ops[i].name, parts.pieces);
            most = MAX(most, parts.pieces);
            if (parts.result != whole.result || parts.digest != whole.digest)
                fail_msg("%s, %u units at a time%s: result %ld instead of %ld, state %s", ops[i].name, units[k / 2],
                         k & 1 ? ", with another at work" : "", (long)parts.result, (long)whole.result,
                         parts.digest == whole.digest ? "equal" : "different");
        }
    }
    print_message("%lu operations, %lu runs in pieces, %u in the longest\n", ARRAY_SIZE(ops), in_pieces, most);
}

static void meddling_ends_well(void **state)
{
    unsigned runs = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(units); k++) {
            for (unsigned first = 0; first < 8; first += 3, runs++) {
                gaps = first;
                (void)run(&ops[i], units[k], other_meddles);
            }
        }
    }
    print_message("%u runs with another that meddles\n", runs);
}

static int setup(void **state)
{
    return hosted_begin(1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_same),
        cmocka_unit_test(meddling_ends_well),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
