/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/idle.c, x86/model/idle_cpuid.c, abi/processor_info.c, abi/sysctl_power.c: which idle states dom0 may give a CPU, which one
 * it enters, what is counted, and that a wake-up is not lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/exit.h"
#include "core/idle.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/timer.h"
#include "x86/model/idle_cpuid.h"

#include <stdatomic.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

enum { OP = 5, STATES = 6, COUNTERS = 7 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

#define HALT(c, us)            { .reg = { .space_id = 0x7f }, .type = (c), .latency = (us) }
#define MWAIT(c, us, hint)     { .reg = { .space_id = 0x7f, .bit_width = 1, .bit_offset = 2, .address = (hint) }, .type = (c), \
                                 .latency = (us) }
#define PORT(c, us, port)      { .reg = { .space_id = 1, .bit_width = 8, .access_size = 1, .address = (port) }, .type = (c), \
                                 .latency = (us) }

static struct guest guest;
static const struct idle_means all_means = { .mwait = true, .substates = 0x1120, .timer = true, .clock = true };

static void *page(unsigned i) { return machine_frame(control.m[i]); }

static long call_as(struct guest *g, unsigned nr)
{
    struct cpu_regs *r;

    host_run(g->v);
    r = g->v->regs;
    r->rax = nr, r->rdi = VA(OP);
    r->rip = 0x1000;
    plenty();
    hypercall_entry(g->v);
    assert_int_equal(this_pcpu()->locks_held, 0);
    return (long)r->rax;
}

static struct xen_platform_op *platform_op(uint32_t id, uint32_t type)
{
    struct xen_platform_op *op = page(OP);

    *op = (struct xen_platform_op){ .cmd = XENPF_set_processor_pminfo, .interface_version = XENPF_INTERFACE_VERSION };
    op->u.set_pminfo.id = id;
    op->u.set_pminfo.type = type;
    return op;
}

static long upload_to(uint32_t acpi_id, const struct xen_processor_cx *states, unsigned n)
{
    struct xen_platform_op *op = platform_op(acpi_id, XEN_PM_CX);

    memcpy(page(STATES), states, MIN(n, 12u) * sizeof(*states));
    op->u.set_pminfo.u.power.count = n;
    set_xen_guest_handle(op->u.set_pminfo.u.power.states, (void *)VA(STATES));
    return call_as(&control, __HYPERVISOR_platform_op);
}

#define UPLOAD(...) upload_to(0, (const struct xen_processor_cx[]){ __VA_ARGS__ }, \
                              sizeof((struct xen_processor_cx[]){ __VA_ARGS__ }) / sizeof(struct xen_processor_cx))

static struct xen_sysctl *sysctl(uint32_t cmd)
{
    struct xen_sysctl *s = page(OP);

    *s = (struct xen_sysctl){ .cmd = cmd, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    return s;
}

static long pmstat(uint32_t type, uint32_t cpu, uint32_t room)
{
    struct xen_sysctl *s = sysctl(XEN_SYSCTL_get_pmstat);

    s->u.get_pmstat.type = type;
    s->u.get_pmstat.cpuid = cpu;
    s->u.get_pmstat.u.getcx.nr = room;
    s->u.get_pmstat.u.getcx.nr_pc = s->u.get_pmstat.u.getcx.nr_cc = 8;
    set_xen_guest_handle(s->u.get_pmstat.u.getcx.triggers, (uint64_t *)VA(COUNTERS));
    set_xen_guest_handle(s->u.get_pmstat.u.getcx.residencies, (uint64_t *)(VA(COUNTERS) + 1024));
    return call_as(&control, __HYPERVISOR_sysctl);
}

static const struct pm_cx_stat *cx(void) { return &((struct xen_sysctl *)page(OP))->u.get_pmstat.u.getcx; }
static uint64_t entered(unsigned i) { return ((uint64_t *)page(COUNTERS))[i]; }
static uint64_t resided(unsigned i) { return ((uint64_t *)page(COUNTERS))[128 + i]; }

static long pm_op(uint32_t cmd, uint32_t which, uint32_t value)
{
    struct xen_sysctl *s = sysctl(XEN_SYSCTL_pm_op);

    s->u.pm_op.cmd = cmd;
    s->u.pm_op.cpuid = which;
    s->u.pm_op.u.set_max_cstate = value;
    return call_as(&control, __HYPERVISOR_sysctl);
}

static unsigned count(void)
{
    struct idle_report r;

    idle_report(0, &r);
    return r.count;
}

static void nothing(void *data) { }

/* The CPU's stays were of this length for long, and its timer goes off so much later. */
static struct idle_state chosen(uint64_t lately_ns, uint64_t timer_ns)
{
    struct timer t;
    struct idle_state s;

