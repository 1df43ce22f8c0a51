/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies between a domain's own frames and frames granted to it: both sides are pinned and referenced, then
 * bytes move.
 *
 * A transitive grant is one of a third domain lent on: the lender's entry is pinned for the caller, and the
 * entry that it names is pinned for the lender. One step only; what it names must not be transitive again.
 */
#include "core/dirty.h"
#include "core/grant_table.h"

#include "core/frame.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"

/* One side of a copy while it is open. */
struct side {
    struct grant_step {
        struct domain *d; /* with a reference; NULL: no entry is pinned */
        grant_ref_t ref;
    } step[2];            /* the entry that was named, and the one that it names */
    struct domain *owner; /* of the frame, while its references are held; NULL: they are not */
    mfn_t frame;
};

static void step_close(const struct grant_step *step, bool write)
{
    grant_unpin(step->d, step->ref, write);
    domain_put(step->d);
}

static inline __attribute__((always_inline)) void side_close(struct side *s, bool write)
{
    if (likely(s->owner) && unlikely(!frame_unmap(s->frame, write)))
        grant_frame_put(s->frame, write);
    if (unlikely(s->step[1].d))
        step_close(&s->step[1], write);
    if (s->step[0].d)
        step_close(&s->step[0], write);
}

/* Pins one entry. Consumes the reference on d. A status. */
static __attribute__((noinline)) int16_t side_step(struct vcpu *v, struct grant_step *step, struct domain *d, grant_ref_t ref,
                                                   domid_t to, bool write, struct grant_entry *e)
{
    int16_t status = d && !domain_dying(d) ? grant_pin(v, d, ref, to, write, true, e) : GNTST_bad_domain;

    if (likely(!status))
        *step = (struct grant_step){ d, ref };
    else if (d)
        domain_put(d);
    return status;
}

/* Follows a reference to a frame, for bytes of it. A status. */
static __attribute__((noinline)) int16_t side_pin(struct vcpu *v, struct side *s, const struct gnttab_copy_ptr *p, unsigned len,
                                                  bool write)
{
    domid_t self = v->domain->id, id = p->domid == DOMID_SELF ? self : p->domid;
    struct grant_entry e;
    int16_t status;

    status = side_step(v, &s->step[0], domain_get(id), p->u.ref, self, write, &e);
    if (!status && unlikely(e.kind == GRANT_TRANSITIVE))
        status = side_step(v, &s->step[1], domain_get(e.via), (grant_ref_t)e.frame, id, write, &e);
    if (status)
        return status;
    if (unlikely(e.kind == GRANT_TRANSITIVE || p->offset < e.start || p->offset + len > (unsigned)e.start + e.length))
        return (int16_t)refuse(v, GNTST_general_error, "grant %u of d%u is for bytes %u+%u of its frame, not %u+%u", p->u.ref,
                               p->domid, e.start, e.length, p->offset, len);
    s->frame = mfn(e.frame);
    return GNTST_okay;
}

/* The end of side_open() if the frame is not as usual. */
static __attribute__((noinline)) int side_hold(struct vcpu *v, struct side *s, struct domain *owner, bool write, int16_t *status)
{
    int rc = grant_frame_get(owner, s->frame, write);

    if (!rc)
        s->owner = owner;
    else if (rc != -ERESTART)
        *status = (int16_t)refuse(v, rc == -ENOENT ? GNTST_bad_page : GNTST_general_error, "copy: frame %#llx of d%u",
                                  (unsigned long long)s->frame.n, owner->id);
    return rc == -ERESTART ? rc : 0;
}

/* Opens a side for so many bytes; closed by the caller whatever the result. *status is set unless the result is -ERESTART. */
static inline __attribute__((always_inline)) int side_open(struct vcpu *v, struct side *s, const struct gnttab_copy_ptr *p,
                                                           unsigned len, bool granted, bool write, int16_t *status)
{
    struct domain *owner = v->domain;

    *status = GNTST_okay;
    if (granted) {
        *status = side_pin(v, s, p, len, write);
        if (unlikely(*status))
            return 0;
        owner = unlikely(s->step[1].d) ? s->step[1].d : s->step[0].d;
    } else if (likely(p->domid == DOMID_SELF)) {
        s->frame = mfn(p->u.gmfn);
    } else {
        *status = (int16_t)refuse(v, GNTST_permission_denied, "copy of a frame of d%u without a grant", p->domid);
        return 0;
    }
    if (unlikely(!frame_map(s->frame, owner->id, write)))
        return side_hold(v, s, owner, write, status);
    s->owner = owner;
    return 0;
}

int grant_copy(struct vcpu *v, struct gnttab_copy *op)
{
    unsigned len = op->len;
    struct side from, to;
    int rc;

    if (unlikely(op->source.offset + len > PAGE_SIZE || op->dest.offset + len > PAGE_SIZE)) {
        op->status = (int16_t)refuse(v, GNTST_bad_copy_arg, "copy of %u bytes from %u to %u in a page", len, op->source.offset,
                                     op->dest.offset);
        return 0;
    }
    /* Each once, for an initialiser would clear them whole. */
    from.step[0].d = from.step[1].d = to.step[0].d = to.step[1].d = from.owner = to.owner = NULL;
    from.frame = to.frame = MFN_NONE;
    rc = side_open(v, &from, &op->source, len, op->flags & GNTCOPY_source_gref, false, &op->status);
    if (likely(from.owner))
        rc = side_open(v, &to, &op->dest, len, op->flags & GNTCOPY_dest_gref, true, &op->status);
    if (likely(to.owner)) {
        memmove((uint8_t *)machine_ram(to.frame) + op->dest.offset, (uint8_t *)machine_ram(from.frame) + op->source.offset, len);
        dirty_mark(to.owner, to.frame);
    }
    side_close(&to, true);
    side_close(&from, false);
    return rc;
}
