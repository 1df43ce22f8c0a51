/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of PV page tables in use: how they are written, and found by virtual address; and roots. What an entry holds stands in
 * core/pt_entry.h.
 */
#include "core/pt.h"

#include "core/guest.h"
#include "core/pt_entry.h"

/* ---- One entry ---- */

/* The same frame with no more rights than before: the references stay as they are. */
static bool same_references(uint64_t old, uint64_t new, unsigned level)
{
    if (!(old & new & PTE_P) || pte_mfn(old) != pte_mfn(new) || !pte_flags_ok(new, level))
        return false;
    return level > 1 || !((old ^ new) & (PTE_RW | PTE_CACHE));
}

static uint64_t exchange(pte_slot *slot, uint64_t new, bool preserve_ad)
{
    uint64_t old = *slot;

    if (!preserve_ad)
        return atomic_exchange(slot, new);
    while (!atomic_compare_exchange_weak(slot, &old, new | (old & (PTE_A | PTE_D))))
        continue;
    return old;
}

/*
 * An L1 entry as it mostly is, without a reference to the table: the lock keeps it. The references of the new entry are taken
 * before, those of the old one dropped after, as the last drop takes other locks. False: nothing changed.
 */
static inline __attribute__((always_inline)) bool set_simply(struct domain *d, mfn_t table, unsigned i, uint64_t entry,
                                                             uint64_t *was)
{
    struct frame *f;

    if (unlikely(!mfn_is_tracked(table) || !l1_get_simply(l1_rule(d, d), &entry)))
        return false;
    f = frame_of(table);
    if (unlikely(!frame_lock_l1(f, d->id))) {
        l1_put(entry);
        return false;
    }
    *was = atomic_exchange(&table_of(table)[i], entry);
    frame_unlock(f);
    entry_changed(d, table, 1, i);
    l1_put(*was);
    return true;
}

bool pt_exchange_l1(struct domain *d, mfn_t table, unsigned i, uint64_t entry, uint64_t *was)
{
    return set_simply(d, table, i, entry, was);
}

/* What requests for one table, by the same command, have in common; the rest is the index of the entry. */
#define SAME_TABLE (~(uint64_t)(PAGE_SIZE - sizeof(uint64_t)))

static inline unsigned index_of(const struct mmu_update *u) { return (unsigned)(u->ptr % PAGE_SIZE / sizeof(uint64_t)); }

/*
 * set_simply() for requests that name one table: all references are taken first, all entries are written under one lock, all
 * that was there is put last. So each reference is taken earlier than one by one, or put later, never the other way; what can't
 * be had before an earlier request is through ends the run, and is asked for again then.
 */
static unsigned set_run(struct domain *owner, struct domain *from, const struct mmu_update *u, unsigned n)
{
    mfn_t table = maddr_mfn(u->ptr);
    bool preserve_ad = u->ptr % sizeof(uint64_t) == MMU_PT_UPDATE_PRESERVE_AD;
    const struct l1_rule rule = l1_rule(owner, from);
    const struct mmu_update *end = u + n, *q = u;
    struct frame *f;
    uint64_t e[PT_RUN], *to = e;

    if (unlikely(!mfn_is_tracked(table)))
        return 0;
    f = frame_of(table);
    if (unlikely(!l1_in_use(atomic_load_explicit(&f->type, memory_order_relaxed))))
        return 0;
    for (; q != end && !((q->ptr ^ u->ptr) & SAME_TABLE); q++) {
        uint64_t fit = q->val;

        if (unlikely(!l1_get_simply(rule, &fit)))
            break;
        *to++ = fit;
    }
    if (unlikely(to == e))
        return 0;
    if (unlikely(!frame_lock_l1(f, owner->id))) {
        while (to != e)
            l1_put(*--to);
        return 0;
    }
    end = q;
    to = e;
    if (likely(!preserve_ad)) {
        for (q = u; q != end; q++, to++)
            *to = atomic_exchange(&table_of(table)[index_of(q)], *to);
    } else {
        for (q = u; q != end; q++, to++)
            *to = exchange(&table_of(table)[index_of(q)], *to, true);
    }
    frame_unlock(f);
    for (q = u; unlikely(owner->dirty) && q != end; q++)
        entry_changed(owner, table, 1, index_of(q));
    while (to != e)
        l1_put(*--to);
    return (unsigned)(end - u);
}