    host_run(NULL);
    timer_init(&t, nothing, NULL, 0);
    timer_set(&t, now_ns() + timer_ns);
    timers_run();
    for (unsigned i = 0; i < 200; i++) {
        idle_choose(now_ns());
        idle_left(lately_ns);
    }
    s = idle_choose(now_ns());
    timer_stop(&t);
    return s;
}

/* ---- Uploads ---- */

static void cpus_begin_with_c1(void **state)
{
    assert_int_equal(pmstat(PMSTAT_get_max_cx, 0, 0), 0);
    assert_int_equal(cx()->nr, 2);
    assert_int_equal(chosen(SEC(1), SEC(1)).way, IDLE_HALT);
}

static void what_linux_uploads_is_taken(void **state)
{
    assert_int_equal(UPLOAD(MWAIT(1, 1, 0x00), MWAIT(2, 80, 0x10), MWAIT(3, 104, 0x20)), 0);
    assert_int_equal(count(), 4);
    assert_int_equal(UPLOAD(HALT(1, 0), PORT(2, 100, 0x414)), 0);
    assert_int_equal(count(), 3);
    assert_int_equal(UPLOAD(PORT(2, 100, 0x414)), 0); /* C1 is there all the same */
    assert_int_equal(count(), 3);
    assert_int_equal(chosen(0, SEC(1)).way, IDLE_HALT);
}

static void bad_uploads_change_nothing(void **state)
{
    static const struct xen_processor_cx good = HALT(1, 1);
    struct xen_processor_cx many[12];

    assert_int_equal(UPLOAD(HALT(1, 0), PORT(2, 100, 0x414)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = good;
    assert_int_equal(upload_to(0, many, 0), -EINVAL);
    assert_int_equal(upload_to(0, many, 9), -EINVAL);
    assert_int_equal(upload_to(0, many, 0xffffffff), -EINVAL);
    assert_int_equal(upload_to(99, many, 1), -EINVAL);
    assert_int_equal(upload_to(0xffffffff, many, 1), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), HALT(0, 1)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(4, 1, 0x414)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), HALT(2, 1)), -EINVAL);          /* who halts is in C1 */
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(1, 1, 0x414)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(2, 1, 0)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(2, 1, 0x10000)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(2, 1, 0x3f8)), -EINVAL);   /* the hypervisor's own */
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(2, 1, 0x100)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(2, 1000001, 0x414)), -EINVAL);
    assert_int_equal(UPLOAD(HALT(1, 2), PORT(2, 1, 0x414)), -EINVAL);   /* deeper, and left faster */
    assert_int_equal(count(), 3);
    platform_op(0, XEN_PM_CX)->u.set_pminfo.u.power.count = 1;
    set_xen_guest_handle(((struct xen_platform_op *)page(OP))->u.set_pminfo.u.power.states, (struct xen_processor_cx *)VA(100));
    assert_int_equal(call_as(&control, __HYPERVISOR_platform_op), -EFAULT);
    assert_int_equal(count(), 3);
    assert_int_equal(chosen(SEC(1), SEC(1)).way, IDLE_PORT);
    platform_op(0, XEN_PM_PX);
    assert_int_equal(call_as(&control, __HYPERVISOR_platform_op), -ENOSYS);
    platform_op(0, 4);
    assert_int_equal(call_as(&control, __HYPERVISOR_platform_op), -EINVAL);
}

static void only_dom0_may(void **state)
{
    platform_op(0, XEN_PM_CX);
    memcpy(machine_frame(guest.m[OP]), page(OP), sizeof(struct xen_platform_op));
    assert_int_equal(call_as(&guest, __HYPERVISOR_platform_op), -EPERM);
    sysctl(XEN_SYSCTL_pm_op)->u.pm_op.cmd = XEN_SYSCTL_pm_op_set_max_cstate;
    memcpy(machine_frame(guest.m[OP]), page(OP), sizeof(struct xen_sysctl));
    assert_int_equal(call_as(&guest, __HYPERVISOR_sysctl), -EPERM);
}

