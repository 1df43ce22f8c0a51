/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one entry of a page table holds, for core/pt*.c: its references are taken before it is written, and given back once it is
 * gone.
 *
 * What a present entry holds, for as long as it stands in a VALID (or below the cursor of a partial) table:
 *   L1  RAM: a general reference, and a WRITABLE one if RW. Not RAM: nothing.
 *   L2..L4: a general and a type reference of the next lower table, which has the same owner. No superpages.
 * Entries change only in validation (BUSY) or under frame_lock, so the entry read there says which references it holds; the
 * CPU itself sets only accessed and dirty bits.
 *
 * A guest may spell the same thing in many ways; flags outside the allow-list of x86/model/pte.h are refused, and what the
 * hardware gets has U set and G clear at every level (a 64-bit PV kernel runs at CPL 3).
 *
 * An L1 entry is what guests change all the time, so what is as usual is done in place, without a call; core/pt_entry.c has the rest.
 */
#ifndef CORE_PT_ENTRY_H
#define CORE_PT_ENTRY_H

#include "core/domain.h"
#include "core/frame_map.h"
#include "core/shadow.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "x86/model/pte.h"

#include <stdatomic.h>

typedef _Atomic uint64_t pte_slot;

static inline pte_slot *table_of(mfn_t m) { return machine_ram(m); }

static inline unsigned level_of(enum frame_type type) { return (unsigned)(type - TYPE_L1) + 1; }

/* ---- Its references ---- */

/* What stays of a present L1 entry for RAM: for those without devices, it is write-back. */
static inline uint64_t l1_keep(const struct domain *pt)
{
    return domain_may(pt, PRIV_HARDWARE) ? ~0ull : ~PTE_CACHE;
}

/* l1_get() and l1_put() when something is not as usual. */
__attribute__((noinline)) int l1_get_unusual(struct domain *pt, struct domain *from, uint64_t *entry);
__attribute__((noinline)) void l1_put_unusual(uint64_t e);

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
static inline int l1_get(struct domain *pt, struct domain *from, uint64_t *entry)
{
    return likely(l1_get_simply(l1_rule(pt, from), entry)) ? 0 : l1_get_unusual(pt, from, entry);
}

static inline __attribute__((always_inline)) void l1_put(uint64_t e)
{
    if ((e & PTE_P) && unlikely(!frame_unmap(mfn(pte_mfn(e)), e & PTE_RW)))
        l1_put_unusual(e);
}

/* The same for an entry of L2 to L4, which leads to a table of d's: 0, -EINVAL, or what frame_get_type() has. */
int upper_get(struct domain *d, uint64_t *entry, unsigned level);

/* The same two at any level; for upper ones `from` does not matter. */
static inline int entry_get(struct domain *pt, struct domain *from, uint64_t *entry, unsigned level)
{
    return level == 1 ? l1_get(pt, from, entry) : upper_get(pt, entry, level);
}

void entry_put(uint64_t e, unsigned level);

/* ---- Its table ---- */

/*
 * Locks an L1 table of d's; *referenced: with both references, which are the caller's to put after the lock, as it was not in use.
 * False: d has no such table.
 */
bool l1_open(struct domain *d, mfn_t table, bool *referenced);

/* Before the old entry's references go: nobody may still use it when its frame becomes something else. */
static inline void entry_changed(struct domain *d, mfn_t table, unsigned level, unsigned i)
{
    if (unlikely(d->dirty))
        shadow_entry_changed(d, table, level, i);
    if (level == 4)
        machine_root_changed(table);
}

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

#endif
