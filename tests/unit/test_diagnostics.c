/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an administrator's tools ask, by hypercall from the control domain: counters, use of locks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "abi/hypercall.h"
#include "core/lock.h"
#include "core/perf.h"

#include <xen/sysctl.h>
#include <xen/version.h>

#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

enum { PAGES = 64, OP = 20, OUT = 24 };

static struct guest tools;        /* a control domain with room for what it asks */
static struct xen_sysctl *op;     /* at VA(OP) */
static void *out;                 /* at VA(OUT): the rest of its memory; its frames follow each other */

static int setup(void **state)
{
    host_start(HOSTED_CPUS, HOSTED_RAM);
    guest_create(&tools, 0, PRIV_ALL, PAGES);
    guest_start(&tools, PAGES - 8);
    op = machine_frame(tools.m[OP]);
    for (unsigned i = OUT; i + 1 < PAGES - 8; i++)
        assert_int_equal(tools.m[i].n + 1, tools.m[i + 1].n);
    out = machine_frame(tools.m[OUT]);
    return 0;
}

static unsigned calls; /* how often the guest executed the last one */

static long call(uint64_t nr, uint64_t p0, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    struct cpu_regs *r = tools.v->regs;

    r->rax = nr, r->rdi = p0, r->rsi = p1, r->rdx = p2, r->r10 = p3, r->r8 = p4;
    calls = 0;
    do {
        calls++;
        r->rip = 0x1000;
        budget_reset();
        hypercall_entry(tools.v);
        assert_int_equal(this_pcpu()->locks_held, 0);
        hosted_leave(tools.v, BUDGET_UNITS);
    } while (r->rip == 0x1000 - 2 && calls < 100000);
    return (long)r->rax;
}

static long sysctl(uint32_t cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(__HYPERVISOR_sysctl, VA(OP), 0, 0, 0, 0);
}

static void clear(void)
{
    memset(op, 0, sizeof(*op));
    memset(out, 0xee, 8 * PAGE_SIZE);
}

/* ---- Counters ---- */

static long perfc(uint32_t cmd, bool names, bool values)
{
    clear();
    op->u.perfc_op.cmd = cmd;
    if (names)
        set_xen_guest_handle(op->u.perfc_op.desc, (void *)VA(OUT));
    if (values)
        set_xen_guest_handle(op->u.perfc_op.val, (void *)VA(OUT + 4));
    return sysctl(XEN_SYSCTL_perfc_op);
}

/* The value of a counter as xenperf finds it: the i-th of the group of that name. */
static uint32_t counter(const char *name, unsigned i)
{
    const struct xen_sysctl_perfc_desc *d = out;
    const uint32_t *val = (const uint32_t *)((char *)out + 4 * PAGE_SIZE);

    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, true, true), 0);
    for (unsigned k = 0; k < op->u.perfc_op.nr_counters; k++) {
        if (!strcmp(d[k].name, name)) {
            assert_true(i < d[k].nr_vals);
            return val[i];
        }
        val += d[k].nr_vals;
    }
    fail_msg("no counter %s", name);
    return 0;
}

static void counters_are_counted_first(void **state)
{
    uint32_t values = 0, n;

    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, false, false), 0);
    assert_int_equal(op->u.perfc_op.nr_vals, PERF_VALUES);
    n = op->u.perfc_op.nr_counters;
    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, true, false), 0);
    for (unsigned i = 0; i < n; i++)
        values += ((struct xen_sysctl_perfc_desc *)out)[i].nr_vals;
    assert_int_equal(values, PERF_VALUES);
    assert_int_equal(perfc(7, false, false), -EINVAL);
    /* Where nothing is mapped. */
    clear();
    op->u.perfc_op.cmd = XEN_SYSCTL_PERFCOP_query;
    set_xen_guest_handle(op->u.perfc_op.val, (void *)VA(1000));
    assert_int_equal(sysctl(XEN_SYSCTL_perfc_op), -EFAULT);
}

static void hypercalls_are_counted_by_number(void **state)
{
    uint32_t before = counter("hypercalls", __HYPERVISOR_xen_version);

    for (unsigned i = 0; i < 5; i++)
        call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0);
    assert_int_equal(counter("hypercalls", __HYPERVISOR_xen_version), before + 5);
    call(1000, 0, 0, 0, 0, 0); /* none such: counted nowhere */
    assert_int_equal(counter("hypercalls", PERF_HYPERCALL_MAX - 1), 0);
}

