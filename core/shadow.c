/* SPDX-License-Identifier: BSD-2-Clause */
/* Shadow tables: found, filled, cleared, forgotten. */
#include "core/shadow.h"

#include "core/dirty.h"
#include "core/flush.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "lib/string.h"
#include "x86/model/pte.h"

#include <stdatomic.h>

/* Others may write the entries of an L1 as we look. After that many changes under us the guest tries again. */
#define TRIES 8u

typedef _Atomic uint64_t pte_slot;

static pte_slot *table_of(mfn_t m) { return machine_frame(m); }
static mfn_t stands_for(mfn_t shadow) { return mfn(frame_of(shadow)->prev); }

/* ---- The pool ---- */

static uint32_t *bucket_of(const struct shadow *s, mfn_t table)
{
    return &s->bucket[(table.n * 0x9e3779b1u >> 7) & (s->buckets - 1)];
}

/* The shadow of a table; 0: it has none. */
static uint32_t find(const struct shadow *s, mfn_t table)
{
    uint32_t n = *bucket_of(s, table);

    while (n && frame_table[n].prev != table.n)
        n = frame_table[n].next;
    return n;
}

/* The link that holds a shadow: its bucket or the one before it. */
static uint32_t *link_to(const struct shadow *s, uint32_t n)
{
    uint32_t *link = bucket_of(s, mfn(frame_table[n].prev));

    while (*link != n)
        link = &frame_table[*link].next;
    return link;
}

static void forget(struct shadow *s, uint32_t n)
{
    struct frame *f = &frame_table[n];

    *link_to(s, n) = f->next;
    f->next = 0;
    f->prev = 0;
    WRITE_ONCE(f->stamp, machine_flush_stamp());
    if (s->nr_free++)
        frame_table[s->free_last].next = n;
    else
        s->free_first = n;
    s->free_last = n;
}

/* An empty page, of which no CPU knows anything. There is one: the caller has counted. */
static uint32_t take(struct domain *d, struct shadow *s)
{
    cpumask_t stale;
    uint32_t n;

    if (s->used < s->count) {
        n = s->pool[s->used++]; /* all were flushed when all were forgotten */
    } else {
        ASSERT(s->nr_free);
        n = s->free_first;
        s->free_first = frame_table[n].next;
        s->nr_free--;
        stale = machine_stale(d->dirty_cpus, frame_table[n].stamp);
        if (stale)
            flush_tlbs(stale, FLUSH_ALL, 0);
    }
    memset(machine_frame(mfn(n)), 0, PAGE_SIZE);
    return n;
}

static uint32_t left(const struct shadow *s) { return s->count - s->used + s->nr_free; }

/* ---- Entries ---- */

static void set(struct vcpu *v, mfn_t shadow, unsigned level, unsigned i, uint64_t entry)
{
    pte_slot *slot = &table_of(shadow)[i];

    if (*slot == entry)
        return;
    atomic_store(slot, entry);
    if (level == PT_LEVELS)
        machine_root_changed(shadow);
}

/* What the CPU may have of an L1 entry with A set. */
static uint64_t leaf(const struct domain *d, uint64_t e)
{
    mfn_t m = mfn(pte_mfn(e));

    if (!(e & PTE_RW))
        return e;
    if (!(e & PTE_D))
        return e & ~PTE_RW;
    return !mfn_is_ram(m) || READ_ONCE(frame_of(m)->owner) != d->id || dirty_has(d->dirty, m) ? e : e & ~PTE_RW;
}

static uint64_t upper(uint32_t lower, uint64_t e) { return (e & ~PTE_ADDR) | pte_make(lower, 0); }

/* Entries that were used before are likely used again: they need not fault one by one. */
static void fill_used(const struct domain *d, uint32_t n, mfn_t table)
{
    pte_slot *from = table_of(table), *to = table_of(mfn(n));

    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t e = from[i];

        if ((e & (PTE_P | PTE_A)) == (PTE_P | PTE_A))
            atomic_store_explicit(&to[i], leaf(d, e), memory_order_relaxed);
    }
}

/* The shadow of a validated table. */
static uint32_t shadow_of(struct domain *d, mfn_t table, unsigned level)
{
    struct shadow *s = &d->dirty->shadow;
    uint32_t n = find(s, table), *bucket;

    if (n)
        return n;
    n = take(d, s);
    if (level == 1)
        fill_used(d, n, table);
    bucket = bucket_of(s, table);
    frame_table[n].prev = (uint32_t)table.n;
    frame_table[n].next = *bucket;
    *bucket = n;
    return n;
}

/* ---- Faults ---- */

/* The guest's tables and entries for an address, by level. */
struct walk {
    mfn_t table[PT_LEVELS + 1];
    uint64_t entry[PT_LEVELS + 1];
};

