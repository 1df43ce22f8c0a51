/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU pools; see core/pool.h. Who runs where they allow is the business of core/sched.c. */
#include "core/pool.h"

#include "core/budget.h"
#include "core/cpumask.h"
#include "core/domain.h"
#include "core/node_affinity.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "lib/errno.h"

#include <stdatomic.h>

#define NO_POOL (~0u)
#define RATELIMIT_US 1000u

static struct pool {
    _Atomic bool exists;
    _Atomic cpumask_t cpus;
    _Atomic uint32_t domains;
    _Atomic uint32_t ratelimit_us;
} pools[POOLS_MAX] = { { .exists = true, .ratelimit_us = RATELIMIT_US } };

static _Atomic uint32_t pool_of[MAX_CPUS]; /* or NO_POOL */

/* The removal of a CPU that is under way: which, and the first domain not yet looked at. */
static struct { bool active; unsigned pool, cpu; domid_t next; } removal;

/* ---- What the scheduler asks ---- */

void pool_cpu_up(unsigned cpu)
{
    atomic_fetch_or(&pools[0].cpus, cpumask_of(cpu));
    atomic_store(&pool_of[cpu], 0);
}

cpumask_t pool_cpus(unsigned pool)
{
    return pool < POOLS_MAX ? atomic_load_explicit(&pools[pool].cpus, memory_order_relaxed) & pcpu_online : 0;
}

static uint32_t pool_at(unsigned cpu)
{
    return atomic_load_explicit(&pool_of[cpu], memory_order_relaxed);
}

cpumask_t pool_peers(unsigned cpu)
{
    return pool_cpus(pool_at(cpu));
}

uint32_t pool_ratelimit_us(unsigned pool)
{
    return pool < POOLS_MAX ? atomic_load_explicit(&pools[pool].ratelimit_us, memory_order_relaxed) : 0;
}

uint32_t pool_ratelimit_us_at(unsigned cpu)
{
    return pool_ratelimit_us(pool_at(cpu));
}

/* ---- Pools ---- */

bool pool_exists(unsigned id)
{
    return id < POOLS_MAX && pools[clamp_index(id, POOLS_MAX)].exists;
}

int pool_next(unsigned from, struct pool_info *out)
{
    for (unsigned id = from; id < POOLS_MAX; id++) {
        if (!pools[id].exists)
            continue;
        *out = (struct pool_info){ id, pool_cpus(id), pools[id].domains };
        return 0;
    }
    return -ENOENT;
}

cpumask_t pool_free_cpus(void)
{
    cpumask_t used = 0;

    for (unsigned id = 0; id < POOLS_MAX; id++)
        used |= pools[id].cpus;
    return pcpu_online & ~used;
}

/* The next after the last, as ids are given; at the end of the table any that is free. POOLS_MAX: none is. */
static unsigned choose_id(void)
{
    unsigned id = POOLS_MAX;

    while (!pools[id - 1].exists)
        id--;
    if (id == POOLS_MAX)
        for (id = 1; id < POOLS_MAX && pools[id].exists; id++)
            ;
    return id;
}

int pool_create(unsigned *id)
{
    unsigned at = *id == POOL_ANY ? choose_id() : *id;

    if (at >= POOLS_MAX)
        return -ENOSPC;
    if (pools[at].exists)
        return -EEXIST;
    pools[at].exists = true;
    pools[at].ratelimit_us = RATELIMIT_US;
    *id = at;
    return 0;
}

int pool_destroy(unsigned id)
{
    if (!pool_exists(id))
        return -ENOENT;
    if (id == 0 || pools[id].cpus || pools[id].domains)
        return -EBUSY;
    pools[id].exists = false;
    if (removal.pool == id)
        removal.active = false;
    return 0;
}

int pool_set_ratelimit_us(unsigned id, uint32_t us)
{
    if (us && (us < 100 || us > 500000))
        return -EINVAL;
    pools[id].ratelimit_us = us;
    return 0;
}

/* ---- CPUs ---- */

