/* SPDX-License-Identifier: BSD-2-Clause */
/* Verdicts on hostile cases, and what must still work after each; see hostile.h. */

#include "hostile.h"

#include <xen/sched.h>
#include <xen/version.h>

#define CANARY 0x6b727970746f6e21UL

static uint64_t *canary, *flipped;
static evtchn_port_t bell;

void yield(void)
{
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

void break_on(const void *address, uint64_t dr7)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_set_debugreg, 0, address), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_debugreg, 7, dr7), 0);
}

void breaks_off(void)
{
    unsigned int i;

    hypercall(__HYPERVISOR_set_debugreg, 7, 0);
    for (i = 0; i < 4; i++)
        hypercall(__HYPERVISOR_set_debugreg, i, 0);
}

uint64_t foreign_frame(void)
{
    static uint64_t found;
    uint64_t mfn;

    for (mfn = mfn_of(boot_l4()); !found && mfn > 0x100; mfn--) {
        uint64_t pfn = m2p(mfn);

        if (pfn < (1UL << 40) && (pfn >= start_info->nr_pages || p2m()[pfn] != mfn))
            found = mfn;
    }
    return found ?: 0x200;
}

static void prepare(void)
{
    unsigned int i;

    rivals_start();
    flipped = page_alloc();
    canary = page_alloc();
    for (i = 0; i < 512; i++)
        canary[i] = CANARY ^ i;
    bell = (evtchn_port_t)port_bind_ipi(0);
    port_mask(bell);
}

static bool canary_intact(void)
{
    unsigned int i;

    for (i = 0; i < 512; i++)
        if (canary[i] != (CANARY ^ i))
            return false;
    return true;
}

static bool traps_arrive(void)
{
    TRY("mov (%%rax), %%rax", : : "a"(SCRATCH - 0x1000) : "memory");
    return trap_vector() == 14 && trap_seen.cr2 == SCRATCH - 0x1000;
}

static bool events_arrive(void)
{
    port_clear(bell);
    return port_send(bell) == 0 && port_pending(bell);
}

static bool tables_change(void)
{
    bool ok = make_readonly(flipped) == 0;

    TRY("movq $1, (%%rax)", : : "a"(flipped) : "memory");
    ok = ok && trap_vector() == 14 && make_writable(flipped) == 0;
    TRY("movq $1, (%%rax)", : : "a"(flipped) : "memory");
    return ok && trap_seen.count == 0;
}

/* What no attack may change; gives the name of what is broken, or NULL. */
static const char *broken(void)
{
    if (hypercall(__HYPERVISOR_xen_version, XENVER_version, 0) != (4 << 16 | 17))
        return "hypercalls";
    if (!canary_intact())
        return "memory";
    if (!traps_arrive())
        return "traps";
    if (!events_arrive())
        return "events";
    if (!tables_change())
        return "page tables";
    if (!rivals_live())
        return "other vCPUs";
    return NULL;
}

static bool as_wanted(long result, long want)
{
    bool refused = result < 0 && result > -4096, fault = result >= TRAP(0) && result < TRAP(TRAP_COUNT);

    switch (want) {
    case REFUSED: return refused;
    case FAULT:   return fault;
    case NO_GAIN: return refused || fault || result == 0;
    default:      return result == want;
    }
}

void verdict(const char *attack, const char *variant, long result, long want)
{
    const struct test *t = test_running();
    const char *harm;
    bool ok;

    if (!canary)
        prepare();
    harm = broken();
    ok = as_wanted(result, want) && !harm;
    if (result >= TRAP(0) && result < TRAP(TRAP_COUNT))
        print("case %s.%s.%s trap%ld %s\n", t->family, attack, variant, result - TRAP(0), ok ? "passed" : "failed");
    else
        print("case %s.%s.%s %ld %s\n", t->family, attack, variant, result, ok ? "passed" : "failed");
    if (harm)
        print("# broken: %s\n", harm);
    EXPECT(ok);
}
