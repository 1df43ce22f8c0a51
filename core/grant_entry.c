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

/* Of version 2; version 1 has whole pages only. */
static enum grant_kind kind_of(uint32_t header)
{
    switch (header & GTF_type_mask) {
    case GTF_permit_access:
        return header & GTF_sub_page ? GRANT_SUB_PAGE : GRANT_PAGE;
    case GTF_transitive:
        return GRANT_TRANSITIVE;
    default:
        return GRANT_NONE;
    }
}

static bool grants_v2(uint32_t header, struct ask a)
{
    enum grant_kind kind = kind_of(header);

    return kind != GRANT_NONE && header >> 16 == a.to && !(a.write && (header & GTF_readonly)) &&
           (kind == GRANT_PAGE || a.copy);
}

static inline void unmark_v1(_Atomic uint32_t *word, uint16_t bits)
{
    atomic_fetch_and(word, ~(uint32_t)((GTF_reading | GTF_writing) & ~bits));
}

/* Takes back the marks that no pin calls for. */
static void unmark(const struct grant_table *t, grant_ref_t ref)
{
    uint16_t bits = grant_bits(t, ref);

    if (t->dead)
        return;
    if (t->version == 2)
        atomic_fetch_and(grant_status(t, ref), (uint16_t)~((GTF_reading | GTF_writing) & ~bits));
    else
        unmark_v1(grant_header(t, ref), bits);
}

/* Marks the entry if it grants what is asked, and gives the word that did. 0, which grants nothing: it is as it was. */
static inline uint32_t mark_v1(_Atomic uint32_t *word, struct ask a)
{
    const uint32_t wanted = (uint32_t)a.to << 16 | GTF_permit_access;
    const uint32_t judged = 0xffff0000u | GTF_type_mask | GTF_sub_page | (a.write ? GTF_readonly : 0);
    uint32_t bits = a.write ? GTF_reading | GTF_writing : GTF_reading, header = atomic_load(word);

    for (int i = 0; i < GRANT_LOOKS && (header & judged) == wanted; i++)
        if (likely(atomic_compare_exchange_strong(word, &header, header | bits)))
            return header;
    return 0;
}

static uint32_t mark_v2(const struct grant_table *t, grant_ref_t ref, _Atomic uint32_t *word, struct ask a)
{
    uint16_t bits = a.write ? GTF_reading | GTF_writing : GTF_reading;
    uint32_t header;

    if (!grants_v2(atomic_load(word), a))
        return 0;
    atomic_fetch_or(grant_status(t, ref), bits);
    header = atomic_load(word);
    if (grants_v2(header, a))
        return header;
    unmark(t, ref);
    return 0;
}

/* What a marked entry grants: each word of its body is read once. */
static inline void read_body(bool v1, void *entry, enum grant_kind kind, domid_t to, struct grant_entry *e)
{
    uint8_t *at = entry;
    uint32_t second = atomic_load((_Atomic uint32_t *)(void *)(at + 4));

    *e = (struct grant_entry){ .to = to, .kind = (uint8_t)kind, .length = PAGE_SIZE, .frame = second };
    if (v1)
        return;
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

/* The page with the active entry of one that was marked; false, and it is no longer: there is no memory. Lock held. */
static __attribute__((noinline)) bool active_page_new(const struct grant_table *t, grant_ref_t ref, struct active **page)
{
    *page = hv_pages(0);
    if (!*page)
        unmark(t, ref);
    return *page;
}

/* pin() of a table of version 1, or not: each is compiled without what it has not to ask. */
static inline __attribute__((always_inline)) int16_t pin_of(bool v1, struct grant_table *t, grant_ref_t ref, struct ask a,
                                                            const struct grant_entry **out)
{
    enum grant_kind kind = GRANT_PAGE;
    struct active *active, **page;
    _Atomic uint32_t *word;
    uint32_t header;

    if (unlikely(ref >= grant_limit(t)))
        return GNTST_bad_gntref;
    page = grant_active_page(t, ref);
    word = grant_header(t, ref);
    header = v1 ? mark_v1(word, a) : mark_v2(t, ref, word, a);
    if (unlikely(!header))
        return GNTST_general_error;
    if (!v1)
        kind = kind_of(header);
    if (unlikely(!*page) && !active_page_new(t, ref, page))
        return GNTST_no_space;
    active = &(*page)[ref % ACTIVES_PER_PAGE];
    if (likely(!(active->readers | active->writers))) {
        read_body(v1, word, kind, a.to, &active->entry);
        t->pinned++;
    } else if (active->entry.to != a.to || active->entry.kind != kind) {
        unmark(t, ref);
        return GNTST_general_error;
    }
    if (a.write)
        active->writers++;
    else
        active->readers++;
    *out = &active->entry;
    return GNTST_okay;
}

static __attribute__((noinline)) int16_t pin_v2(struct grant_table *t, grant_ref_t ref, struct ask a, const struct grant_entry **out)
{
    return pin_of(false, t, ref, a, out);
}

/* Lock held. A status; *out: what is granted, while the lock is held. */
static inline __attribute__((always_inline)) int16_t pin(struct grant_table *t, grant_ref_t ref, struct ask a,
                                                         const struct grant_entry **out)
{
    return likely(t->version == 1) ? pin_of(true, t, ref, a, out) : pin_v2(t, ref, a, out);
}

int16_t grant_pin(struct vcpu *v, struct domain *granter, grant_ref_t ref, domid_t to, bool write, bool copy,
                  struct grant_entry *out)
{
    struct grant_table *t = grant_table(granter);
    const struct grant_entry *entry;
    int16_t status;

    lock(&t->lock);
    status = pin(t, ref, (struct ask){ to, write, copy }, &entry);
    if (likely(!status))
        *out = *entry;
    unlock(&t->lock);
    if (status)
        return (int16_t)refuse(v, status, "grant %u of d%u to d%u, %s", ref, granter->id, to,
                               write ? "writable" : "read-only");
    return status;
}

static inline __attribute__((always_inline)) void pin_all(struct domain *granter, domid_t to, struct gnttab_map_grant_ref *op,
                                                           mfn_t *frame, unsigned n)
{
    struct grant_table *t = grant_table(granter);

    lock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        const struct grant_entry *entry;

        op[i].status = pin(t, op[i].ref, (struct ask){ to, !(op[i].flags & GNTMAP_readonly), false }, &entry);
        if (likely(!op[i].status))
            frame[i] = mfn(entry->frame);
    }
    unlock(&t->lock);
}

void grant_pin_all(struct domain *granter, domid_t to, struct gnttab_map_grant_ref *op, mfn_t *frame, unsigned n)
{
    pin_all(granter, to, op, frame, n);
}

void grant_pin_one(struct domain *granter, domid_t to, struct gnttab_map_grant_ref *op, mfn_t *frame)
{
    pin_all(granter, to, op, frame, 1);
}

/* Lock held. */
static inline __attribute__((always_inline)) void unpin(struct grant_table *t, grant_ref_t ref, bool write)
{
    struct active *active;

    ASSERT(ref < grant_count(t));
    active = grant_active(t, ref);
    ASSERT(write ? active->writers : active->readers);
    if (write)
        active->writers--;
    else
        active->readers--;
    if (likely(!(active->readers | active->writers)))
        t->pinned--;
    if (likely(t->version == 1 && !t->dead))
        unmark_v1(grant_header(t, ref), active_bits(active));
    else
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
        unpin(t, r[i].m->ref, !(r[i].m->flags & GNTMAP_readonly));
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

int grant_frame_lend_slow(struct domain *owner, mfn_t m, bool write, unsigned n)
{
    int rc;

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
