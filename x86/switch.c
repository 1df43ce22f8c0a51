/* SPDX-License-Identifier: BSD-2-Clause */
/* From one vCPU to another: registers, segments, descriptor tables, FPU, debug registers, page-table root. */
#include <stdatomic.h>

#include "core/cpumask.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/asm.h"
#include "x86/fpu.h"
#include "x86/mm.h"
#include "x86/percpu.h"
#include "x86/switch.h"
#include "x86/tlb.h"
#include "x86/traps.h"
#include "x86/xpti.h"
#include "x86/model/pte.h"

#define CR0_TS 8u
#define WINDOW_PTE (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

_Static_assert(_Alignof(struct machine_vcpu) == MACHINE_VCPU_ALIGN, "as XSAVE wants it");

size_t machine_vcpu_size(void) { return sizeof(struct machine_vcpu) + fpu_area_size(); }

void machine_vcpu_init(struct vcpu *v)
{
    fpu_area_init(v->arch->fpu);
    /* The CPU's XSAVE is on, which programs of any kernel see: with SSE left out of XCR0 theirs would not keep it. */
    v->xcr0 = 3;
}

void machine_fpu_set(struct vcpu *v, const void *state, size_t n)
{
    fpu_area_init(v->arch->fpu);
    fpu_set_legacy(v->arch->fpu, state, MIN(n, (size_t)512));
}

void machine_fpu_get(struct vcpu *v, void *state, size_t n)
{
    memcpy(state, v->arch->fpu, MIN(n, (size_t)512));
}

void machine_xstate_set(struct vcpu *v, const void *area, size_t n)
{
    fpu_area_init(v->arch->fpu);
    memcpy(v->arch->fpu, area, MIN(n, fpu_area_size()));
}

void machine_xstate_get(struct vcpu *v, void *area, size_t n)
{
    memset(area, 0, n);
    memcpy(area, v->arch->fpu, MIN(n, fpu_area_size()));
    if (fpu_area_size() <= 512)
        *(uint64_t *)((char *)area + 512) = 3; /* no XSAVE here: its header says x87 and SSE */
}

/* ---- Descriptor table windows: this CPU's L1 entries point at the vCPU's frames ---- */

/* The first n of `frames`, and no other page of a guest. */
static void window_set(struct window *w, uint64_t va, const mfn_t *frames, unsigned n)
{
    for (unsigned i = 0; i < MAX(n, w->used); i++) {
        mfn_t m = i < n && !mfn_same(frames[i], MFN_NONE) ? frames[i] : machine_frame_mfn(zero_page);
        uint64_t pte = pte_make(m.n, WINDOW_PTE);

        if (w->ptes[i] != pte) {
            WRITE_ONCE(w->ptes[i], pte);
            invlpg(va + i * PAGE_SIZE);
        }
    }
    w->used = n;
}

static void load_gdt(struct x86_pcpu *c, const mfn_t *frames, unsigned ents)
{
    window_set(&c->gdt, PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_GDT, frames, DIV_ROUNDUP(ents, 512));
}

static void load_ldt(struct x86_pcpu *c, const mfn_t *frames, unsigned ents)
{
    if (!ents && !c->ldt.used)
        return;
    window_set(&c->ldt, PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_LDT, frames, DIV_ROUNDUP(ents, 512));
    if (ents)
        cpu_set_ldt_limit(c, ents);
    lldt(ents ? SEL_LDT : 0);
}

void machine_load_gdt(struct vcpu *v)
{
    load_gdt(this_cpu(), v->gdt, v->gdt_ents);
}

void machine_load_ldt(struct vcpu *v)
{
    load_ldt(this_cpu(), v->ldt, v->ldt_ents);
}

/*
 * ---- Segments ----
 *
 * While a vCPU runs, GS base is that of the mode it is in and KERNEL_GS_BASE that of the other: to change mode is a swapgs. The
 * hypervisor has no use for GS, and v->gs_base_* count only while the vCPU is off its CPU.
 */

