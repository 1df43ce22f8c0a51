/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of other domains' frames: made, unmapped by handle, and given back when the mapper dies.
 *
 * A mapping holds references of its own, apart from those of the page-table entry that it put in place
 * (core/pt_grant.h). So whatever the guest does to its entries, the frame stays the granter's, and of its type,
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
#include "core/pt_grant.h"
#include "core/trace_inline.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"
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

/* Room in the index for twice as many pages. Lock held. */
static bool index_grow(struct grant_table *t)
{
    struct mapping **maps = hv_alloc(2 * t->map_room * sizeof(*maps));

    if (!maps)
        return false;
    memcpy(maps, t->maps, t->map_room * sizeof(*maps));
    hv_free(t->maps, t->map_room * sizeof(*maps));
    t->maps = maps;
    t->map_room *= 2;
    return true;
}

static bool handles_grow(struct grant_table *t)
{
    uint32_t first = t->nr_map_pages * (uint32_t)MAPPINGS_PER_PAGE;
    struct mapping *page;

    if (t->nr_map_pages == t->max_map_pages || (t->nr_map_pages == t->map_room && !index_grow(t)))
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

/* n mappings in the making and their handles, or as many as there is room for; gives how many. */
static inline __attribute__((always_inline)) unsigned handles_take(struct grant_table *t, struct mapping **m,
                                                                   grant_handle_t *handle, unsigned n)
{
    unsigned i;

    lock(&t->lock);
    for (i = 0; i < n && (t->free_map || handles_grow(t)); i++) {
        handle[i] = t->free_map - 1;
        m[i] = mapping_at(t, handle[i]);
        t->free_map = m[i]->next_free;
    }
    t->mapped += i;
    unlock(&t->lock);
    return i;
}

/* Lock held. */
static inline void handle_free(struct grant_table *t, struct mapping *m, grant_handle_t handle)
{
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

/* The granter of an operation, for which the one before it may be right. NULL: none that lives. */
static inline __attribute__((always_inline)) struct domain *granter_of(const struct gnttab_map_grant_ref *op, struct domain **last)
{
    struct domain *d = *last;

    if (unlikely(!d || d->id != op->dom)) {
        if (d)
            domain_put(d);
        *last = d = domain_get(op->dom);
    }
    return d && !domain_dying(d) ? d : NULL;
}

static bool maps_somehow(const struct gnttab_map_grant_ref *op) { return op->flags & (GNTMAP_host_map | GNTMAP_device_map); }

/* Mappings in the making, for as many operations. */
struct making {
    struct mapping *m[GRANT_MAPS];
    grant_handle_t handle[GRANT_MAPS];
    mfn_t frame[GRANT_MAPS];
    struct pt_grant entry[GRANT_MAPS];
};

static inline bool writes(const struct gnttab_map_grant_ref *op) { return !(op->flags & GNTMAP_readonly); }

/* References on the frame: one is the mapping's, and one its entry's, if it has one. */
static inline unsigned refs_for(const struct gnttab_map_grant_ref *op) { return op->flags & GNTMAP_host_map ? 2 : 1; }

/* The frame of a pinned grant, and what is to be its entry if it has one. 0 and op->status, or -ERESTART. */
static inline __attribute__((always_inline)) int lend_frame(struct vcpu *v, struct domain *granter,
                                                            struct gnttab_map_grant_ref *op, mfn_t frame, struct pt_grant *g)
{
    int rc = grant_frame_lend(granter, frame, writes(op), refs_for(op));

    if (unlikely(rc == -ERESTART))
        return rc;
    if (unlikely(rc)) {
        op->status = (int16_t)refuse(v, rc == -ENOENT ? GNTST_bad_page : GNTST_general_error,
                                     "grant %u of d%u: frame %#llx", op->ref, granter->id, (unsigned long long)frame.n);
        grant_unpin(granter, op->ref, writes(op));
        return 0;
    }
    if (op->flags & GNTMAP_host_map)
        *g = (struct pt_grant){ op->host_addr, op->flags & GNTMAP_contains_pte, entry_for(frame, op->flags), 0 };
    return 0;
}

/* The entry of an operation could not be had: its frame and pin go. */
static __attribute__((noinline)) void unlend(struct vcpu *v, struct domain *granter, struct gnttab_map_grant_ref *op, mfn_t frame)
{
    op->status = (int16_t)refuse(v, GNTST_general_error, "grant %u of d%u at %#llx", op->ref, granter->id,
                                 (unsigned long long)op->host_addr);
    for (unsigned refs = refs_for(op); refs--; )
        grant_frame_put(frame, writes(op));
    grant_unpin(granter, op->ref, writes(op));
}

/* So many mappings of what a domain granted begin, or end: one record, of whose they are and how many. */
static inline __attribute__((always_inline)) void tell(enum perf which, uint32_t event, const struct domain *granter, unsigned n)
{
    this_pcpu()->perf[which] += n;
    trace_inline(event, 2, granter->id | (uint64_t)n << 32, 0, 0, 0);
}

/* The mapping has all that it is to hold. */
static inline void publish(struct domain *granter, struct mapping *m, mfn_t frame, uint64_t pte, const struct gnttab_map_grant_ref *op)
{
    m->flags = op->flags & (GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly | GNTMAP_contains_pte);
    m->host_addr = op->host_addr;
    m->pte = pte;
    m->frame = frame;
    m->ref = op->ref;
    atomic_store_explicit(&m->granter, granter, memory_order_release); /* from here on others may unmap it */
}

/* Pins from `done` on, the handles of those as well as of what failed before, and the references on the granter of these. */
static __attribute__((noinline)) void give_back(struct domain *granter, struct grant_table *t, const struct making *made,
                                                const struct gnttab_map_grant_ref *op, unsigned done, unsigned n)
{
    for (unsigned i = done; i < n; i++)
        if (!op[i].status)
            grant_unpin(granter, op[i].ref, writes(&op[i]));
    lock(&t->lock);
    for (unsigned i = n; i-- > 0; )
        if (i >= done || op[i].status)
            handle_free(t, made->m[i], made->handle[i]);
    unlock(&t->lock);
    for (unsigned i = 0; i < done; i++)
        if (op[i].status)
            domain_put(granter);
}

/*
 * grant_map() for what one domain granted, as far as there are handles, but at least for the first. Step by step for all of them;
 * `one`, a constant: n is 1, and the compiler leaves out the loops.
 */
static inline __attribute__((always_inline)) unsigned map_run(struct vcpu *v, struct domain *granter,
                                                              struct gnttab_map_grant_ref *op, unsigned n, bool one, int *rc)
{
    struct grant_table *t = grant_table(v->domain);
    struct making made;
    unsigned done, failed = 0;

    n = handles_take(t, made.m, made.handle, n);
    if (unlikely(!n)) {
        op->status = GNTST_no_space;
        return 1;
    }
    if (one)
        grant_pin_one(granter, v->domain->id, op, made.frame);
    else
        grant_pin_all(granter, v->domain->id, op, made.frame, n);
    for (done = 0; done < n && !(done && unlikely(budget_spent())); done++) {
        made.entry[done].entry = 0;
        if (unlikely(op[done].status)) {
            (void)refuse(v, op[done].status, "grant %u of d%u, flags %#x", op[done].ref, granter->id, op[done].flags);
        } else if (unlikely(lend_frame(v, granter, &op[done], made.frame[done], &made.entry[done]))) {
            *rc = -ERESTART;
            break;
        }
    }
    if (one)
        pt_grant_map_one(v, made.entry);
    else
        pt_grant_map(v, made.entry, done);
    domain_refs(granter, done);
    for (unsigned i = 0; i < done; i++) {
        if (likely(!op[i].status) && unlikely(refs_for(&op[i]) == 2 && !made.entry[i].pte))
            unlend(v, granter, &op[i], made.frame[i]);
        if (unlikely(op[i].status)) {
            failed++;
            continue;
        }
        op[i].handle = made.handle[i];
        op[i].dev_bus_addr = mfn_maddr(made.frame[i]); /* Linux learns the frame from it, device or not */
        publish(granter, made.m[i], made.frame[i], made.entry[i].pte, &op[i]);
    }
    tell(PERF_GRANT_MAPS, TRC_MEM_PAGE_GRANT_MAP, granter, done - failed);
    if (unlikely(failed || done < n))
        give_back(granter, t, &made, op, done, n);
    return done;
}

/* What the first operation, and those like it, ask for; gives how many were done. */
static inline __attribute__((always_inline)) unsigned map_some(struct vcpu *v, struct gnttab_map_grant_ref *op, unsigned n,
                                                               bool one, struct domain **last, int *rc)
{
    struct domain *granter;
    unsigned same = 1;

    if (unlikely(!maps_somehow(op))) {
        op->status = (int16_t)refuse(v, GNTST_bad_gntref,
                                     "grant mapping for neither CPU nor device: flags %#x", op->flags);
        return 1;
    }
    granter = granter_of(op, last);
    if (unlikely(!granter)) {
        op->status = GNTST_bad_domain;
        return 1;
    }
    while (same < n && same < GRANT_MAPS && op[same].dom == op->dom && maps_somehow(&op[same]))
        same++;
    return map_run(v, granter, op, same, one, rc);
}

unsigned grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op, unsigned n, struct domain **last, int *rc)
{
    unsigned done;

    if (n == 1)
        return map_some(v, op, 1, true, last, rc);
    for (done = 0; done < n && !*rc && !(done && budget_spent()); )
        done += map_some(v, &op[done], n - done, false, last, rc);
    return done;
}

/* ---- Unmapping ---- */

/* Takes the mapping in hand if the operation names what it is. Lock held. NULL: op->status says why not. */
static inline __attribute__((always_inline)) struct mapping *unmap_begin(struct grant_table *t, struct gnttab_unmap_grant_ref *op)
{
    struct mapping *m = mapping_find(t, op->handle);

    op->status = GNTST_okay;
    if (!m)
        op->status = GNTST_bad_handle;
    else if (op->host_addr && (!(m->flags & GNTMAP_host_map) || op->host_addr != m->host_addr))
        op->status = GNTST_general_error;
    else if (op->dev_bus_addr && (!(m->flags & GNTMAP_device_map) || op->dev_bus_addr != mfn_maddr(m->frame)))
        op->status = GNTST_bad_dev_addr;
    if (unlikely(op->status))
        return NULL;
    m->flags |= MAPPING_BUSY;
    return m;
}

/* Replaces the entry by what maps new_addr, which becomes empty. A status. */
static int16_t replace(struct vcpu *v, const struct mapping *m, uint64_t new_addr, uint64_t *old)
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
        status = (int16_t)pt_grant_replace(v, m->pte, m->frame, entry, old);
    if (!status && pt_set(table, index, 0, v->domain, v->domain, false))
        guest_log(v->domain, LOG_WARN, "moved page stays mapped at %#llx", (unsigned long long)new_addr);
    frame_put_type(table);
    return status;
}

