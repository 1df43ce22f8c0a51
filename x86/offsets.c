/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled, never linked: the offsets that assembly uses. The Makefile makes offsets.h of the marked lines. */
#include "x86/layout.h"
#include "x86/percpu.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"@@" #name " %0@@\"" : : "i"(value))
#define OFFSET(name, type, member) DEFINE(name, offsetof(type, member))

void offsets(void);
void offsets(void)
{
    DEFINE(REGS_SIZE, sizeof(struct cpu_regs));
    OFFSET(REGS_cs, struct cpu_regs, cs);
    OFFSET(REGS_rip, struct cpu_regs, rip);
    OFFSET(REGS_error_code, struct cpu_regs, error_code);
    OFFSET(REGS_vector, struct cpu_regs, entry_vector);
    DEFINE(TOP_scratch, offsetof(struct stack_top, scratch) - offsetof(struct stack_top, self));
    DEFINE(TOP_SIZE, sizeof(struct stack_top));
    DEFINE(TOP_self_to_end, sizeof(struct stack_top) - offsetof(struct stack_top, self));
    /* From the guest's frame, with which struct stack_top begins. */
    OFFSET(FRAME_full_root, struct stack_top, full_root);
    OFFSET(FRAME_exit_root, struct stack_top, exit_root);
}
