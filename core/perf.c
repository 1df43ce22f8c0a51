/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of all CPUs added up. Only its own CPU writes a counter, so a reset does not touch them: it remembers where they
 * stood.
 */
#include "core/perf.h"

#include "core/keys.h"
#include "core/log.h"
#include "core/pcpu.h"

static const struct { const char *name; unsigned values; } groups[] = {
#define X(name, text, n) { text, n },
    PERF_COUNTERS(X)
#undef X
};

static uint32_t base[PERF_VALUES]; /* sums at the last reset */

unsigned perf_groups(void)
{
    return ARRAY_SIZE(groups);
}

const char *perf_group(unsigned i, unsigned *values)
{
    *values = groups[i].values;
    return groups[i].name;
}

static uint32_t sum(unsigned i)
{
    uint32_t n = 0;

    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        n += __atomic_load_n(&pcpus[cpu]->perf[i], __ATOMIC_RELAXED);
    return n;
}

uint32_t perf_value(unsigned i)
{
    return sum(i) - __atomic_load_n(&base[i], __ATOMIC_RELAXED);
}

void perf_reset(void)
{
    for (unsigned i = 0; i < PERF_VALUES; i++)
        __atomic_store_n(&base[i], sum(i), __ATOMIC_RELAXED);
}
