/* SPDX-License-Identifier: BSD-2-Clause */
/* A budget that no operation of a test spends, unless that is what the test is about. */
#ifndef UNIT_PLENTY_H
#define UNIT_PLENTY_H

#include "core/budget.h"

#define PLENTY 4096u

/* For this CPU, as if it came from a guest now. */
static inline void plenty(void)
{
    budget_reset();
    this_pcpu()->budget = PLENTY;
}

#endif
