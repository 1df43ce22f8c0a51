/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfer: a frame given away for good, into an entry in which the receiver has said that it accepts one.
 *
 * As the ABI has it, the frame is the caller's only if the status is GNTST_bad_page: whatever else goes
 * wrong, it is freed.
 */
#include "core/dirty.h"
#include "core/grant_table.h"

#include "core/frame.h"
#include "core/log.h"
#include "core/m2p.h"
#include "core/vcpu.h"

/* Commits the entry if it accepts a frame from `giver`: from here on the guest waits for us. Lock held. */
static bool commit(const struct grant_table *t, grant_ref_t ref, domid_t giver)
{
    const uint32_t wanted = (uint32_t)giver << 16 | GTF_accept_transfer;
    const uint32_t judged = 0xffff0000u | GTF_type_mask | GTF_transfer_committed | GTF_transfer_completed;
    _Atomic uint32_t *word = grant_header(t, ref);
    uint32_t seen = atomic_load(word);

    for (int i = 0; i < GRANT_LOOKS && (seen & judged) == wanted; i++)
        if (atomic_compare_exchange_strong(word, &seen, seen | GTF_transfer_committed))
            return true;
    return false;
}

/* Writes the frame's number into a committed entry; gives the pfn that stood there. Lock held. */
static uint64_t complete(const struct grant_table *t, grant_ref_t ref, mfn_t m)
{
    uint8_t *at = grant_shared(t, ref);
    uint64_t pfn;

    if (t->version == 2) {
        at += offsetof(union grant_entry_v2, full_page.frame);
        pfn = atomic_exchange((_Atomic uint64_t *)(void *)at, m.n);
    } else {
        at += offsetof(struct grant_entry_v1, frame);
        pfn = atomic_exchange((_Atomic uint32_t *)(void *)at, (uint32_t)m.n);
    }
    atomic_fetch_or(grant_header(t, ref), GTF_transfer_completed);
    return pfn;
}

/* The receiver takes the frame, which is nobody's. A status; on failure the frame is still nobody's. */
static int16_t receive(struct domain *d, grant_ref_t ref, domid_t giver, mfn_t m)
{
    struct grant_table *t = grant_table(d);
    int16_t status = GNTST_okay;
    uint64_t pfn;

    lock(&d->lock);
    lock(&t->lock);
    if (domain_dying(d) || d->tot_pages >= d->max_pages)
        status = GNTST_general_error;
    else if (t->version == 1 && m.n > UINT32_MAX)
        status = GNTST_address_too_big;
    else if (ref >= grant_limit(t) || !commit(t, ref, giver))
        status = GNTST_bad_gntref;
    if (!status) {
        frame_assign(d, m);
        pfn = complete(t, ref, m);
        m2p_set(m, pfn ? pfn : M2P_INVALID);
        dirty_mark(d, m);
    }
    unlock(&t->lock);
    unlock(&d->lock);
    return status;
}

void grant_transfer(struct vcpu *v, struct gnttab_transfer *op)
{
    struct domain *to;
    mfn_t m = mfn(op->mfn);

    if (!frame_steal(v->domain, m)) {
        op->status = (int16_t)refuse(v, GNTST_bad_page, "transfer of frame %#llx", (unsigned long long)m.n);
        return;
    }
    op->status = GNTST_bad_domain;
    to = domain_get(op->domid);
    if (to) {
        op->status = receive(to, op->ref, v->domain->id, m);
        domain_put(to);
    }
    if (op->status) {
        frames_free(m, 0, true);
        (void)refuse(v, op->status, "transfer of frame %#llx to grant %u of d%u", (unsigned long long)m.n,
                     op->ref, op->domid);
    }
}
