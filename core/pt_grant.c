/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page table entries for grants: those in one table are written under one lock.
 */
#include "core/pt_grant.h"

#include "core/pt_entry.h"

#include <xen/grant_table.h>

/* The L1 table that a walk found last, for the next one in the same call: either may have changed since. */
struct walked {
    uint64_t block; /* of addresses, that it translates */
    mfn_t table;
};

/* Where the entry is to be, in g->pte; its table is not referenced. */
static inline bool grant_place(const struct vcpu *v, struct pt_grant *g, struct walked *last)
{
    uint64_t block = g->addr >> (PAGE_SHIFT + 9);

    if (unlikely(g->addr % (g->contains_pte ? sizeof(uint64_t) : PAGE_SIZE)))
        return false;
    g->pte = g->addr;
    if (g->contains_pte)
        return true;
    if (unlikely(last->block != block)) {
        if (!walk(v, g->addr, &last->table))
            return false;
        last->block = block;
    }
    g->pte = mfn_maddr(last->table) + pt_index(g->addr, 1) * sizeof(uint64_t);
    return true;
}

/*
 * Locks the L1 table of d's that has an entry at machine address `pte`. *referenced as l1_open() has it, which makes an L1 table
 * only of what is one.
 */
static inline __attribute__((always_inline)) bool l1_open_at(struct domain *d, uint64_t pte, bool *referenced)
{
    mfn_t table = maddr_mfn(pte);

    *referenced = false;
    if (unlikely(pte % sizeof(uint64_t) || !mfn_is_tracked(table)))
        return false;
    if (likely(frame_lock_l1(frame_of(table), d->id)))
        return true;
    return mfn_is_ram(table) && type_of(frame_of(table)->type) == TYPE_L1 && l1_open(d, table, referenced);
}

static inline pte_slot *slot_at(uint64_t pte)
{
    return &table_of(maddr_mfn(pte))[pte % PAGE_SIZE / sizeof(uint64_t)];
}

/* Those at the beginning that are in one table, of which the first is known to be wanted; gives how many. */
static inline __attribute__((always_inline)) unsigned grant_map_run(struct vcpu *v, struct pt_grant *g, unsigned n,
                                                                    struct walked *last)
{
    bool referenced;
    unsigned same;

    if (unlikely(!grant_place(v, g, last) || !l1_open_at(v->domain, g->pte, &referenced))) {
        g->pte = 0;
        return 1;
    }
    for (same = 0; same < n && g[same].entry; same++) {
        if (same && (unlikely(!grant_place(v, &g[same], last)) || (g[same].pte ^ g->pte) >> PAGE_SHIFT))
            break;
        g[same].entry = atomic_exchange(slot_at(g[same].pte), pte_for_hardware(g[same].entry));
    }
    frame_unlock(frame_of(maddr_mfn(g->pte)));
    for (unsigned i = 0; i < same; i++) {
        entry_changed(v->domain, maddr_mfn(g->pte), 1, g[i].pte % PAGE_SIZE / sizeof(uint64_t));
        l1_put(g[i].entry);
    }
    if (unlikely(referenced))
        frame_put_type(maddr_mfn(g->pte));
    return same;
}

void pt_grant_map(struct vcpu *v, struct pt_grant *g, unsigned n)
{
    struct walked last = { ~0ull, MFN_NONE };

    for (unsigned i = 0; i < n; ) {
        if (g[i].entry)
            i += grant_map_run(v, &g[i], n - i, &last);
        else
            g[i++].pte = 0;
    }
}

void pt_grant_map_one(struct vcpu *v, struct pt_grant *g)
{
    struct walked last = { ~0ull, MFN_NONE };

    g->pte = 0;
    if (g->entry)
        (void)grant_map_run(v, g, 1, &last);
}

static inline bool maps_frame(uint64_t e, mfn_t m) { return (e & PTE_P) && pte_mfn(e) == m.n; }

/* Those at the beginning that are in one table; gives how many. */
static inline __attribute__((always_inline)) unsigned grant_clear_run(struct vcpu *v, struct pt_grant_gone *g, unsigned n)
{
    mfn_t table = maddr_mfn(g->pte);
    bool referenced;
    unsigned same;

    g->old = 0;
    if (unlikely(!l1_open_at(v->domain, g->pte, &referenced)))
        return 1;
    for (same = 0; same < n && !((g[same].pte ^ g->pte) >> PAGE_SHIFT); same++) {
        pte_slot *slot = slot_at(g[same].pte);

        g[same].old = likely(maps_frame(*slot, g[same].m)) ? atomic_exchange(slot, 0) : 0;
    }
    frame_unlock(frame_of(table));
    for (unsigned i = 0; unlikely(v->domain->dirty) && i < same; i++)
        entry_changed(v->domain, table, 1, g[i].pte % PAGE_SIZE / sizeof(uint64_t));
    if (unlikely(referenced))
        frame_put_type(table);
    return same;
}

void pt_grant_clear(struct vcpu *v, struct pt_grant_gone *g, unsigned n)
{
    for (unsigned i = 0; i < n; ) {
        if (likely(g[i].pte))
            i += grant_clear_run(v, &g[i], n - i);
        else
            g[i++].old = 0;
    }
}

void pt_grant_clear_one(struct vcpu *v, struct pt_grant_gone *g)
{
    g->old = 0;
    if (g->pte)
        (void)grant_clear_run(v, g, 1);
}

int pt_grant_replace(struct vcpu *v, uint64_t pte, mfn_t m, uint64_t entry, uint64_t *old)
{
    mfn_t table = maddr_mfn(pte);
    bool referenced, same;

    if (l1_get(v->domain, v->domain, &entry))
        return GNTST_general_error;
    if (!l1_open_at(v->domain, pte, &referenced)) {
        l1_put(entry);
        return GNTST_general_error;
    }
    same = maps_frame(*slot_at(pte), m);
    if (same)
        *old = atomic_exchange(slot_at(pte), entry);
    frame_unlock(frame_of(table));
    if (same)
        entry_changed(v->domain, table, 1, pte % PAGE_SIZE / sizeof(uint64_t));
    else
        l1_put(entry);
    if (referenced)
        frame_put_type(table);
    return same ? GNTST_okay : GNTST_general_error;
}