static unsigned taken(struct idle_means m)
{
    host_idle_means = m;
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(1, 1, 0x01), MWAIT(1, 1, 0x02), MWAIT(2, 20, 0x10), MWAIT(3, 30, 0x20),
                            MWAIT(3, 40, 0x30), PORT(2, 50, 0x414), PORT(3, 60, 0x415)), 0);
    host_idle_means = all_means;
    return count();
}

/* Two sub-states of C1, one of C2 and C3 each; C4 there is none. By port, C3 would want caches written back. */
static void what_the_cpu_has_not_is_left_out(void **state)
{
    struct idle_means m = all_means;

    assert_int_equal(taken(m), 1 + 5);
    m.clock = false;
    assert_int_equal(taken(m), 1 + 4);
    m.timer = false;
    assert_int_equal(taken(m), 1 + 2);
    m = all_means;
    m.mwait = false;
    assert_int_equal(taken(m), 1 + 2);
    m = all_means;
    m.substates = 0;
    assert_int_equal(taken(m), 1 + 2);
}

/* Hint 0xf0 is C0 with its sub-states, in the lowest four bits. */
static void mwait_by_cpuid(void **state)
{
    struct idle_means m = idle_means_by_cpuid((struct cpuid_leaf){ .c = 8 }, (struct cpuid_leaf){ .c = 3, .d = 0x11142120 },
                                              (struct cpuid_leaf){ .a = 4 }, (struct cpuid_leaf){ .d = 0x100 });
    struct idle_state s = { IDLE_MWAIT, 3, 1, 0x60 };

    assert_true(m.mwait && m.timer && m.clock);
    assert_null(idle_cannot(&m, &s));
    s.at = 0x61;
    assert_non_null(idle_cannot(&m, &s));
    s.at = 0x23;
    assert_non_null(idle_cannot(&m, &s));
    s.at = 0x33;
    assert_null(idle_cannot(&m, &s));
    s.at = 0xf0;
    assert_non_null(idle_cannot(&m, &s));
    for (uint32_t ecx = 0; ecx < 3; ecx++)
        assert_false(idle_means_by_cpuid((struct cpuid_leaf){ .c = 8 }, (struct cpuid_leaf){ .c = ecx }, (struct cpuid_leaf){ 0 },
                                         (struct cpuid_leaf){ 0 }).mwait);
    m = idle_means_by_cpuid((struct cpuid_leaf){ .c = ~8u }, (struct cpuid_leaf){ .c = 3 }, (struct cpuid_leaf){ .a = ~4u },
                            (struct cpuid_leaf){ .d = ~0x100u });
    assert_false(m.mwait || m.timer || m.clock);
}

static uint32_t pdc(uint32_t revision, uint32_t words, uint32_t bits, long want)
{
    struct xen_platform_op *op = platform_op(0xffffffff, XEN_PM_PDC);
    uint32_t *p = page(STATES);

    p[0] = revision, p[1] = words, p[2] = bits;
    set_xen_guest_handle(op->u.set_pminfo.u.pdc, (uint32_t *)VA(STATES));
    assert_int_equal(call_as(&control, __HYPERVISOR_platform_op), want);
    return p[2];
}

static void dom0_is_told_of_mwait(void **state)
{
    assert_int_equal(pdc(1, 1, 0x01a, 0), 0x31a);
    host_idle_means.mwait = false;
    assert_int_equal(pdc(1, 1, 0xfff, 0), 0xcff);
    host_idle_means = all_means;
    host_idle_means.substates = 0xf;
    assert_int_equal(pdc(1, 1, 0x300, 0), 0);
    host_idle_means = all_means;
    assert_int_equal(pdc(2, 1, 0x01a, -EINVAL), 0x01a);
    assert_int_equal(pdc(1, 0, 0x01a, -EINVAL), 0x01a);
    set_xen_guest_handle(platform_op(0, XEN_PM_PDC)->u.set_pminfo.u.pdc, (uint32_t *)VA(100));
    assert_int_equal(call_as(&control, __HYPERVISOR_platform_op), -EFAULT);
}

