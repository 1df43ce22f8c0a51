/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pins: from a guest's entry to a promise that it can't take back.
 *
 * The guest may write its entry at any time, so the decision is made on one load of the word that holds flags
 * and grantee, and stands only if the in-use mark went in while that very word was there. Version 1 has the
 * mark in the word itself: one compare-and-swap. Version 2 has it in a status word: mark, then look again
 * whether the word still grants; the guest, which writes first and looks at the status then, either sees the
 * mark or was seen. After that the frame number is read once, and kept for all who pin while the entry is in
 * use.
 *
 * Cache attributes of entries (GTF_PWT, GTF_PCD, GTF_PAT) are ignored: RAM has one cacheability, write-back.
 */
#include "core/grant_table.h"

#include "core/frame_map.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "lib/errno.h"

struct ask {
    domid_t to;
    bool write, copy;
};

/* ---- Words of the shared table ---- */

static enum grant_kind kind_of(const struct grant_table *t, uint32_t header)
{
    switch (header & GTF_type_mask) {
    case GTF_permit_access:
        if (!(header & GTF_sub_page))
            return GRANT_PAGE;
        return t->version == 2 ? GRANT_SUB_PAGE : GRANT_NONE;
    case GTF_transitive:
        return t->version == 2 ? GRANT_TRANSITIVE : GRANT_NONE;
    default:
        return GRANT_NONE;
    }
}

static bool grants(const struct grant_table *t, uint32_t header, const struct ask *a)
{
    enum grant_kind kind = kind_of(t, header);

    return kind != GRANT_NONE && header >> 16 == a->to && !(a->write && (header & GTF_readonly)) &&
           (kind == GRANT_PAGE || a->copy);
}

/* Takes back the marks that no pin calls for. */
static void unmark(const struct grant_table *t, grant_ref_t ref)
{
    uint16_t gone = (GTF_reading | GTF_writing) & ~active_bits(grant_active(t, ref));

    if (t->dead)
        return;
    if (t->version == 2)
        atomic_fetch_and(grant_status(t, ref), (uint16_t)~gone);
    else
        atomic_fetch_and(grant_header(t, ref), ~(uint32_t)gone);
}

/* Marks the entry if it grants what is asked; *header is the word that did. Leaves it as it was if not. */
static bool mark_v1(const struct grant_table *t, grant_ref_t ref, const struct ask *a, uint32_t *header)
{
    uint32_t bits = a->write ? GTF_reading | GTF_writing : GTF_reading;
    _Atomic uint32_t *word = grant_header(t, ref);

    *header = atomic_load(word);
    for (int i = 0; i < GRANT_LOOKS && grants(t, *header, a); i++)
        if (atomic_compare_exchange_strong(word, header, *header | bits))
            return true;
    return false;
}

static bool mark_v2(const struct grant_table *t, grant_ref_t ref, const struct ask *a, uint32_t *header)
{
    uint16_t bits = a->write ? GTF_reading | GTF_writing : GTF_reading;
    _Atomic uint32_t *word = grant_header(t, ref);

    if (!grants(t, atomic_load(word), a))
        return false;
    atomic_fetch_or(grant_status(t, ref), bits);
    *header = atomic_load(word);
    if (grants(t, *header, a))
        return true;
    unmark(t, ref);
    return false;
}

/* What a marked entry grants: each word of its body is read once. */
static void read_body(const struct grant_table *t, grant_ref_t ref, enum grant_kind kind,
                      struct grant_entry *e)
{
    uint8_t *at = grant_shared(t, ref);
    uint32_t second = atomic_load((_Atomic uint32_t *)(void *)(at + 4));

    *e = (struct grant_entry){ .kind = (uint8_t)kind, .length = PAGE_SIZE };
    if (t->version == 1) {
        e->frame = second;
        return;
    }
    e->frame = atomic_load((_Atomic uint64_t *)(void *)(at + 8));
    if (kind == GRANT_SUB_PAGE) {
        e->start = (uint16_t)second;
        e->length = (uint16_t)(second >> 16);
    } else if (kind == GRANT_TRANSITIVE) {
        e->via = (domid_t)second;
        e->frame = (uint32_t)e->frame;
    }
}

