/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run queues: who waits for a CPU, in what order, and how much time each has had. For core/sched.c and
 * core/sched_cap.c only.
 *
 * Virtual time. A vCPU's vtime grows by (time it ran) * VTIME_SCALE / weight. A CPU runs the vCPU of its
 * queue whose vtime is least, so over time each gets time in proportion to its weight. One that slept comes
 * back at most BONUS behind all others: it runs soon, but has not saved up time. One that waits and is pulled to
 * another CPU keeps what it is behind: it did not sleep.
 *
 * Several CPUs. clock + skew tells how far the vCPUs of a queue came; that of each queue is at most DRIFT
 * behind the farthest. So vtime + skew orders vCPUs of different queues, and no queue can fall so far behind
 * that its vCPUs would have a claim on all other CPUs.
 *
 * While no RUNQ lock is held (sched_check() tests them):
 *   S1  a vCPU is QUEUED in the queue of v->cpu, RUNNING as its `curr`, or in neither
 *   S2  a queue is sorted by vtime; nr is its length
 *   S3  who waits or runs has v->pause == 0, but for the moment before the sleeper has the lock
 *   S4  v->cpu changes only while v->running_on == -1, or together with it
 * v->cpu, v->sched and v->runstate change under the lock of v->cpu's queue; v->cpu under those of both
 * queues.
 */
#ifndef CORE_RUNQ_H
#define CORE_RUNQ_H

#include "core/lock.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "lib/list.h"

#define SLICE         MS(10)    /* with one other waiting; shorter with more      */
#define SLICE_MIN     MS(1)
#define BONUS         MS(12)    /* of a vCPU that wakes, in its own running time  */
#define PREEMPT_GRAIN US(500)   /* who is behind by this much does not wait       */
#define PULL_GRAIN    MS(5)     /* the same for one that waits on another CPU     */
#define DRIFT         (MS(50) / 8)
#define VTIME_SCALE   32u       /* default weight 256: vtime is an eighth of time */
#define HEAD_NONE     (~0ull)

#define CAP_PERIOD    MS(10)
#define CAP_SLICE_MIN US(250)
#define DEFAULT_WEIGHT 256u

enum sv_state {
    SV_OFF,     /* not runnable, or on its way into a queue */
    SV_QUEUED,  /* waits                                    */
    SV_RUNNING,
    SV_PARKED,  /* runnable, but its domain spent its cap   */
};

struct sched_vcpu {
    struct vcpu *v;
    struct list_head link;   /* while QUEUED */
    enum sv_state state;
    bool gave_way;           /* lets one other go first */
    bool overridden;         /* pinned by sched_pin_override; `kept` is its affinity after that */
    cpumask_t kept;
    uint64_t vtime;          /* on the queue's scale while QUEUED or RUNNING, else comparable among CPUs */
    uint64_t rest;           /* of the last division by the weight */
};

struct runq {
    struct lock lock;
    unsigned cpu;
    struct list_head waiting;
    unsigned nr;
    struct vcpu *curr;       /* RUNNING; NULL: idle */
    uint64_t clock, skew;
    uint64_t began, since;   /* curr's turn; curr was charged up to */
    struct timer slice;
    bool timed;              /* slice is set, or went off and the CPU will choose again */
    _Atomic uint64_t head;   /* hint: vtime + skew of the first that waits, or HEAD_NONE */
    _Atomic uint32_t load;   /* hint: how many wait or run */
    _Atomic uint64_t at;     /* hint: vtime + skew of curr when its turn began; 0: idle */
};

extern _Atomic uint32_t runq_waiting; /* vCPUs QUEUED anywhere */

struct runq *runq_of(unsigned cpu);
/* Where v is now; without its queue's lock only a hint. */
unsigned runq_cpu(const struct vcpu *v);
struct runq *runq_lock_of(const struct vcpu *v);
void runq_lock_two(struct runq *a, struct runq *b);
void runq_unlock_two(struct runq *a, struct runq *b);

/* The first that waits, or NULL. Lock held, as for all below. */
struct sched_vcpu *runq_first(const struct runq *q);
/*
 * s waits in q. From elsewhere (OFF or PARKED) it gets its place by its vtime: runq_join, it slept, at most BONUS before
 * all others; runq_take, it waited or was parked, at most DRIFT behind the clock.
 */
void runq_insert(struct runq *q, struct sched_vcpu *s);
void runq_join(struct runq *q, struct sched_vcpu *s);
void runq_take(struct runq *q, struct sched_vcpu *s);
/* s waits no longer: RUNNING, PARKED or OFF. */
void runq_remove(struct runq *q, struct sched_vcpu *s, enum sv_state state);
/* s was RUNNING and is OFF. */
void runq_leave(struct runq *q, struct sched_vcpu *s);
/* Charges curr up to now. */
void runq_account(struct runq *q, uint64_t now);
/* Tells other CPUs what changed in `curr`. */
void runq_publish(struct runq *q);
uint64_t runq_vtime(const struct vcpu *v, uint64_t ns);
void runq_set_state(struct vcpu *v, int runstate, uint64_t now);
bool runq_check(struct runq *q); /* S1-S3 of its vCPUs */

/* ---- Caps (core/sched_cap.c) ---- */

void cap_init(struct domain *d);
bool cap_limits(const struct domain *d); /* it has one */
bool cap_spent(const struct domain *d);
/* A vCPU of d begins, ends its turn. */
void cap_begin(struct domain *d, uint64_t now);
void cap_end(struct domain *d);
void cap_charge(struct domain *d, uint64_t ran);
/* The longest turn that the cap allows, of `ns`. */
uint64_t cap_slice(const struct domain *d, uint64_t ns);
/* The cap is `percent` from now on. */
void cap_set(struct domain *d, uint16_t percent);

#endif
