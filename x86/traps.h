/* SPDX-License-Identifier: BSD-2-Clause */
/* What entry.S calls, and what it offers to C. */
#ifndef X86_TRAPS_H
#define X86_TRAPS_H

#include "lib/types.h"
#include "x86/model/regs.h"

struct x86_pcpu;

void trap_from_guest(struct cpu_regs *regs);
void trap_from_hypervisor(struct cpu_regs *regs);
void syscall_from_guest(struct cpu_regs *regs);
void syscall32_from_guest(struct cpu_regs *regs);
void sysenter_from_guest(struct cpu_regs *regs);
void leave_to_guest(void);
/* The kernel's stack took no frame from x86/short.S: the vCPU is in user mode again. */
void short_undo(void);

/* Leaves the hypervisor by the frame at the top of the stack; nothing below it is kept. */
_Noreturn void leave_by_frame(struct cpu_regs *regs);

size_t copy_user(void *to, const void *from, size_t n);
int cmpxchg_user8(void *p, uint64_t *old, uint64_t new);
int cmpxchg_user16(void *p, uint64_t *old, uint64_t new);
int cmpxchg_user32(void *p, uint64_t *old, uint64_t new);
int cmpxchg_user64(void *p, uint64_t *old, uint64_t new);
int wrmsr_safe(uint32_t msr, uint64_t value);
int rdmsr_safe(uint32_t msr, uint64_t *value);
int load_ds(uint16_t sel);
int load_es(uint16_t sel);
int load_fs(uint16_t sel);
int load_gs(uint16_t sel);
int xrstor_safe(const void *area, uint64_t mask);
int fxrstor_safe(const void *area);

/* Registers the debug key about NMIs; at boot. */
void traps_keys_init(void);

/* Command line: smep=0 and smap=0. */
extern struct cpu_options { bool no_smep, no_smap; } cpu_options;
extern uint64_t cr4_wanted;
extern uint64_t *zero_page;
void cpu_set_ldt_limit(struct x86_pcpu *c, unsigned entries);

#endif