_Static_assert(offsetof(struct grant_entry_v1, frame) == 4 &&
                   offsetof(union grant_entry_v2, full_page.frame) == 8 &&
                   offsetof(union grant_entry_v2, sub_page.page_off) == 4 &&
                   offsetof(union grant_entry_v2, sub_page.length) == 6 &&
                   offsetof(union grant_entry_v2, transitive.trans_domid) == 4 &&
                   offsetof(union grant_entry_v2, transitive.gref) == 8,
               "read_body() knows where they are");

/* ---- Pins ---- */

/* Lock held; ref exists. A status. */
static int16_t pin(const struct grant_table *t, grant_ref_t ref, const struct ask *a, struct grant_entry *out,
                   unsigned *pinned)
{
    struct active *active = grant_active(t, ref);
    uint32_t header = 0;

    if (!(t->version == 2 ? mark_v2 : mark_v1)(t, ref, a, &header))
        return GNTST_general_error;
    if (!active_bits(active)) {
        read_body(t, ref, kind_of(t, header), &active->entry);
        active->entry.to = a->to;
        ++*pinned;
    } else if (active->entry.to != a->to || active->entry.kind != kind_of(t, header)) {
        unmark(t, ref);
        return GNTST_general_error;
    }
    if (a->write)
        active->writers++;
    else
        active->readers++;
    *out = active->entry;
    return GNTST_okay;
}

int16_t grant_pin(struct vcpu *v, struct domain *granter, grant_ref_t ref, domid_t to, bool write, bool copy,
                  struct grant_entry *out)
{
    struct ask ask = { .to = to, .write = write, .copy = copy };
    struct grant_table *t = grant_table(granter);
    int16_t status = GNTST_bad_gntref;

    lock(&t->lock);
    if (ref < grant_limit(t))
        status = pin(t, ref, &ask, out, &t->pinned);
    unlock(&t->lock);
    if (status)
        return (int16_t)refuse(v, status, "grant %u of d%u to d%u, %s", ref, granter->id, to,
                               write ? "writable" : "read-only");
    return status;
}

/* Lock held. */
static void unpin(struct grant_table *t, grant_ref_t ref, bool write)
{
    struct active *active;

    ASSERT(ref < grant_count(t));
    active = grant_active(t, ref);
    ASSERT(write ? active->writers : active->readers);
    if (write)
        active->writers--;
    else
        active->readers--;
    if (!active_bits(active))
        t->pinned--;
    unmark(t, ref);
}

void grant_unpin(struct domain *granter, grant_ref_t ref, bool write)
{
    struct grant_table *t = grant_table(granter);

    lock(&t->lock);
    unpin(t, ref, write);
    unlock(&t->lock);
}

void grant_unpin_all(struct domain *granter, const struct grant_release *r, unsigned n)
{
    struct grant_table *t = grant_table(granter);

    lock(&t->lock);
    for (unsigned i = 0; i < n; i++)
        unpin(t, r[i].ref, r[i].write);
    unlock(&t->lock);
}

/* ---- Frames ---- */

int grant_frame_get(struct domain *owner, mfn_t m, bool write)
{
    int rc = 0;

    if (likely(frame_map(m, owner->id, write)))
        return 0;
    if (!mfn_is_tracked(m) || !frame_get(m, owner->id))
        return -ENOENT;
    if (frame_of(m)->refs & REFS_HV)
        rc = -ENOENT;
    else if (write)
        rc = type_get(owner, m, TYPE_WRITABLE);
    if (rc)
        frame_put(m);
    return rc;
}

void grant_frame_put(mfn_t m, bool write)
{
    if (likely(frame_unmap(m, write)))
        return;
    if (write)
        type_put(m);
    frame_put(m);
}

int grant_frame_lend(struct domain *owner, mfn_t m, bool write, unsigned n)
{
    int rc;

    if (likely(frame_lend(m, owner->id, write, n)))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        rc = grant_frame_get(owner, m, write);
        if (rc) {
            while (i--)
                grant_frame_put(m, write);
            return rc;
        }
        if (write)
            frame_mapped_foreign(m);
    }
    return 0;
}
