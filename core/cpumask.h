/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of pCPUs: one bit each in a word. */
#ifndef CORE_CPUMASK_H
#define CORE_CPUMASK_H

#include "core/ids.h"

static inline cpumask_t cpumask_of(unsigned cpu)             { return 1ull << cpu; }
static inline bool cpumask_has(cpumask_t m, unsigned cpu)    { return m >> cpu & 1; }
static inline unsigned cpumask_first(cpumask_t m)            { return (unsigned)__builtin_ctzll(m); }
static inline unsigned cpumask_last(cpumask_t m)             { return 63 - (unsigned)__builtin_clzll(m); }

/* How many CPUs; without the CPU's own instruction, which not all have. */
static inline unsigned cpumask_weight(cpumask_t m)
{
    unsigned n = 0;

    for (; m; m &= m - 1)
        n++;
    return n;
}

/* for_each_cpu(cpu, mask): ascending. */
#define for_each_cpu(cpu, mask)                                                                     \
    for (cpumask_t m_##cpu = (mask); m_##cpu && ((cpu) = cpumask_first(m_##cpu), 1); m_##cpu &= m_##cpu - 1)

#endif