/* The mapping is to end: its references, and what was its entry's, go when the batch is finished. */
static inline void release_later(struct grant_unmaps *batch, struct mapping *m, grant_handle_t handle, unsigned refs)
{
    ASSERT(batch->n < GRANT_UNMAPS);
    batch->item[batch->n++] = (struct grant_release){ m->granter, m, handle, refs };
}

/* The end of unmap_begin() when the mapping does not end with it. */
static void unmap_not_all(struct grant_table *t, struct mapping *m, uint16_t flags)
{
    lock(&t->lock);
    m->flags = flags;
    unlock(&t->lock);
}

/*
 * The rest of unmap_begin(). old: the entry that the operation named, and that is gone; 0: none is. An entry that is as it was made
 * has references like the mapping's own, and they go together.
 */
static inline __attribute__((always_inline)) void unmap_end(struct vcpu *v, struct grant_unmaps *batch, struct mapping *m,
                                                            struct gnttab_unmap_grant_ref *op, uint64_t old)
{
    uint16_t flags = m->flags & (uint16_t)~MAPPING_BUSY;
    bool write = !(flags & GNTMAP_readonly);
    unsigned refs = 1;

    if (op->dev_bus_addr && !op->status)
        flags &= (uint16_t)~GNTMAP_device_map;
    if (likely(old)) {
        flags &= (uint16_t)~GNTMAP_host_map;
        batch->flush = true;
        if (likely(!(old & PTE_RW) == !write && !(flags & GNTMAP_device_map)))
            refs = 2;
        else
            grant_frame_put(m->frame, old & PTE_RW);
    }
    if (likely(!(flags & (GNTMAP_host_map | GNTMAP_device_map)))) {
        release_later(batch, m, op->handle, refs);
        return;
    }
    unmap_not_all(grant_table(v->domain), m, flags);
    if (op->status)
        (void)refuse(v, op->status, "unmap handle %u: not mapped at %#llx", op->handle, (unsigned long long)op->host_addr);
}

