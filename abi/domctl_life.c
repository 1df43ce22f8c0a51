/* SPDX-License-Identifier: BSD-2-Clause */
/* domctl: a domain is made, sized, paused, resumed and destroyed; and what is set once before it runs. */
#include "abi/domctl.h"

#include "core/dirty.h"
#include "core/frame.h"
#include "core/hypercall_page.h"
#include "core/pool.h"
#include "core/time.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"

#include <stdatomic.h>

#define PAUSES_MAX 0xffff

/* ---- Creation ---- */

static bool id_in_use(domid_t id)
{
    struct domain *d = id ? domain_get(id) : NULL;

    if (d)
        domain_put(d);
    return d;
}

/* What a PV domain on this machine can't have. */
static long check_creation(struct hypercall *hc, const struct xen_domctl_createdomain *c)
{
    unsigned version = XEN_DOMCTL_GRANT_version(c->grant_opts);
    int rc;

    if (c->flags & ~XEN_DOMCTL_CDF_xs_domain)
        return refuse(hc->v, -EINVAL, "domain with flags %#x", c->flags);
    if (c->iommu_opts || c->vmtrace_size)
        return refuse(hc->v, -EINVAL, "domain with IOMMU options %#x, trace size %#x", c->iommu_opts,
                      c->vmtrace_size);
    if (c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask || version < 1 || version > 2)
        return refuse(hc->v, -EINVAL, "domain with grant options %#x", c->grant_opts);
    rc = pool_usable(c->cpupool_id);
    if (rc)
        return refuse(hc->v, rc, "domain in CPU pool %u", c->cpupool_id);
    if (c->arch.emulation_flags)
        return refuse(hc->v, -EOPNOTSUPP, "PV domain with emulated devices %#x", c->arch.emulation_flags);
    if (c->arch.misc_flags & ~XEN_X86_MISC_FLAGS_MAX)
        return refuse(hc->v, -EINVAL, "domain with flags %#x", c->arch.misc_flags);
    return 0;
}

long domctl_createdomain(struct hypercall *hc, struct domain *none, struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    struct domain_config cfg = {
        .id = op->domain, .ssidref = c->ssidref, .max_vcpus = c->max_vcpus,
        .max_ports = c->max_evtchn_port == ~0u ? ~0u : c->max_evtchn_port + 1,
        .max_grant_frames = c->max_grant_frames < 0 ? ~0u : (unsigned)c->max_grant_frames,
        .max_maptrack_frames = c->max_maptrack_frames < 0 ? ~0u : (unsigned)c->max_maptrack_frames,
        .max_grant_version = XEN_DOMCTL_GRANT_version(c->grant_opts), .pool = c->cpupool_id,
    };
    struct domain *d;
    long rc;

    if (id_in_use(op->domain))
        return refuse(hc->v, -EEXIST, "create domain %u, which exists", op->domain);
    rc = check_creation(hc, c);
    if (rc)
        return rc;
    memcpy(cfg.handle, c->handle, sizeof(cfg.handle));
    rc = domain_create(&cfg, &d);
    if (rc)
        return refuse(hc->v, rc, "create a domain with %u vCPUs", c->max_vcpus);
    *d->policy = machine_cpu_policies()->of[CPU_POLICY_PV_DEFAULT];
    d->info_flags = c->flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0;
    op->domain = d->id;
    return 0;
}

long domctl_max_vcpus(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    int rc = domain_dying(d) ? -EINVAL : domain_alloc_vcpus(d, op->u.max_vcpus.max);

    return rc ? refuse(hc->v, rc, "%u vCPUs for domain %u", op->u.max_vcpus.max, d->id) : 0;
}

/* A limit below what it has is allowed: it gives pages back when it sees fit, and gets none before. */
long domctl_max_mem(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    lock(&d->lock);
    d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
    unlock(&d->lock);
    return 0;
}

/* ---- Destruction ---- */

long domctl_destroydomain(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    if (d == hc->d || d == dom0)
        return refuse(hc->v, -EINVAL, "destroy domain %u", d->id);
    return domain_kill(d);
}

/* ---- Pausing ---- */

long domctl_pausedomain(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    if (d == hc->d || d->ctl_pause_count >= PAUSES_MAX)
        return refuse(hc->v, -EINVAL, "pause domain %u, paused %d times", d->id, d->ctl_pause_count);
    d->ctl_pause_count++;
    domain_pause(d);
    return 0;
}