static void not_used(void **state)
{
    idle_init(false, UINT32_MAX, UINT32_MAX);
    assert_int_equal(UPLOAD(HALT(1, 0)), -ENOSYS);
    assert_int_equal(pdc(1, 1, 0x300, 0), 0);
    assert_int_equal(pmstat(PMSTAT_get_max_cx, 0, 0), -ENODEV);
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0, 8), -ENODEV);
    assert_int_equal(chosen(SEC(1), SEC(1)).way, IDLE_HALT);
}

/* ---- Choosing ---- */

static void deep_states_must_pay(void **state)
{
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(2, 100, 0x10), MWAIT(3, 1000, 0x20)), 0);
    assert_int_equal(chosen(MS(10), MS(10)).type, 3);
    assert_int_equal(chosen(MS(10), US(500)).type, 2);   /* the timer goes off before */
    assert_int_equal(chosen(US(500), MS(10)).type, 2);   /* it was never idle for so long */
    assert_int_equal(chosen(US(150), MS(10)).type, 1);
    assert_int_equal(chosen(MS(10), US(150)).type, 1);
    assert_int_equal(chosen(0, 0).type, 1);
}

static void limits(void **state)
{
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(2, 100, 0x10), MWAIT(3, 200, 0x20)), 0);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 2), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).type, 2);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 1), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).type, 1);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 0), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).way, IDLE_RUN);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, XEN_SYSCTL_CX_UNLIMITED), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).type, 3);
    /* Of the deepest C-state only, and by MWAIT only. */
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(1, 100, 0x00), MWAIT(1, 200, 0x01)), 0);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 1), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).at, 1);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 1, 0), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).at, 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).way, IDLE_MWAIT);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 2), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).at, 1);
}

static void what_xenpm_asks(void **state)
{
    const struct xen_sysctl *s = page(OP);

    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_get_max_cstate, 0, 7), 0);
    assert_int_equal(s->u.pm_op.u.get_max_cstate, XEN_SYSCTL_CX_UNLIMITED);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 2), 0);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 1, 3), 0);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_get_max_cstate, 0, 7), 0);
    assert_int_equal(s->u.pm_op.u.get_max_cstate, 2);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_get_max_cstate, 1, 7), 0);
    assert_int_equal(s->u.pm_op.u.get_max_cstate, 3);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 2, 0), -EINVAL);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_get_max_cstate, 0xffffffff, 0), -EINVAL);
    assert_int_equal(pm_op(GET_CPUFREQ_PARA, 0, 0), -ENODEV);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_enable_turbo, 0, 0), -EOPNOTSUPP);
    assert_int_equal(pm_op(0xffffffff, 0, 0), -EOPNOTSUPP);
    assert_int_equal(pmstat(PMSTAT_get_max_cx, 2, 0), -EINVAL);
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0xffffffff, 0), -EINVAL);
    assert_int_equal(pmstat(PMSTAT_get_max_px, 0, 0), -ENODEV);
    assert_int_equal(pmstat(0x2f, 0, 0), -ENOSYS);
}

/* ---- Counting ---- */

static void stay(uint64_t lately_ns, unsigned times)
{
    host_run(NULL);
    for (unsigned i = 0; i < times; i++) {
        host_tsc += ns_to_tsc(lately_ns);
        idle_choose(now_ns());
        idle_left(lately_ns);
    }
}

static void stays_are_counted(void **state)
{
    struct timer t;

    timer_init(&t, nothing, NULL, 0);
    host_run(NULL);
    timer_set(&t, now_ns() + SEC(100));
    timers_run();
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(2, 100, 0x10)), 0);
    assert_int_equal(pmstat(PMSTAT_reset_cxstat, 0, 0), 0);
    chosen(0, SEC(1));
    assert_int_equal(pmstat(PMSTAT_reset_cxstat, 0, 0), 0);
    host_run(NULL);
    timer_set(&t, now_ns() + SEC(100));
    timers_run();
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, 1), 0);
    stay(US(500), 3);
    assert_int_equal(pm_op(XEN_SYSCTL_pm_op_set_max_cstate, 0, XEN_SYSCTL_CX_UNLIMITED), 0);
    stay(MS(5), 1);
    stay(MS(5), 2);
    host_tsc += ns_to_tsc(MS(7));
    memset(page(COUNTERS), 0xaa, PAGE_SIZE);
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0, 2), 0);
    assert_int_equal(cx()->nr, 3);
    assert_int_equal(cx()->nr_pc + cx()->nr_cc, 0);
    assert_true(entered(2) == 0xaaaaaaaaaaaaaaaa);       /* there was room for two */
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0, 0xffffffff), 0);
    assert_int_equal(cx()->last, 2);
    assert_int_equal(entered(1) + entered(2), 6);
    assert_int_equal(entered(0), 6);
    assert_int_equal(resided(1) + resided(2), 3 * US(500) + 3 * MS(5));
    assert_true(entered(2) >= 2 && resided(2) == entered(2) * MS(5));
    assert_in_range(resided(0), MS(7), MS(8));
    assert_true(entered(3) == 0xaaaaaaaaaaaaaaaa);
    assert_int_equal(pmstat(PMSTAT_reset_cxstat, 0, 0), 0);
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0, 8), 0);
    assert_int_equal(entered(0) + entered(1) + entered(2), 0);
    timer_stop(&t);
}

