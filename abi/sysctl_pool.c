/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: CPU pools. Each operation runs as a domctl does, as domctls depend on what it changes. */
#include "abi/sysctl.h"

#include "abi/domctl.h"
#include "core/pool.h"

_Static_assert(XEN_SYSCTL_CPUPOOL_PAR_ANY == POOL_ANY, "ANY of the ABI is that of core/pool.h");

static long create(struct xen_sysctl_cpupool_op *p)
{
    if (p->sched_id != XEN_SCHEDULER_CREDIT2)
        return -ENOENT;
    return pool_create(&p->cpupool_id);
}

/* The first pool from this id on. */
static long info(struct xen_sysctl_cpupool_op *p)
{
    struct pool_info i;
    int err = pool_next(p->cpupool_id, &i);

    if (err)
        return err;
    p->cpupool_id = i.id;
    p->sched_id = XEN_SCHEDULER_CREDIT2;
    p->n_dom = i.domains;
    return bitmap_write(&p->cpumap, i.cpus);
}

static long move(const struct xen_sysctl_cpupool_op *p)
{
    struct domain *d = p->domid < DOMID_FIRST_RESERVED ? domain_get((domid_t)p->domid) : NULL;
    long rc;

    if (!d)
        return -ESRCH;
    rc = pool_move(d, p->cpupool_id);
    domain_put(d);
    return rc;
}

static long run(struct xen_sysctl_cpupool_op *p)
{
    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return create(p);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return pool_destroy(p->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return info(p);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return pool_add_cpu(p->cpupool_id, p->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_remove_cpu(p->cpupool_id, p->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return bitmap_write(&p->cpumap, pool_free_cpus());
    default:
        return -ENOSYS;
    }
}

long sysctl_cpupool_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_cpupool_op *p = &((struct xen_sysctl *)arg)->u.cpupool_op;
    long rc;

    if (!domctl_begin())
        return -ERESTART;
    rc = run(p);
    domctl_end();
    if (rc < 0 && rc != -ERESTART && p->op != XEN_SYSCTL_CPUPOOL_OP_INFO)
        return refuse(hc->v, rc, "CPU pool operation %u on pool %u, CPU %u, domain %u", p->op, p->cpupool_id, p->cpu, p->domid);
    return rc;
}
