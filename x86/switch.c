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

int machine_vcpu_init(struct vcpu *v)
{
    v->arch = hv_alloc(sizeof(*v->arch));
    if (!v->arch)
        return -ENOMEM;
    /* XSAVE wants 64-byte alignment: whole pages have it. */
    v->arch->fpu_order = fpu_area_size() > PAGE_SIZE ? 1 : 0;
    v->arch->fpu = hv_pages(v->arch->fpu_order);
    if (!v->arch->fpu) {
        hv_free(v->arch, sizeof(*v->arch));
        v->arch = NULL;
        return -ENOMEM;
    }
    fpu_area_init(v->arch->fpu);
    /* The CPU's XSAVE is on, which programs of any kernel see: with SSE left out of XCR0 theirs would not keep it. */
    v->xcr0 = 3;
    return 0;
}

void machine_vcpu_fini(struct vcpu *v)
{
    if (!v->arch)
        return;
    hv_pages_free(v->arch->fpu, v->arch->fpu_order);
    hv_free(v->arch, sizeof(*v->arch));
    v->arch = NULL;
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

static void window_set(uint64_t *ptes, uint64_t va, unsigned n, const mfn_t *frames)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t pte = mfn_same(frames[i], MFN_NONE) ? pte_make(machine_frame_mfn(zero_page).n, WINDOW_PTE)
                                                     : pte_make(frames[i].n, WINDOW_PTE);

        if (ptes[i] != pte) {
            WRITE_ONCE(ptes[i], pte);
            invlpg(va + i * PAGE_SIZE);
        }
    }
}

void machine_load_gdt(struct vcpu *v)
{
    struct x86_pcpu *c = this_cpu();

    window_set(c->gdt_ptes, PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_GDT, GDT_GUEST_PAGES, v->gdt);
}

void machine_load_ldt(struct vcpu *v)
{
    struct x86_pcpu *c = this_cpu();

    if (!v->ldt_ents) {
        lldt(0);
        return;
    }
    window_set(c->ldt_ptes, PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_LDT, LDT_PAGES, v->ldt);
    cpu_set_ldt_limit(c, v->ldt_ents);
    lldt(SEL_LDT);
}

/* Nothing of the guest's may stay mapped in the windows once its frames can be freed. */
static void windows_clear(struct x86_pcpu *c)
{
    static const mfn_t none[LDT_PAGES] = { [0 ... LDT_PAGES - 1] = { ~0ull } };
    uint64_t base = PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE;

    lldt(0);
    window_set(c->gdt_ptes, base + PERCPU_GDT, GDT_GUEST_PAGES, none);
    window_set(c->ldt_ptes, base + PERCPU_LDT, LDT_PAGES, none);
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

static void save_segments(struct vcpu *v)
{
    /* Switched away again before its failsafe callback: the next load fails again. */
    if (!v->arch->bad_segment) {
        v->ds = read_ds();
        v->es = read_es();
        v->fs = read_fs();
        v->gs = read_gs();
    }
    v->fs_base = rdmsr(MSR_FS_BASE);
    v->gs_base_kernel = rdmsr(gs_msr(v, true));
    v->gs_base_user = rdmsr(gs_msr(v, false));
}

/* A selector that does not load is null from now on, and the guest is told by its failsafe callback. */
static void load_segments(struct vcpu *v)
{
    int bad = load_ds(v->ds) | load_es(v->es) | load_fs(v->fs) | load_gs(v->gs);

    wrmsr(MSR_FS_BASE, v->fs_base);
    wrmsr(gs_msr(v, true), v->gs_base_kernel);
    wrmsr(gs_msr(v, false), v->gs_base_user);
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

static void leave(struct x86_pcpu *c, struct vcpu *prev)
{
    prev->saved = c->top->regs;
    prev->regs = &prev->saved;
    save_segments(prev);
    clts();
    fpu_save(prev->arch->fpu);
    if (prev->dr[7] & 0xff)
        write_dr7(0x400);
    c->top->exit_root = 0;
    tlb_load_root(hv_root_maddr);
    windows_clear(c);
    atomic_fetch_and(&prev->domain->dirty_cpus, ~cpumask_of(c->core.id));
}

static void enter(struct x86_pcpu *c, struct vcpu *next)
{
    c->top->regs = next->saved;
    next->regs = &c->top->regs;
    atomic_fetch_or(&next->domain->dirty_cpus, cpumask_of(c->core.id));
    machine_load_gdt(next);
    machine_load_ldt(next);
    machine_load_root(next);
    load_segments(next);
    clts();
    fpu_load(next->arch->fpu, next->xcr0);
    if (next->dr[7] & 0xff)
        load_debug(next);
    load_cr4(next);
    apply_cr0_ts(next);
}

void machine_switch(struct vcpu *prev, struct vcpu *next)
{
    struct x86_pcpu *c = this_cpu();

    if (prev)
        leave(c, prev);
    if (next)
        enter(c, next);
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