static uint32_t gs_msr(const struct vcpu *v, bool kernel)
{
    return v->kernel_mode == kernel ? MSR_GS_BASE : MSR_KERNEL_GS_BASE;
}

static void save_segments(struct x86_pcpu *c, struct vcpu *v)
{
    struct segments *s = &c->segments;

    *s = (struct segments){ .ds = read_ds(), .es = read_es(), .fs = read_fs(), .gs = read_gs(), .fs_base = rdmsr(MSR_FS_BASE),
                            .gs_base = rdmsr(MSR_GS_BASE), .gs_base_other = rdmsr(MSR_KERNEL_GS_BASE) };
    /* Switched away again before its failsafe callback: the next load fails again. */
    if (!v->arch->bad_segment) {
        v->ds = s->ds;
        v->es = s->es;
        v->fs = s->fs;
        v->gs = s->gs;
    }
    v->fs_base = s->fs_base;
    v->gs_base_kernel = v->kernel_mode ? s->gs_base : s->gs_base_other;
    v->gs_base_user = v->kernel_mode ? s->gs_base_other : s->gs_base;
}

/* Is it there already? A null selector, that is: behind another there may be a new descriptor. */
static bool selector_same(uint16_t sel, uint16_t held)
{
    return sel == held && sel <= 3;
}

static void load_base(uint32_t msr, uint64_t base, uint64_t held, bool loaded)
{
    if (loaded || base != held)
        wrmsr(msr, base);
}

/* A selector that does not load is null from now on, and the guest is told by its failsafe callback. */
static void load_segments(struct x86_pcpu *c, struct vcpu *v)
{
    const struct segments *s = &c->segments;
    bool fs = !selector_same(v->fs, s->fs), gs = !selector_same(v->gs, s->gs); /* to load one changes the base, maybe */
    int bad = 0;

    if (!selector_same(v->ds, s->ds))
        bad |= load_ds(v->ds);
    if (!selector_same(v->es, s->es))
        bad |= load_es(v->es);
    if (fs)
        bad |= load_fs(v->fs);
    if (gs)
        bad |= load_gs(v->gs);
    load_base(MSR_FS_BASE, v->fs_base, s->fs_base, fs);
    load_base(MSR_GS_BASE, v->kernel_mode ? v->gs_base_kernel : v->gs_base_user, s->gs_base, gs);
    load_base(MSR_KERNEL_GS_BASE, v->kernel_mode ? v->gs_base_user : v->gs_base_kernel, s->gs_base_other, false);
    v->arch->bad_segment = bad;
}

/* ---- Debug registers ---- */

static void load_debug(struct vcpu *v)
{
    write_dr0(v->dr[0]);
    write_dr1(v->dr[1]);
    write_dr2(v->dr[2]);
    write_dr3(v->dr[3]);
    write_dr7(v->dr[7]);
}

static void apply_cr0_ts(struct vcpu *v)
{
    if (v->cr0 & CR0_TS)
        write_cr0(read_cr0() | CR0_TS);
    else
        clts();
}

/* The guest's instructions on FS and GS base fault unless its kernel, which has to switch them, knows of them. */
static void load_cr4(const struct vcpu *v)
{
    uint64_t cr4 = read_cr4(), wanted = (cr4 & ~(uint64_t)CR4_FSGSBASE) | (v->cr4 & CR4_FSGSBASE);

    if (unlikely(cr4 != wanted))
        write_cr4(wanted);
}

void machine_load_control(struct vcpu *v)
{
    load_cr4(v);
    fpu_set_xcr0(v->xcr0);
    load_debug(v);
    apply_cr0_ts(v);
}

uint64_t machine_segbase(const struct vcpu *v, unsigned which)
{
    switch (which) {
    case SEGBASE_FS:
        return rdmsr(MSR_FS_BASE);
    case SEGBASE_GS_USER:
        return rdmsr(gs_msr(v, false));
    default:
        return rdmsr(gs_msr(v, true));
    }
}

