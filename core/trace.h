/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flight recorder: each CPU keeps its last TRACE_RECORDS events, always. Shown at a panic and by debug key 'T'; while
 * `xentrace` listens, records of the classes that it wants are copied to its buffers as well (core/tbuf.h).
 *
 * A record is written by its own CPU without a lock: a few stores and one look at the clock. Events and what their words mean
 * are those of <xen/trace.h>; a few of our own have class 0, so that no tool's mask selects them.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "lib/types.h"

#include <xen/trace.h>

struct pcpu;

#define TRACE_RECORDS 512u /* a CPU: 32 KiB */
#define TRACE_WORDS   7u   /* of an event, at most */

/* Our own. */
#define TRACE_SYSCALL 1u /* rip of a guest's system call, handed to its kernel */
#define TRACE_EVENT   2u /* domain, port: raised                               */
#define TRACE_UPCALL  3u /* rip from which the guest's event callback is entered */
#define TRACE_VECTOR  4u /* interrupt of the hypervisor's own                  */
#define TRACE_KICK    5u /* CPU that is made to look                           */

/* The event of a change from one RUNSTATE_ to another. */
#define TRACE_RUNSTATE(from, to) (TRC_SCHED_RUNSTATE_CHANGE | (uint32_t)(from) << 8 | (uint32_t)(to) << 4)
/* How the ABI names a CPU that runs nobody. */
#define TRACE_DOM_IDLE 32767u

#define TRACE_NO_RESULT INT32_MIN /* no hypercall gives that */

struct trace_record {
    uint64_t tsc;
    uint32_t event;     /* TRC_*, and above TRACE_EXTRA_SHIFT the number of words */
    uint32_t word[TRACE_WORDS];
    uint32_t who;       /* TRACE_WHO() of who ran */
    uint32_t pad;
    uint64_t rip;       /* its next instruction                     */
    int64_t result;     /* of a hypercall; TRACE_NO_RESULT: not yet */
};
_Static_assert(sizeof(struct trace_record) == 64, "a cache line");
#define TRACE_WHO(dom, vcpu) ((uint32_t)(vcpu) << 16 | (dom)) /* dom TRACE_DOM_IDLE: nobody, on CPU `vcpu` */

/* What one CPU records, and what of it is wanted elsewhere. */
struct trace_cpu {
    struct trace_record *record;
    uint32_t next;      /* records ever made: the next goes to next % TRACE_RECORDS */
    uint32_t wanted;    /* classes and subclasses for `export`; 0: none */
    void (*export)(struct trace_cpu *t, const struct trace_record *r);
    struct tbuf *tbuf;
};

/* Recording begins on that CPU. 0 or -ENOMEM; at boot. */
int trace_init_cpu(unsigned cpu);

/*
 * Records an event of `words` words, given two at a time, lower half first (TRACE_PAIR, or a 64-bit value). Any context with
 * interrupts off, any lock.
 */
void trace(uint32_t event, unsigned words, uint64_t w01, uint64_t w23, uint64_t w45, uint64_t w6);
#define TRACE_PAIR(lo, hi) ((uint32_t)(lo) | (uint64_t)(uint32_t)(hi) << 32)

/* The record, which was just made, goes to who listens, if its class is wanted. */
void trace_export(struct trace_cpu *t, const struct trace_record *r);

static inline void trace1(uint32_t event, uint32_t w)              { trace(event, 1, w, 0, 0, 0); }
static inline void trace2(uint32_t event, uint32_t a, uint32_t b)  { trace(event, 2, TRACE_PAIR(a, b), 0, 0, 0); }
static inline void trace4(uint32_t event, uint64_t w01, uint64_t w23) { trace(event, 4, w01, w23, 0, 0); }

/* The event of hypercall nr with `n` arguments, but for its kind, and above it the first word: which of 3 arguments are meant. */
#define TRACE_HYPERCALL(nr, n) TRACE_PAIR((1u + 2u * ((n) < 3 ? (n) : 3)) << TRACE_EXTRA_SHIFT,        \
                                          (nr) | ((n) > 0 ? TRC_PV_HYPERCALL_V2_ARG_64(0) : 0) |        \
                                              ((n) > 1 ? TRC_PV_HYPERCALL_V2_ARG_64(1) : 0) |           \
                                              ((n) > 2 ? TRC_PV_HYPERCALL_V2_ARG_64(2) : 0))

/* ---- Showing (core/trace_show.c) ---- */

/* No CPU records any more; then what is there, merged by time, `each` records of every CPU. For a panic: no lock. */
void trace_show_last(unsigned each);
/* Registers key 'T'; at boot. */
void trace_keys_init(void);

#endif
