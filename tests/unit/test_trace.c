/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flight recorder, and the buffers that `xentrace` reads: what a reader finds there is whole records in order, or is told
 * how many are missing; what it writes there does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/log.h"
#include "core/port.h"
#include "core/tbuf.h"
#include "core/trace_hypercall.h"

#include <stdatomic.h>

enum { PAGES = 2, DATA = PAGES * PAGE_SIZE - sizeof(struct t_buf) };

static struct guest g;

static struct trace_record *last(void)
{
    struct trace_cpu *t = this_pcpu()->trace;

    return &t->record[(t->next - 1) % TRACE_RECORDS];
}

/* ---- The recorder ---- */

static void a_record_says_what_who_and_when(void **state)
{
    host_tsc = 777;
    g.v->regs->rip = 0x4242;
    trace(TRC_PV_PAGE_FAULT | TRC_64_FLAG, 5, 0x1122334455667788, 0xaabbccdd00112233, 6, 0);
    assert_int_equal(last()->tsc, 777);
    assert_int_equal(TRC_HD_TO_EVENT(last()->event), TRC_PV_PAGE_FAULT | TRC_64_FLAG);
    assert_int_equal(TRC_HD_EXTRA(last()->event), 5);
    assert_int_equal(last()->who, TRACE_WHO(1, g.v->id));
    assert_int_equal(last()->rip, 0x4242);
    assert_int_equal(last()->word[0], 0x55667788);
    assert_int_equal(last()->word[3], 0xaabbccdd);
    assert_int_equal(last()->word[4], 6);
    assert_true(last()->result == TRACE_NO_RESULT);
    host_run(NULL);
    trace1(TRACE_VECTOR, 0xf0);
    assert_int_equal(last()->who & 0xffff, TRACE_DOM_IDLE);
    host_run(g.v);
}

static void a_result_finds_its_record_or_none(void **state)
{
    static const uint64_t args[3];
    struct trace_mark mark;
    struct trace_record *r;

    mark = trace_hypercall(this_pcpu()->trace, g.v, TRC_PV_HYPERCALL_V2 | TRACE_HYPERCALL(17, 0), args);
    r = last();
    trace1(TRACE_EVENT, 3);
    trace_result(this_pcpu()->trace, mark, -22);
    assert_int_equal(r->result, -22);
    assert_true(last()->result == TRACE_NO_RESULT);

    mark = trace_hypercall(this_pcpu()->trace, g.v, TRC_PV_HYPERCALL_V2 | TRACE_HYPERCALL(17, 0), args);
    for (unsigned i = 0; i < TRACE_RECORDS; i++) /* its place is taken */
        trace1(TRACE_EVENT, i);
    trace_result(this_pcpu()->trace, mark, -22);
    for (unsigned i = 0; i < TRACE_RECORDS; i++)
        assert_true(this_pcpu()->trace->record[i].result == TRACE_NO_RESULT);
}

static void a_hypercall_is_recorded_with_its_result(void **state)
{
    struct cpu_regs *r = g.v->regs;

    r->rax = __HYPERVISOR_sched_op, r->rdi = 99, r->rsi = 0x123456789abc;
    hypercall_entry(g.v);
    assert_int_equal(TRC_HD_TO_EVENT(last()->event), TRC_PV_HYPERCALL_V2);
    assert_int_equal(last()->word[0], __HYPERVISOR_sched_op | TRC_PV_HYPERCALL_V2_ARG_64(0) | TRC_PV_HYPERCALL_V2_ARG_64(1));
    assert_int_equal(last()->word[1], 99);
    assert_int_equal(last()->word[3], 0x56789abc);
    assert_int_equal(last()->word[4], 0x1234);
    assert_int_equal(last()->result, -ENOSYS);
}

/* ---- A reader ---- */

/* What xentrace has mapped, of each CPU. */
static struct t_info *info;
static uint8_t *page_of(unsigned cpu, unsigned i)
{
    return machine_frame(mfn(((uint32_t *)(void *)info)[info->mfn_offset[cpu] + i]));
}

static struct t_buf *head(unsigned cpu) { return (struct t_buf *)(void *)page_of(cpu, 0); }

static uint32_t word(unsigned cpu, uint32_t at)
{
    at += (uint32_t)sizeof(struct t_buf);
    return *(uint32_t *)(void *)(page_of(cpu, at / PAGE_SIZE) + at % PAGE_SIZE);
}

