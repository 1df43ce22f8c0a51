/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs, what they hold of a vCPU, and their clocks and timers. */
#include "host/inside.h"

#include "core/cpumask.h"
#include "core/idle.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trace.h"
#include "lib/errno.h"
#include "x86/model/cpuid.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>

#define FPU_BYTES 512u

struct machine_vcpu {
    uint8_t fpu[FPU_BYTES];
};

/* What is live in a CPU beside the vCPU structure. */
static struct host_pcpu {
    struct pcpu core; /* first: the two pointers are one */
    struct cpu_regs regs;
    uint16_t sel[4];
} cpu_of[MAX_CPUS];

_Thread_local unsigned host_cpu;
_Atomic unsigned host_kicks[MAX_CPUS];
_Atomic unsigned host_nmis[MAX_CPUS];
_Atomic uint64_t host_tsc = 1000;
_Atomic uint64_t host_timer[MAX_CPUS];

static struct cpu_policies policies;

/* A CPU with the oldest 64-bit features. */
static void plain_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    *out = (struct cpuid_leaf){ 0 };
    if (leaf == 0)
        *out = (struct cpuid_leaf){ 1, 0x756e6547, 0x6c65746e, 0x49656e69 };
    else if (leaf == 1)
        *out = (struct cpuid_leaf){ 0x306c0, 0x800, 1u << 13, 0x078bfbff };
    else if (leaf == 0x80000000)
        out->a = 0x80000008;
    else if (leaf == 0x80000001)
        *out = (struct cpuid_leaf){ .c = 1, .d = 0x20100800 };
    else if (leaf == 0x80000008)
        out->a = 0x3028;
}

void host_cpus_init(unsigned cpus)
{
    const struct cpu_host host = { .cpuid = plain_cpuid, .read_msr = machine_msr_read };

    pcpu_count = cpus;
    for (unsigned i = 0; i < cpus; i++) {
        cpu_of[i].core = (struct pcpu){ .id = i, .apic_id = i, .acpi_id = i, .online = true };
        pcpus[i] = &cpu_of[i].core;
        pcpu_online |= cpumask_of(i);
        host_timer[i] = ~0ull;
    }
    time_init(HOST_HZ, true, 1700000000);
    for (unsigned i = 0; i < cpus; i++) {
        if (timers_init_cpu(i) || sched_init_cpu(i) || trace_init_cpu(i))
            abort();
    }
    cpu_policies_init(&policies, &host);
}

void host_start(unsigned cpus, uint64_t ram_frames)
{
    host_ram_init(ram_frames);
    host_cpus_init(cpus);
}

void (*host_point)(void);
struct pcpu *machine_pcpu(void)
{
    if (host_point)
        host_point();
    return &cpu_of[host_cpu].core;
}

void (*host_relax)(void);
void machine_relax(void)
{
    if (host_relax)
        host_relax();
    else
        sched_yield();
}
void (*host_interrupt)(void);
void machine_interrupts(void)
{
    if (host_interrupt)
        host_interrupt();
}
void machine_kick(unsigned cpu) { host_kicks[cpu]++; }
void machine_nmi(unsigned cpu) { host_nmis[cpu]++; }

void (*host_idle)(void);

void machine_idle(const struct idle_state *s)
{
    if (host_idle)
        host_idle();
    else
        sched_yield();
}

struct idle_means host_idle_means = { .mwait = true, .substates = 0x1120, .timer = true, .clock = true };
const struct idle_means *machine_idle_means(void) { return &host_idle_means; }

void machine_flush_caches(void) { }
const struct cpu_policies *machine_cpu_policies(void) { return &policies; }
bool machine_leaks_l1;
unsigned machine_maddr_bits(void) { return 40; }

uint64_t machine_tsc(void) { return host_tsc; }
void machine_timer(uint64_t tsc) { host_timer[host_cpu] = tsc; }

/* ---- vCPUs ---- */

size_t machine_vcpu_size(void) { return sizeof(struct machine_vcpu); }
void machine_vcpu_init(struct vcpu *v) { }

void machine_fpu_set(struct vcpu *v, const void *state, size_t n) { memcpy(v->arch->fpu, state, MIN(n, (size_t)FPU_BYTES)); }
void machine_fpu_get(struct vcpu *v, void *state, size_t n) { memcpy(state, v->arch->fpu, MIN(n, (size_t)FPU_BYTES)); }
void machine_xstate_set(struct vcpu *v, const void *area, size_t n) { machine_fpu_set(v, area, n); }

void machine_xstate_get(struct vcpu *v, void *area, size_t n)
{
    memset(area, 0, n);
    machine_fpu_get(v, area, n);
    *(uint64_t *)((char *)area + 512) = 3; /* no XSAVE here: its header says x87 and SSE */
}

void machine_switch(struct vcpu *prev, struct vcpu *next)
{
    struct host_pcpu *c = &cpu_of[host_cpu];

    if (prev) {
        prev->saved = c->regs;
        prev->regs = &prev->saved;
        atomic_fetch_and(&prev->domain->dirty_cpus, ~cpumask_of(host_cpu));
    }
    host_tlb_drop(host_cpu);
    if (next) {
        c->regs = next->saved;
        next->regs = &c->regs;
        atomic_fetch_or(&next->domain->dirty_cpus, cpumask_of(host_cpu));
    }
}

void host_run(struct vcpu *v)
{
    struct vcpu *prev = machine_pcpu()->current;

    if (prev == v)
        return;
    machine_switch(prev, v);
    if (prev)
        prev->running_on = -1;
    if (v)
        v->running_on = (int)host_cpu;
    machine_pcpu()->current = v;
}

void machine_set_mode(struct vcpu *v, bool kernel)
{
    if (v->kernel_mode == kernel)
        return;
    v->kernel_mode = kernel;
    machine_load_root(v);
}

void machine_load_root(struct vcpu *v) { host_tlb_drop(host_cpu); }
/* The walk is by the root itself: no copy follows it. */
_Atomic unsigned host_root_changes;
void machine_root_changed(mfn_t root) { host_root_changes++; }
void machine_load_gdt(struct vcpu *v) { }
void machine_load_ldt(struct vcpu *v) { }
void machine_load_control(struct vcpu *v) { }

uint64_t machine_segbase(const struct vcpu *v, unsigned which)
{
    switch (which) {
    case SEGBASE_FS: return v->fs_base;
    case SEGBASE_GS_USER: return v->gs_base_user;
    default: return v->gs_base_kernel;
    }
}

void machine_set_segbase(struct vcpu *v, unsigned which, uint64_t base)
{
    switch (which) {
    case SEGBASE_FS: v->fs_base = base; break;
    case SEGBASE_GS_USER: v->gs_base_user = base; break;
    default: v->gs_base_kernel = base; break;
    }
}

void machine_clear_selectors(struct vcpu *v) { memset(cpu_of[host_cpu].sel, 0, sizeof(cpu_of[host_cpu].sel)); }

bool machine_set_gs(struct vcpu *v, uint16_t sel)
{
    cpu_of[host_cpu].sel[3] = sel;
    return true;
}
