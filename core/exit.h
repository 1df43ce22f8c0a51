/* SPDX-License-Identifier: BSD-2-Clause */
/* The way out of the hypervisor: timers, scheduling, drained tables, pending events; then some guest runs. */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

/*
 * Called by the machine at the end of each entry. On return the current vCPU's registers and memory are
 * loaded, its frame is ready to be entered, and nothing is left to do.
 */
void core_exit(void);

#endif
