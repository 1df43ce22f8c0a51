/* SPDX-License-Identifier: BSD-2-Clause */
/* The way out of the hypervisor: timers, scheduling, drained tables, pending events; then some guest runs. */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

#include "core/budget.h"
#include "core/vcpu.h"

#include <stdatomic.h>

/*
 * Is there something that core_exit() would have to do before v, which runs here, goes on? Most entries leave nothing; the
 * machine asks this first, with interrupts off until it enters the guest.
 */
static inline bool core_exit_needed(const struct pcpu *c, const struct vcpu *v)
{
    const struct vcpu_info *info = v->info;

    return atomic_load_explicit(&c->work, memory_order_relaxed) | atomic_load_explicit(&v->pause, memory_order_relaxed) |
           v->drain | (uint32_t)v->nmi_pending ||
           (READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask));
}

/*
 * Called by the machine at the end of each entry. On return the current vCPU's registers and memory are
 * loaded, its frame is ready to be entered, and nothing is left to do.
 */
void core_exit(void);

#endif
