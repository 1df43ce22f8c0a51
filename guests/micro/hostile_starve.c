/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attempts to have the machine to oneself: a domU whose two vCPUs do one thing without end, on CPUs that dom0 shares. dom0,
 * which wants to run every few milliseconds, is never kept from it for as long as a second.
 */

#include "hostile.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#include "child.h"

#define BEATS    60
#define BEAT_NS  5000000UL
#define TOO_LONG 1000000000UL

static evtchn_port_t ports[2];
static uint64_t *big;

static void spin(void)          { }
static void yields(void)        { yield(); }
static void hypercalls(void)    { hypercall(__HYPERVISOR_xen_version, 0); }
static void flushes(void)       { mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0); }
static void caches(void)        { mmuext(MMUEXT_FLUSH_CACHE, 0, 0); }
static void timers_past(void)   { hypercall(__HYPERVISOR_set_timer_op, 1UL); }
static void timers_soon(void)   { hypercall(__HYPERVISOR_set_timer_op, now() + 1000); }
static void events(void)        { port_send(ports[0]), port_send(ports[1]); }
static void faults(void)        { TRY("mov (%%rax), %%rax", : : "a"(SCRATCH - 0x1000) : "memory"); }
static void emulated(void)      { __asm__ volatile("mov %%cr0, %%rax" : : : "rax"); }
static void logs(void)          { hypercall(__HYPERVISOR_console_io, 0, 60, "flood flood flood flood flood flood flood flood flood flood\n"); }
static void pins(void)
{
    mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(big), 0);
    mmuext(MMUEXT_UNPIN_TABLE, mfn_of(big), 0);
}
static void polls(void)
{
    struct sched_poll poll = { .nr_ports = 1, .timeout = 1 };

    set_xen_guest_handle(poll.ports, &ports[0]);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}
static void multicalls(void)
{
    static struct multicall_entry calls[128];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(calls); i++)
        calls[i].op = __HYPERVISOR_mmuext_op;           /* of nothing */
    hypercall(__HYPERVISOR_multicall, calls, ARRAY_SIZE(calls));
}
static void many_updates(void)
{
    static struct mmu_update u[512];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(u); i++)
        u[i] = (struct mmu_update){ .ptr = (mfn_of(big) << 12) | MMU_MACHPHYS_UPDATE, .val = va_to_pfn(big) };
    hypercall(__HYPERVISOR_mmu_update, u, ARRAY_SIZE(u), NULL, DOMID_SELF);
}

#define A(name) { #name, name }
static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    A(spin), A(yields), A(hypercalls), A(flushes), A(caches), A(timers_past), A(timers_soon), A(events), A(faults), A(emulated),
    A(logs), A(pins), A(polls), A(multicalls), A(many_updates),
};

static unsigned int chosen;

static void for_ever(unsigned int rival, unsigned int round)
{
    /* Of two vCPUs one may take traps. */
    if (attacks[chosen].run != faults)
        attacks[chosen].run();
}

TEST_DESTRUCTIVE(starve)
{
    const char *name = option("attack");

    big = page_alloc();
    make_readonly(big);
    ports[0] = (evtchn_port_t)port_bind_ipi(0);
    ports[1] = (evtchn_port_t)port_bind_ipi(1);
    while (chosen + 1 < ARRAY_SIZE(attacks) && strcmp(name, attacks[chosen].name))
        chosen++;
    race_begin(for_ever);
    for (;;)
        attacks[chosen].run();
}

/* The longest time, in ns, that dom0 was kept from running when it wanted to. */
static uint64_t longest_wait(void)
{
    struct sched_poll poll = { .nr_ports = 1 };
    static evtchn_port_t quiet;
    uint64_t worst = 0, late;
    unsigned int i;

    quiet = quiet ?: (evtchn_port_t)port_bind_ipi(0);
    port_mask(quiet);
    port_clear(quiet);
    set_xen_guest_handle(poll.ports, &quiet);
    for (i = 0; i < BEATS; i++) {
        poll.timeout = now() + BEAT_NS;
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
        late = now() - poll.timeout;
        if ((long)late > 0 && late > worst)
            worst = late;
    }
    return worst;
}

TEST(attempts)
{
    uint64_t before, worst;
    unsigned int i;
    long dom;

    if (!is_dom0())
        return;
    first_child();
    for (i = 0; i < ARRAY_SIZE(attacks); i++) {
        before = machine_free_pages();
        dom = child_attacks("starve", attacks[i].name);
        if (!EXPECT_GE(dom, 1))
            continue;
        child_run_ms((domid_t)dom, 1, NULL);
        worst = longest_wait();
        EXPECT(destroy_without_leak((domid_t)dom, before));
        verdict("starve", attacks[i].name, worst < TOO_LONG ? 0 : (long)(worst / 1000000), 0);
    }
}