/*
 * Of n operations, which the batch has room for, as many as can be begun together; at least one. What can't be begun, because of an
 * earlier one maybe, is looked at again when those are through. `one` as for map_run().
 */
static inline __attribute__((always_inline)) unsigned unmap_run(struct vcpu *v, struct grant_unmaps *batch,
                                                                struct gnttab_unmap_grant_ref *op, unsigned n, bool one)
{
    struct grant_table *t = grant_table(v->domain);
    struct pt_grant_gone gone[GRANT_UNMAPS];
    struct mapping *m[GRANT_UNMAPS];
    unsigned k;

    lock(&t->lock);
    for (k = 0; k < n; k++) {
        m[k] = unmap_begin(t, &op[k]);
        if (unlikely(!m[k]))
            break;
        gone[k].pte = op[k].host_addr ? m[k]->pte : 0;
        gone[k].m = m[k]->frame;
    }
    unlock(&t->lock);
    if (unlikely(!k)) {
        (void)refuse(v, op->status, "unmap handle %u at %#llx", op->handle, (unsigned long long)op->host_addr);
        return 1;
    }
    if (one)
        pt_grant_clear_one(v, gone);
    else
        pt_grant_clear(v, gone, k);
    for (unsigned i = 0; i < k; i++) {
        if (unlikely(op[i].host_addr && !gone[i].old))
            op[i].status = GNTST_general_error;
        unmap_end(v, batch, m[i], &op[i], gone[i].old);
    }
    return k;
}

