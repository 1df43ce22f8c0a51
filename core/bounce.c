/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps and events delivered to the guest's kernel, and the way back (HYPERVISOR_iret).
 *
 * A frame is one array of words, written to the guest's kernel stack in one copy. Its handler starts in kernel mode with flat
 * segments that the hypervisor owns, so entering it can't fault in the hypervisor; a handler address is canonical when it is
 * registered or the domain crashes here.
 *
 * On silicon the plain case of bounce_syscall(), bounce_iret() and bounce_pending(), and of bounce_trap() for #PF and #UD, is
 * x86/short.S.
 */
#include "core/bounce.h"

#include "core/domain.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "lib/string.h"
#include "x86/model/pte.h"

#include <stdatomic.h>

#define FRAME_MAX 12

static uint8_t upcall_mask(struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_mask) ? 1 : 0;
}

/* rip, cs, rflags, rsp, ss as the guest is to see them; returns the number of words. */
static unsigned return_frame(struct vcpu *v, uint64_t *words)
{
    struct cpu_regs *r = v->regs;
    uint64_t flags = r->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);

    if (!upcall_mask(v))
        flags |= X86_EFLAGS_IF;
    if (v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl))
        flags |= (uint64_t)v->iopl << 12;
    words[0] = r->rip;
    words[1] = (uint16_t)(v->kernel_mode ? r->cs & ~3ull : r->cs) | (uint64_t)upcall_mask(v) << 32;
    words[2] = flags;
    words[3] = r->rsp;
    words[4] = (uint16_t)r->ss;
    return 5;
}

/* Puts n words on the kernel stack and goes to `handler`. False: the domain crashed. */
static bool enter_kernel(struct vcpu *v, uint64_t handler, const uint64_t *words, unsigned n, bool mask, const char *what)
{
    struct cpu_regs *r = v->regs;
    uint64_t sp = (v->kernel_mode ? r->rsp : v->kernel_sp) & ~15ull;

    if (!handler || !va_canonical(handler)) {
        domain_crash(v->domain, "no handler for %s", what);
        return false;
    }
    machine_set_mode(v, true);
    sp -= n * sizeof(*words);
    if (guest_write(gptr(sp), words, n * sizeof(*words))) {
        domain_crash(v->domain, "the kernel stack %#lx can't take a frame for %s", sp, what);
        return false;
    }
    if (mask)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    r->rip = handler;
    r->rsp = sp;
    r->cs = FLAT_KERNEL_CS;
    r->ss = FLAT_KERNEL_SS;
    r->rflags &= ~FLAGS_NOT_INHERITED;
    return true;
}

void bounce_trap(struct vcpu *v, unsigned vector, uint32_t error)
{
    struct trap_entry *t = &v->traps[vector & 0xff];
    uint64_t w[FRAME_MAX];
    unsigned n = 0;

    w[n++] = v->regs->rcx;
    w[n++] = v->regs->r11;
    if (error != NO_ERROR_CODE)
        w[n++] = error;
    n += return_frame(v, &w[n]);
    if (!t->va) {
        domain_crash(v->domain, "exception %u (error %#x) at %#lx, and no handler registered", vector,
                     error == NO_ERROR_CODE ? 0 : error, v->regs->rip);
        return;
    }
    if (enter_kernel(v, t->va, w, n, t->flags & TRAP_MASKS_EVENTS, "an exception") && vector == X86_VEC_NMI)
        v->nmi_masked = true;
}

void bounce_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error)
{
    perf_count(PERF_PAGE_FAULTS);
    WRITE_ONCE(v->info->arch.cr2, cr2);
    bounce_trap(v, X86_VEC_PF, error);
}

static void bounce_callback(struct vcpu *v, const struct callback *cb, const char *what)
{
    uint64_t w[FRAME_MAX];
    unsigned n = 0;

    w[n++] = v->regs->rcx;
    w[n++] = v->regs->r11;
    n += return_frame(v, &w[n]);
    enter_kernel(v, cb->va, w, n, cb->mask_events, what);
}

