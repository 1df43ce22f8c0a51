/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of other domains' frames: made, unmapped by handle, and given back when the mapper dies.
 *
 * A mapping holds references of its own, apart from those of the page-table entry that it put in place
 * (core/pt.h). So whatever the guest does to its entries, the frame stays the granter's, and of its type,
 * until the handle goes: after the entry is gone and every CPU that could have used it has flushed. A handle
 * remembers the very entry that it filled, by machine address: unmapping it can't take another mapping's
 * entry in its place.
 *
 * Without an IOMMU a device reaches all of memory: GNTMAP_device_map needs nothing but the machine address.
 */
#include "core/flush.h"
#include "core/grant_table.h"

#include "core/budget.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/pt.h"
#include "core/trace_inline.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "x86/model/pte.h"

#define NO_HANDLE (~0u)

/* ---- Handles ---- */

/* Lock held; handle < the number that exist. */
static struct mapping *mapping_at(const struct grant_table *t, grant_handle_t handle)
{
    size_t i = clamp_index(handle, t->nr_map_pages * MAPPINGS_PER_PAGE);

    return &t->maps[i / MAPPINGS_PER_PAGE][i % MAPPINGS_PER_PAGE];
}

/* A mapping that nobody is at work on; NULL if there is none. Lock held. */
static struct mapping *mapping_find(const struct grant_table *t, grant_handle_t handle)
{
    struct mapping *m;

    if (handle >= t->nr_map_pages * MAPPINGS_PER_PAGE)
        return NULL;
    m = mapping_at(t, handle);
    return m->granter && !(m->flags & MAPPING_BUSY) ? m : NULL;
}

static bool handles_grow(struct grant_table *t)
{
    uint32_t first = t->nr_map_pages * (uint32_t)MAPPINGS_PER_PAGE;
    struct mapping *page;

    if (t->nr_map_pages == t->max_map_pages)
        return false;
    page = hv_pages(0);
    if (!page)
        return false;
    for (uint32_t i = 0; i < MAPPINGS_PER_PAGE; i++)
        page[i].next_free = i + 1 < MAPPINGS_PER_PAGE ? first + i + 2 : 0;
    t->maps[t->nr_map_pages++] = page;
    t->free_map = first + 1;
    return true;
}

/* A mapping in the making, and its handle; NULL if there is no room. */
static struct mapping *handle_take(struct grant_table *t, grant_handle_t *handle)
{
    struct mapping *m = NULL;

    lock(&t->lock);
    if (t->free_map || handles_grow(t)) {
        *handle = t->free_map - 1;
        m = mapping_at(t, *handle);
        t->free_map = m->next_free;
        t->mapped++;
    }
    unlock(&t->lock);
    return m;
}

/* Lock held. */
static void handle_free(struct grant_table *t, grant_handle_t handle)
{
    struct mapping *m = mapping_at(t, handle);

    m->granter = NULL;
    m->flags = 0;
    m->next_free = t->free_map;
    t->free_map = handle + 1;
    t->mapped--;
}

unsigned grants_mapped(struct domain *d)
{
    struct grant_table *t = grant_table(d);
    unsigned n;

    lock(&t->lock);
    n = t->mapped;
    unlock(&t->lock);
    return n;
}

void grants_each_frame(struct domain *d, void (*each)(void *data, mfn_t m, bool writable), void *data)
{
    struct grant_table *t = grant_table(d);

    for (grant_handle_t h = 0; h < t->nr_map_pages * MAPPINGS_PER_PAGE; h++) {
        const struct mapping *m = mapping_at(t, h);

        if (m->granter)
            each(data, m->frame, !(m->flags & GNTMAP_readonly));
    }
}

/* ---- Mapping ---- */

static uint64_t entry_for(mfn_t m, uint32_t flags)
{
    uint64_t avail = (flags & GNTMAP_guest_avail_mask) >> _GNTMAP_guest_avail0;

    return pte_make(m.n, PTE_P | PTE_US | PTE_A | PTE_D | PTE_NX | (flags & GNTMAP_readonly ? 0 : PTE_RW) |
                    (avail * PTE_GNTMAP & PTE_AVAIL));
}

/* Puts the mapping into v's page table; m->pte: where. A status. */
static int16_t host_map(struct vcpu *v, struct mapping *m, uint64_t entry)
{
    bool contains_pte = m->flags & GNTMAP_contains_pte;

    if (m->host_addr % (contains_pte ? sizeof(uint64_t) : PAGE_SIZE))
        return GNTST_general_error;
    return (int16_t)pt_grant_map(v, m->host_addr, contains_pte, entry, &m->pte);
}