static void all_cpus_count_and_a_reset_begins_anew(void **state)
{
    uint32_t before = counter("events raised", 0);

    pcpus[1]->perf[PERF_EVENTS] += 3;
    assert_int_equal(counter("events raised", 0), before + 3);
    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_reset, false, false), 0);
    assert_int_equal(counter("events raised", 0), 0);
    pcpus[1]->perf[PERF_EVENTS] += 2;
    assert_int_equal(counter("events raised", 0), 2);
}

static void an_array_keeps_to_its_end(void **state)
{
    uint32_t last = this_pcpu()->perf[PERF_LAST_EXCEPTIONS], after = this_pcpu()->perf[PERF_LAST_EXCEPTIONS + 1];

    perf_count_nth(PERF_EXCEPTIONS, 0x80000000u, PERF_EXCEPTION_MAX);
    assert_int_equal(this_pcpu()->perf[PERF_LAST_EXCEPTIONS], last + 1);
    assert_int_equal(this_pcpu()->perf[PERF_LAST_EXCEPTIONS + 1], after);
}

/* ---- Locks ---- */

static long lockprof(uint32_t cmd, uint32_t room)
{
    clear();
    op->u.lockprof_op.cmd = cmd;
    op->u.lockprof_op.max_elem = room;
    if (room)
        set_xen_guest_handle(op->u.lockprof_op.data, (void *)VA(OUT));
    return sysctl(XEN_SYSCTL_lockprof_op);
}

static struct xen_sysctl_lockprof_data use_of(const char *class)
{
    struct xen_sysctl_lockprof_data *d = out;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 40), 0);
    for (unsigned i = 0; i < op->u.lockprof_op.nr_elem; i++)
        if (!strcmp(d[i].name, class))
            return d[i];
    fail_msg("no lock class %s", class);
    return *d;
}

static void locks_count_their_use(void **state)
{
    struct lock l = LOCK_INIT(DEVICE);
    struct xen_sysctl_lockprof_data u;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_reset, 0), 0);
    assert_int_equal(use_of("DEVICE").lock_cnt, 0);
    for (unsigned i = 0; i < 4 * LOCK_SAMPLE; i++) {
        lock(&l);
        host_tsc += 1000;
        unlock(&l);
    }
    assert_true(trylock(&l));
    assert_false(trylock(&l));
    unlock(&l);
    u = use_of("DEVICE");
    assert_int_equal(u.lock_cnt, 4 * LOCK_SAMPLE + 1);
    assert_int_equal(u.block_cnt, 0);
    assert_int_equal(u.lock_time, 4 * LOCK_SAMPLE * 1000); /* all, by the sixteenth that are measured */
    assert_int_equal(u.type, LOCKPROF_TYPE_GLOBAL);
    assert_true(op->u.lockprof_op.time >= 4 * LOCK_SAMPLE * 1000);
}

static struct lock contended = LOCK_INIT(DEVICE);

static void *waits(void *arg)
{
    host_cpu = 1;
    lock(&contended);
    unlock(&contended);
    return NULL;
}

static void who_waits_is_counted(void **state)
{
    pthread_t other;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_reset, 0), 0);
    lock(&contended);
    assert_int_equal(pthread_create(&other, NULL, waits, NULL), 0);
    while (contended.ticket >> 16 == (contended.ticket & 0xffff) + 1)
        sched_yield();
    usleep(20000); /* most often it has looked at the clock by now */
    host_tsc += 5000;
    unlock(&contended);
    pthread_join(other, NULL);
    assert_int_equal(use_of("DEVICE").lock_cnt, 2);
    assert_int_equal(use_of("DEVICE").block_cnt, 1);
    assert_true(use_of("DEVICE").block_time <= 5000);
}

static void records_that_find_no_room_are_counted(void **state)
{
    struct xen_sysctl_lockprof_data *d = out;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 2), 0);
    assert_int_equal(op->u.lockprof_op.nr_elem, LOCK_CLASSES);
    assert_string_equal(d[1].name, "DOMLIST");
    assert_int_equal((uint8_t)d[2].name[0], 0xee);
    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 0), 0);
    assert_int_equal(op->u.lockprof_op.nr_elem, LOCK_CLASSES);
    assert_int_equal(lockprof(9, 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_counted_first),
        cmocka_unit_test(hypercalls_are_counted_by_number),
        cmocka_unit_test(all_cpus_count_and_a_reset_begins_anew),
        cmocka_unit_test(an_array_keeps_to_its_end),
        cmocka_unit_test(locks_count_their_use),
        cmocka_unit_test(who_waits_is_counted),
        cmocka_unit_test(records_that_find_no_room_are_counted),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
