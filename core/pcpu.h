/* SPDX-License-Identifier: BSD-2-Clause */
/* What each physical CPU has to itself. */
#ifndef CORE_PCPU_H
#define CORE_PCPU_H

#include "core/ids.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/perf.h"

struct vcpu;
struct timer_queue;
struct runq;
struct trace_cpu;

/* Work that a CPU does on its way out (core/exit.c); set from anywhere with pcpu_raise(). */
enum pcpu_work {
    WORK_TIMER = 1u << 0, /* the timer went off: run what is due        */
    WORK_SCHED = 1u << 1, /* choose again who runs                      */
    WORK_IRQ   = 1u << 2, /* nothing but the passage itself was wanted  */
    WORK_ASKED = 1u << 3, /* a debug key asks (core/debug.h)            */
    WORK_TBUF  = 1u << 4, /* a trace buffer is half full (core/tbuf.h)  */
};

struct pcpu {
    unsigned id;
    struct vcpu *current;        /* who runs here; NULL while idle. Changed only by this CPU                 */
    _Atomic uint32_t work;       /* enum pcpu_work                                                           */
    _Atomic uint32_t listened;   /* somebody wants of what it records; x86/short.S looks at it and `work` in one */
    uint32_t locks_held;         /* one bit a lock class (debug)                                             */
    uint32_t budget;             /* work units left to the entry in progress, see core/budget.h              */
    uint32_t own_faults;         /* on shadow tables, in the entry in progress: core/shadow.h                 */
    struct timer_queue *timers;  /* core/timer.c */
    struct runq *runq;           /* core/sched.c */
    _Atomic uint64_t idle_ns;    /* time spent with current == NULL, for getcpuinfo */
    /* Identity, from the firmware's tables. */
    uint32_t apic_id, acpi_id;
    unsigned node;               /* core/numa.h */
    bool online;
    /* What it counts, and nobody else. */
    struct trace_cpu *trace;     /* core/trace.h; NULL: records nothing */
    uint32_t perf[PERF_VALUES];
    struct lock_use lock_use[LOCK_CLASSES];
};

extern struct pcpu *pcpus[MAX_CPUS]; /* by id; NULL beyond pcpu_count */
extern unsigned pcpu_count;
extern cpumask_t pcpu_online;

static inline struct pcpu *this_pcpu(void) { return machine_pcpu(); }
static inline struct vcpu *current_vcpu(void) { return machine_pcpu()->current; }

/* Counts one; nth: in an array of n, of which the last stands for all beyond. Any context. */
static inline void perf_count(enum perf which) { this_pcpu()->perf[which]++; }
static inline void perf_count_nth(enum perf first, unsigned i, unsigned n)
{
    this_pcpu()->perf[first + clamp_index(MIN(i, n - 1), n)]++;
}

/* Gives `cpu` the work and makes it look. Any CPU may call it, with any lock held. */
void pcpu_raise(unsigned cpu, uint32_t work);

#endif
