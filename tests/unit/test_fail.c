/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that can fail, fails: each operation is done again and again, and the first, second, third ... of its allocations
 * and of its accesses to guest memory fails, until it no longer comes to so many. After each: all references are right, what is
 * all or nothing has left nothing, doing it again gives what it gives when nothing fails, and no frame is lost when all is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/operations.h"

/* ---- Points of failure: the linker has the core call these instead ---- */

enum kind { ALLOCATION, READ, WRITE, KINDS };

static bool counting;
static unsigned points, fail_at; /* passed in this run; the one that fails, 0: none */
static enum kind failed;         /* what it was */

enum { SITES = 256 };
static const void *sites[KINDS][SITES]; /* from where a failed one was called */

static bool fails(enum kind kind, const void *from)
{
    unsigned i;

    if (!counting || ++points != fail_at)
        return false;
    failed = kind;
    for (i = 0; i < SITES && sites[kind][i] && sites[kind][i] != from; i++)
        continue;
    assert_true(i < SITES);
    sites[kind][i] = from;
    return true;
}

#define FAILS(kind) fails(kind, __builtin_return_address(0))

void *__real_hv_alloc(size_t size);
void *__wrap_hv_alloc(size_t size);
void *__wrap_hv_alloc(size_t size) { return FAILS(ALLOCATION) ? NULL : __real_hv_alloc(size); }

void *__real_hv_pages(unsigned order);
void *__wrap_hv_pages(unsigned order);
void *__wrap_hv_pages(unsigned order) { return FAILS(ALLOCATION) ? NULL : __real_hv_pages(order); }

mfn_t __real_frames_alloc_on(unsigned order, unsigned addr_bits, nodemask_t nodes);
mfn_t __wrap_frames_alloc_on(unsigned order, unsigned addr_bits, nodemask_t nodes);
mfn_t __wrap_frames_alloc_on(unsigned order, unsigned addr_bits, nodemask_t nodes)
{
    return FAILS(ALLOCATION) ? MFN_NONE : __real_frames_alloc_on(order, addr_bits, nodes);
}

/* At each of them: some pages are had. */
unsigned __real_frames_alloc_pages(mfn_t *m, unsigned n, unsigned addr_bits, nodemask_t nodes);
unsigned __wrap_frames_alloc_pages(mfn_t *m, unsigned n, unsigned addr_bits, nodemask_t nodes);
unsigned __wrap_frames_alloc_pages(mfn_t *m, unsigned n, unsigned addr_bits, nodemask_t nodes)
{
    unsigned some;

    for (some = 0; some < n && !FAILS(ALLOCATION); some++)
        continue;
    return __real_frames_alloc_pages(m, some, addr_bits, nodes);
}

/* The first half of it still is copied, as when a page ends there. */
size_t __real_machine_copy_from_guest(void *to, guest_ptr_t from, size_t n);
size_t __wrap_machine_copy_from_guest(void *to, guest_ptr_t from, size_t n);
size_t __wrap_machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    size_t part = n && FAILS(READ) ? n / 2 : n;

    return n - part + __real_machine_copy_from_guest(to, from, part);
}

size_t __real_machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n);
size_t __wrap_machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n);
size_t __wrap_machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    size_t part = n && FAILS(WRITE) ? n / 2 : n;

    return n - part + __real_machine_copy_to_guest(to, from, part);
}

static unsigned sites_of(enum kind kind)
{
    unsigned n = 0;

    while (n < SITES && sites[kind][n])
        n++;
    return n;
}

/* ---- Runs ---- */

/* The operation, from the registers to the result; `nth` of what can fail in it does. */
static long attempt(unsigned nth)
{
    struct vcpu *v = by_control ? control.v : a.v;
    struct cpu_regs *r = v->regs;
    uint64_t number = nr;

    points = 0;
    fail_at = nth;
    r->rdi = arg[0], r->rsi = arg[1], r->rdx = arg[2], r->r10 = arg[3], r->r8 = 0;
    do {
        r->rip = CODE + 2;
        r->rax = number;
        plenty();
        counting = true;
        hypercall_entry(v);
        counting = false;
        hosted_leave(v, PLENTY);
        hosted_check();
    } while (r->rip == CODE);
    return (long)r->rax;
}

/* False: it does not come to `nth` points. */
static bool run(const struct op *op, unsigned nth, uint64_t whole)
{
    static uint8_t asked[PAGE_SIZE];
    uint64_t before = frames_free_count(), was;
    void *args;
    long result;
    bool reached;

    world_begin();
    op->ready();
    hosted_leave(a.v, PLENTY);
    host_run(by_control ? control.v : a.v);
    args = by_control ? page(&control, 7) : page(&a, ARGS);
    memcpy(asked, args, PAGE_SIZE);
    was = digest();
    result = attempt(nth);
    reached = points >= nth;
    if (reached && !op->batch && failed != WRITE) {
        if (result >= 0)
            fail_msg("%s does not mind that its point %u fails", op->name, nth);
        memcpy(args, asked, PAGE_SIZE); /* what its caller is told is not meant */
        if (digest() != was)
            fail_msg("%s, whose point %u failed, has left something", op->name, nth);
        result = attempt(0);
        if (result != op->result || digest() != whole)
            fail_msg("%s, whose point %u failed, can't be done again: %ld", op->name, nth, result);
    }
    world_end(before);
    return reached;
}

/* What it gives when nothing fails. */
static uint64_t whole(const struct op *op)
{
    uint64_t before = frames_free_count(), d;

    world_begin();
    op->ready();
    hosted_leave(a.v, PLENTY);
    host_run(by_control ? control.v : a.v);
    if (attempt(0) != op->result)
        fail_msg("%s does not give %ld", op->name, op->result);
    d = digest();
    world_end(before);
    return d;
}

static void every_point_may_fail(void **state)
{
    unsigned all = 0;

    (void)whole(&ops[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        uint64_t d = whole(&ops[i]);
        unsigned nth = 1;

        while (run(&ops[i], nth, d))
            nth++;
        assert_true(nth > 1);
        all += nth - 1;
    }
    print_message("%u points failed, of %u callers of allocations, %u of reads, %u of writes\n", all, sites_of(ALLOCATION),
                  sites_of(READ), sites_of(WRITE));
}

/* The check can fail: an operation that is said to be all or nothing, and is none. */
static void what_is_left_is_seen(void **state)
{
    uint64_t before = frames_free_count(), was;

    world_begin();
    op_populate();
    host_run(a.v);
    was = digest();
    assert_int_not_equal(attempt(9), N);
    assert_true(digest() != was);
    world_end(before);
}

static int setup(void **state)
{
    return hosted_begin(1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_may_fail),
        cmocka_unit_test(what_is_left_is_seen),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
