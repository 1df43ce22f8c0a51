/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hypervisor counts, for `xenperf` and the debug keys 'p' and 'P'. Each CPU counts for itself, so counting is one
 * addition; who asks adds up. Counters wrap at 32 bits, as the ABI has them.
 *
 * X(NAME, text, how many): the text is what the tools print; "hypercalls" is a name they know.
 */
#ifndef CORE_PERF_H
#define CORE_PERF_H

#include "lib/types.h"

#define PERF_HYPERCALL_MAX 64u
#define PERF_EXCEPTION_MAX 32u

#define PERF_COUNTERS(X)                                                  \
    X(HYPERCALLS,      "hypercalls", PERF_HYPERCALL_MAX)                  \
    X(MULTICALLED,     "hypercalls, of which in multicalls", 1)           \
    X(CONTINUED,       "hypercalls, executed again to go on", 1)          \
    X(EXCEPTIONS,      "exceptions", PERF_EXCEPTION_MAX)                  \
    X(SYSCALLS,        "system calls handed to guests", 1)                \
    X(PAGE_FAULTS,     "page faults handed to guests", 1)                 \
    X(PTWRITES,        "emulated page-table writes", 1)                   \
    X(PRIVOPS,         "emulated privileged instructions", 1)             \
    X(EVENTS,          "events raised", 1)                                \
    X(UPCALLS,         "event callbacks entered", 1)                      \
    X(WAKES,           "vCPUs woken", 1)                                  \
    X(BLOCKS,          "vCPUs blocked", 1)                                \
    X(SWITCHES,        "context switches", 1)                             \
    X(TIMERS,          "timer functions run", 1)                          \
    X(GRANT_MAPS,      "grants mapped", 1)                                \
    X(GRANT_UNMAPS,    "grants unmapped", 1)                              \
    X(IRQS,            "device interrupts", 1)                            \
    X(TIMER_IRQS,      "timer interrupts", 1)                             \
    X(KICKS,           "IPIs sent: kicks", 1)                             \
    X(FLUSH_IPIS,      "IPIs sent: TLB flushes", 1)                       \
    X(FLUSHES,         "TLB flushes", 1)                                  \
    X(PAGE_FLUSHES,    "TLB flushes of one page", 1)

enum perf {
#define X(name, text, n) PERF_##name, PERF_LAST_##name = PERF_##name + (int)(n) - 1,
    PERF_COUNTERS(X)
#undef X
    PERF_VALUES
};

/* To count: perf_count() in core/pcpu.h. */

/* The counter groups: how many there are, and of each its name and number of values. */
unsigned perf_groups(void);
const char *perf_group(unsigned i, unsigned *values);
/* The sum over all CPUs since the last reset; i < PERF_VALUES. */
uint32_t perf_value(unsigned i);
void perf_reset(void);

#endif
