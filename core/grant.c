/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of one domain: shared pages that grow on demand, and the two layouts of their entries.
 *
 * A shared page is the hypervisor's, visible to the guest and to the tools that build it; it goes when the
 * domain and all who mapped it are gone. Version 2 keeps the in-use bits in status pages beside; once made
 * they stay, so that a change of version never waits for somebody's mapping of them.
 */
#include "core/grant_table.h"

#include "core/budget.h"
#include "core/frame.h"
#include "core/log.h"
#include "lib/errno.h"
#include "lib/string.h"

enum { LIMIT_FRAMES = 1024, LIMIT_MAPTRACK = 16384 };
enum { CLEAR_UNITS = 8 }; /* of the budget, to clear a page */
enum { MAPS_ROOM_FIRST = 4 };

struct grant_table grant_none = { .lock = LOCK_INIT(GRANT), .dead = true };

static unsigned status_frames(unsigned nr)
{
    return (unsigned)DIV_ROUNDUP(nr * GRANT_V2_PER_FRAME, GRANT_STATUS_PER_FRAME);
}

/*
 * A page that d can see; NULL if there is no memory. The hypervisor writes to it, so it is WRITABLE for as
 * long as it is part of the table: the guest can't have it as a page table.
 */
static uint8_t *page_new(struct domain *d)
{
    uint8_t *page = hv_pages(0);

    if (page)
        frame_share(d, machine_frame_mfn(page));
    return page;
}

/* Status pages for nr shared frames. Lock held. */
static int grow_status(struct domain *d, struct grant_table *t, unsigned nr)
{
    for (; t->nr_status < status_frames(nr); t->nr_status++) {
        t->status[t->nr_status] = page_new(d);
        if (!t->status[t->nr_status])
            return -ENOMEM;
    }
    return 0;
}

/* Lock held. What was made before a failure stays: it is within the limit. */
static int grow(struct domain *d, struct grant_table *t, unsigned nr)
{
    if (nr > t->max_frames || t->dead)
        return -EINVAL;
    if (t->version == 2 && grow_status(d, t, nr))
        return -ENOMEM;
    for (; t->nr_frames < nr; t->nr_frames++) {
        t->shared[t->nr_frames] = page_new(d);
        if (!t->shared[t->nr_frames])
            return -ENOMEM;
    }
    return 0;
}

void grant_pages_free(struct grant_table *t)
{
    bool dead;

    lock(&t->lock);
    dead = t->dead;
    t->dead = true;
    unlock(&t->lock);
    if (dead)
        return;
    for (unsigned i = 0; i < t->nr_frames; i++)
        frame_put_type(machine_frame_mfn(t->shared[i]));
    for (unsigned i = 0; i < t->nr_status; i++)
        frame_put_type(machine_frame_mfn(t->status[i]));
}

/* Bytes of a table, with the indices of both kinds of pages that the guest sees behind it. */
static size_t table_bytes(unsigned max_frames)
{
    return sizeof(struct grant_table) + (max_frames + 1 + status_frames(max_frames) + 1) * sizeof(uint8_t *);
}

/* Bytes of the index of active entries; not 0, as the first is read where there is none, if only by a processor that guesses. */
static size_t active_index(const struct grant_table *t)
{
    return MAX(t->max_frames, 1u) * ACTIVES_PER_FRAME * sizeof(*t->active);
}

static void table_free(struct grant_table *t)
{
    unsigned i;

    grant_pages_free(t);
    for (i = 0; i < t->nr_frames * ACTIVES_PER_FRAME; i++)
        hv_pages_free(t->active[i], 0);
    for (i = 0; i < t->nr_map_pages; i++)
        hv_pages_free(t->maps[i], 0);
    hv_free(t->active, active_index(t));
    hv_free(t->maps, t->map_room * sizeof(*t->maps));
    hv_free(t, table_bytes(t->max_frames));
}

