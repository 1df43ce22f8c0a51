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
        struct domain *d;
        grant_ref_t ref;
    } step[2]; /* entries pinned, each with its domain's reference */
    unsigned steps;
    bool write, held; /* held: the frame's references */
    mfn_t frame;
    unsigned offset, len;
};

static void side_close(struct side *s)
{
    if (s->held)
        grant_frame_put(s->frame, s->write);
    while (s->steps--) {
        grant_unpin(s->step[s->steps].d, s->step[s->steps].ref, s->write);
        domain_put(s->step[s->steps].d);
    }
}

/* Pins one more entry. Consumes the reference on d. A status. */
static int16_t side_step(struct vcpu *v, struct side *s, struct domain *d, grant_ref_t ref, domid_t to,
                         struct grant_entry *e)
{
    int16_t status = d && !domain_dying(d) ? grant_pin(v, d, ref, to, s->write, true, e) : GNTST_bad_domain;

    if (!status)
        s->step[s->steps++] = (struct grant_step){ d, ref };
    else if (d)
        domain_put(d);
    return status;
}

/* Follows reference `ref` of domain `id` to a frame. A status. */
static int16_t side_pin(struct vcpu *v, struct side *s, domid_t id, grant_ref_t ref)
{
    struct domain *self = v->domain;
    struct grant_entry e;
    int16_t status;

    status = side_step(v, s, domain_get(id == DOMID_SELF ? self->id : id), ref, self->id, &e);
    if (!status && e.kind == GRANT_TRANSITIVE)
        status = side_step(v, s, domain_get(e.via), (grant_ref_t)e.frame, s->step[0].d->id, &e);
    if (status)
        return status;
    if (e.kind == GRANT_TRANSITIVE || s->offset < e.start ||
        s->offset + s->len > (unsigned)e.start + e.length)
        return (int16_t)refuse(v, GNTST_general_error,
                               "grant %u of d%u is for bytes %u+%u of its frame, not %u+%u", ref, id, e.start,
                               e.length, s->offset, s->len);
    s->frame = mfn(e.frame);
    return GNTST_okay;
}

/* Opens a side; closed by the caller whatever the result. *status is set unless the result is -ERESTART. */
static int side_open(struct vcpu *v, struct side *s, const struct gnttab_copy_ptr *p, bool granted,
                     int16_t *status)
{
    struct domain *owner = v->domain;
    int rc;

    *status = GNTST_okay;
    if (granted) {
        *status = side_pin(v, s, p->domid, p->u.ref);
        if (*status)
            return 0;
        owner = s->step[s->steps - 1].d;
    } else if (p->domid == DOMID_SELF) {
        s->frame = mfn(p->u.gmfn);
    } else {
        *status =
            (int16_t)refuse(v, GNTST_permission_denied, "copy of a frame of d%u without a grant", p->domid);
        return 0;
    }
    rc = grant_frame_get(owner, s->frame, s->write);
    s->held = rc == 0;
    if (rc && rc != -ERESTART)
        *status = (int16_t)refuse(v, rc == -ENOENT ? GNTST_bad_page : GNTST_general_error,
                                  "copy: frame %#llx of d%u", (unsigned long long)s->frame.n, owner->id);
    return rc == -ERESTART ? rc : 0;
}

int grant_copy(struct vcpu *v, struct gnttab_copy *op)
{
    struct side from = { .offset = op->source.offset, .len = op->len };
    struct side to = { .offset = op->dest.offset, .len = op->len, .write = true };
    int rc;

    if (from.offset + from.len > PAGE_SIZE || to.offset + to.len > PAGE_SIZE) {
        op->status = (int16_t)refuse(v, GNTST_bad_copy_arg, "copy of %u bytes from %u to %u in a page",
                                     from.len, from.offset, to.offset);
        return 0;
    }
    rc = side_open(v, &from, &op->source, op->flags & GNTCOPY_source_gref, &op->status);
    if (!rc && !op->status)
        rc = side_open(v, &to, &op->dest, op->flags & GNTCOPY_dest_gref, &op->status);
    if (!rc && !op->status) {
        memmove((uint8_t *)machine_frame(to.frame) + to.offset,
                (uint8_t *)machine_frame(from.frame) + from.offset, op->len);
        dirty_mark(domain_of_frame(frame_of(to.frame)->owner), to.frame);
    }
    side_close(&to);
    side_close(&from);
    return rc;
}