static uint32_t used(unsigned cpu)
{
    uint32_t prod = head(cpu)->prod, cons = head(cpu)->cons;

    assert_true(prod < 2 * DATA);
    return prod >= cons ? prod - cons : prod + 2 * DATA - cons;
}

struct read { uint32_t event, extra, w[7]; uint64_t tsc; };

/* The next record that means something; false: none is there. */
static bool next(unsigned cpu, struct read *r)
{
    while (used(cpu)) {
        uint32_t at = head(cpu)->cons % DATA, h = word(cpu, at), length;
        bool timed = h >> 31;

        *r = (struct read){ .event = TRC_HD_TO_EVENT(h), .extra = TRC_HD_EXTRA(h) };
        length = (1 + 2 * timed + r->extra) * 4;
        assert_true(at + length <= DATA); /* none goes over the end */
        assert_true(length <= used(cpu));
        if (timed)
            r->tsc = word(cpu, at + 4) | (uint64_t)word(cpu, at + 8) << 32;
        for (uint32_t i = 0; i < r->extra; i++)
            r->w[i] = word(cpu, at + 4 + 8 * timed + 4 * i);
        head(cpu)->cons = (head(cpu)->cons + length) % (2 * DATA);
        if (r->event != TRC_TRACE_WRAP_BUFFER)
            return true;
    }
    return false;
}

static void drain(unsigned cpu)
{
    head(cpu)->cons = head(cpu)->prod;
}

/* ---- Buffers ---- */

