/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU pools: which CPUs run which domains. A CPU is in one pool or in none, and then it idles; a domain is in one
 * pool, d->sched.pool. Pool 0 is there from the start, has all CPUs then, and keeps dom0.
 *
 * Changes are made under the DOMCTL lock. The scheduler reads a pool's CPUs and a domain's pool without it, so it
 * may act by old ones: each CPU looks again before it runs anybody, and whoever changes a set makes the CPUs
 * concerned choose again. A pool's place in the table, which is its id, is never given up while a domain is in it.
 *
 *   O1  the pools' sets of CPUs do not overlap
 *   O2  a pool with a domain has a CPU; those that are dying wait in pool 0
 *   O3  a vCPU's affinity has a CPU of its pool, or the vCPU is about to lose it (pool_remove_cpu)
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "core/ids.h"

struct domain;

#define POOLS_MAX ((unsigned)MAX_CPUS)
#define POOL_ANY  (~0u)

struct pool_info {
    unsigned id;
    cpumask_t cpus;
    uint32_t domains;
};

/* CPU `cpu` comes up: it is of pool 0. At boot. */
void pool_cpu_up(unsigned cpu);

/* ---- Without a lock, as the scheduler asks ---- */

cpumask_t pool_cpus(unsigned pool); /* 0: there is no such pool */
/* The CPUs of the same pool, itself included; none if it is in no pool. */
cpumask_t pool_peers(unsigned cpu);
bool pool_exists(unsigned pool);
/* Least time in us that a vCPU runs before another takes its CPU; 0: no such limit. To set: -EINVAL out of range. */
uint32_t pool_ratelimit_us(unsigned pool);
uint32_t pool_ratelimit_us_at(unsigned cpu);
int pool_set_ratelimit_us(unsigned pool, uint32_t us);

/* ---- For the tools: DOMCTL lock held ---- */

/* The first pool with this id or a higher one. 0 or -ENOENT. */
int pool_next(unsigned from, struct pool_info *out);
cpumask_t pool_free_cpus(void);

/* *id: which one, or POOL_ANY, and which it became. -EEXIST, -ENOSPC: beyond POOLS_MAX. */
int pool_create(unsigned *id);
/* It must be empty. -ENOENT, -EBUSY: it has CPUs or domains, or is pool 0. */
int pool_destroy(unsigned id);
/* A CPU of no pool (POOL_ANY: one of them). -ENOENT no such pool, -EINVAL no such CPU, -ENODEV not free. */
int pool_add_cpu(unsigned id, unsigned cpu);
/*
 * The CPU runs nobody of the pool any more when this returned 0; POOL_ANY: its last one. -ERESTART: call again;
 * -ENOENT no such pool, -EINVAL no such CPU, or the last one of pool 0; -EADDRNOTAVAIL it is not in this pool;
 * -EBUSY the last one of a pool with domains; -EADDRINUSE dom0 has pinned itself to it for a moment.
 * A vCPU whose hard affinity has no other CPU of the pool may run on all from now on.
 */
int pool_remove_cpu(unsigned id, unsigned cpu);

/* ---- For domains: DOMCTL lock held ---- */

/* Whether domains can be in it: 0, -ESRCH no such pool, -EINVAL it has no CPU. */
int pool_usable(unsigned id);
/* d, in no pool yet, joins a usable one. At boot: no lock. */
void pool_join(struct domain *d, unsigned id);
/*
 * Its vCPUs run on the new pool's CPUs at once, their affinity forgotten. -ESRCH it is dying, -EPERM it is dom0,
 * -ENOENT no such pool, or it has no CPU.
 */
int pool_move(struct domain *d, unsigned id);
/* d is dying, its vCPUs are off: it holds up nobody in its pool. */
void pool_retire(struct domain *d);
/* d is no more. No lock needed. */
void pool_leave(struct domain *d);

#endif
