/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug keys that report on the core: domains, vCPUs, memory, ports, grants, CPUs, time. */
#ifndef CORE_DEBUG_H
#define CORE_DEBUG_H

/* Registers them; once, at boot. */
void debug_keys_init(void);

/* Those about CPUs (core/debug_cpu.c), by the same. */
void debug_cpu_keys_init(void);
/* Exit path (WORK_ASKED): what a key wants to know of this CPU. */
void debug_cpu_answer(void);

#endif
