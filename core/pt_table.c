/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole PV page tables: the references of all their entries are taken when a frame becomes a table, and given back when it ends.
 */
#include "core/pt.h"

#include "core/budget.h"
#include "core/log.h"
#include "core/pt_entry.h"
#include "x86/model/desc.h"

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
        rc = upper_get(d, &e, level);
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