void bounce_pending(struct vcpu *v)
{
    if (unlikely(v->nmi_pending) && !v->nmi_masked && v->traps[X86_VEC_NMI].va) {
        v->nmi_pending = false;
        bounce_trap(v, X86_VEC_NMI, NO_ERROR_CODE);
        return;
    }
    if (READ_ONCE(v->info->evtchn_upcall_pending) && !upcall_mask(v) && v->event_cb.va) {
        struct callback cb = { v->event_cb.va, true };

        perf_count(PERF_UPCALLS);
        trace(TRACE_UPCALL, 2, v->regs->rip, 0, 0, 0);
        bounce_callback(v, &cb, "an event");
    }
}

void bounce_syscall(struct vcpu *v)
{
    perf_count(PERF_SYSCALLS);
    trace(TRACE_SYSCALL, 2, v->regs->rip, 0, 0, 0);
    if (v->syscall_cb.va)
        bounce_callback(v, &v->syscall_cb, "a system call");
    else
        bounce_trap(v, X86_VEC_UD, NO_ERROR_CODE);
}

void bounce_syscall32(struct vcpu *v)
{
    if (v->syscall32_cb.va)
        bounce_callback(v, &v->syscall32_cb, "a 32-bit system call");
    else
        bounce_trap(v, X86_VEC_UD, NO_ERROR_CODE);
}

void bounce_sysenter(struct vcpu *v)
{
    if (v->sysenter_cb.va)
        bounce_callback(v, &v->sysenter_cb, "sysenter");
    else
        bounce_trap(v, X86_VEC_GP, 0);
}

/* The guest learns the selectors that were to be loaded; all four are null while its handler runs. */
void bounce_failsafe(struct vcpu *v)
{
    uint64_t w[FRAME_MAX];
    unsigned n = 0;

    w[n++] = v->regs->rcx;
    w[n++] = v->regs->r11;
    w[n++] = v->ds;
    w[n++] = v->es;
    w[n++] = v->fs;
    w[n++] = v->gs;
    n += return_frame(v, &w[n]);
    if (enter_kernel(v, v->failsafe_cb.va, w, n, v->failsafe_cb.mask_events, "the failsafe callback"))
        machine_clear_selectors(v);
}

void bounce_iret(struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    struct { uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss; } f;

    if (guest_read(&f, gptr(r->rsp), sizeof(f))) {
        domain_crash(v->domain, "iret: the frame at %#lx can't be read", r->rsp);
        return;
    }
    if ((f.cs & 3) == 3) {
        if (mfn_same(v->root_user, MFN_NONE)) {
            domain_crash(v->domain, "iret to user mode without user page tables");
            return;
        }
        machine_set_mode(v, false);
    }
    r->rip = f.rip;
    r->cs = (uint16_t)(f.cs | 3);
    r->rflags = (f.rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM)) | X86_EFLAGS_IF;
    r->rsp = f.rsp;
    r->ss = f.ss & 0xfffc ? (uint16_t)(f.ss | 3) : FLAT_KERNEL_SS;
    r->rax = f.rax;
    if (f.flags & VGCF_in_syscall) {
        if (r->cs != FLAT_RING3_CS32)
            r->cs = FLAT_RING3_CS64;
        r->ss = FLAT_RING3_SS64;
        r->r11 = r->rflags;
        r->rcx = r->rip;
    } else {
        r->r11 = f.r11;
        r->rcx = f.rcx;
    }
    v->nmi_masked = false;
    /* Before the look at what is pending (core/exit.h): who sends stores that first, then looks at the mask. */
    __atomic_store_n(&v->info->evtchn_upcall_mask, f.rflags & X86_EFLAGS_IF ? 0 : 1, __ATOMIC_SEQ_CST);
}