/* What it was in when another table came is none of that table's. */
static void a_stay_across_an_upload_does_not_count(void **state)
{
    assert_int_equal(UPLOAD(HALT(1, 1), MWAIT(2, 100, 0x10)), 0);
    assert_int_equal(chosen(SEC(1), SEC(1)).type, 2);
    assert_int_equal(UPLOAD(HALT(1, 1), PORT(2, 100, 0x414)), 0);
    host_run(NULL);
    idle_left(SEC(1));
    assert_int_equal(pmstat(PMSTAT_get_cxstat, 0, 8), 0);
    assert_int_equal(cx()->nr, 3);
    assert_int_equal(entered(0) + entered(1) + entered(2), 0);
    assert_int_equal(resided(1) + resided(2), 0);
}

/* ---- Waking ---- */

static unsigned points, give_at, sleeps;

/* Another CPU gives work, at one of the points at which this one could be interrupted by its turn. */
static void give(void)
{
    if (++points == give_at)
        atomic_fetch_or(&pcpus[0]->work, WORK_IRQ);
}

static void sleeping(void)
{
    assert_int_equal(pcpus[0]->work, 0);
    if (points >= give_at) {
        host_point = NULL;
        vcpu_pause_clear(control.v, ~0u);
    }
    sleeps++;
}

/* Whenever it came: the CPU does not sleep as long as there is work. */
static void no_wake_up_is_lost(void **state)
{
    host_run(NULL);
    points = 0;
    host_point = give;
    host_idle = sleeping;
    for (give_at = 1; give_at < 200; give_at++) {
        control.v->pause = PAUSE_DOWN;
        pcpus[0]->work = WORK_SCHED;
        points = sleeps = 0;
        host_point = give;
        core_exit();
        assert_ptr_equal(current_vcpu(), control.v);
        assert_true(sleeps >= 1);
    }
    host_point = NULL;
    host_idle = NULL;
}

static int start(void **state)
{
    hosted_setup(state);
    guest_create(&guest, 1, 0, 8);
    guest_start(&guest, 8);
    host_run(control.v);
    return 0;
}

/* Each test begins with CPUs that were told nothing. */
static int begin(void **state)
{
    idle_init(true, UINT32_MAX, UINT32_MAX);
    for (unsigned i = 0; i < HOSTED_CPUS; i++)
        idle_set(i, NULL, 0);
    host_idle_means = all_means;
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cpus_begin_with_c1, begin),
        cmocka_unit_test_setup(what_linux_uploads_is_taken, begin),
        cmocka_unit_test_setup(bad_uploads_change_nothing, begin),
        cmocka_unit_test_setup(only_dom0_may, begin),
        cmocka_unit_test_setup(what_the_cpu_has_not_is_left_out, begin),
        cmocka_unit_test(mwait_by_cpuid),
        cmocka_unit_test_setup(dom0_is_told_of_mwait, begin),
        cmocka_unit_test_setup(not_used, begin),
        cmocka_unit_test_setup(deep_states_must_pay, begin),
        cmocka_unit_test_setup(limits, begin),
        cmocka_unit_test_setup(what_xenpm_asks, begin),
        cmocka_unit_test_setup(stays_are_counted, begin),
        cmocka_unit_test_setup(a_stay_across_an_upload_does_not_count, begin),
        cmocka_unit_test_setup(no_wake_up_is_lost, begin),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