int pool_add_cpu(unsigned id, unsigned cpu)
{
    cpumask_t free = pool_free_cpus();

    if (!pool_exists(id))
        return -ENOENT;
    if (cpu == POOL_ANY && free)
        cpu = cpumask_first(free);
    if (cpu != POOL_ANY && cpu >= pcpu_count)
        return -EINVAL;
    if (cpu == POOL_ANY || !cpumask_has(free, cpu))
        return -ENODEV;
    if (removal.cpu == cpu)
        removal.active = false;
    atomic_store(&pool_of[cpu], id);
    atomic_fetch_or(&pools[id].cpus, cpumask_of(cpu));
    pcpu_raise(cpu, WORK_SCHED); /* it takes over who waits elsewhere */
    return 0;
}

static bool dom0_is_pinned_to(unsigned cpu)
{
    for (unsigned i = 0; dom0 && i < dom0->max_vcpus; i++)
        if (dom0->vcpu[i] && sched_is_overridden(dom0->vcpu[i], cpu))
            return true;
    return false;
}

static int check_removal(unsigned id, unsigned cpu)
{
    cpumask_t cpus = pools[id].cpus;

    if (cpu >= pcpu_count)
        return -EINVAL;
    if (!cpumask_has(cpus, cpu))
        return -EADDRNOTAVAIL;
    if (cpus == cpumask_of(cpu) && (id == 0 || pools[id].domains))
        return id == 0 ? -EINVAL : -EBUSY;
    return dom0_is_pinned_to(cpu) ? -EADDRINUSE : 0;
}

/* d's vCPUs go to the CPUs that are left; those that could run on the one that goes only may run on all now (O3). */
static void leave_cpu(struct domain *d, cpumask_t cpus)
{
    const cpumask_t all = pcpu_online;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v && __atomic_load_n(&v->hard, __ATOMIC_RELAXED) & cpus)
            sched_replace(v);
        else if (v)
            (void)sched_set_affinity(v, &all, NULL);
    }
    node_affinity_update(d);
}

static int finish_removal(void)
{
    struct domain *d;

    while ((d = domain_get_next(removal.next)) != NULL) {
        removal.next = (domid_t)(d->id + 1);
        if (d->sched.pool == removal.pool)
            leave_cpu(d, pool_cpus(removal.pool));
        domain_put(d);
        if (!budget_take(8))
            return -ERESTART;
    }
    if (sched_cpu_busy(removal.cpu)) {
        pcpu_raise(removal.cpu, WORK_SCHED);
        return -ERESTART;
    }
    removal.active = false;
    return 0;
}

int pool_remove_cpu(unsigned id, unsigned cpu)
{
    bool again = removal.active && removal.pool == id && (cpu == removal.cpu || cpu == POOL_ANY);
    int err;

    if (!pool_exists(id))
        return -ENOENT;
    if (again)
        return finish_removal();
    if (cpu == POOL_ANY && pools[id].cpus)
        cpu = cpumask_last(pools[id].cpus);
    err = check_removal(id, cpu);
    if (!err && removal.active)
        err = finish_removal();
    if (err)
        return err;
    atomic_fetch_and(&pools[id].cpus, ~cpumask_of(cpu));
    atomic_store(&pool_of[cpu], NO_POOL);
    removal.active = true;
    removal.pool = id;
    removal.cpu = cpu;
    removal.next = 0;
    return finish_removal();
}

/* ---- Domains ---- */

int pool_usable(unsigned id)
{
    if (!pool_exists(id))
        return -ESRCH;
    return pool_cpus(id) ? 0 : -EINVAL;
}

void pool_join(struct domain *d, unsigned id)
{
    atomic_fetch_add(&pools[id].domains, 1);
    __atomic_store_n(&d->sched.pool, id, __ATOMIC_SEQ_CST);
}

void pool_leave(struct domain *d)
{
    atomic_fetch_sub(&pools[d->sched.pool].domains, 1);
}

void pool_retire(struct domain *d)
{
    pool_leave(d);
    pool_join(d, 0);
}

int pool_move(struct domain *d, unsigned id)
{
    const cpumask_t all = pcpu_online;

    if (domain_dying(d))
        return -ESRCH;
    if (d == dom0)
        return -EPERM;
    if (d->sched.pool == id)
        return 0;
    if (pool_usable(id))
        return -ENOENT;
    pool_leave(d);
    pool_join(d, id);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            (void)sched_set_affinity(d->vcpu[i], &all, &all);
    return 0;
}