unsigned pt_set_run(struct domain *owner, struct domain *from, const struct mmu_update *u, unsigned n)
{
    unsigned k, done;

    for (k = 0; k < n; k += done) {
        uint64_t command = u[k].ptr % sizeof(uint64_t);

        if (unlikely(command != MMU_NORMAL_PT_UPDATE && command != MMU_PT_UPDATE_PRESERVE_AD))
            break;
        done = set_run(owner, from, &u[k], MIN(n - k, PT_RUN));
        if (unlikely(!done))
            break;
    }
    return k;
}

int pt_set(mfn_t table, unsigned i, uint64_t entry, struct domain *owner, struct domain *from, bool preserve_ad)
{
    struct frame *f = frame_of(table);
    unsigned level = level_of(type_of(f->type));
    pte_slot *slot = &table_of(table)[i];
    uint64_t old;
    int rc;

    if (level == 4 && !pt_slot_guest(i))
        return -EINVAL;
    frame_lock(f);
    old = *slot;
    if (same_references(old, entry, level)) {
        exchange(slot, pte_for_hardware(entry), preserve_ad);
        frame_unlock(f);
        entry_changed(owner, table, level, i);
        return 0;
    }
    frame_unlock(f);

    rc = entry_get(owner, from, &entry, level);
    if (rc)
        return rc;
    frame_lock(f);
    old = exchange(slot, entry, preserve_ad);
    frame_unlock(f);
    entry_changed(owner, table, level, i);
    entry_put(old, level);
    return 0;
}

int pt_cmpxchg_l1(struct domain *d, mfn_t table, unsigned i, uint64_t *old, uint64_t new)
{
    uint64_t was = *old, fit = new;
    bool same = same_references(was, new, 1), referenced, done;
    int rc;

    if (same) {
        fit = pte_for_hardware(new);
    } else {
        rc = l1_get(d, d, &fit);
        if (rc)
            return rc;
    }
    if (!l1_open(d, table, &referenced)) {
        if (!same)
            l1_put(fit);
        return -EINVAL;
    }
    done = atomic_compare_exchange_strong(&table_of(table)[i], old, fit);
    frame_unlock(frame_of(table));
    if (done)
        entry_changed(d, table, 1, i);
    if (!same)
        l1_put(done ? was : fit);
    if (unlikely(referenced))
        frame_put_type(table);
    return done ? 0 : -EAGAIN;
}

/* ---- Walks ---- */

bool pt_set_va(struct vcpu *v, uint64_t va, uint64_t entry)
{
    mfn_t table;
    uint64_t was;

    return walk(v, va, &table) && set_simply(v->domain, table, pt_index(va, 1), entry, &was);
}

int pt_find_l1(struct vcpu *v, uint64_t va, mfn_t *table, unsigned *i)
{
    if (!walk(v, va, table))
        return -EINVAL;
    *i = pt_index(va, 1);
    return frame_get_type(v->domain, *table, TYPE_L1);
}

bool pt_read_l1(struct vcpu *v, uint64_t va, uint64_t *entry)
{
    mfn_t table;

    if (!walk(v, va, &table))
        return false;
    *entry = table_of(table)[pt_index(va, 1)];
    return true;
}

int guest_frame_get(guest_ptr_t p, bool writable, mfn_t *out)
{
    struct vcpu *v = current_vcpu();
    uint64_t e;
    mfn_t m;

    if (!pt_read_l1(v, p.va, &e) || !(e & PTE_P))
        return -EFAULT;
    m = mfn(pte_mfn(e));
    if (writable) {
        int rc = frame_get_type(v->domain, m, TYPE_WRITABLE);

        if (rc)
            return rc;
    } else if (!frame_get(m, v->domain->id)) {
        return -EINVAL;
    }
    *out = m;
    return 0;
}

/* ---- Roots ---- */

int pt_set_root(struct vcpu *v, mfn_t m, bool user)
{
    mfn_t *root = user ? &v->root_user : &v->root_kernel, old = *root;

    if (!mfn_same(m, MFN_NONE)) {
        int rc = frame_get_type(v->domain, m, TYPE_L4);

        if (rc)
            return rc;
    }
    *root = m;
    shadow_root_changed(v, user);
    if (v == current_vcpu() && v->kernel_mode == !user)
        machine_load_root(v);
    if (!mfn_same(old, MFN_NONE))
        frame_put_type(old);
    return 0;
}