/* False: an entry is not present. */
static bool walk(const struct vcpu *v, uint64_t va, struct walk *w)
{
    mfn_t m = v->kernel_mode ? v->root_kernel : v->root_user;

    if (mfn_same(m, MFN_NONE))
        return false;
    for (unsigned level = PT_LEVELS; level; level--) {
        w->table[level] = m;
        w->entry[level] = table_of(m)[pt_index(va, level)];
        if (!(w->entry[level] & PTE_P))
            return false;
        m = mfn(pte_mfn(w->entry[level]));
    }
    return true;
}

/* All run at CPL 3, and every present entry has U. */
static bool allows(const struct walk *w, uint32_t error)
{
    uint64_t all = ~0ull, any = 0;

    for (unsigned level = PT_LEVELS; level; level--) {
        all &= w->entry[level];
        any |= w->entry[level];
    }
    return (!(error & X86_PFEC_WRITE) || (all & PTE_RW)) && (!(error & X86_PFEC_FETCH) || !(any & PTE_NX));
}

/* A and D as the CPU sets them. False: an entry has changed meanwhile. */
static bool set_accessed(struct domain *d, uint64_t va, struct walk *w, bool write)
{
    for (unsigned level = PT_LEVELS; level; level--) {
        uint64_t want = w->entry[level] | PTE_A | (write && level == 1 ? PTE_D : 0);

        if (want == w->entry[level])
            continue;
        if (!atomic_compare_exchange_strong(&table_of(w->table[level])[pt_index(va, level)], &w->entry[level], want))
            return false;
        w->entry[level] = want;
        dirty_set(d->dirty, w->table[level]);
    }
    return true;
}

static void fill(struct vcpu *v, uint64_t va, const struct walk *w)
{
    mfn_t at = v->shadow_root[!v->kernel_mode];

    ASSERT(mfn_same(stands_for(at), w->table[PT_LEVELS]));
    for (unsigned level = PT_LEVELS; level > 1; level--) {
        uint32_t lower = shadow_of(v->domain, w->table[level - 1], level - 1);

        set(v, at, level, pt_index(va, level), upper(lower, w->entry[level]));
        at = mfn(lower);
    }
    set(v, at, 1, pt_index(va, 1), leaf(v->domain, w->entry[1]));
}

/* Under the lock. As shadow_fault(). */
static bool fault(struct vcpu *v, uint64_t va, uint32_t *error)
{
    struct dirty *t = v->domain->dirty;
    bool write = *error & X86_PFEC_WRITE;
    struct walk w;
    mfn_t m;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!walk(v, va, &w)) {
            *error &= ~X86_PFEC_PRESENT;
            return false;
        }
        if (!allows(&w, *error)) {
            *error |= X86_PFEC_PRESENT;
            return false;
        }
        if (!set_accessed(v->domain, va, &w, write))
            continue;
        m = mfn(pte_mfn(w.entry[1]));
        if (write && mfn_is_ram(m) && READ_ONCE(frame_of(m)->owner) == v->domain->id)
            dirty_set(t, m);
        if (left(&t->shadow) < SHADOW_PER_FAULT)
            shadow_forget_all(v->domain);
        fill(v, va, &w);
        t->faults++;
        break;
    }
    return true;
}

bool shadow_fault(struct vcpu *v, uint64_t va, uint32_t *error)
{
    struct dirty *t = v->domain->dirty;
    bool done;

    /* It is not switched while v runs. */
    if (!t || !t->on || !va_range_guest(va, 1) || (*error & X86_PFEC_RESERVED))
        return false;
    lock(&t->lock);
    done = fault(v, va, error);
    unlock(&t->lock);
    return done;
}

bool shadow_own_fault(struct vcpu *v, uint64_t va, uint32_t error)
{
    return v && v->domain->dirty && this_pcpu()->own_faults++ < SHADOW_OWN_FAULTS && shadow_fault(v, va, &error);
}

/* ---- What changes in the guest's tables ---- */

/* Runs on each shadow root that stands for a table. */
static void clear_in_roots(struct domain *d, mfn_t table, unsigned i)
{
    for (unsigned k = 0; k < d->max_vcpus; k++) {
        for (unsigned user = 0; user < 2; user++) {
            mfn_t root = d->vcpu[k]->shadow_root[user];

            if (mfn_same(stands_for(root), table))
                set(d->vcpu[k], root, PT_LEVELS, i, 0);
        }
    }
}

/*
 * Whoever finds it off changed the entry before it was switched on: what faults fill in from then on is the new one. So it
 * is with the other two.
 */