void grant_unmap(struct vcpu *v, struct grant_unmaps *batch, struct gnttab_unmap_grant_ref *op, unsigned n)
{
    for (unsigned done = 0; done < n; ) {
        done += n == 1 ? unmap_run(v, batch, op, 1, true)
                       : unmap_run(v, batch, &op[done], MIN(n - done, GRANT_UNMAPS - batch->n), false);
        if (batch->n == GRANT_UNMAPS)
            grant_unmaps_finish(v->domain, batch);
    }
}

void grant_unmap_and_replace(struct vcpu *v, struct grant_unmaps *batch, struct gnttab_unmap_and_replace *op)
{
    struct gnttab_unmap_grant_ref plain = { .host_addr = op->host_addr, .handle = op->handle };
    struct grant_table *t = grant_table(v->domain);
    struct mapping *m;
    uint64_t old = 0;

    if (!op->new_addr) {
        grant_unmap(v, batch, &plain, 1);
        op->status = plain.status;
        return;
    }
    lock(&t->lock);
    m = unmap_begin(t, &plain);
    unlock(&t->lock);
    if (m) {
        if (plain.host_addr)
            plain.status = replace(v, m, op->new_addr, &old);
        unmap_end(v, batch, m, &plain, old);
    }
    op->status = plain.status;
    if (batch->n == GRANT_UNMAPS)
        grant_unmaps_finish(v->domain, batch);
}

/* What the first n mappings of a batch hold goes; their entries have gone. */
static inline __attribute__((always_inline)) void release_all(struct grant_table *t, const struct grant_unmaps *batch, unsigned n)
{
    const struct grant_release *r = batch->item, *end = r + n, *same;

    for (; r < end; r = same) {
        for (same = r + 1; same < end && same->granter == r->granter; same++)
            continue;
        tell(PERF_GRANT_UNMAPS, TRC_MEM_PAGE_GRANT_UNMAP, r->granter, (unsigned)(same - r));
        grant_unpin_all(r->granter, r, (unsigned)(same - r));
    }
    for (r = batch->item; r < end; r++)
        grant_frame_unlend(r->m->frame, !(r->m->flags & GNTMAP_readonly), r->refs);
    lock(&t->lock);
    for (r = batch->item; r < end; r++)
        handle_free(t, r->m, r->handle);
    unlock(&t->lock);
    for (r = batch->item; r < end; r++)
        domain_put(r->granter);
}

void grant_unmaps_finish(struct domain *d, struct grant_unmaps *batch)
{
    struct grant_table *t = grant_table(d);
    unsigned n = batch->n;

    if (batch->flush)
        flush_tlbs(d->dirty_cpus, FLUSH_ALL, 0);
    batch->flush = false;
    batch->n = 0;
    if (n == 1)
        release_all(t, batch, 1);
    else if (n)
        release_all(t, batch, n);
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
            release_later(batch, m, t->kill_at, 1);
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
