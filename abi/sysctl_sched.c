/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: the scheduler, and the one pool of CPUs that it has. */
#include "abi/sysctl.h"

#include "abi/domctl.h"
#include "core/cpumask.h"
#include "core/pcpu.h"
#include "core/sched.h"

#define POOL 0u

long sysctl_sched_id(struct hypercall *hc, void *arg)
{
    ((struct xen_sysctl *)arg)->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    return 0;
}

long sysctl_scheduler_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_scheduler_op *s = &((struct xen_sysctl *)arg)->u.scheduler_op;

    if (s->cpupool_id != POOL)
        return refuse(hc->v, -ESRCH, "scheduler of CPU pool %u", s->cpupool_id);
    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return refuse(hc->v, -EINVAL, "scheduler %u", s->sched_id);
    switch (s->cmd) {
    case XEN_SYSCTL_SCHEDOP_getinfo:
        s->u.sched_credit2.ratelimit_us = sched_ratelimit_us();
        return 0;
    case XEN_SYSCTL_SCHEDOP_putinfo:
        return sched_set_ratelimit_us(s->u.sched_credit2.ratelimit_us);
    default:
        return refuse(hc->v, -EINVAL, "scheduler operation %u", s->cmd);
    }
}

/* ---- CPU pools ---- */

static uint32_t count_domains(void)
{
    struct domain *d;
    domid_t next = 0;
    uint32_t n = 0;

    while ((d = domain_get_next(next)) != NULL) {
        n++;
        next = (domid_t)(d->id + 1);
        domain_put(d);
    }
    return n;
}

/* The first pool from this id on. */
static long pool_info(struct xen_sysctl_cpupool_op *p)
{
    if (p->cpupool_id != POOL)
        return -ENOENT;
    p->sched_id = XEN_SCHEDULER_CREDIT2;
    p->n_dom = count_domains();
    return bitmap_write(&p->cpumap, pcpu_online);
}

static long pool_remove_cpu(struct hypercall *hc, const struct xen_sysctl_cpupool_op *p)
{
    if (p->cpupool_id != POOL)
        return -ENOENT;
    if (p->cpu != XEN_SYSCTL_CPUPOOL_PAR_ANY && (p->cpu >= pcpu_count || !cpumask_has(pcpu_online, p->cpu)))
        return refuse(hc->v, -EINVAL, "CPU %u out of the pool", p->cpu);
    if (cpumask_weight(pcpu_online) == 1)
        return refuse(hc->v, -EINVAL, "the last CPU out of the pool");
    return refuse(hc->v, -EBUSY, "CPU %u out of the only pool", p->cpu);
}

static long pool_move_domain(const struct xen_sysctl_cpupool_op *p)
{
    struct domain *d = p->domid < DOMID_FIRST_RESERVED ? domain_get((domid_t)p->domid) : NULL;

    if (!d)
        return -ESRCH;
    domain_put(d);
    return p->cpupool_id == POOL ? 0 : -ENOENT;
}

long sysctl_cpupool_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_cpupool_op *p = &((struct xen_sysctl *)arg)->u.cpupool_op;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return refuse(hc->v, -EOPNOTSUPP, "a second CPU pool");
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return p->cpupool_id == POOL ? -EBUSY : -ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(p);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return p->cpupool_id == POOL ? -EBUSY : -ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_remove_cpu(hc, p);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return pool_move_domain(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return bitmap_write(&p->cpumap, 0);
    default:
        return -ENOSYS;
    }
}
