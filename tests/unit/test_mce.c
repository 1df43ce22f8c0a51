/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/mce.c and abi/mca.c: which errors end the hypervisor, which are for the next look, and that dom0 gets each record once,
 * in the form that its driver walks through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/mce.h"
#include "core/port.h"
#include "core/time.h"
#include "core/timer.h"
#include "x86/model/msr.h"

#include <xen/arch-x86/xen-mca.h>

enum { ARGS = 5, DATA = 6 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

#define CORRECTED   (BIT(63) | BIT(60))
#define WITH_ADDR   BIT(58)
#define WITH_MISC   BIT(59)
#define UNCORRECTED (BIT(63) | BIT(61) | BIT(60))
#define CORRUPT     BIT(57)
#define SIGNALED    BIT(56)
#define NOT_ENABLED (BIT(63) | BIT(61))
#define RIPV        BIT(0)
#define BANKS       20u
#define CAP         (BIT(8) | BIT(24) | BANKS)

/* ---- The registers of one CPU ---- */

static uint64_t cap, global, ctl, bank[BANKS][4];

static uint64_t *registers(uint32_t msr)
{
    switch (msr) {
    case MSR_IA32_MCG_CAP: return &cap;
    case MSR_IA32_MCG_STATUS: return &global;
    case MSR_IA32_MCG_CTL: return &ctl;
    default:
        msr -= MSR_IA32_MC0_CTL;
        return msr < BANKS * 4 ? &bank[msr / 4][msr % 4] : NULL;
    }
}

static void fail_in(unsigned b, uint64_t status)
{
    bank[b][1] = status;
    bank[b][2] = 0xadd0 + b;
    bank[b][3] = 0x3150 + b;
}

/* ---- What dom0 does ---- */

static struct xen_mc mc;
static evtchn_port_t port;

static long call(uint32_t cmd)
{
    struct cpu_regs *r = control.v->regs;
    void *page = machine_frame(control.m[ARGS]);

    host_run(control.v);
    mc.cmd = cmd;
    mc.interface_version = XEN_MCA_INTERFACE_VERSION;
    memcpy(page, &mc, sizeof(mc));
    r->rax = __HYPERVISOR_arch_0, r->rdi = VA(ARGS);
    plenty();
    hypercall_entry(control.v);
    assert_int_equal(this_pcpu()->locks_held, 0);
    memcpy(&mc, page, sizeof(mc));
    return (long)r->rax;
}

static long fetch(uint32_t flags)
{
    mc.u.mc_fetch.flags = flags;
    set_xen_guest_handle(mc.u.mc_fetch.data, (mc_info_t *)VA(DATA));
    return call(XEN_MC_fetch);
}

static const struct mc_info *info(void) { return machine_frame(control.m[DATA]); }

/* As Linux does: until there is no more. How many there were. */
static unsigned drain(void)
{
    for (unsigned n = 0; ; n++) {
        assert_int_equal(fetch(XEN_MC_NONURGENT), 0);
        if (mc.u.mc_fetch.flags & XEN_MC_NODATA)
            return n;
        assert_int_equal(fetch(XEN_MC_NONURGENT | XEN_MC_ACK), 0);
        assert_int_equal(mc.u.mc_fetch.flags, XEN_MC_OK);
    }
}

static bool was_told(void)
{
    struct shared_info *s = control.d->shared;
    bool told = s->evtchn_pending[port / 64] >> port % 64 & 1;

    s->evtchn_pending[port / 64] &= ~(1ul << port % 64);
    return told;
}

/* The look of every five seconds. */
static void look(void)
{
    host_tsc += ns_to_tsc(SEC(5));
    timers_run();
}

static int fresh(void **state)
{
    memset(bank, 0, sizeof(bank));
    global = ctl = 0;
    cap = CAP;
    (void)drain();
    (void)was_told();
    return 0;
}

/* ---- The exception ---- */

static void uncorrected_is_the_end(void **state)
{
    static const uint64_t fatal[] = { UNCORRECTED, UNCORRECTED | CORRUPT, UNCORRECTED | SIGNALED, CORRECTED | CORRUPT };
    struct mce_event e;

    for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++) {
        memset(bank, 0, sizeof(bank));
        global = RIPV | BIT(2);
        fail_in(3, CORRECTED);
        fail_in(7, fatal[i] | WITH_ADDR);
        assert_true(mce_exception(&e));
        assert_int_equal(e.count, 2);
        assert_int_equal(e.bank[1].bank, 7);
        assert_true(e.bank[1].status == (fatal[i] | WITH_ADDR));
        assert_int_equal(e.bank[1].addr, 0xadd7);
        assert_int_equal(e.bank[1].misc, 0);
        assert_int_equal(e.global, RIPV | BIT(2));
        assert_int_equal(global, RIPV | BIT(2)); /* stays, for who looks after the reset */
    }
}