int grants_init(struct domain *d, unsigned max_frames, unsigned max_maptrack, unsigned max_version)
{
    struct grant_table *t;

    if (!max_version)
        return 0;
    max_frames = max_frames == ~0u ? GRANT_FRAMES_DEFAULT : MIN(max_frames, (unsigned)LIMIT_FRAMES);
    t = hv_alloc(table_bytes(max_frames));
    if (!t)
        return -ENOMEM;
    lock_init(&t->lock, LOCK_GRANT);
    t->version = 1;
    t->max_version = MIN(max_version, 2u);
    t->max_frames = max_frames;
    t->max_map_pages = max_maptrack == ~0u ? MAPTRACK_DEFAULT : MIN(max_maptrack, (unsigned)LIMIT_MAPTRACK);
    t->shared = (uint8_t **)(t + 1);
    t->status = t->shared + max_frames + 1;
    t->active = hv_alloc(active_index(t));
    t->map_room = MAPS_ROOM_FIRST;
    t->maps = hv_alloc(t->map_room * sizeof(*t->maps));
    if (!t->active || !t->maps || grow(d, t, MIN(t->max_frames, 1u))) {
        table_free(t);
        return -ENOMEM;
    }
    atomic_thread_fence(memory_order_release);
    WRITE_ONCE(d->grants, t);
    return 0;
}

void grants_free(struct domain *d)
{
    if (!d->grants)
        return;
    table_free(d->grants);
    d->grants = NULL;
}

int grants_grow(struct domain *d, unsigned nr)
{
    struct grant_table *t = grant_table(d);
    int rc;

    lock(&t->lock);
    rc = grow(d, t, nr);
    unlock(&t->lock);
    return rc;
}

unsigned grants_max_frames(struct domain *d) { return grant_table(d)->max_frames; }

/* Lock held. */
static unsigned frames_now(const struct grant_table *t, bool status)
{
    if (t->dead || (status && t->version != 2))
        return 0;
    return status ? t->nr_status : t->nr_frames;
}

unsigned grants_frames(struct domain *d, bool status)
{
    struct grant_table *t = grant_table(d);
    unsigned n;

    lock(&t->lock);
    n = frames_now(t, status);
    unlock(&t->lock);
    return n;
}

mfn_t grants_frame(struct domain *d, bool status, unsigned idx)
{
    struct grant_table *t = grant_table(d);
    mfn_t m = MFN_NONE;
    unsigned n;

    lock(&t->lock);
    n = frames_now(t, status);
    if (idx < n)
        m = machine_frame_mfn((status ? t->status : t->shared)[clamp_index(idx, n)]);
    unlock(&t->lock);
    return m;
}

int grants_resource(struct domain *d, bool status, unsigned idx, mfn_t *out)
{
    unsigned frames;
    int rc = 0;

    if (idx >= LIMIT_FRAMES)
        return -EINVAL;
    frames = status ? idx * (unsigned)(GRANT_STATUS_PER_FRAME / GRANT_V2_PER_FRAME) + 1 : idx + 1;
    if (status && grants_version(d) != 2)
        return -EINVAL;
    rc = grants_grow(d, frames);
    if (rc)
        return rc;
    *out = grants_frame(d, status, idx);
    return mfn_same(*out, MFN_NONE) ? -EINVAL : 0;
}

unsigned grants_version(struct domain *d)
{
    struct grant_table *t = grant_table(d);
    unsigned version;

    lock(&t->lock);
    version = t->version;
    unlock(&t->lock);
    return version;
}

/* ---- Changing the version ---- */

/* True if somebody uses an entry that would not survive. Lock held. */
static bool in_use(const struct grant_table *t)
{
    unsigned reserved = 0;

    for (grant_ref_t ref = 0; t->nr_frames && ref < GNTTAB_NR_RESERVED_ENTRIES; ref++)
        reserved += grant_bits(t, ref) != 0;
    return t->pinned > reserved;
}

/* The reserved entries in the layout of version 2, without in-use bits. Each word is read once. Lock held. */
static void reserved_save(const struct grant_table *t, union grant_entry_v2 to[GNTTAB_NR_RESERVED_ENTRIES])
{
    struct grant_entry_v1 one;

    memset(to, 0, GNTTAB_NR_RESERVED_ENTRIES * sizeof(*to));
    for (grant_ref_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        if (t->version == 2) {
            memcpy(&to[ref], grant_shared(t, ref), sizeof(to[ref]));
        } else {
            memcpy(&one, grant_shared(t, ref), sizeof(one));
            to[ref].full_page.hdr.flags = one.flags;
            to[ref].full_page.hdr.domid = one.domid;
            to[ref].full_page.frame = one.frame;
        }
        if ((to[ref].hdr.flags & GTF_type_mask) == GTF_permit_access)
            to[ref].hdr.flags &= (uint16_t)~(GTF_reading | GTF_writing);
    }
}

/* Whether version 1 has words for it. */
static bool fits_v1(const union grant_entry_v2 *e)
{
    unsigned type = e->hdr.flags & GTF_type_mask;

    if (type == GTF_invalid)
        return true;
    return type != GTF_transitive && !(e->hdr.flags & GTF_sub_page) && e->full_page.frame <= UINT32_MAX;
}

