/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLB flushes as the core asks for them: on the account of the entry that needs them. Another CPU has to be
 * interrupted and waited for, and meanwhile nobody else's flush gets through.
 */
#ifndef CORE_FLUSH_H
#define CORE_FLUSH_H

#include "core/budget.h"
#include "core/cpumask.h"

#define FLUSH_UNITS       8u  /* this CPU's translations, and what it costs to have none */
#define FLUSH_OTHER_UNITS 64u /* an interrupt there and its answer */

/* Of this CPU alone. */
static inline void flush_own_tlb(enum flush what, uint64_t va)
{
    (void)budget_take(FLUSH_UNITS);
    machine_flush_own(what, va);
}

/* machine_flush(), and its cost taken off the budget. */
static inline void flush_tlbs(cpumask_t cpus, enum flush what, uint64_t va)
{
    unsigned others = cpumask_weight(cpus & pcpu_online & ~cpumask_of(this_pcpu()->id));

    (void)budget_take(FLUSH_UNITS + others * FLUSH_OTHER_UNITS);
    machine_flush(cpus, what, va);
}

#endif
