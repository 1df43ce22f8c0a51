/* SPDX-License-Identifier: BSD-2-Clause */
/* domctl: what the tools see of domains and vCPUs, where these may run, and how much. */
#include "abi/domctl.h"

#include "core/machine.h"
#include "core/node_affinity.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "lib/string.h"

#include <stdatomic.h>

#define NOT_SHUT_DOWN 0xffffu /* in place of the code */

/* ---- Domains ---- */

/* Flags and number of those that are up: it runs if one does, it is blocked if all that could run are. */
static uint32_t vcpu_flags(struct domain *d, uint32_t *online)
{
    uint32_t blocked = 0, running = 0;

    *online = 0;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        uint32_t pause = v ? atomic_load(&v->pause) : PAUSE_DOWN;

        if (pause & PAUSE_DOWN)
            continue;
        (*online)++;
        blocked += !!(pause & PAUSE_BLOCKED);
        running += atomic_load(&v->running_on) != -1;
    }
    return running ? XEN_DOMINF_running : *online && blocked == *online ? XEN_DOMINF_blocked : 0;
}

void domctl_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    int code = atomic_load(&d->shutdown_code);

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->flags = d->info_flags | vcpu_flags(d, &info->nr_online_vcpus);
    info->flags |= domain_dying(d) ? XEN_DOMINF_dying : 0;
    info->flags |= d->ctl_pause_count ? XEN_DOMINF_paused : 0;
    if (code == -1)
        info->flags |= NOT_SHUT_DOWN << XEN_DOMINF_shutdownshift;
    else
        info->flags |= XEN_DOMINF_shutdown |
                       ((uint32_t)code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    info->outstanding_pages = d->claimed_pages;
    info->shared_info_frame = d->shared_mfn.n;
    info->cpu_time = sched_domain_time(d);
    info->max_vcpu_id = d->vcpu[0] ? d->max_vcpus - 1 : XEN_INVALID_MAX_VCPU_ID;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->cpupool = d->sched.pool;
    info->gpaddr_bits = (uint8_t)machine_maddr_bits();
    if (d == dom0)
        info->arch_config.emulation_flags = XEN_X86_EMU_PIT; /* its timer channel 2 */
}

/* The first domain from this id on. */
long domctl_getdomaininfo(struct hypercall *hc, struct domain *none, struct xen_domctl *op)
{
    struct domain *d = op->domain < DOMID_FIRST_RESERVED ? domain_get_next(op->domain) : NULL;

    if (!d)
        return -ESRCH;
    domctl_info(d, &op->u.getdomaininfo);
    op->domain = d->id;
    domain_put(d);
    return 0;
}

/* ---- vCPUs ---- */

long domctl_getvcpuinfo(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domctl_vcpu(d, info->vcpu);
    struct vcpu_runstate_info r;
    uint32_t pause;

    if (!v)
        return info->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    sched_runstate(v, &r);
    pause = atomic_load(&v->pause);
    info->online = !(pause & PAUSE_DOWN);
    info->blocked = !!(pause & PAUSE_BLOCKED);
    info->running = atomic_load(&v->running_on) != -1;
    info->cpu_time = r.time[RUNSTATE_running];
    info->cpu = __atomic_load_n(&v->cpu, __ATOMIC_RELAXED);
    return 0;
}

/* ---- Where they run ---- */

static cpumask_t all_cpus(void)
{
    return ~0ull >> (64 - pcpu_count);
}

/* Writes the masks that are asked for: what was set, or what becomes of it within the pool. */
static long put_affinity(struct vcpu *v, const struct xen_domctl_vcpuaffinity *a, bool effective)
{
    cpumask_t hard = effective ? sched_cpus(v) : __atomic_load_n(&v->hard, __ATOMIC_RELAXED) & all_cpus();
    cpumask_t soft = __atomic_load_n(&v->soft, __ATOMIC_RELAXED) & (effective ? hard : all_cpus());

    if (a->flags & XEN_VCPUAFFINITY_HARD && bitmap_write(&a->cpumap_hard, hard))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_SOFT && bitmap_write(&a->cpumap_soft, soft))
        return -EFAULT;
    return 0;
}

#define AFFINITIES (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)

long domctl_setvcpuaffinity(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    bool hard = a->flags & XEN_VCPUAFFINITY_HARD, soft = a->flags & XEN_VCPUAFFINITY_SOFT;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);
    cpumask_t h, s;
    int rc;

    if (!v)
        return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    if (a->flags & ~(AFFINITIES | XEN_VCPUAFFINITY_FORCE) || !(a->flags & AFFINITIES))
        return refuse(hc->v, -EINVAL, "affinity flags %#x", a->flags);
    if ((hard && bitmap_read(&a->cpumap_hard, &h)) || (soft && bitmap_read(&a->cpumap_soft, &s)))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_FORCE)
        (void)sched_pin_override(v, -1); /* it is not an error that it was not pinned so */
    rc = sched_set_affinity(v, hard ? &h : NULL, soft ? &s : NULL);
    if (rc)
        return refuse(hc->v, rc, "vCPU %u of domain %u on none of the CPUs", a->vcpu, d->id);
    return put_affinity(v, a, true);
}

long domctl_getvcpuaffinity(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);

    if (!v)
        return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    if (!(a->flags & AFFINITIES))
        return refuse(hc->v, -EINVAL, "affinity flags %#x", a->flags);
    return put_affinity(v, a, false);
}

/* Nodes that are not there count for nothing. */
long domctl_setnodeaffinity(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    uint64_t nodes;

    if (bitmap_read(&op->u.nodeaffinity.nodemap, &nodes))
        return -EFAULT;
    if (!(nodes & numa_all_nodes()))
        return refuse(hc->v, -EINVAL, "domain %u on NUMA nodes %#lx", d->id, nodes);
    node_affinity_set(d, (nodemask_t)nodes & numa_all_nodes());
    return 0;
}

long domctl_getnodeaffinity(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    return bitmap_write(&op->u.nodeaffinity.nodemap, node_affinity(d));
}

/* ---- How much ---- */

/* Its vCPUs can't use more than a CPU each. */
static bool cap_valid(const struct domain *d, uint16_t cap)
{
    return cap <= d->max_vcpus * 100;
}

long domctl_scheduler_op(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
    struct xen_domctl_sched_credit2 *c = &s->u.credit2;

    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return refuse(hc->v, -EINVAL, "parameters of scheduler %u", s->sched_id);
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        c->weight = d->sched.weight;
        c->cap = d->sched.cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        if (!cap_valid(d, c->cap))
            return refuse(hc->v, -EINVAL, "cap of %u %% for domain %u", c->cap, d->id);
        return sched_set_domain(d, c->weight ? c->weight : d->sched.weight, c->cap);
    default:
        return refuse(hc->v, -EINVAL, "scheduler operation %u", s->cmd);
    }
}
