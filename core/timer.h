/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a function called on a CPU's exit path at or after a given system time.
 *
 * A timer lives in the heap of one CPU (timer->cpu). Its function runs on that CPU with no lock held and may
 * set it again. timer_set, timer_set_here and timer_stop may be called from any CPU, with any lock above TIMER held;
 * timer_stop does not wait for a function that already runs, timer_kill does.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "lib/heap.h"

struct timer {
    struct heap_node node;    /* key: system time in ns at which it is due; in the heap of `cpu` while set */
    void (*run)(void *data);
    void *data;
    unsigned cpu;             /* whose heap: changed under that CPU's TIMER lock, read freely */
    bool was_set;             /* ever; changed under that lock */
    _Atomic uint32_t running; /* CPUs that are in its function */
};

int timers_init_cpu(unsigned cpu); /* 0 or -ENOMEM */
/*
 * Room in every CPU's heap for n timers more, so that timer_set cannot fail: with each thing made that has
 * timers. A few need no reservation (the hypervisor's own). 0 or -ENOMEM; DOMCTL lock, or at boot. And the
 * opposite.
 */
__must_check int timers_reserve(unsigned n);
void timers_release(unsigned n);
void timer_init(struct timer *t, void (*run)(void *), void *data, unsigned cpu);
void timer_set(struct timer *t, uint64_t at_ns);
/* The same, on this CPU, to which it moves. */
void timer_set_here(struct timer *t, uint64_t at_ns);
void timer_stop(struct timer *t);
/*
 * Stops it and waits for its function; no lock held that the function takes, not from the function; nobody
 * sets it later.
 */
void timer_kill(struct timer *t);
void timer_move(struct timer *t, unsigned cpu); /* keeps its time */

/* How many are set on that CPU, and when the first is due (ns). */
unsigned timers_count(unsigned cpu, uint64_t *first);

/* When this CPU's timer goes off at the latest (ns); ~0: it is off. */
uint64_t timers_armed(void);

/* Exit path (WORK_TIMER): runs what is due, arms the machine's timer for the next. */
void timers_run(void);

#endif
