/* SPDX-License-Identifier: BSD-2-Clause */
/* domctl: the CPU that a domain believes to run on. It is settled when the domain first runs. */
#include "abi/domctl.h"

#include "core/frame.h"
#include "x86/model/cpuid.h"

long policy_copy_out(const struct cpu_policy *p, guest_ptr_t leaves, uint32_t *nr_leaves, guest_ptr_t msrs,
                     uint32_t *nr_msrs)
{
    xen_msr_entry_t m[CPU_POLICY_MAX_MSRS];

    if ((leaves.va && *nr_leaves < p->nr) || (msrs.va && *nr_msrs < CPU_POLICY_MAX_MSRS))
        return -ENOBUFS;
    cpu_policy_msrs(p, m);
    if ((leaves.va && guest_write(leaves, p->leaf, p->nr * sizeof(p->leaf[0]))) ||
        (msrs.va && guest_write(msrs, m, sizeof(m))))
        return -EFAULT;
    *nr_leaves = leaves.va ? p->nr : CPU_POLICY_MAX_LEAVES;
    *nr_msrs = CPU_POLICY_MAX_MSRS;
    return 0;
}

long domctl_get_cpu_policy(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;

    return policy_copy_out(d->policy, handle_ptr(c->leaves), &c->nr_leaves, handle_ptr(c->msrs), &c->nr_msrs);
}

/* The caller's arrays. */
struct policy_input {
    xen_cpuid_leaf_t leaf[CPU_POLICY_MAX_LEAVES];
    xen_msr_entry_t msr[CPU_POLICY_MAX_MSRS];
};

static long update(struct hypercall *hc, struct domain *d, struct xen_domctl_cpu_policy *c,
                   struct policy_input *in)
{
    struct cpu_policy_error where;
    long rc;

    if (guest_read(in->leaf, handle_ptr(c->leaves), c->nr_leaves * sizeof(in->leaf[0])) ||
        guest_read(in->msr, handle_ptr(c->msrs), c->nr_msrs * sizeof(in->msr[0])))
        return -EFAULT;
    rc = cpu_policy_update(d->policy, &machine_cpu_policies()->of[CPU_POLICY_PV_MAX], in->leaf,
                           c->nr_leaves, in->msr, c->nr_msrs, &where);
    if (!rc)
        return 0;
    c->err_leaf = where.leaf;
    c->err_subleaf = where.subleaf;
    c->err_msr = where.msr;
    return refuse(hc->v, rc, "CPU policy of domain %u: leaf %#x subleaf %#x, MSR %#x", d->id, where.leaf,
                  where.subleaf, where.msr);
}

long domctl_set_cpu_policy(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;
    struct policy_input *in;
    long rc;

    c->err_leaf = c->err_subleaf = c->err_msr = ~0u;
    if (d == hc->d || d->was_unpaused)
        return refuse(hc->v, -EEXIST, "CPU policy of domain %u, which has run", d->id);
    if (c->nr_leaves > CPU_POLICY_MAX_LEAVES || c->nr_msrs > CPU_POLICY_MAX_MSRS)
        return refuse(hc->v, -E2BIG, "CPU policy of %u leaves, %u MSRs", c->nr_leaves, c->nr_msrs);
    in = hv_alloc(sizeof(*in));
    if (!in)
        return -ENOMEM;
    rc = update(hc, d, c, in);
    hv_free(in, sizeof(*in));
    return rc;
}
