/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domctl: a vCPU's registers and FPU state, set by the builder, read and set again by save and restore.
 *
 * The vCPU is held off its CPU meanwhile. A domain's own vCPUs are not for it to change here: they have
 * vcpu_op.
 */
#include "abi/domctl.h"

#include "core/frame.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"
#include "x86/model/pte.h"

/* The vCPU of another, living domain; NULL and the reason. */
static struct vcpu *subject(struct hypercall *hc, struct domain *d, uint32_t id, long *err)
{
    struct vcpu *v = domctl_vcpu(d, id);

    if (d != hc->d && !domain_dying(d) && v)
        return v;
    *err = refuse(hc->v, v || id >= d->max_vcpus ? -EINVAL : -ESRCH, "state of vCPU %u of domain %u", id,
                  d->id);
    return NULL;
}

/* ---- Registers ---- */

static long set_context(struct hypercall *hc, struct vcpu *v, const struct vcpu_guest_context *c)
{
    long rc;

    if (v->initialised && c->ctrlreg[3] != mfn_maddr(v->root_kernel))
        return refuse(hc->v, -EOPNOTSUPP, "another page-table root for vCPU %u of domain %u", v->id,
                      v->domain->id);
    rc = vcpu_set_context(v, c);
    if (!v->initialised) /* what it had before may be gone: it must not run on */
        vcpu_pause_set(v, PAUSE_DOWN);
    if (rc)
        return rc == -ERESTART ? rc : refuse(hc->v, rc, "context of vCPU %u of domain %u", v->id,
                                             v->domain->id);
    if (c->flags & VGCF_online)
        vcpu_pause_clear(v, PAUSE_DOWN);
    else
        vcpu_pause_set(v, PAUSE_DOWN);
    return 0;
}

/* NULL: as if it had never been given one. */
long domctl_setvcpucontext(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    guest_ptr_t at = handle_ptr(op->u.vcpucontext.ctxt);
    struct vcpu_guest_context *c;
    long rc = 0;
    struct vcpu *v = subject(hc, d, op->u.vcpucontext.vcpu, &rc);

    if (!v)
        return rc;
    c = hv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    if (at.va)
        rc = guest_read(c, at, sizeof(*c));
    if (!rc) {
        vcpu_hold(v);
        if (at.va) {
            rc = set_context(hc, v, c);
        } else {
            vcpu_pause_set(v, PAUSE_DOWN);
            vcpu_reset(v);
        }
        vcpu_release(v);
    }
    hv_free(c, sizeof(*c));
    return rc;
}

long domctl_getvcpucontext(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct vcpu_guest_context *c;
    long rc = 0;
    struct vcpu *v = subject(hc, d, op->u.vcpucontext.vcpu, &rc);

    if (!v)
        return rc;
    if (!v->initialised)
        return -ENODATA;
    c = hv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    vcpu_hold(v);
    vcpu_get_context(v, c);
    vcpu_release(v);
    rc = guest_write(handle_ptr(op->u.vcpucontext.ctxt), c, sizeof(*c));
    hv_free(c, sizeof(*c));
    return rc;
}

/* ---- What the context has no place for ---- */

long domctl_set_ext_vcpucontext(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    long rc;
    struct vcpu *v = subject(hc, d, e->vcpu, &rc);

    if (!v)
        return rc;
    if (e->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap))
        return refuse(hc->v, -EINVAL, "extended context of %u bytes", e->size);
    if (!va_canonical(e->syscall32_callback_eip) || !va_canonical(e->sysenter_callback_eip))
        return refuse(hc->v, -EINVAL, "entry points %#lx, %#lx", e->syscall32_callback_eip,
                      e->sysenter_callback_eip);
    vcpu_hold(v);
    v->syscall32_cb = (struct callback){ e->syscall32_callback_eip, e->syscall32_disables_events };
    v->sysenter_cb = (struct callback){ e->sysenter_callback_eip, e->sysenter_disables_events };
    vcpu_release(v);
    return 0;
}

/* The machine-check part says that there are no banks. The caller gets padding too: it must be zero. */
long domctl_get_ext_vcpucontext(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    long rc;
    struct vcpu *v = subject(hc, d, e->vcpu, &rc);

    if (!v)
        return rc;
    memset(e, 0, sizeof(*e));
    e->vcpu = v->id;
    e->size = sizeof(*e);
    vcpu_hold(v);
    e->syscall32_callback_eip = v->syscall32_cb.va;
    e->syscall32_disables_events = v->syscall32_cb.mask_events;
    e->sysenter_callback_eip = v->sysenter_cb.va;
    e->sysenter_disables_events = v->sysenter_cb.mask_events;
    vcpu_release(v);
    return 0;
}

/* ---- XSAVE state ----
 *
 * Two words, XCR0 now and all bits that were ever in it; then the area in standard format. Whoever restores it may
 * refuse an area that has more than the second word says; x87 and SSE need no XCR0 to be used.
 */