void shadow_entry_changed(struct domain *d, mfn_t table, unsigned level, unsigned i)
{
    struct dirty *t = d->dirty;
    uint32_t n;

    if (likely(!t) || !t->on)
        return;
    lock(&t->lock);
    if (t->on && level == PT_LEVELS)
        clear_in_roots(d, table, i);
    n = t->on && level < PT_LEVELS ? find(&t->shadow, table) : 0;
    if (n)
        atomic_exchange(&table_of(mfn(n))[i], 0);
    if (t->on)
        dirty_set(t, table);
    unlock(&t->lock);
}

void shadow_table_gone(struct domain *d, mfn_t table)
{
    struct dirty *t = d->dirty;
    uint32_t n;

    if (likely(!t) || !t->on)
        return;
    lock(&t->lock);
    n = t->on ? find(&t->shadow, table) : 0;
    if (n)
        forget(&t->shadow, n);
    unlock(&t->lock);
}

/* ---- Roots, and all at once ---- */

static void root_clear(mfn_t shadow)
{
    pte_slot *e = table_of(shadow);

    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        if (pt_slot_guest(i))
            atomic_store_explicit(&e[i], 0, memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_seq_cst);
    machine_root_changed(shadow);
}

void shadow_root_fill(struct vcpu *v, bool user)
{
    mfn_t root = user ? v->root_user : v->root_kernel, shadow = v->shadow_root[user];
    const struct shadow *s = &v->domain->dirty->shadow;
    pte_slot *from, *to = table_of(shadow);

    root_clear(shadow);
    frame_of(shadow)->prev = mfn_same(root, MFN_NONE) ? 0 : (uint32_t)root.n;
    if (mfn_same(root, MFN_NONE))
        return;
    from = table_of(root);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t e = from[i];
        uint32_t lower = pt_slot_guest(i) && (e & PTE_P) && (e & PTE_A) ? find(s, mfn(pte_mfn(e))) : 0;

        if (lower)
            atomic_store_explicit(&to[i], upper(lower, e), memory_order_relaxed);
    }
}

void shadow_root_changed(struct vcpu *v, bool user)
{
    struct dirty *t = v->domain->dirty;

    if (likely(!t) || !t->on)
        return;
    lock(&t->lock);
    if (t->on)
        shadow_root_fill(v, user);
    unlock(&t->lock);
}

void shadow_none(struct shadow *s, uint32_t roots)
{
    memset(s->bucket, 0, s->buckets * sizeof(*s->bucket));
    s->used = roots;
    s->free_first = s->free_last = s->nr_free = 0;
}

void shadow_forget_all(struct domain *d)
{
    shadow_none(&d->dirty->shadow, 2 * d->max_vcpus);
    for (unsigned k = 0; k < d->max_vcpus; k++) {
        for (unsigned user = 0; user < 2; user++)
            root_clear(d->vcpu[k]->shadow_root[user]);
    }
    flush_tlbs(d->dirty_cpus, FLUSH_ALL, 0);
}

/* ---- The check ---- */

/* What the entry of a shadow of a table of that level must be, if it is there. */
static bool agrees(const struct domain *d, uint64_t e, uint64_t guest, unsigned level)
{
    if (!(guest & PTE_P) || !(guest & PTE_A))
        return false;
    if (level > 1)
        return e == upper(find(&d->dirty->shadow, mfn(pte_mfn(guest))), guest);
    return e == (guest & ~PTE_RW) || e == leaf(d, guest);
}

static long audit_table(const struct domain *d, mfn_t shadow)
{
    mfn_t table = stands_for(shadow);
    uint64_t word = frame_of(table)->type;
    unsigned level = (unsigned)(type_of(word) - TYPE_L1) + 1;
    pte_slot *ours, *theirs;
    long faults = 0;

    if (level < 1 || level > PT_LEVELS || !(word & TYPE_VALID) || READ_ONCE(frame_of(table)->owner) != d->id) {
        hv_log(LOG_ERR, "audit: shadow of frame %#lx, type %#lx, which is no table of d%u", table.n, word, d->id);
        return 1;
    }
    ours = table_of(shadow), theirs = table_of(table);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t e = ours[i], guest = theirs[i];

        if (!(e & PTE_P) || (level == PT_LEVELS && !pt_slot_guest(i)) || agrees(d, e, guest, level))
            continue;
        hv_log(LOG_ERR, "audit: d%u, L%u frame %#lx, entry %u is %#lx, its shadow %#lx", d->id, level, table.n, i, guest, e);
        faults++;
    }
    return faults;
}

long shadow_audit(struct domain *d)
{
    const struct dirty *t = d->dirty;
    long faults = 0;

    if (!t || !t->on)
        return 0;
    for (uint32_t i = 0; i < t->shadow.used; i++) {
        mfn_t shadow = mfn(t->shadow.pool[i]);

        if (frame_of(shadow)->prev)
            faults += audit_table(d, shadow);
    }
    return faults;
}