/* Though there is no room left to tell of it. */
static void the_last_bank_counts(void **state)
{
    struct mce_event e;

    global = RIPV | BIT(2);
    for (unsigned i = 0; i < BANKS; i++)
        fail_in(i, i + 1 < BANKS ? CORRECTED : UNCORRECTED);
    assert_true(mce_exception(&e));
    assert_int_equal(e.count, MCE_BANKS);
}

static void no_way_back_is_the_end(void **state)
{
    struct mce_event e;

    global = BIT(2);
    assert_true(mce_exception(&e));
    assert_int_equal(e.count, 0);
    cap = 0;
    assert_true(mce_exception(&e));
}

/* Another CPU's error came to this one, too. */
static void nothing_of_ours_goes_on(void **state)
{
    struct mce_event e;

    global = RIPV | BIT(2);
    fail_in(0, CORRECTED);
    fail_in(1, NOT_ENABLED);
    assert_false(mce_exception(&e));
    assert_int_equal(global, 0);
    assert_true(bank[0][1] && bank[1][1]);
    look();
    assert_false(bank[0][1] || bank[1][1]);
    assert_int_equal(drain(), 1);
}

/* ---- Looking ---- */

static void corrected_is_told_to_dom0(void **state)
{
    const struct mcinfo_global *g = (const void *)info()->mi_data;
    const struct mcinfo_bank *b = (const void *)(g + 1);

    look();
    assert_false(was_told());
    fail_in(2, CORRECTED | WITH_ADDR);
    fail_in(19, CORRECTED | WITH_MISC | BIT(62));
    look();
    assert_true(was_told());
    assert_false(bank[2][1] || bank[19][1]);
    assert_int_equal(fetch(XEN_MC_URGENT), 0);
    assert_int_equal(mc.u.mc_fetch.flags, XEN_MC_NODATA);
    assert_int_equal(fetch(XEN_MC_NONURGENT), 0);
    assert_int_equal(mc.u.mc_fetch.flags, XEN_MC_OK);
    assert_int_equal(info()->mi_nentries, 3);
    assert_int_equal(g->common.type, MC_TYPE_GLOBAL);
    assert_int_equal(g->common.size, sizeof(*g));
    assert_int_equal(g->mc_apicid, 0);
    assert_int_equal(g->mc_flags, MC_FLAG_POLLED | MC_FLAG_CORRECTABLE);
    assert_int_equal(b[0].common.type, MC_TYPE_BANK);
    assert_int_equal(b[0].common.size, sizeof(*b));
    assert_int_equal(b[0].mc_bank, 2);
    assert_true(b[0].mc_status == (CORRECTED | WITH_ADDR));
    assert_int_equal(b[0].mc_addr, 0xadd2);
    assert_int_equal(b[0].mc_misc, 0);
    assert_int_equal(b[1].mc_bank, 19);
    assert_int_equal(b[1].mc_addr, 0);
    assert_int_equal(b[1].mc_misc, 0x3150 + 19);
    assert_int_equal(b[2].common.size, 0); /* where Linux stops */
    /* The same until it is acknowledged, by its own number. */
    mc.u.mc_fetch.fetch_id++;
    assert_int_equal(fetch(XEN_MC_NONURGENT | XEN_MC_ACK), 0);
    assert_int_equal(fetch(XEN_MC_URGENT | XEN_MC_ACK), 0);
    assert_int_equal(drain(), 1);
}

static void what_an_exception_tells_is_left_alone(void **state)
{
    fail_in(1, UNCORRECTED);                       /* nobody has to act */
    fail_in(2, UNCORRECTED | SIGNALED);
    fail_in(3, UNCORRECTED | CORRUPT);
    fail_in(4, NOT_ENABLED | CORRUPT);
    look();
    assert_true(bank[2][1] && bank[3][1]);
    assert_false(bank[1][1] || bank[4][1]);
    assert_int_equal(drain(), 1);
    cap &= ~BIT(24);                               /* such a CPU signals them all */
    fail_in(1, UNCORRECTED);
    look();
    assert_true(bank[1][1]);
    assert_int_equal(drain(), 0);
}

static void more_banks_than_a_record_has(void **state)
{
    for (unsigned i = 0; i < BANKS; i++)
        fail_in(i, CORRECTED);
    look();
    assert_int_equal(fetch(XEN_MC_NONURGENT), 0);
    assert_int_equal(info()->mi_nentries, 1 + MCE_BANKS);
    look();
    assert_int_equal(drain(), 2);
    look();
    assert_int_equal(drain(), 0);
}

