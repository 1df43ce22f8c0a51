/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions of the running guest. Three are not (only) the guest's own business: #GP of a privileged instruction or a software
 * interrupt, #UD of the forced-emulation prefix, and #PF of a store to a write-protected page table.
 */
#include "core/guest_trap.h"

#include "core/bounce.h"
#include "core/domain.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/privop.h"
#include "core/pt.h"
#include "core/shadow.h"
#include "core/trace_inline.h"
#include "core/vcpu.h"
#include "core/vcpu_tables.h"
#include "x86/model/emulate.h"
#include "x86/model/pte.h"

#define CR0_TS 8u

static bool code_is_64(const struct vcpu *v)
{
    return v->kernel_mode || (v->regs->cs & ~3ull) == (FLAT_RING3_CS64 & ~3) || privop_code64(v);
}

/* ---- Software interrupts ---- */

/* int N: the error code names the gate. The guest's own table says who may. */
static bool software_interrupt(struct vcpu *v, uint32_t error)
{
    unsigned vector = error >> 3 & 0xff;
    const struct trap_entry *t = &v->traps[vector];

    if ((error & 7) != 2)
        return false;
    if (!t->va || (t->flags & 3) < (v->kernel_mode ? 1 : 3))
        return false;
    v->regs->rip += 2;
    bounce_trap(v, vector, NO_ERROR_CODE);
    return true;
}

/* ---- Stores to page tables ---- */

/* XCHG or MOV of a whole entry, as kernels mostly do it, and an entry as they mostly are. False: nothing was done. */
static bool store_simply(struct vcpu *v, const struct insn *insn, mfn_t table, struct ptwrite *w)
{
    uint64_t was;

    if (unlikely(!emul_ptwrite_whole(insn)))
        return false;
    w->before.rip = v->regs->rip;
    w->new_pte = cpu_reg_get(v->regs, insn->reg);
    if (unlikely(!pt_exchange_l1(v->domain, table, insn->ea % PAGE_SIZE / sizeof(was), w->new_pte, &was)))
        return false;
    if (insn->op == INSN_XCHG)
        *cpu_reg(v->regs, insn->reg) = was;
    w->single_step = emul_step_over(v->regs, insn->length, true);
    return true;
}

/* Any other store: computed, and done if the entry is still what it was computed from. 0 or an error of pt_cmpxchg_l1(). */
static int store_computed(struct vcpu *v, const struct insn *insn, mfn_t table, struct ptwrite *w)
{
    unsigned i = insn->ea % PAGE_SIZE / sizeof(uint64_t);
    uint64_t movs = 0, old = ((uint64_t *)machine_ram(table))[i];
    int rc = -EAGAIN;

    if (emul_ptwrite_needs_source(insn) && guest_read(&movs, gptr(insn->src_ea), insn->size))
        return -EFAULT;
    for (unsigned tries = 0; rc == -EAGAIN && tries < 8; tries++) {
        if (!emul_ptwrite(w, insn, v->regs, old, movs, true))
            return -EINVAL;
        /* What only compares writes back what was there, as the CPU does: so what it tells the guest is known to be its table's. */
        rc = pt_cmpxchg_l1(v->domain, table, i, &old, w->new_pte);
        if (rc)
            emul_ptwrite_undo(w, v->regs);
    }
    return rc;
}

/* The L1 table that is mapped at va, read-only as tables are. */
static bool table_at(struct vcpu *v, uint64_t va, mfn_t *table)
{
    uint64_t map;

    if (!pt_read_l1(v, va, &map) || (map & (PTE_P | PTE_RW)) != PTE_P)
        return false;
    *table = mfn(pte_mfn(map));
    return mfn_is_ram(*table) && type_of(frame_of(*table)->type) == TYPE_L1;
}

/*
 * A store by the guest's kernel to a page that is mapped read-only because it is an L1 table: done for it, if it asked for
 * that, and checked like any update. False: not such a store.
 */
static bool table_write(struct vcpu *v, uint64_t va)
{
    struct insn insn;
    struct ptwrite w;
    mfn_t table;
    int rc;

    if (!(v->domain->vm_assist & 1u << VMASST_TYPE_writable_pagetables) || !table_at(v, va, &table))
        return false;
    if (!privop_decode(v, &insn) || insn.ea < va || insn.ea - va > 8 || (insn.ea ^ va) >> PAGE_SHIFT)
        return false;
    rc = likely(store_simply(v, &insn, table, &w)) ? 0 : store_computed(v, &insn, table, &w);
    if (rc == -EAGAIN || rc == -ERESTART)
        return true; /* another CPU writes it all the time, or a table is to be undone first: the guest tries again */
    if (rc == -EFAULT)
        return false;
    if (rc) {
        guest_log(v->domain, LOG_DEBUG, "vCPU%u: store of a bad entry to the page table at %#lx, rip %#lx", v->id, va,
                  v->regs->rip);
        return false;
    }
    perf_count(PERF_PTWRITES);
    trace_inline(TRC_PV_PTWR_EMULATION | TRC_64_FLAG, 6, w.new_pte, va, w.before.rip, 0);
    if (w.single_step)
        privop_single_step(v);
    return true;
}

/* ---- Entry points ---- */

void guest_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error)
{
    if (unlikely(v->domain->dirty) && shadow_fault(v, cr2, &error))
        return;
    if (v->kernel_mode) {
        if ((error & (X86_PFEC_PRESENT | X86_PFEC_WRITE)) == (X86_PFEC_PRESENT | X86_PFEC_WRITE) &&
            va_range_guest(cr2, 1) && table_write(v, cr2))
            return;
        /* The kernel runs at CPL 3, but means itself to be the supervisor. */
        error &= ~X86_PFEC_USER;
    }
    trace_inline(TRC_PV_PAGE_FAULT | TRC_64_FLAG, 5, v->regs->rip, cr2, error, 0);
    bounce_page_fault(v, cr2, error & ~X86_PFEC_RESERVED);
}

void guest_trap(struct vcpu *v, unsigned vector, uint32_t error)
{
    bool has_code = X86_VEC_HAS_ERROR >> vector & 1;

    if (vector == X86_VEC_GP && !error && v->kernel_mode && privop_plain(v))
        return;
    trace(TRC_PV_TRAP | TRC_64_FLAG, 3, v->regs->rip, vector | (uint32_t)has_code << 15 | error << 16, 0, 0);
    switch (vector) {
    case X86_VEC_GP:
        if (software_interrupt(v, error))
            return;
        if (error == 0 && privop_emulate(v, code_is_64(v)))
            return;
        if (vcpu_ldt_fault(v, error))
            return;
        break;
    case X86_VEC_NP:
    case X86_VEC_SS:
        if (vcpu_ldt_fault(v, error))
            return;
        break;
    case X86_VEC_UD:
        if (privop_forced_cpuid(v))
            return;
        break;
    case X86_VEC_NM:
        v->cr0 &= ~CR0_TS;
        machine_load_control(v);
        break;
    }
    bounce_trap(v, vector, has_code ? error : NO_ERROR_CODE);
}