void machine_set_segbase(struct vcpu *v, unsigned which, uint64_t base)
{
    wrmsr(which == SEGBASE_FS ? MSR_FS_BASE : gs_msr(v, which == SEGBASE_GS_KERNEL), base);
}

void machine_clear_selectors(struct vcpu *v)
{
    uint64_t fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);

    (void)(load_ds(0) | load_es(0) | load_fs(0) | load_gs(0));
    wrmsr(MSR_FS_BASE, fs);
    wrmsr(MSR_GS_BASE, gs);
}

/* The load takes the descriptor's base as GS base: the user's, for that while. The vCPU is in its kernel. */
bool machine_set_gs(struct vcpu *v, uint16_t sel)
{
    int bad;

    swapgs();
    bad = load_gs(sel);
    swapgs();
    return !bad;
}

/* ---- Roots ---- */

void machine_load_root(struct vcpu *v)
{
    mfn_t root = vcpu_root(v);

    tlb_load_root(mfn_same(root, MFN_NONE) ? hv_root_maddr : mfn_maddr(root));
    xpti_root_loaded(v);
}

void machine_set_mode(struct vcpu *v, bool kernel)
{
    if (v->kernel_mode == kernel)
        return;
    swapgs();
    v->kernel_mode = kernel;
    machine_load_root(v);
}

/* ---- The switch ---- */

/* Its root and its windows stay loaded until those of the next are. */
static void leave(struct x86_pcpu *c, struct vcpu *prev)
{
    prev->saved = c->top->regs;
    prev->regs = &prev->saved;
    save_segments(c, prev);
    clts();
    fpu_save(prev->arch->fpu);
    if (prev->dr[7] & 0xff)
        write_dr7(0x400);
    c->top->exit_root = 0;
}

static void enter(struct x86_pcpu *c, struct vcpu *next)
{
    c->top->regs = next->saved;
    next->regs = &c->top->regs;
    atomic_fetch_or(&next->domain->dirty_cpus, cpumask_of(c->core.id));
    load_gdt(c, next->gdt, next->gdt_ents);
    load_ldt(c, next->ldt, next->ldt_ents);
    machine_load_root(next);
    load_segments(c, next);
    clts();
    fpu_load(next->arch->fpu, next->xcr0);
    if (next->dr[7] & 0xff)
        load_debug(next);
    load_cr4(next);
    apply_cr0_ts(next);
}

static void enter_idle(struct x86_pcpu *c)
{
    tlb_load_root(hv_root_maddr);
    load_gdt(c, NULL, 0);
    load_ldt(c, NULL, 0);
}

/* Nothing of a guest may stay mapped, in the root or in the windows, once its frames can be freed: when it is off the CPU. */
void machine_switch(struct vcpu *prev, struct vcpu *next)
{
    struct x86_pcpu *c = this_cpu();

    if (prev)
        leave(c, prev);
    if (next)
        enter(c, next);
    else
        enter_idle(c);
    if (prev && (!next || next->domain != prev->domain))
        atomic_fetch_and(&prev->domain->dirty_cpus, ~cpumask_of(c->core.id));
}

/* ---- Guest memory ---- */

size_t copy_again(void *to, const void *from, size_t n, size_t left)
{
    return copy_user((char *)to + (n - left), (const char *)from + (n - left), left);
}

int machine_cmpxchg_guest(guest_ptr_t p, uint64_t *old, uint64_t new, unsigned width)
{
    void *at = (void *)p.va;
    int fault;

    if (!va_range_guest(p.va, width) || (p.va & (width - 1)))
        return -EFAULT;
    switch (width) {
    case 1: fault = cmpxchg_user8(at, old, new); break;
    case 2: fault = cmpxchg_user16(at, old, new); break;
    case 4: fault = cmpxchg_user32(at, old, new); break;
    default: fault = cmpxchg_user64(at, old, new); break;
    }
    return fault ? -EFAULT : 0;
}