/*
 * Pin, frame and entry for *m, whose frame is filled in; all or nothing. op->status, or -ERESTART. The frame's references
 * are two if there is an entry: one is the entry's.
 */
static int map_parts(struct vcpu *v, struct domain *granter, struct mapping *m, struct gnttab_map_grant_ref *op)
{
    unsigned refs = op->flags & GNTMAP_host_map ? 2 : 1;
    bool write = !(op->flags & GNTMAP_readonly);
    struct grant_entry entry;
    int rc;

    op->status = grant_pin(v, granter, op->ref, v->domain->id, write, false, &entry);
    if (op->status)
        return 0;
    m->frame = mfn(entry.frame);
    rc = grant_frame_lend(granter, m->frame, write, refs);
    if (rc) {
        op->status = (int16_t)refuse(v, rc == -ENOENT ? GNTST_bad_page : GNTST_general_error,
                                     "grant %u of d%u: frame %#llx", op->ref, granter->id,
                                     (unsigned long long)entry.frame);
        goto undo_pin;
    }
    if (op->flags & GNTMAP_host_map)
        op->status = host_map(v, m, entry_for(m->frame, op->flags));
    if (likely(!op->status))
        return 0;
    op->status = (int16_t)refuse(v, op->status, "grant %u of d%u at %#llx", op->ref, granter->id,
                                 (unsigned long long)m->host_addr);
    while (refs--)
        grant_frame_put(m->frame, write);
undo_pin:
    grant_unpin(granter, op->ref, write);
    return rc == -ERESTART ? rc : 0;
}

/* The granter of an operation, for which the one before it may be right. NULL: none that lives. */
static struct domain *granter_of(const struct gnttab_map_grant_ref *op, struct domain **last)
{
    struct domain *d = *last;

    if (unlikely(!d || d->id != op->dom)) {
        if (d)
            domain_put(d);
        *last = d = domain_get(op->dom);
    }
    return d && !domain_dying(d) ? d : NULL;
}

int grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op, struct domain **last)
{
    const uint16_t kept = GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly | GNTMAP_contains_pte;
    struct grant_table *t = grant_table(v->domain);
    grant_handle_t handle = NO_HANDLE;
    struct domain *granter;
    struct mapping *m;
    int rc;

    if (!(op->flags & (GNTMAP_host_map | GNTMAP_device_map))) {
        op->status = (int16_t)refuse(v, GNTST_bad_gntref,
                                     "grant mapping for neither CPU nor device: flags %#x", op->flags);
        return 0;
    }
    op->status = GNTST_bad_domain;
    granter = granter_of(op, last);
    if (!granter)
        return 0;
    op->status = GNTST_no_space;
    m = handle_take(t, &handle);
    if (!m)
        return 0;
    m->flags = op->flags & kept;
    m->host_addr = op->host_addr;
    m->pte = 0;
    rc = map_parts(v, granter, m, op);
    if (unlikely(rc || op->status)) {
        lock(&t->lock);
        handle_free(t, handle);
        unlock(&t->lock);
        return rc;
    }
    op->handle = handle;
    op->dev_bus_addr = mfn_maddr(m->frame); /* Linux learns the frame from it, device or not */
    m->ref = op->ref;
    domain_ref(granter);
    atomic_store_explicit(&m->granter, granter, memory_order_release); /* from here on others may unmap it */
    perf_count(PERF_GRANT_MAPS);
    trace_inline(TRC_MEM_PAGE_GRANT_MAP, 1, op->dom, 0, 0, 0);
    return 0;
}

/* ---- Unmapping ---- */

/* Takes the mapping in hand if the operation names what it is. Gives a copy. A status. */
static int16_t unmap_begin(struct grant_table *t, const struct gnttab_unmap_grant_ref *op,
                           struct mapping *out)
{
    int16_t status = GNTST_okay;
    struct mapping *m;

    lock(&t->lock);
    m = mapping_find(t, op->handle);
    if (!m)
        status = GNTST_bad_handle;
    else if (op->host_addr && (!(m->flags & GNTMAP_host_map) || op->host_addr != m->host_addr))
        status = GNTST_general_error;
    else if (op->dev_bus_addr && (!(m->flags & GNTMAP_device_map) || op->dev_bus_addr != mfn_maddr(m->frame)))
        status = GNTST_bad_dev_addr;
    if (!status) {
        *out = *m;
        m->flags |= MAPPING_BUSY;
    }
    unlock(&t->lock);
    return status;
}

