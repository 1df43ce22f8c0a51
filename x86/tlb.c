/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLB flushes on other CPUs, and the clock that tells which of them are needed at all.
 *
 * The asking CPU raises `flush_asked` of each target, sends an interrupt, and waits for the flag to fall. A target answers at
 * its next look: in the interrupt if it runs a guest or idles, in machine_relax() if it waits for a lock with interrupts off.
 * Each CPU in the hypervisor either leaves it within its budget or waits in machine_relax(), so every request is answered.
 * A request always asks for a full flush of guest translations when it crosses CPUs by page too: one page is invalidated there.
 *
 * The clock counts full flushes of any CPU. A CPU whose own last flush is later than a stamp holds nothing from before it.
 */
#include <stdatomic.h>

#include "core/cpumask.h"
#include "core/heartbeat.h"
#include "core/log.h"
#include "core/machine.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/irq.h"
#include "x86/mm.h"
#include "x86/percpu.h"
#include "x86/tlb.h"

enum { ASK_NONE, ASK_ALL, ASK_PAGE };

_Atomic uint64_t flush_clock = 1;
static _Atomic uint64_t ask_va[MAX_CPUS]; /* of the request to that CPU; one request at a time (flush_busy) */
static _Atomic bool flush_busy;

/* Reloading CR3 drops everything but the hypervisor's global pages, which never change. */
void tlb_flush_local(void)
{
    tlb_load_root(stack_top()->full_root);
}

/* The clock is read before the flush: what is removed between the two is stamped late enough to count as stale. */
void tlb_load_root(uint64_t maddr)
{
    struct x86_pcpu *c = this_cpu();
    uint64_t clock = ++flush_clock;

    perf_count(PERF_FLUSHES);
    stack_top()->full_root = maddr;
    write_cr3(maddr);
    c->flush_clock = clock;
}

static void flush_page(uint64_t va)
{
    perf_count(PERF_PAGE_FLUSHES);
    invlpg(va);
}

void tlb_answer(void)
{
    struct x86_pcpu *c = this_cpu();
    uint32_t ask = c->flush_asked;

    if (ask == ASK_NONE)
        return;
    if (ask == ASK_PAGE)
        flush_page(ask_va[c->core.id]);
    else
        tlb_flush_local();
    c->flush_asked = ASK_NONE;
}

void machine_relax(void)
{
    tlb_answer();
    heartbeat_watch();
    cpu_pause();
}

static void flush_others(cpumask_t cpus, enum flush what, uint64_t va)
{
    unsigned cpu;

    while (flush_busy || atomic_exchange(&flush_busy, true))
        machine_relax();
    for_each_cpu(cpu, cpus) {
        struct x86_pcpu *t = (struct x86_pcpu *)pcpus[cpu];

        ask_va[cpu] = va;
        t->flush_asked = what == FLUSH_PAGE ? ASK_PAGE : ASK_ALL;
        perf_count(PERF_FLUSH_IPIS);
        apic_send_ipi(cpu, VECTOR_FLUSH);
    }
    for_each_cpu(cpu, cpus) {
        while (((struct x86_pcpu *)pcpus[cpu])->flush_asked != ASK_NONE)
            machine_relax();
    }
    flush_busy = false;
}

void machine_flush_own(enum flush what, uint64_t va)
{
    if (what == FLUSH_PAGE)
        flush_page(va);
    else
        tlb_flush_local();
}

void machine_flush(cpumask_t cpus, enum flush what, uint64_t va)
{
    unsigned self = this_pcpu()->id;
    cpumask_t others = cpus & pcpu_online & ~cpumask_of(self);

    if (cpumask_has(cpus, self))
        machine_flush_own(what, va);
    if (others)
        flush_others(others, what, va);
}

cpumask_t machine_stale(cpumask_t cpus, uint32_t stamp)
{
    uint64_t now = flush_clock, stamped = now - (uint32_t)(now - stamp);
    cpumask_t stale = 0;
    unsigned cpu;

    /* A stamp is the low half: taken for the latest time that ends so, it is at worst later than it was. */
    for_each_cpu(cpu, cpus & pcpu_online) {
        if (((struct x86_pcpu *)pcpus[cpu])->flush_clock <= stamped)
            stale |= cpumask_of(cpu);
    }
    return stale;
}
