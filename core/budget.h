/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The work budget of one entry into the hypervisor. Whatever a guest can make long counts units here and, when they
 * are spent, records how far it came and returns -ERESTART. A unit is about as much as validating one table entry; what is done
 * in one piece, as the validation of an L1 table, may go on for up to as much again. So the longest stay is some 150,000
 * instructions (tests/guest/test_longest.py), but for an extent of 2 MiB, whose clearing alone is more.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "core/pcpu.h"

#define BUDGET_UNITS 512u

/* For each entry from a guest; on c. */
static inline void budget_begin(struct pcpu *c)
{
    c->budget = BUDGET_UNITS;
    c->own_faults = 0;
}

static inline void budget_reset(void) { budget_begin(this_pcpu()); }

/* Takes n units; false if the budget is spent (the n units are then still granted: ask before the next piece). */
static inline bool budget_take(unsigned n)
{
    struct pcpu *c = this_pcpu();

    c->budget = c->budget > n ? c->budget - n : 0;
    return c->budget != 0;
}

/* As many units are left. */
static inline unsigned budget_left(void) { return this_pcpu()->budget; }

/* For what is so slow that nothing else should come on top. */
static inline void budget_spend(void) { this_pcpu()->budget = 0; }

static inline bool budget_spent(void) { return this_pcpu()->budget == 0; }

/*
 * For the few calls that can't stop and come back, as the ABI has no place to note how far they came: with the budget
 * spent, pending interrupts have their turn, and the next budget begins. No lock held.
 */
static inline void budget_renew(void)
{
    if (budget_spent()) {
        machine_interrupts();
        budget_reset();
    }
}

#endif