#define XSTATE_HEAD (2 * sizeof(uint64_t))
#define XSTATE_MAX 4096u
#define XSAVE_HEADER 512u  /* where its header is: XSTATE_BV, XCOMP_BV, six reserved words */
#define XSAVE_MIN 576u
#define XCR0_LEGACY 3u     /* x87 and SSE */

static size_t area_size(const struct domain *d)
{
    size_t n = cpu_policy_xsave_size(d->policy, cpu_policy_xcr0(d->policy));

    return MIN(MAX(n, (size_t)XSAVE_MIN), XSTATE_MAX - XSTATE_HEAD);
}

long domctl_getvcpuextstate(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuextstate *x = &op->u.vcpuextstate;
    size_t size = XSTATE_HEAD + area_size(d);
    long rc;
    struct vcpu *v = subject(hc, d, x->vcpu, &rc);
    uint64_t *buf;

    if (!v)
        return rc;
    if (!handle_ptr(x->buffer).va) {
        x->xfeature_mask = cpu_policy_xcr0(d->policy);
        x->size = size;
        return 0;
    }
    if (x->size < size)
        return refuse(hc->v, -EINVAL, "%lu bytes for XSAVE state of %lu", x->size, size);
    buf = hv_alloc(XSTATE_MAX);
    if (!buf)
        return -ENOMEM;
    vcpu_hold(v);
    machine_xstate_get(v, buf + 2, size - XSTATE_HEAD);
    buf[0] = v->xcr0;
    buf[1] = v->xcr0 | XCR0_LEGACY | buf[(XSTATE_HEAD + XSAVE_HEADER) / sizeof(*buf)];
    vcpu_release(v);
    x->size = size;
    rc = guest_write(handle_ptr(x->buffer), buf, size);
    hv_free(buf, XSTATE_MAX);
    return rc;
}

/* Only what the domain's CPU has, in standard format; the CPU itself judges the rest when it loads it. */
static bool xstate_valid(const struct domain *d, const uint64_t *buf)
{
    const uint64_t *header = buf + (XSTATE_HEAD + XSAVE_HEADER) / sizeof(*buf);
    uint64_t allowed = cpu_policy_xcr0(d->policy) | XCR0_LEGACY;

    for (unsigned i = 1; i < 8; i++)
        if (header[i])
            return false;
    if (buf[0] & 0xe0 && (buf[0] & 0xe6) != 0xe6) /* AVX-512: all of it, on top of AVX */
        return false;
    return buf[0] & 1 && !(buf[0] & ~allowed) && !(buf[0] & 4 && !(buf[0] & 2)) && !(header[0] & ~allowed);
}

static long set_xstate(struct hypercall *hc, struct vcpu *v, const uint64_t *buf, size_t size)
{
    if (!xstate_valid(v->domain, buf))
        return refuse(hc->v, -EINVAL, "XSAVE state of vCPU %u: XCR0 %#lx", v->id, buf[0]);
    vcpu_hold(v);
    v->xcr0 = buf[0];
    machine_xstate_set(v, buf + 2, size - XSTATE_HEAD);
    vcpu_release(v);
    return 0;
}

long domctl_setvcpuextstate(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *x = &op->u.vcpuextstate;
    size_t max = XSTATE_HEAD + area_size(d);
    long rc;
    struct vcpu *v = subject(hc, d, x->vcpu, &rc);
    uint64_t *buf;

    if (!v)
        return rc;
    if (x->size < XSTATE_HEAD + XSAVE_MIN || x->size > max)
        return refuse(hc->v, -EINVAL, "XSAVE state of %lu bytes, at most %lu", x->size, max);
    buf = hv_alloc(XSTATE_MAX);
    if (!buf)
        return -ENOMEM;
    rc = guest_read(buf, handle_ptr(x->buffer), x->size);
    if (!rc)
        rc = set_xstate(hc, v, buf, x->size);
    hv_free(buf, XSTATE_MAX);
    return rc;
}

/* ---- MSRs: PV guests have none of their own ---- */

#define VCPU_MSRS_MAX 7u /* what the ABI's record may grow to */

long domctl_get_vcpu_msrs(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
    long rc;

    if (!subject(hc, d, m->vcpu, &rc))
        return rc;
    m->msr_count = handle_ptr(m->msrs).va ? 0 : VCPU_MSRS_MAX;
    return 0;
}

long domctl_set_vcpu_msrs(struct hypercall *hc, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
    long rc;

    if (!subject(hc, d, m->vcpu, &rc))
        return rc;
    if (!m->msr_count)
        return 0;
    m->msr_count = 0; /* the first one that can't be set */
    return refuse(hc->v, -EINVAL, "MSRs of vCPU %u of domain %u", m->vcpu, d->id);
}