/*
 * The tool has cleared the shared info page since the domain was made: what the hypervisor says in it is
 * written here.
 */
long domctl_unpausedomain(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    if (!d->ctl_pause_count)
        return refuse(hc->v, -EINVAL, "unpause domain %u, which is not paused", d->id);
    time_update_wallclock(d);
    d->was_unpaused = true;
    d->ctl_pause_count--;
    domain_unpause(d);
    return 0;
}

long domctl_resumedomain(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    if (d == hc->d || domain_dying(d))
        return refuse(hc->v, -EINVAL, "resume domain %u", d->id);
    d->suspend_port = 0;
    domain_resume(d);
    return 0;
}

/* ---- Settings ---- */

long domctl_setdomainhandle(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

long domctl_setdebugging(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    if (d == hc->d)
        return refuse(hc->v, -EINVAL, "debug domain %u by itself", d->id);
    if (op->u.setdebugging.enable)
        d->info_flags |= XEN_DOMINF_debugged;
    else
        d->info_flags &= ~XEN_DOMINF_debugged;
    return 0;
}

long domctl_settimeoffset(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    WRITE_ONCE(d->time_offset_s, (uint64_t)op->u.settimeoffset.time_offset_seconds);
    time_update_wallclock(d);
    return 0;
}

/* Guests read the TSC itself: mode 0 (as the machine can) and 2 (never emulated). */
long domctl_settscinfo(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    if (d == hc->d || t->tsc_mode > 2)
        return refuse(hc->v, -EINVAL, "TSC mode %u for domain %u", t->tsc_mode, d->id);
    if (t->tsc_mode == 1)
        return refuse(hc->v, -EOPNOTSUPP, "emulated TSC for domain %u", d->id);
    d->tsc_mode = t->tsc_mode;
    return 0;
}

long domctl_gettscinfo(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    memset(t, 0, sizeof(*t)); /* its padding too */
    t->tsc_mode = d->tsc_mode;
    t->gtsc_khz = (uint32_t)time_tsc_khz();
    return 0;
}

long domctl_hypercall_init(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    mfn_t m = mfn(op->u.hypercall_init.gmfn);
    int rc = frame_get_type(d, m, TYPE_WRITABLE);

    if (rc)
        return rc == -ERESTART ? rc : refuse(hc->v, -EACCES, "hypercall page of domain %u at frame %#lx",
                                             d->id, m.n);
    hypercall_page_fill(machine_frame(m));
    dirty_mark(d, m);
    frame_put_type(m);
    return 0;
}

long domctl_set_address_size(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    switch (op->u.address_size.size) {
    case 64:
        return 0;
    case 32:
        return refuse(hc->v, -EOPNOTSUPP, "32-bit PV domain %u", d->id);
    default:
        return refuse(hc->v, -EINVAL, "address size %u", op->u.address_size.size);
    }
}

long domctl_get_address_size(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    op->u.address_size.size = 64;
    return 0;
}

/* ---- Signals ---- */

long domctl_subscribe(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    d->suspend_port = op->u.subscribe.port;
    return 0;
}

long domctl_sendtrigger(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domctl_vcpu(d, op->u.sendtrigger.vcpu);

    if (!v)
        return refuse(hc->v, -ESRCH, "trigger for vCPU %u of domain %u", op->u.sendtrigger.vcpu, d->id);
    if (op->u.sendtrigger.trigger == XEN_DOMCTL_SENDTRIGGER_POWER ||
        op->u.sendtrigger.trigger == XEN_DOMCTL_SENDTRIGGER_SLEEP) /* buttons, of HVM guests alone */
        return refuse(hc->v, -EINVAL, "button %u for a PV domain", op->u.sendtrigger.trigger);
    if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return refuse(hc->v, -ENOSYS, "trigger %u for a PV domain", op->u.sendtrigger.trigger);
    if (!atomic_exchange(&v->nmi_pending, true))
        vcpu_kick(v);
    return 0;
}

/* A global virq goes to whoever binds it first; only privileged domains may. */
long domctl_set_virq_handler(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    return refuse(hc->v, -EINVAL, "virq %u for domain %u", op->u.set_virq_handler.virq, d->id);
}
