/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV page tables: the references behind each entry, validation and its undoing, and the single-entry write.
 *
 * What a present entry holds, for as long as it stands in a VALID (or below the cursor of a partial) table:
 *   L1  RAM: a general reference, and a WRITABLE one if RW. Not RAM: nothing.
 *   L2..L4: a general and a type reference of the next lower table, which has the same owner. No superpages.
 * Entries change only in validation (BUSY) or under frame_lock, so the entry read there says which references it holds; the
 * CPU itself sets only accessed and dirty bits.
 *
 * A guest may spell the same thing in many ways; flags outside the allow-list of x86/model/pte.h are refused, and what the
 * hardware gets has U set and G clear at every level (a 64-bit PV kernel runs at CPL 3).
 */
#include "core/pt.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/frame_map.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/m2p.h"
#include "core/shadow.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "x86/model/desc.h"
#include "x86/model/pte.h"

#include <stdatomic.h>
#include <xen/grant_table.h>

typedef _Atomic uint64_t pte_slot;

static pte_slot *table_of(mfn_t m) { return machine_ram(m); }

static unsigned level_of(enum frame_type type) { return (unsigned)(type - TYPE_L1) + 1; }

/* ---- The references of one entry ---- */

/*
 * An entry that is not present holds nothing. On a CPU with L1TF a guest would read the memory of others by it: there is
 * no other value to store instead, as it reads its tables itself, so the entry is refused. Who controls the machine may
 * map all memory anyway.
 */
static int opaque_get(struct domain *pt, uint64_t e)
{
    if (likely(!machine_leaks_l1) || domain_may(pt, PRIV_CONTROL))
        return 0;
    return pte_names_ram(e, machine_maddr_bits(), frame_count) ? -EINVAL : 0;
}

/* What stays of a present L1 entry for RAM: for those without devices, it is write-back. */
static uint64_t l1_keep(const struct domain *pt)
{
    return domain_may(pt, PRIV_HARDWARE) ? ~0ull : ~PTE_CACHE;
}

/* l1_get() when something is not as usual. */
static __attribute__((noinline)) int l1_get_unusual(struct domain *pt, struct domain *from, uint64_t *entry)
{
    uint64_t e = *entry;
    mfn_t m = mfn(pte_mfn(e));

    if (!(e & PTE_P))
        return opaque_get(pt, e);
    if (!pte_flags_ok(e, 1))
        return -EINVAL;
    *entry = pte_for_hardware(e);
    if (!mfn_is_ram(m))
        return domain_may_mmio(pt, m, 1) ? 0 : -EPERM;
    *entry &= l1_keep(pt);
    if (!frame_get(m, from->id))
        return e & PTE_RW ? -EBUSY : -EINVAL;
    /* Of the hypervisor's frames only those it means to show: it waits for references to others to go before it frees them. */
    if (from->id == DOMID_XEN && !(frame_is_shown_writable(m) || (!(e & PTE_RW) && m2p_holds(m)))) {
        frame_put(m);
        return -EINVAL;
    }
    if (e & PTE_RW) {
        int rc = type_get(from, m, TYPE_WRITABLE);

        if (rc) {
            frame_put(m);
            return rc == -EINVAL ? -EBUSY : rc;
        }
        if (from != pt)
            frame_mapped_foreign(m);
    }
    return 0;
}

/* As usual: a present entry for an ordinary frame of `owner`. False: no references taken. */
static inline __attribute__((always_inline)) bool l1_get_usual(domid_t owner, uint64_t e)
{
    return (e & PTE_P) && pte_flags_ok(e, 1) && frame_map(mfn(pte_mfn(e)), owner, e & PTE_RW);
}

/* What is the same for all entries of an L1 table of `pt`'s that map frames of `from`'s. */
struct l1_rule {
    domid_t owner;
    bool foreign;
    uint64_t keep;
};

static inline struct l1_rule l1_rule(const struct domain *pt, const struct domain *from)
{
    return (struct l1_rule){ from->id, from != pt, l1_keep(pt) };
}

/* l1_get() if all is as usual; also of an entry that is not present. False: no references taken, nothing changed. */
static inline __attribute__((always_inline)) bool l1_get_simply(struct l1_rule r, uint64_t *entry)
{
    uint64_t e = *entry;

    if (!(e & PTE_P))
        return !e || !machine_leaks_l1;
    if (unlikely(!l1_get_usual(r.owner, e)))
        return false;
    if (unlikely(r.foreign) && (e & PTE_RW))
        frame_mapped_foreign(mfn(pte_mfn(e)));
    *entry = pte_for_hardware(e) & r.keep;
    return true;
}

/*
 * Takes what an L1 entry needs and makes it fit for the hardware. `pt`: owner of the table; frames are `from`'s.
 * -EPERM: not RAM, and not for this domain. -EBUSY: writable, and in use as a table or by somebody else.
 */
static int l1_get(struct domain *pt, struct domain *from, uint64_t *entry)
{
    return likely(l1_get_simply(l1_rule(pt, from), entry)) ? 0 : l1_get_unusual(pt, from, entry);
}