static void sizes_are_checked(void **state)
{
    uint32_t bytes;

    assert_int_equal(tbuf_enable(true), -EINVAL);
    assert_int_equal(tbuf_info(&bytes).n, 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(tbuf_set_size(0), -EINVAL);
    assert_int_equal(tbuf_set_size(40000), -EINVAL); /* more than 16 bits of offsets for two CPUs */
    assert_int_equal(tbuf_set_size(~0u), -EINVAL);
}

static void too_many_pages_leave_nothing_behind(void **state)
{
    uint64_t before = frames_free_count();
    int rc;

    do {
        plenty();
        rc = tbuf_set_size(HOSTED_RAM);
    } while (rc == -ERESTART);
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(frames_free_count(), before);
}

static void made_piece_by_piece_once(void **state)
{
    uint32_t bytes;

    this_pcpu()->budget = 1;
    assert_int_equal(tbuf_set_size(PAGES), -ERESTART);
    assert_int_equal(tbuf_info(&bytes).n, 0);
    assert_int_equal(tbuf_set_size(PAGES + 1), -EINVAL);
    plenty();
    assert_int_equal(tbuf_set_size(PAGES), 0);
    assert_int_equal(tbuf_set_size(PAGES), -EINVAL);
    info = machine_frame(tbuf_info(&bytes));
    assert_int_equal(bytes, PAGE_SIZE);
    assert_int_equal(info->tbuf_size, PAGES);
    hosted_check();
}

static void records_are_copied_while_wanted(void **state)
{
    struct read r;

    trace1(TRC_MEM_PAGE_GRANT_MAP, 5);
    assert_false(next(0, &r));
    tbuf_set_events(TRC_MEM);
    assert_false(this_pcpu()->listened);
    assert_int_equal(tbuf_enable(true), 0);
    assert_true(this_pcpu()->listened);
    host_tsc = 0x123456789;
    trace1(TRC_MEM_PAGE_GRANT_MAP, 5);
    trace2(TRC_SCHED_WAKE, 1, 0);
    trace2(TRACE_EVENT, 1, 0);
    assert_true(next(0, &r));
    assert_int_equal(r.event, TRC_MEM_PAGE_GRANT_MAP);
    assert_int_equal(r.w[0], 5);
    assert_int_equal(r.tsc, 0x123456789);
    assert_false(next(0, &r));
    tbuf_set_events(0x00021000); /* runstates only */
    trace2(TRC_SCHED_WAKE, 1, 0);
    trace1(TRACE_RUNSTATE(0, 2), 1 << 16);
    assert_true(next(0, &r));
    assert_int_equal(r.event, 0x21021);
    assert_false(next(0, &r));
    tbuf_set_events(TRC_ALL);
    tbuf_set_cpus(2);
    assert_false(this_pcpu()->listened);
    trace1(TRC_MEM_PAGE_GRANT_MAP, 5);
    assert_false(next(0, &r));
    tbuf_set_cpus(~0ull);
    tbuf_enable(false);
    trace1(TRC_MEM_PAGE_GRANT_MAP, 5);
    assert_false(next(0, &r));
    tbuf_enable(true);
}

/* Many times round, with records of all lengths, read some at a time: each comes once, in order. */
static void none_is_lost_on_the_way_round(void **state)
{
    uint32_t written = 0, seen = 0;
    struct read r;

    drain(0);
    while (written < 20000) {
        for (unsigned n = written % 97; n; n--, written++)
            trace(TRC_MEM_PAGE_GRANT_MAP, 1 + written % 7, TRACE_PAIR(written, 1), 2, 3, 4);
        written++;
        trace1(TRC_MEM_PAGE_GRANT_UNMAP, written - 1);
        while (used(0) > DATA / 3 && next(0, &r))
            assert_int_equal(r.w[0], seen++);
    }
    while (next(0, &r))
        assert_int_equal(r.w[0], seen++);
    assert_int_equal(seen, written);
}

static void who_does_not_read_is_told_what_is_missing(void **state)
{
    struct read r;
    uint32_t seen = 0;

    drain(0);
    host_tsc = 1;
    for (unsigned i = 0; i < 2000; i++) {
        host_tsc++;
        trace1(TRC_MEM_PAGE_GRANT_MAP, i);
    }
    assert_true(used(0) <= DATA && used(0) > DATA - 64);
    while (next(0, &r))
        assert_int_equal(r.w[0], seen++);
    trace1(TRC_MEM_PAGE_GRANT_UNMAP, 1);
    assert_true(next(0, &r));
    assert_int_equal(r.event, TRC_LOST_RECORDS);
    assert_int_equal(r.extra, 4);
    assert_int_equal(r.w[0], 2000 - seen);
    assert_int_equal(r.w[1], 1); /* d1v0 */
    assert_int_equal(r.w[2] | (uint64_t)r.w[3] << 32, 2 + seen);
    assert_true(next(0, &r));
    assert_int_equal(r.event, TRC_MEM_PAGE_GRANT_UNMAP);
    assert_false(next(0, &r));
}

static void nonsense_from_the_reader_does_no_harm(void **state)
{
    static const uint32_t bad[] = { 2 * DATA, ~0u, 0x80000000u, 3, DATA + 1, 2 * DATA - 1 };
    struct read r;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        for (unsigned n = 0; n < 700; n++) {
            head(0)->cons = bad[i];
            head(0)->prod = bad[i] ^ 77;
            trace1(TRC_MEM_PAGE_GRANT_MAP, n);
        }
        memset(page_of(0, 1), 0xff, PAGE_SIZE);
        memset(info->mfn_offset, 0, sizeof(info->mfn_offset[0]));
        info->mfn_offset[0] = 2;
        head(0)->cons = ~0u;
        trace1(TRC_MEM_PAGE_GRANT_MAP, 1);
        drain(0);
        trace1(TRC_MEM_PAGE_GRANT_MAP, 4711);
        do
            assert_true(next(0, &r));
        while (r.event == TRC_LOST_RECORDS);
        assert_int_equal(r.w[0], 4711);
    }
}

/* ---- Telling the reader ---- */

static void half_full_raises_the_virq_once(void **state)
{
    evtchn_port_t port;

    drain(0);
    assert_int_equal(port_bind_virq(control.d, VIRQ_TBUF, 0, &port), 0);
    drain(0);
    atomic_store(&this_pcpu()->work, 0);
    while (used(0) < DATA / 2 - 64)
        trace1(TRC_MEM_PAGE_GRANT_MAP, 1);
    assert_int_equal(atomic_load(&this_pcpu()->work) & WORK_TBUF, 0);
    for (unsigned i = 0; i < 4; i++)
        trace1(TRC_MEM_PAGE_GRANT_MAP, 1);
    assert_true(atomic_load(&this_pcpu()->work) & WORK_TBUF);
    assert_int_equal(port_is_pending(control.d, port), 0); /* not from in here */
    tbuf_tell();
    assert_int_equal(port_is_pending(control.d, port), 1);
    atomic_store(&this_pcpu()->work, 0);
    trace1(TRC_MEM_PAGE_GRANT_MAP, 1);
    assert_int_equal(atomic_load(&this_pcpu()->work) & WORK_TBUF, 0);
    assert_int_equal(port_close(control.d, port), 0);
}