/* Writes them into the emptied table of the version that t has now. Lock held. */
static void reserved_load(struct grant_table *t, const union grant_entry_v2 from[GNTTAB_NR_RESERVED_ENTRIES])
{
    struct grant_entry_v1 one;
    uint16_t bits;

    for (grant_ref_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        bits = grant_bits(t, ref);
        if (t->version == 2) {
            *grant_status(t, ref) = bits;
            memcpy(grant_shared(t, ref), &from[ref], sizeof(from[ref]));
        } else {
            one.flags = from[ref].hdr.flags | bits;
            one.domid = from[ref].hdr.domid;
            one.frame = (uint32_t)from[ref].full_page.frame;
            memcpy(grant_shared(t, ref), &one, sizeof(one));
        }
    }
}

/* Lock held; version is 1 or 2 and not the present one. */
static int change_version(struct domain *d, unsigned version)
{
    union grant_entry_v2 kept[GNTTAB_NR_RESERVED_ENTRIES];
    struct grant_table *t = grant_table(d);
    unsigned i;

    if (t->dead)
        return -EINVAL;
    if (in_use(t))
        return -EBUSY;
    if (!t->nr_frames) {
        t->version = version;
        return 0;
    }
    budget_take((t->nr_frames + t->nr_status) * CLEAR_UNITS);
    reserved_save(t, kept);
    for (i = 0; version == 1 && i < GNTTAB_NR_RESERVED_ENTRIES; i++)
        if (!fits_v1(&kept[i]))
            return -EINVAL;
    if (version == 2 && grow_status(d, t, t->nr_frames))
        return -ENOMEM;
    for (i = 0; i < t->nr_frames; i++)
        memset(t->shared[i], 0, PAGE_SIZE);
    for (i = 0; i < t->nr_status; i++)
        memset(t->status[i], 0, PAGE_SIZE);
    t->version = version;
    reserved_load(t, kept);
    return 0;
}

int grants_set_version(struct domain *d, uint32_t version)
{
    struct grant_table *t = grant_table(d);
    int rc;

    if (version != 1 && version != 2)
        return -EINVAL;
    if (version > t->max_version)
        return -ENOSYS;
    lock(&t->lock);
    rc = version == t->version ? 0 : change_version(d, version);
    unlock(&t->lock);
    return rc;
}

int16_t grants_swap(struct domain *d, grant_ref_t a, grant_ref_t b)
{
    struct grant_table *t = grant_table(d);
    union grant_entry_v2 one, other;
    int16_t status = GNTST_okay;
    size_t size;

    lock(&t->lock);
    size = t->version == 2 ? sizeof(union grant_entry_v2) : sizeof(struct grant_entry_v1);
    if (a >= grant_limit(t) || b >= grant_limit(t)) {
        status = GNTST_bad_gntref;
    } else if (grant_bits(t, a) || grant_bits(t, b)) {
        status = GNTST_eagain;
    } else if (a != b) {
        memcpy(&one, grant_shared(t, a), size);
        memcpy(&other, grant_shared(t, b), size);
        memcpy(grant_shared(t, a), &other, size);
        memcpy(grant_shared(t, b), &one, size);
    }
    unlock(&t->lock);
    return status;
}

/* ---- Looking at it ---- */

grant_ref_t grants_dump(struct domain *d, grant_ref_t from)
{
    enum { SHOWN = 8 };
    struct grant_table *t = grant_table(d);
    grant_ref_t ref = from;
    unsigned shown = 0;

    lock(&t->lock);
    if (!from)
        hv_log(LOG_ERR, "d%u grants: version %u, %u/%u frames, %u entries in use, %u mappings in %u/%u pages",
               d->id, t->version, t->nr_frames, t->max_frames, t->pinned, t->mapped, t->nr_map_pages,
               t->max_map_pages);
    for (; t->pinned && ref < grant_count(t) && shown < SHOWN; ref++) {
        const struct active *a;

        if (!grant_bits(t, ref))
            continue;
        a = grant_active(t, ref);
        shown++;
        hv_log(LOG_ERR, "  ref %u to d%u: frame %#llx, %u readers, %u writers", ref, a->entry.to,
               (unsigned long long)a->entry.frame, a->readers, a->writers);
    }
    if (!t->pinned || ref >= grant_count(t))
        ref = 0;
    unlock(&t->lock);
    return ref;
}
