/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps and events delivered to the guest's kernel: the frame is built on its stack and its registers point at the handler.
 * Layouts: <xen/arch-x86/xen-x86_64.h>; the guest's stub pops rcx and r11 itself.
 * Nothing here can hurt more than the guest: what can't be delivered goes to the failsafe callback or crashes the domain.
 */
#ifndef CORE_BOUNCE_H
#define CORE_BOUNCE_H

#include "lib/types.h"
#include "x86/model/regs.h"

struct vcpu;

enum { NO_ERROR_CODE = 0xffffffffu };

/* Flags that no guest runs with; what a handler must not inherit. */
#define FLAGS_NEVER         (X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP)
#define FLAGS_NOT_INHERITED (FLAGS_NEVER | X86_EFLAGS_AC | X86_EFLAGS_RF | X86_EFLAGS_TF)

/* An exception `vector` (error NO_ERROR_CODE: none). For #PF cr2 was stored by bounce_page_fault. */
void bounce_trap(struct vcpu *v, unsigned vector, uint32_t error);
void bounce_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error);
/* Pending events or NMI, if the vCPU takes them now. */
void bounce_pending(struct vcpu *v);
/* The guest's system calls. */
void bounce_syscall(struct vcpu *v);
void bounce_syscall32(struct vcpu *v);
void bounce_sysenter(struct vcpu *v);
void bounce_failsafe(struct vcpu *v);
/* HYPERVISOR_iret: pops the frame. Never fails: a bad one crashes the domain. */
void bounce_iret(struct vcpu *v);

#endif
