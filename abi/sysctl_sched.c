/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: the scheduler, which is the same in all CPU pools. */
#include "abi/sysctl.h"

#include "core/pool.h"

long sysctl_sched_id(struct hypercall *hc, void *arg)
{
    ((struct xen_sysctl *)arg)->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    return 0;
}

long sysctl_scheduler_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_scheduler_op *s = &((struct xen_sysctl *)arg)->u.scheduler_op;

    if (!pool_exists(s->cpupool_id))
        return refuse(hc->v, -ESRCH, "scheduler of CPU pool %u", s->cpupool_id);
    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return refuse(hc->v, -EINVAL, "scheduler %u", s->sched_id);
    switch (s->cmd) {
    case XEN_SYSCTL_SCHEDOP_getinfo:
        s->u.sched_credit2.ratelimit_us = pool_ratelimit_us(s->cpupool_id);
        return 0;
    case XEN_SYSCTL_SCHEDOP_putinfo:
        return pool_set_ratelimit_us(s->cpupool_id, s->u.sched_credit2.ratelimit_us);
    default:
        return refuse(hc->v, -EINVAL, "scheduler operation %u", s->cmd);
    }
}
