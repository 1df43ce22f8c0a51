/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weighted fair scheduling over per-CPU run queues, with caps, hard and soft affinity, within CPU pools
 * (core/pool.h); the tools see "credit2".
 *
 * A vCPU is runnable iff v->pause == 0. It runs on at most one CPU; while v->running_on >= 0 its state is in
 * that CPU.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "core/ids.h"

#include <xen/vcpu.h>

struct vcpu;
struct domain;
struct domain_sched;

int sched_init_cpu(unsigned cpu);         /* 0 or -ENOMEM */
int sched_init_vcpu(struct vcpu *v);      /* picks its first CPU; affinity: all. 0 or -ENOMEM */
void sched_fini_vcpu(struct vcpu *v);     /* it is off its CPU and never runs again */

/* v->pause became 0 (wake) or non-zero (sleep: kicks its CPU, doesn't wait). Any CPU, locks above RUNQ. */
void sched_wake(struct vcpu *v);
void sched_sleep(struct vcpu *v);
/* The current vCPU (SCHEDOP_yield) lets others of its CPU go first once. */
void sched_give_way(void);

/*
 * Exit path: who runs here now (NULL: idle). Accounts `prev`, sets running_on of both, moves runstates, arms
 * the slice timer, steals from loaded CPUs when it would idle. The caller then does machine_switch() and
 * sched_switched().
 */
struct vcpu *sched_pick(struct vcpu *prev);
/* prev's state is in memory now: another CPU may take it. */
void sched_switched(struct vcpu *prev);

/* The CPUs that v may run on: of its hard affinity those in its pool; if there are none, all of its pool. */
cpumask_t sched_cpus(const struct vcpu *v);
/* Somebody runs on the CPU or waits there. */
bool sched_cpu_busy(unsigned cpu);
/*
 * Affinity: NULL masks stay as they are, the others are cut to the CPUs there are; -EINVAL if hard has no CPU of v's pool.
 * Moves v if it must.
 */
int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft);
/* Which CPUs v may use, or how much of them, has changed: it looks for a place again. */
void sched_replace(struct vcpu *v);
/*
 * SCHEDOP_pin_override: to that CPU only until called with a negative one. -EINVAL: not a CPU it may have;
 * -EBUSY: is pinned.
 */
int sched_pin_override(struct vcpu *v, int cpu);
bool sched_is_overridden(const struct vcpu *v, unsigned cpu);
/* Weight 1..65535, cap in percent of one CPU (0: none). 0 or -EINVAL. */
int sched_set_domain(struct domain *d, uint16_t weight, uint16_t cap);

/* Accounting in *out, current up to now. Sum of running time of all vCPUs of d in ns. */
void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
uint64_t sched_domain_time(struct domain *d);
/*
 * Writes v's registered runstate area, as VMASST_TYPE_runstate_update_flag asks. Called when it gains or
 * loses a CPU.
 */
void sched_update_runstate_area(struct vcpu *v);

/* Debug key 'r': who runs and waits on that CPU, into the log. */
void sched_show(unsigned cpu);

#endif