/* Replaces the entry by what maps new_addr, which becomes empty. A status. */
static int16_t replace(struct vcpu *v, const struct mapping *m, uint64_t new_addr)
{
    int16_t status = GNTST_bad_virt_addr;
    uint64_t entry;
    unsigned index;
    mfn_t table;

    if (m->flags & GNTMAP_contains_pte)
        return GNTST_general_error;
    if (pt_find_l1(v, new_addr, &table, &index))
        return GNTST_bad_virt_addr;
    if (pt_read_l1(v, new_addr, &entry))
        status = (int16_t)pt_grant_unmap(v, m->pte, m->frame, entry);
    if (!status && pt_set(table, index, 0, v->domain, v->domain, false))
        guest_log(v->domain, LOG_WARN, "moved page stays mapped at %#llx", (unsigned long long)new_addr);
    frame_put_type(table);
    return status;
}

/* The mapping is to end: its references go when the batch is finished. */
static void release_later(struct grant_unmaps *batch, const struct mapping *m, grant_handle_t handle)
{
    ASSERT(batch->n < GRANT_UNMAPS);
    perf_count(PERF_GRANT_UNMAPS);
    trace_inline(TRC_MEM_PAGE_GRANT_UNMAP, 1, m->granter->id, 0, 0, 0);
    batch->item[batch->n++] = (struct grant_release){
        .granter = m->granter, .frame = m->frame, .ref = m->ref, .handle = handle,
        .write = !(m->flags & GNTMAP_readonly),
    };
}

int16_t grant_unmap(struct vcpu *v, struct grant_unmaps *batch, const struct gnttab_unmap_grant_ref *op,
                    uint64_t new_addr)
{
    struct grant_table *t = grant_table(v->domain);
    struct mapping m = { .granter = NULL };
    int16_t status = unmap_begin(t, op, &m);

    if (status)
        return (int16_t)refuse(v, status, "unmap handle %u at %#llx", op->handle,
                               (unsigned long long)op->host_addr);
    if (op->host_addr) {
        status = new_addr ? replace(v, &m, new_addr) : (int16_t)pt_grant_unmap(v, m.pte, m.frame, 0);
        if (!status) {
            m.flags &= (uint16_t)~GNTMAP_host_map;
            batch->flush = true;
        }
    }
    if (op->dev_bus_addr && !status)
        m.flags &= (uint16_t)~GNTMAP_device_map;
    if (!(m.flags & (GNTMAP_host_map | GNTMAP_device_map))) {
        release_later(batch, &m, op->handle);
        return status;
    }
    lock(&t->lock);
    mapping_at(t, op->handle)->flags = m.flags;
    unlock(&t->lock);
    return status ? (int16_t)refuse(v, status, "unmap handle %u: not mapped at %#llx", op->handle,
                                    (unsigned long long)op->host_addr) : status;
}

void grant_unmaps_finish(struct domain *d, struct grant_unmaps *batch)
{
    const struct grant_release *r = batch->item, *end = r + batch->n, *same;
    struct grant_table *t = grant_table(d);

    if (batch->flush)
        flush_tlbs(d->dirty_cpus, FLUSH_ALL, 0);
    batch->flush = false;
    batch->n = 0;
    if (r == end)
        return;
    for (; r < end; r = same) {
        for (same = r + 1; same < end && same->granter == r->granter; same++)
            continue;
        grant_unpin_all(r->granter, r, (unsigned)(same - r));
    }
    for (r = batch->item; r < end; r++)
        grant_frame_put(r->frame, r->write);
    lock(&t->lock);
    for (r = batch->item; r < end; r++)
        handle_free(t, r->handle);
    unlock(&t->lock);
    for (r = batch->item; r < end; r++)
        domain_put(r->granter);
}

/* ---- The mapper's end: none of its vCPUs runs any more ---- */

/* Fills the batch from the cursor on, as far as the budget goes. */
static void kill_some(struct grant_table *t, struct grant_unmaps *batch)
{
    struct mapping *m;

    for (; t->kill_at < t->nr_map_pages * MAPPINGS_PER_PAGE && batch->n < GRANT_UNMAPS && !budget_spent();
         t->kill_at++) {
        budget_take(1);
        lock(&t->lock);
        m = mapping_find(t, t->kill_at);
        if (m) {
            m->flags |= MAPPING_BUSY;
            release_later(batch, m, t->kill_at);
        }
        unlock(&t->lock);
    }
}

int grants_kill(struct domain *d)
{
    struct grant_table *t = grant_table(d);
    struct grant_unmaps batch = { 0 };

    while (t->kill_at < t->nr_map_pages * MAPPINGS_PER_PAGE) {
        if (budget_spent())
            return -ERESTART;
        kill_some(t, &batch);
        batch.flush = batch.n;
        grant_unmaps_finish(d, &batch);
    }
    grant_pages_free(t);
    return 0;
}
