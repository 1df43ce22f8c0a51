/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the hypervisor itself. */
#ifndef X86_PANIC_H
#define X86_PANIC_H

#include "x86/model/regs.h"

struct mce_event;

/* An exception in the hypervisor that nothing expected, or one that no guest can be blamed for. */
_Noreturn void panic_trap(const struct cpu_regs *regs);

/* In an NMI of the watchdog (core/heartbeat.h): this CPU made no progress for so long. regs: where it was. */
_Noreturn void panic_missed(const struct cpu_regs *regs, unsigned seconds);

/* In a machine check exception: an error of the hardware that was not corrected. */
_Noreturn void panic_machine_check(const struct cpu_regs *regs, const struct mce_event *e);

/* At boot. Debug builds have a key that ends the hypervisor as a defect of its own would. */
void panic_keys_init(void);

#endif
