/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: idle states of CPUs, as xenpm shows and limits them. How fast CPUs run is left to the hardware. */
#include "abi/sysctl.h"

#include "core/idle.h"
#include "core/pcpu.h"

/* As many states as there is room for; the answer says how many there are. The hardware's own counters are not read. */
static long idle_counters(unsigned cpu, struct pm_cx_stat *s)
{
    unsigned room = s->nr, n;
    struct idle_report r;

    idle_report(cpu, &r);
    n = MIN(room, r.count);
    s->nr = r.count;
    s->last = r.last;
    s->idle_time = pcpus[cpu]->idle_ns;
    s->nr_pc = s->nr_cc = 0;
    return guest_write(handle_ptr(s->triggers), r.entered, n * sizeof(r.entered[0])) ||
           guest_write(handle_ptr(s->residencies), r.ns, n * sizeof(r.ns[0])) ? -EFAULT : 0;
}

static long how_many(unsigned cpu, struct pm_cx_stat *s)
{
    struct idle_report r;

    idle_report(cpu, &r);
    s->nr = r.count;
    return 0;
}

long sysctl_get_pmstat(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_get_pmstat *p = &((struct xen_sysctl *)arg)->u.get_pmstat;
    unsigned cpu = (unsigned)clamp_index(p->cpuid, MAX_CPUS);

    if (p->cpuid >= pcpu_count)
        return refuse(hc->v, -EINVAL, "power states of CPU %u", p->cpuid);
    if ((p->type & PMSTAT_CATEGORY_MASK) == PMSTAT_PX)
        return -ENODEV;
    if (p->type == PMSTAT_get_max_cx || p->type == PMSTAT_get_cxstat || p->type == PMSTAT_reset_cxstat) {
        if (!idle_is_used())
            return -ENODEV;
        if (p->type == PMSTAT_get_max_cx)
            return how_many(cpu, &p->u.getcx);
        if (p->type == PMSTAT_get_cxstat)
            return idle_counters(cpu, &p->u.getcx);
        idle_forget(cpu);
        return 0;
    }
    return refuse(hc->v, -ENOSYS, "power statistics %#x", p->type);
}

/* cpuid says which limit: 0 of C-states, 1 of the deepest one's sub-states. */
static long set_limit(uint32_t which, uint32_t value)
{
    uint32_t type, substate;

    idle_get_limit(&type, &substate);
    idle_limit(which == 0 ? value : type, which == 1 ? value : substate);
    return 0;
}

static long get_limit(uint32_t which, uint32_t *value)
{
    uint32_t type, substate;

    idle_get_limit(&type, &substate);
    *value = which == 0 ? type : substate;
    return 0;
}

long sysctl_pm_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_pm_op *p = &((struct xen_sysctl *)arg)->u.pm_op;
    bool get = p->cmd == XEN_SYSCTL_pm_op_get_max_cstate;

    _Static_assert(XEN_SYSCTL_CX_UNLIMITED == UINT32_MAX, "as in core/idle.h");
    if ((p->cmd & PM_PARA_CATEGORY_MASK) == CPUFREQ_PARA)
        return -ENODEV;
    if (!get && p->cmd != XEN_SYSCTL_pm_op_set_max_cstate)
        return refuse(hc->v, -EOPNOTSUPP, "power setting %#x", p->cmd);
    if (p->cpuid > 1)
        return refuse(hc->v, -EINVAL, "limit %u of idle states", p->cpuid);
    return get ? get_limit(p->cpuid, &p->u.get_max_cstate) : set_limit(p->cpuid, p->u.set_max_cstate);
}