/* l1_put() when something is not as usual. */
static __attribute__((noinline)) void l1_put_unusual(uint64_t e)
{
    mfn_t m = mfn(pte_mfn(e));

    if (!mfn_is_ram(m))
        return;
    if (e & PTE_RW)
        type_put(m);
    frame_put(m);
}

static inline __attribute__((always_inline)) void l1_put(uint64_t e)
{
    if ((e & PTE_P) && unlikely(!frame_unmap(mfn(pte_mfn(e)), e & PTE_RW)))
        l1_put_unusual(e);
}

/* Of a present entry. */
static int upper_get(struct domain *d, uint64_t *entry, unsigned level)
{
    uint64_t e = *entry;

    if (!pte_flags_ok(e, level))
        return -EINVAL;
    *entry = pte_for_hardware(e);
    return frame_get_type(d, mfn(pte_mfn(e)), (enum frame_type)(TYPE_L1 + level - 2));
}

static int entry_get(struct domain *pt, struct domain *from, uint64_t *entry, unsigned level)
{
    if (level == 1)
        return l1_get(pt, from, entry);
    return *entry & PTE_P ? upper_get(pt, entry, level) : opaque_get(pt, *entry);
}

static void entry_put(uint64_t e, unsigned level)
{
    if (level == 1)
        l1_put(e);
    else if (e & PTE_P)
        frame_put_type(mfn(pte_mfn(e)));
}

/* ---- Whole tables ---- */

/*
 * Most entries of most tables are 0 and hold nothing, so they are passed over a cache line at a time. TYPE_BUSY is held, so
 * that nobody writes entries meanwhile.
 */
#define LINE     8u
#define L1_PIECE (8 * LINE) /* entries between two looks at the budget */

static inline bool line_empty(const uint64_t *e)
{
    return !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]);
}

/* The first entry from i on that is not 0; PT_ENTRIES: there is none. */
static unsigned used_from(mfn_t table, unsigned i)
{
    const uint64_t *t = machine_ram(table);

    for (; i % LINE; i++) {
        if (t[i])
            return i;
    }
    while (i < PT_ENTRIES && line_empty(&t[i]))
        i += LINE;
    while (i < PT_ENTRIES && !t[i])
        i++;
    return i;
}

/* The end of what is not 0 below entry n; 0: there is none. */
static unsigned used_below(mfn_t table, unsigned n)
{
    const uint64_t *t = machine_ram(table);

    for (; n % LINE; n--) {
        if (t[n - 1])
            return n;
    }
    while (n && line_empty(&t[n - LINE]))
        n -= LINE;
    while (n && !t[n - 1])
        n--;
    return n;
}

static int validate_descriptors(mfn_t m)
{
    uint64_t *desc = machine_frame(m);

    budget_take(PT_ENTRIES / 8); /* a descriptor holds no references */
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        if (!desc_fix(&desc[i]))
            return -EINVAL;
    }
    return 0;
}

/* The same two, paid for: two lines make a unit. */
static uint16_t used_from_paid(mfn_t table, unsigned i)
{
    unsigned at = used_from(table, i);

    budget_take((at - i) / (2 * LINE));
    return (uint16_t)at;
}

static uint16_t used_below_paid(mfn_t table, unsigned n)
{
    unsigned end = used_below(table, n);

    budget_take((n - end) / (2 * LINE));
    return (uint16_t)end;
}

/* Undoes entries [0, f->cursor) of a table under validation; tables below are only queued, so this is short. */
static void undo_entries(struct frame *f, unsigned level)
{
    mfn_t m = frame_mfn(f);
    pte_slot *t = table_of(m);

    while ((f->cursor = (uint16_t)used_below(m, f->cursor))) {
        f->cursor--;
        if (level < 4 || pt_slot_guest(f->cursor))
            entry_put(t[f->cursor], level);
    }
}

static int bad_entry(struct domain *d, struct frame *f, unsigned level, uint64_t e, int rc)
{
    guest_log(d, LOG_DEBUG, "frame %#lx as L%u: bad entry %u: %#lx", frame_mfn(f).n, level, f->cursor, e);
    undo_entries(f, level);
    return rc;
}

/* An L1 table is done in one go, whatever is left of the budget. */
static int validate_l1(struct domain *d, struct frame *f)
{
    pte_slot *t = table_of(frame_mfn(f));
    uint64_t keep = l1_keep(d);
    domid_t owner = d->id;

    budget_take(PT_ENTRIES - f->cursor);
    for (unsigned i = f->cursor; i < PT_ENTRIES; i++) {
        const uint64_t e = t[i];

        if (likely(l1_get_usual(owner, e))) {
            atomic_store_explicit(&t[i], pte_for_hardware(e) & keep, memory_order_relaxed);
        } else if (!e) {
            i = used_from(frame_mfn(f), i) - 1;
        } else {
            uint64_t fit = e;
            int rc = l1_get_unusual(d, d, &fit);

            budget_take(1); /* it costs double */
            if (rc) {
                f->cursor = (uint16_t)i;
                return rc == -ERESTART ? rc : bad_entry(d, f, 1, e, rc);
            }
            t[i] = fit;
        }
    }
    f->cursor = PT_ENTRIES;
    return 0;
}

