/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for an interrupt: core/machine.h has the rest. */
#ifndef X86_IDLE_H
#define X86_IDLE_H

/* On the boot CPU: looks what the CPUs can do. */
void idle_means_init(void);

#endif