static void the_first_are_kept(void **state)
{
    for (unsigned i = 0; i < 40; i++) {
        fail_in(1, CORRECTED | i);
        look();
    }
    assert_int_equal(fetch(XEN_MC_NONURGENT), 0);
    assert_true(((const struct mcinfo_bank *)((const char *)info()->mi_data + sizeof(struct mcinfo_global)))->mc_status == CORRECTED);
    assert_int_equal(drain(), 32);
    fail_in(1, CORRECTED);
    look();
    assert_int_equal(drain(), 1);
}

/* The first of the tests: the others go on with the CPU that it started. */
static void from_before_the_reset(void **state)
{
    const struct mcinfo_global *g = (const void *)info()->mi_data;

    fail_in(5, UNCORRECTED | CORRUPT);
    global = BIT(2);
    mce_start_cpu();
    assert_int_equal(bank[5][1], 0);
    assert_int_equal(global, 0);
    assert_true(ctl == ~0ull && bank[0][0] == ~0ull && bank[BANKS - 1][0] == ~0ull);
    assert_int_equal(fetch(XEN_MC_NONURGENT), 0);
    assert_int_equal(g->mc_flags, MC_FLAG_RESET | MC_FLAG_UNCORRECTABLE);
    assert_int_equal(drain(), 1);
}

/* ---- The rest of the calls ---- */

static void the_cpus(void **state)
{
    const struct mcinfo_logical_cpu *cpu = machine_frame(control.m[DATA]);

    mc.u.mc_physcpuinfo.ncpus = 0;
    set_xen_guest_handle(mc.u.mc_physcpuinfo.info, (xen_mc_logical_cpu_t *)NULL);
    assert_int_equal(call(XEN_MC_physcpuinfo), 0);
    assert_int_equal(mc.u.mc_physcpuinfo.ncpus, HOSTED_CPUS);
    set_xen_guest_handle(mc.u.mc_physcpuinfo.info, (xen_mc_logical_cpu_t *)VA(DATA));
    mc.u.mc_physcpuinfo.ncpus = 1000;
    assert_int_equal(call(XEN_MC_physcpuinfo), 0);
    assert_int_equal(mc.u.mc_physcpuinfo.ncpus, HOSTED_CPUS);
    for (unsigned i = 0; i < HOSTED_CPUS; i++) {
        assert_int_equal(cpu[i].mc_cpunr, i);
        assert_int_equal(cpu[i].mc_apicid, i);
        assert_int_equal(cpu[i].mc_nmsrvals, 1);
        assert_int_equal(cpu[i].mc_msrvalues[0].reg, MSR_IA32_MCG_CAP);
        assert_int_equal(cpu[i].mc_msrvalues[0].value, CAP);
        assert_int_equal(cpu[i].mc_family, 6);
        assert_int_equal(cpu[i].mc_model, 0x3c);
        assert_string_equal(cpu[i].mc_vendorid, "GenuineIntel");
        assert_int_equal(cpu[i].mc_vendor, 1);
    }
    set_xen_guest_handle(mc.u.mc_physcpuinfo.info, (xen_mc_logical_cpu_t *)0xffff800000000000);
    assert_int_equal(call(XEN_MC_physcpuinfo), -EFAULT);
}

static void refusals(void **state)
{
    fail_in(1, CORRECTED);
    look();
    assert_int_equal(fetch(0), -EINVAL);
    assert_int_equal(fetch(XEN_MC_NONURGENT | XEN_MC_URGENT), -EINVAL);
    mc.u.mc_fetch.flags = XEN_MC_NONURGENT;
    set_xen_guest_handle(mc.u.mc_fetch.data, (mc_info_t *)0xffff800000000000);
    assert_int_equal(call(XEN_MC_fetch), -EFAULT);
    assert_int_equal(call(XEN_MC_mceinject), -EOPNOTSUPP);
    assert_int_equal(call(99), -EINVAL);
    assert_int_equal(drain(), 1);
    control.d->privileges &= ~PRIV_BIT(PRIV_SYSTEM);
    assert_int_equal(fetch(XEN_MC_NONURGENT), -EPERM);
    control.d->privileges |= PRIV_BIT(PRIV_SYSTEM);
}

static int world(void **state)
{
    (void)hosted_setup(state);
    host_msr = registers;
    return port_bind_virq(control.d, VIRQ_MCA, 0, &port);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
    static const struct CMUnitTest tests[] = {
        T(from_before_the_reset), T(uncorrected_is_the_end), T(the_last_bank_counts), T(no_way_back_is_the_end), T(nothing_of_ours_goes_on), T(corrected_is_told_to_dom0),
        T(what_an_exception_tells_is_left_alone), T(more_banks_than_a_record_has), T(the_first_are_kept),
        T(the_cpus), T(refusals),
    };

    return cmocka_run_group_tests(tests, world, NULL);
}