/* Each level calls type_get for the next lower one, so the depth is at most four. */
static int validate_upper(struct domain *d, struct frame *f, unsigned level)
{
    mfn_t m = frame_mfn(f);
    pte_slot *t = table_of(m);

    for (; (f->cursor = used_from_paid(m, f->cursor)) < PT_ENTRIES; f->cursor++) {
        uint64_t e = t[f->cursor];
        int rc;

        if (level == 4 && !pt_slot_guest(f->cursor))
            continue;
        rc = e & PTE_P ? upper_get(d, &e, level) : opaque_get(d, e);
        if (rc)
            return rc == -ERESTART ? rc : bad_entry(d, f, level, e, rc);
        if (e & PTE_P)
            t[f->cursor] = e;
        if (!budget_take(1) && f->cursor + 1u < PT_ENTRIES) {
            f->cursor++;
            return -ERESTART;
        }
    }
    if (level == 4)
        machine_root_init((uint64_t *)machine_frame(frame_mfn(f)));
    return 0;
}

int pt_validate(struct domain *d, mfn_t m, enum frame_type type)
{
    if (type == TYPE_SEG)
        return validate_descriptors(m);
    return type == TYPE_L1 ? validate_l1(d, frame_of(m)) : validate_upper(d, frame_of(m), level_of(type));
}

/* In pieces, as the last reference to a page may go with an entry. False: the budget is spent, and there is more. */
static bool devalidate_l1(struct frame *f)
{
    pte_slot *t = table_of(frame_mfn(f));

    while (f->cursor) {
        unsigned i = f->cursor, end = i > L1_PIECE ? i - L1_PIECE : 0;

        while (i > end) {
            const uint64_t e = t[--i];

            if (likely(e & PTE_P))
                l1_put(e);
            else if (!e)
                i = used_below(frame_mfn(f), i);
        }
        budget_take(f->cursor - i);
        f->cursor = (uint16_t)i;
        if (i && budget_spent())
            return false;
    }
    return true;
}

int pt_devalidate(struct domain *d, mfn_t m, enum frame_type type)
{
    struct frame *f = frame_of(m);
    unsigned level = level_of(type);
    pte_slot *t = table_of(m);

    shadow_table_gone(d, m);
    if (level == 1)
        return devalidate_l1(f) ? 0 : -ERESTART;
    while ((f->cursor = used_below_paid(m, f->cursor))) {
        f->cursor--;
        if (level < 4 || pt_slot_guest(f->cursor))
            entry_put(t[f->cursor], level);
        if (!budget_take(1) && f->cursor)
            return -ERESTART;
    }
    return 0;
}

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

/* Before the old entry's references go: nobody may still use it when its frame becomes something else. */
static inline void entry_changed(struct domain *d, mfn_t table, unsigned level, unsigned i)
{
    if (unlikely(d->dirty))
        shadow_entry_changed(d, table, level, i);
    if (level == 4)
        machine_root_changed(table);
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

/* Locks an L1 table of d's; *referenced: with both references, as it was not in use. False: d has no such table. */
static bool l1_open(struct domain *d, mfn_t table, bool *referenced)
{
    *referenced = false;
    if (likely(frame_lock_l1(frame_of(table), d->id)))
        return true;
    if (frame_get_type(d, table, TYPE_L1))
        return false;
    *referenced = true;
    frame_lock(frame_of(table));
    return true;
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

/* From the table of a level to the next lower one. */
static inline bool step(mfn_t *m, uint64_t va, unsigned level)
{
    uint64_t e = table_of(*m)[pt_index(va, level)];

    *m = mfn(pte_mfn(e));
    return (e & (PTE_P | PTE_PSE)) == PTE_P && mfn_is_ram(*m);
}

/* The L1 table that translates va, by v's kernel root; not referenced: it may change under us. */
static inline __attribute__((always_inline)) bool walk(const struct vcpu *v, uint64_t va, mfn_t *table)
{
    mfn_t m = v->root_kernel;

    if (unlikely(mfn_same(m, MFN_NONE) || !va_range_guest(va, 1) || !step(&m, va, 4) || !step(&m, va, 3) || !step(&m, va, 2)))
        return false;
    *table = m;
    return true;
}

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

/* ---- Grants ---- */

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
static unsigned grant_map_run(struct vcpu *v, struct pt_grant *g, unsigned n, struct walked *last)
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

static inline bool maps_frame(uint64_t e, mfn_t m) { return (e & PTE_P) && pte_mfn(e) == m.n; }

/* Those at the beginning that are in one table; gives how many. */
static unsigned grant_clear_run(struct vcpu *v, struct pt_grant_gone *g, unsigned n)
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
