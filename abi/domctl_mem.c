/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domctl: what a domain's frames are used for, which devices it may touch; and what PV domains here do not
 * have.
 */
#include "abi/domctl.h"

#include "core/budget.h"
#include "core/dirty.h"
#include "core/frame.h"
#include "core/irqs.h"
#include "core/rights.h"

#include <stdatomic.h>

/* ---- Frames ---- */

#define PAGE_INFO_MAX 1024u

/* XEN_DOMCTL_PFINFO_* of frame m as d's. */
static uint64_t page_info(const struct domain *d, mfn_t m)
{
    uint64_t info = XEN_DOMCTL_PFINFO_NOTAB, type;

    if (!frame_get(m, d->id))
        return XEN_DOMCTL_PFINFO_XTAB;
    type = atomic_load(&frame_of(m)->type);
    if (type & TYPE_COUNT && type_of(type) >= TYPE_L1 && type_of(type) <= TYPE_L4)
        info = (uint64_t)type_of(type) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
    if (type & TYPE_PINNED)
        info |= XEN_DOMCTL_PFINFO_LPINTAB;
    frame_put(m);
    return info;
}

/* Frame numbers in, types out, in place. */
long domctl_getpageframeinfo3(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    guest_ptr_t at = handle_ptr(op->u.getpageframeinfo3.array);
    uint64_t word[32], num = op->u.getpageframeinfo3.num;

    if (num > PAGE_INFO_MAX)
        return refuse(hc->v, -E2BIG, "types of %lu frames", num);
    for (uint64_t i = 0; i < num; i += ARRAY_SIZE(word)) {
        size_t n = MIN(num - i, ARRAY_SIZE(word));

        if (guest_read(word, gptr_plus(at, i * sizeof(word[0])), n * sizeof(word[0])))
            return -EFAULT;
        for (size_t k = 0; k < n; k++)
            word[k] = page_info(d, mfn(word[k]));
        if (guest_write(gptr_plus(at, i * sizeof(word[0])), word, n * sizeof(word[0])))
            return -EFAULT;
    }
    budget_take((unsigned)num);
    return 0;
}

/* ---- Written pages ---- */

static long told(struct hypercall *hc, long rc, const char *what, const struct domain *d)
{
    return rc && rc != -ERESTART ? refuse(hc->v, rc, "log of written pages of domain %u: %s", d->id, what) : rc;
}

/* The pages asked for stay as they are, also those beyond the log: they were not written. */
static long read_log(struct hypercall *hc, struct domain *d, struct xen_domctl_shadow_op *op)
{
    struct dirty_read r = {
        .clean = op->op == XEN_DOMCTL_SHADOW_OP_CLEAN, .final = op->mode & XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL,
        .caller = hc->d->id, .buffer = handle_ptr(op->dirty_bitmap), .pages = op->pages,
    };

    if (!dirty_is_on(d))
        return 0; /* none is kept: there is nothing to tell */
    if (op->mode & ~(uint32_t)XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
        return refuse(hc->v, -EINVAL, "mode %#x of reading written pages", op->mode);
    return told(hc, dirty_read(d, &r, &op->stats.fault_count, &op->stats.dirty_count), "read", d);
}

long domctl_shadow_op(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_shadow_op *s = &op->u.shadow_op;

    /* The domain is paused meanwhile. */
    if (d == hc->d)
        return refuse(hc->v, -EINVAL, "shadow operation %u on the caller itself", s->op);
    switch (s->op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        if (s->mode != XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY)
            break;
        return told(hc, dirty_start(d), "on", d);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return told(hc, dirty_start(d), "on", d);
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return dirty_stop(d); /* the tools do so after each save, on or not */
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return read_log(hc, d, s);
    }
    return refuse(hc->v, -EOPNOTSUPP, "shadow operation %u, mode %#x", s->op, s->mode);
}

/* ---- Devices ---- */

long domctl_ioport_permission(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;
    long rc;

    if (p->first_port >= 0x10000 || p->nr_ports > 0x10000 - p->first_port || !p->nr_ports)
        return refuse(hc->v, -EINVAL, "ports %#x + %#x", p->first_port, p->nr_ports);
    if (p->allow_access && !domain_may_port(hc->d, p->first_port, p->nr_ports))
        return refuse(hc->v, -EPERM, "ports %#x + %#x", p->first_port, p->nr_ports);
    rc = rights_set(d, RIGHTS_PORTS, p->first_port, p->nr_ports, p->allow_access);
    return rc ? refuse(hc->v, rc, "ports %#x + %#x for domain %u", p->first_port, p->nr_ports, d->id) : 0;
}

/* What is mapped already stays mapped when the right to it goes. */
long domctl_iomem_permission(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;
    long rc;

    if (!p->nr_mfns || p->first_mfn + p->nr_mfns - 1 < p->first_mfn)
        return refuse(hc->v, -EINVAL, "frames %#lx + %#lx", p->first_mfn, p->nr_mfns);
    if (p->allow_access && !domain_may_mmio(hc->d, mfn(p->first_mfn), p->nr_mfns))
        return refuse(hc->v, -EPERM, "frames %#lx + %#lx", p->first_mfn, p->nr_mfns);
    rc = rights_set(d, RIGHTS_MMIO, p->first_mfn, p->nr_mfns, p->allow_access);
    return rc ? refuse(hc->v, rc, "frames %#lx + %#lx for domain %u", p->first_mfn, p->nr_mfns, d->id) : 0;
}

/* An interrupt line is given to a domain by mapping it for that domain; this only confirms it. */
long domctl_irq_permission(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_irq_permission *p = &op->u.irq_permission;

    if (p->pirq >= irqs_count())
        return refuse(hc->v, -EINVAL, "pirq %u", p->pirq);
    if (!p->allow_access == !irqs_is_mapped(d, p->pirq))
        return 0;
    return refuse(hc->v, p->allow_access ? -EPERM : -EBUSY, "pirq %u for domain %u", p->pirq, d->id);
}

/* ---- What there is not ---- */

long domctl_no_iommu(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    return refuse(hc->v, -EOPNOTSUPP, "device assignment: there is no IOMMU in use");
}

long domctl_not_for_pv(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    return refuse(hc->v, -EOPNOTSUPP, "paging pool of PV domain %u", d->id);
}

long domctl_hvm_only(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    return refuse(hc->v, -EINVAL, "HVM context of PV domain %u", d->id);
}