/* ---- Who may map them ---- */

static int map(mfn_t m, uint64_t flags)
{
    return pt_set(control.m[3], 100, pte_make(m.n, flags), control.d, &dom_xen, false);
}

static void only_they_can_be_mapped_writable(void **state)
{
    void *other = hv_pages(0);

    host_run(control.v);
    assert_int_equal(map(machine_frame_mfn(page_of(0, 1)), RW), 0);
    hosted_check();
    assert_int_equal(map(machine_frame_mfn(info), RW), 0);
    assert_int_equal(map(machine_frame_mfn(other), RW), -EINVAL);
    assert_int_equal(map(machine_m2p_chunk(0), RW), -EINVAL);
    assert_int_equal(map(machine_m2p_chunk(0), RO), 0);
    assert_int_equal(pt_set(control.m[3], 100, 0, control.d, &dom_xen, false), 0);
    hv_pages_free(other, 0);
    hosted_check();
    host_run(g.v);
}

/* ---- Showing ---- */

static char said[16384];

static void all_cpus_are_shown_merged_by_time(void **state)
{
    static const char *const order[] = {
        "d1v0: hypercall 29 (0x1, 0x2) = -22 from 0x99",  "CPU1 -: interrupt, vector 0xf0",
        "d1v0: page fault: rip, address, error 0x401000 0x7f0000001000 0x6", "CPU1 -: d5v2 running, was runnable",
        "d1v0: exception at 0x401000 vector 13 error 0x10", "CPU1 -: event 0x123",
    };
    static const uint64_t args[3] = { 1, 2, 3 };
    const char *at = said;
    uint64_t from = 0;
    struct trace_mark mark;

    log_ring_clear();
    for (unsigned i = 0; i < 6; i++) {
        host_tsc += 1000;
        host_cpu = i % 2;
        if (i == 0) {
            g.v->regs->rip = 0x99;
            mark = trace_hypercall(this_pcpu()->trace, g.v, TRC_PV_HYPERCALL_V2 | TRACE_HYPERCALL(29, 2), args);
            trace_result(this_pcpu()->trace, mark, -22);
        }
        if (i == 1)
            trace1(TRACE_VECTOR, 0xf0);
        if (i == 2)
            trace(TRC_PV_PAGE_FAULT | TRC_64_FLAG, 5, 0x401000, 0x7f0000001000, 6, 0);
        if (i == 3)
            trace1(TRACE_RUNSTATE(1, 0), 5 << 16 | 2);
        if (i == 4)
            trace(TRC_PV_TRAP | TRC_64_FLAG, 3, 0x401000, 13 | 1 << 15 | 0x10 << 16, 0, 0);
        if (i == 5)
            trace1(0x123, 0);
    }
    host_cpu = 0;
    trace_show_last(3);
    said[log_ring_read(&from, said, sizeof(said) - 1)] = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        at = strstr(at, order[i]);
        if (!at)
            fail_msg("no \"%s\" in its place:\n%s", order[i], said);
    }
    trace1(TRACE_VECTOR, 1); /* records nothing any more */
    assert_null(this_pcpu()->trace);
}

static int setup(void **state)
{
    hosted_setup(state);
    guest_create(&g, 1, 0, 16);
    host_run(g.v);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_says_what_who_and_when),
        cmocka_unit_test(a_result_finds_its_record_or_none),
        cmocka_unit_test(a_hypercall_is_recorded_with_its_result),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(too_many_pages_leave_nothing_behind),
        cmocka_unit_test(made_piece_by_piece_once),
        cmocka_unit_test(records_are_copied_while_wanted),
        cmocka_unit_test(none_is_lost_on_the_way_round),
        cmocka_unit_test(who_does_not_read_is_told_what_is_missing),
        cmocka_unit_test(nonsense_from_the_reader_does_no_harm),
        cmocka_unit_test(half_full_raises_the_virq_once),
        cmocka_unit_test(only_they_can_be_mapped_writable),
        cmocka_unit_test(all_cpus_are_shown_merged_by_time), /* the last: it ends recording */
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
