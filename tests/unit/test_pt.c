/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/pt.c: what a table may hold, whole and in pieces. After each step all references are counted again (core/audit.c)
 * and every TLB is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "core/dirty.h"

#include <xen/grant_table.h>

enum { PAGES = 64 };

static struct guest a, b;

static uint64_t type_word(unsigned i) { return frame_of(a.m[i])->type; }
static uint64_t uses(unsigned i)      { return type_word(i) & TYPE_COUNT; }
static uint64_t refs(unsigned i)      { return frame_of(a.m[i])->refs & REFS_COUNT; }

static int two_guests(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_create(&b, 2, 0, PAGES);
    host_run(a.v);
    plenty();
    return 0;
}

/* Whatever a test left behind goes with its guests, piece by piece. */
static int no_guests(void **state)
{
    uint64_t before = frames_free_count();
    domid_t id[] = { a.d->id, b.d->id };

    guest_destroy(&a, control.v, 1);
    hosted_check();
    guest_destroy(&b, control.v, PLENTY);
    hosted_check();
    assert_true(frames_free_count() >= before + 2 * PAGES);
    for (unsigned i = 0; i < 2; i++)
        assert_null(domain_get(id[i]));
    return 0;
}

static bool refused(int rc) { return rc == -EINVAL || rc == -EBUSY || rc == -EPERM; }

/* ---- Whole tables ---- */

static void a_pin_holds_everything_below(void **state)
{
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    hosted_check();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(type_of(type_word(i)), TYPE_L4 - i);
        assert_int_equal(uses(i), 1);
        assert_true(type_word(i) & TYPE_VALID);
    }
    assert_int_equal(refs(4), 2);
    assert_int_equal(uses(4), 1);
    assert_int_equal(refs(8), 1);

    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), -EINVAL);
    hosted_check();
    assert_int_equal(type_unpin(a.m[0]), 0);
    hosted_check();
    hosted_leave(a.v, PLENTY);
    hosted_check();
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(refs(i), 1);
        assert_int_equal(uses(i), 0);
    }
    assert_int_equal(type_unpin(a.m[0]), -EINVAL);
}

/* One bad entry at each level and of each kind: refused, and nothing is held. */
static void bad_entries_are_refused(void **state)
{
    static const uint64_t flags[] = { RW | PTE_PSE, RW | PTE_G, RO | PTE_PSE };

    for (unsigned table = 0; table < 4; table++) {
        for (unsigned kind = 0; kind < 6; kind++) {
            uint64_t *entry = (uint64_t *)machine_frame(a.m[table]) + 17;
            int rc;

            memset(machine_frame(a.m[table]), 0, PAGE_SIZE);
            guest_tables(&a, 8);
            switch (kind) {
            case 0: *entry = pte_make(b.m[5].n, RO); break;           /* somebody else's */
            case 1: *entry = pte_make(frame_count + 5, RO); break;    /* no RAM */
            case 2: *entry = pte_make(machine_m2p_chunk(0).n, RW); break; /* the hypervisor's */
            case 3: *entry = pte_make(a.m[0].n, RW); break;           /* the root, writable */
            case 4: *entry = table == 3 ? pte_make(a.m[2].n, RW) : pte_make(a.m[table].n, RW); break;
            default: *entry = pte_make(a.m[10].n, flags[table % 3]); break; /* an empty frame would do as a table */
            }
            /* PSE in an L1 entry is PAT. */
            if (table == 3 && kind == 5)
                *entry = pte_make(frame_count + 7, RW);
            rc = type_pin(a.d, a.m[0], TYPE_L4);
            assert_true(refused(rc));
            hosted_check();
            hosted_leave(a.v, PLENTY);
            hosted_check();
            assert_int_equal(refs(0), 1);
            *entry = 0;
        }
    }
}

static void a_table_may_map_itself_read_only(void **state)
{
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(refs(3), 4); /* its list, itself, the L2, its own entry */
    for (unsigned i = 0; i < 4; i++)
        assert_true(refused(pt_set(a.m[3], 20, pte_make(a.m[i].n, RW), a.d, a.d, false)));
    hosted_check();
}

/* The hypervisor's slots of a root are its own, whatever the guest wrote there. */
static void the_hypervisors_slots_stay(void **state)
{
    uint64_t *root = machine_frame(a.m[0]);

    guest_tables(&a, 8);
    for (unsigned i = PT_HV_SLOT_FIRST; i <= PT_HV_SLOT_LAST; i++)
        root[i] = pte_make(a.m[1].n, RW);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    for (unsigned i = PT_HV_SLOT_FIRST; i <= PT_HV_SLOT_LAST; i++) {
        assert_int_not_equal(pte_mfn(root[i]), a.m[1].n);
        assert_true(refused(pt_set(a.m[0], i, pte_make(a.m[1].n, RW), a.d, a.d, false)));
    }
    hosted_check();
}

/* ---- In pieces ---- */

static uint64_t snapshot[PAGES][3];

static void take_snapshot(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        snapshot[i][0] = frame_of(a.m[i])->refs;
        snapshot[i][1] = type_word(i);
        snapshot[i][2] = ((uint64_t *)machine_frame(a.m[i]))[i % PT_ENTRIES];
    }
}

static void same_as_snapshot(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(snapshot[i][0], frame_of(a.m[i])->refs);
        assert_int_equal(snapshot[i][1], type_word(i));
        assert_int_equal(snapshot[i][2], ((uint64_t *)machine_frame(a.m[i]))[i % PT_ENTRIES]);
    }
}

/* A tree with three L1 tables under two L2 tables, entries at the edges, and some that are not present but not 0 either. */
static void wide_tables(void)
{
    static const unsigned upper[] = { 0, 1, 2, 10, 11 };

    guest_tables(&a, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(upper); i++) {
        for (unsigned k = 100; k < 104; k++)
            ((uint64_t *)machine_frame(a.m[upper[i]]))[k] = PTE_AVAIL;
    }
    guest_entry(&a, 0, 511, 10, RW);
    guest_entry(&a, 10, 0, 11, RW);
    guest_entry(&a, 11, 511, 12, RW);
    guest_entry(&a, 2, 511, 13, RW);
    for (unsigned i = 0; i < 16; i++) {
        guest_entry(&a, 12, i * 34, 20 + i, RW);
        guest_entry(&a, 13, 511 - i, 24 + i, i % 2 ? RO : RW);
    }
}

static int pin_in_pieces(unsigned units, unsigned *calls)
{
    int rc;

    for (*calls = 0;; ++*calls) {
        this_pcpu()->budget = units;
        rc = type_pin(a.d, a.m[0], TYPE_L4);
        hosted_check();
        if (rc != -ERESTART)
            return rc;
        hosted_leave(a.v, units);
        hosted_check();
    }
}

static void pieces_give_the_same(void **state)
{
    static const unsigned units[] = { 1, 2, 7, 100, 513 };
    unsigned calls;

    wide_tables();
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    take_snapshot();
    assert_int_equal(type_unpin(a.m[0]), 0);
    hosted_leave(a.v, PLENTY);
    for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
        assert_int_equal(pin_in_pieces(units[i], &calls), 0);
        assert_true(calls >= 8 / units[i]);
        same_as_snapshot();
        assert_int_equal(type_unpin(a.m[0]), 0);
        hosted_leave(a.v, units[i]);
        hosted_check();
        for (unsigned f = 0; f < PAGES; f++)
            assert_int_equal(refs(f), 1);
    }
}

/* The last entry is bad: the pieces before it are all given back. */
static void pieces_fail_as_a_whole(void **state)
{
    unsigned calls;

    wide_tables();
    ((uint64_t *)machine_frame(a.m[12]))[511] = pte_make(b.m[0].n, RW);
    assert_true(refused(pin_in_pieces(1, &calls)));
    hosted_leave(a.v, 1);
    hosted_check();
    for (unsigned f = 0; f < PAGES; f++)
        assert_int_equal(uses(f), 0);
}

/* Stopped after any number of pieces: used as something else, or left to die with its domain (no_guests). */
static void a_partial_table_becomes_something_else(void **state)
{
    for (unsigned pieces = 1; pieces < 40; pieces++) {
        int rc = -ERESTART;

        wide_tables();
        for (unsigned i = 0; i < pieces && rc == -ERESTART; i++) {
            this_pcpu()->budget = 60;
            rc = type_pin(a.d, a.m[0], TYPE_L4);
        }
        hosted_check();
        if (rc == 0) {
            assert_int_equal(type_unpin(a.m[0]), 0);
            break;
        }
        assert_int_equal(rc, -ERESTART);
        do {
            this_pcpu()->budget = 5;
            rc = frame_get_type(a.d, a.m[0], TYPE_WRITABLE);
            if (rc)
                hosted_check();
        } while (rc == -ERESTART);
        assert_int_equal(rc, 0);
        frame_put_type(a.m[0]);
        hosted_leave(a.v, 5);
        hosted_check();
        assert_int_equal(type_of(type_word(0)), TYPE_WRITABLE);
        memset(machine_frame(a.m[0]), 0, PAGE_SIZE);
    }
    for (unsigned i = 0; i < 3; i++) {
        this_pcpu()->budget = 3;
        (void)!type_pin(a.d, a.m[0], TYPE_L4);
    }
    hosted_check();
}

/* ---- Entries ---- */

/* Requests of mmu_update in one go: as far as all is ordinary, and no further. */
static void a_run_of_entries_ends_at_the_first_unusual_one(void **state)
{
    uint64_t l1 = mfn_maddr(a.m[3]), rw = pte_make(a.m[9].n, RW), refs_were;
    struct mmu_update u[] = {
        { l1 + 31 * 8, rw }, { l1 + 30 * 8, pte_make(a.m[9].n, RO) }, { l1 + 511 * 8, pte_make(a.m[1].n, RO) }, { l1 + 32 * 8, 0 },
    };
    const struct mmu_update unusual[] = {
        { mfn_maddr(a.m[2]) + 8, rw }, { mfn_maddr(a.m[4]), rw }, { l1 + 8 * 33 + 4, rw }, { l1 + 8 * 33 + MMU_MACHPHYS_UPDATE, rw },
        { l1 + 8 * 33, pte_make(a.m[3].n, RW) }, { l1 + 8 * 33, pte_make(b.m[9].n, RO) }, { l1 + 8 * 33, pte_make(frame_count, RO) },
        { mfn_maddr(mfn(frame_count)), rw },
    };
    const struct mmu_update keeping = { l1 + 8 * 34 + MMU_PT_UPDATE_PRESERVE_AD, pte_make(a.m[9].n, RO & ~PTE_A) };
    const struct mmu_update theirs = { l1 + 8 * 35, pte_make(b.m[9].n, RW) };
    struct mmu_update mine;

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    refs_were = refs(1);
    assert_int_equal(pt_set(a.m[3], 30, rw, a.d, a.d, false), 0);
    assert_int_equal(pt_set_run(a.d, a.d, u, 2), 2);
    assert_int_equal(pt_set_run(a.d, a.d, u, ARRAY_SIZE(u)), ARRAY_SIZE(u));
    assert_int_equal(uses(9), 1);
    assert_int_equal(refs(9), 3);
    assert_int_equal(refs(1), refs_were + 1);
    for (unsigned i = 0; i < ARRAY_SIZE(unusual); i++)
        assert_int_equal(pt_set_run(a.d, a.d, &unusual[i], 1), 0);
    assert_int_equal(refs(9), 3);
    ((uint64_t *)machine_frame(a.m[3]))[34] = PTE_A | PTE_D;
    assert_int_equal(pt_set_run(a.d, a.d, &keeping, 1), 1);
    assert_int_equal(((uint64_t *)machine_frame(a.m[3]))[34], pte_make(a.m[9].n, RO | PTE_A | PTE_D));
    /* Another's pages for who may have them, in one's own tables only. */
    assert_int_equal(pt_set_run(a.d, b.d, &theirs, 1), 0); /* not WRITABLE yet */
    assert_int_equal(frame_get_type(b.d, b.m[9], TYPE_WRITABLE), 0);
    assert_int_equal(pt_set_run(b.d, b.d, &theirs, 1), 0);
    assert_int_equal(pt_set_run(a.d, b.d, &theirs, 1), 1);
    assert_true(frame_of(b.m[9])->type & TYPE_FOREIGN);
    frame_put_type(b.m[9]);
    hosted_check();
    /* A table that is not in use, though it was a moment ago. */
    mine = (struct mmu_update){ mfn_maddr(a.m[10]) + 8, pte_make(a.m[9].n, RO) };
    assert_int_equal(type_pin(a.d, a.m[10], TYPE_L1), 0);
    assert_int_equal(pt_set_run(a.d, a.d, &mine, 1), 1);
    assert_int_equal(type_unpin(a.m[10]), 0);
    assert_int_equal(pt_set_run(a.d, a.d, &mine, 1), 0);
    hosted_check();
}

/* However many are done under one lock, they are done in their order, and to any table. */
static void a_run_of_entries_is_as_one_by_one(void **state)
{
    struct mmu_update u[3 * PT_RUN];
    const mfn_t table[] = { a.m[3], a.m[10] };

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(type_pin(a.d, a.m[10], TYPE_L1), 0);
    assert_int_equal(frame_get_type(a.d, a.m[11], TYPE_WRITABLE), 0);
    for (unsigned i = 0; i < 3 * PT_RUN; i++) {
        unsigned slot = 20 + (i < 2 * PT_RUN ? i / 2 : i) % 7;

        u[i].ptr = mfn_maddr(table[i < 2 * PT_RUN ? 0 : i & 1]) + 8 * slot + (i % 5 ? MMU_NORMAL_PT_UPDATE : MMU_PT_UPDATE_PRESERVE_AD);
        u[i].val = i % 3 ? pte_make(a.m[11].n, i & 4 ? RW : RO) | (uint64_t)(i & 7) << 52 : 0;
    }
    assert_int_equal(pt_set_run(a.d, a.d, u, 3 * PT_RUN), 3 * PT_RUN);
    frame_put_type(a.m[11]);
    hosted_check();
    for (unsigned i = 0; i < 3 * PT_RUN; i++) {
        uint64_t is = ((uint64_t *)machine_ram(mfn(u[i].ptr / PAGE_SIZE)))[u[i].ptr % PAGE_SIZE / 8], last = 0;

        for (unsigned k = 0; k < 3 * PT_RUN; k++) {
            if (u[k].ptr / 8 == u[i].ptr / 8)
                last = u[k].val;
        }
        assert_int_equal(is & ~(PTE_A | PTE_D), last & ~(PTE_A | PTE_D));
    }
}

/* The last mapping of a page that was given up goes, and it is wanted again: as the first comes first, it is no more. */
static void a_run_of_entries_ends_where_order_matters(void **state)
{
    uint64_t l1 = mfn_maddr(a.m[3]), rw = pte_make(a.m[12].n, RW);
    const struct mmu_update u[] = { { l1 + 30 * 8, 0 }, { l1 + 31 * 8, rw }, { l1 + 32 * 8, 0 } };

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(pt_set(a.m[3], 30, rw, a.d, a.d, false), 0);
    lock(&a.d->lock);
    assert_true(frame_release(a.d, a.m[12]));
    unlock(&a.d->lock);
    assert_int_equal(pt_set_run(a.d, a.d, u, 3), 1);
    assert_int_equal(frame_of(a.m[12])->refs & REFS_COUNT, 0);
    hosted_check();
}

static void an_entry_moves_its_references(void **state)
{
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(pt_set(a.m[3], 30, pte_make(a.m[9].n, RW), a.d, a.d, false), 0);
    assert_int_equal(uses(9), 1);
    assert_int_equal(refs(9), 2);
    assert_int_equal(pt_set(a.m[3], 30, pte_make(a.m[9].n, RO), a.d, a.d, false), 0);
    assert_int_equal(uses(9), 0);
    assert_int_equal(refs(9), 2);
    assert_int_equal(pt_set(a.m[3], 30, 0xdeadbee0ull, a.d, a.d, false), 0); /* not present: anything */
    assert_int_equal(refs(9), 1);
    hosted_check();
    /* A second root entry for the same L3. */
    assert_int_equal(pt_set(a.m[0], 5, pte_make(a.m[1].n, RW), a.d, a.d, false), 0);
    assert_int_equal(uses(1), 2);
    assert_int_equal(pt_set(a.m[0], 5, 0, a.d, a.d, false), 0);
    hosted_check();
    assert_int_equal(pt_set(a.m[0], 0, 0, a.d, a.d, false), 0);
    hosted_check();
    hosted_leave(a.v, 1);
    hosted_check();
    assert_int_equal(refs(1), 1);
}

/* Whoever runs on a copy of a root hears of each change, be it of flags only; nobody of those below. */
static void root_changes_are_told(void **state)
{
    unsigned before;

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    before = host_root_changes;
    assert_int_equal(pt_set(a.m[0], 5, pte_make(a.m[1].n, RW), a.d, a.d, false), 0);
    assert_int_equal(host_root_changes, before + 1);
    assert_int_equal(pt_set(a.m[0], 5, pte_make(a.m[1].n, RO), a.d, a.d, false), 0);
    assert_int_equal(host_root_changes, before + 2);
    assert_int_equal(pt_set(a.m[0], 5, 0, a.d, a.d, true), 0);
    assert_int_equal(host_root_changes, before + 3);
    assert_true(refused(pt_set(a.m[0], 5, pte_make(a.m[3].n, RW), a.d, a.d, false)));
    assert_int_equal(pt_set(a.m[1], 9, pte_make(a.m[2].n, RW), a.d, a.d, false), 0);
    assert_int_equal(pt_set(a.m[3], 30, pte_make(a.m[9].n, RW), a.d, a.d, false), 0);
    assert_int_equal(host_root_changes, before + 3);
}

static void accessed_and_dirty_survive(void **state)
{
    uint64_t *slot = (uint64_t *)machine_frame(a.m[3]) + 6;

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    *slot |= PTE_D; /* the CPU does that */
    assert_int_equal(pt_set(a.m[3], 6, pte_make(a.m[6].n, (RW | PTE_AVAIL) & ~PTE_A), a.d, a.d, true), 0);
    assert_true((*slot & (PTE_A | PTE_D | PTE_AVAIL)) == (PTE_A | PTE_D | PTE_AVAIL));
    assert_int_equal(pt_set(a.m[3], 6, pte_make(a.m[6].n, RW & ~PTE_A), a.d, a.d, false), 0);
    assert_int_equal(*slot & (PTE_A | PTE_D), 0);
    hosted_check();
}

static void a_compared_write_is_all_or_nothing(void **state)
{
    uint64_t was = pte_make(a.m[6].n, RW), wrong = was ^ PTE_D, new = pte_make(a.m[9].n, RW);

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(pt_cmpxchg_l1(a.d, a.m[3], 6, &wrong, new), -EAGAIN);
    assert_int_equal(wrong, was);
    hosted_check();
    assert_int_equal(pt_cmpxchg_l1(a.d, a.m[3], 6, &was, new), 0);
    assert_int_equal(refs(6), 1);
    assert_int_equal(refs(9), 2);
    was = new;
    assert_true(refused(pt_cmpxchg_l1(a.d, a.m[3], 6, &was, pte_make(b.m[9].n, RW))));
    hosted_check();
}

/* ---- Other people's frames ---- */

static void foreign_frames_need_their_owner_named(void **state)
{
    struct frame *f = frame_of(b.m[9]);
    void *page = hv_pages(0);

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_true(refused(pt_set(a.m[3], 30, pte_make(b.m[9].n, RW), a.d, a.d, false)));
    assert_true(refused(pt_set(a.m[3], 30, pte_make(a.m[9].n, RW), a.d, b.d, false)));
    assert_int_equal(pt_set(a.m[3], 30, pte_make(b.m[9].n, RW), a.d, b.d, false), 0);
    hosted_check();
    assert_int_equal(f->refs & REFS_COUNT, 2);
    assert_int_equal(f->type & TYPE_COUNT, 1);
    /* The hypervisor's own: the machine-to-phys table, to read only. */
    assert_true(refused(pt_set(a.m[3], 31, pte_make(machine_m2p_chunk(0).n, RW), a.d, &dom_xen, false)));
    assert_int_equal(pt_set(a.m[3], 31, pte_make(machine_m2p_chunk(0).n, RO), a.d, &dom_xen, false), 0);
    hosted_check();
    assert_int_equal(pt_set(a.m[3], 31, 0, a.d, a.d, false), 0);
    assert_true(refused(pt_set(a.m[3], 31, pte_make(machine_frame_mfn(page).n, RO), a.d, &dom_xen, false)));
    hosted_check();
    hv_pages_free(page, 0);
    /* b dies first: the frame stays until a lets go (no_guests, in that order). */
}

/* A CPU with L1TF reads by it: whoever has it in a table, at any level, and however it got there. */
static void addresses_of_memory_are_not_for_entries_that_are_not_present(void **state)
{
    const uint64_t bad = pte_make(b.m[9].n, PTE_RW), good = pte_make(~b.m[9].n, 0x100);
    uint64_t *l1 = machine_frame(a.m[3]), old;

    guest_start(&a, 8);
    for (unsigned table = 0; table < 4; table++)
        assert_int_equal(pt_set(a.m[table], 20, bad, a.d, a.d, false), 0);
    machine_leaks_l1 = true;
    for (unsigned table = 0; table < 4; table++) {
        assert_int_equal(pt_set(a.m[table], 20, bad + 8, a.d, a.d, false), -EINVAL);
        assert_int_equal(pt_set(a.m[table], 20, good, a.d, a.d, false), 0);
        assert_int_equal(((uint64_t *)machine_frame(a.m[table]))[20], good);
    }
    old = l1[20];
    assert_int_equal(pt_cmpxchg_l1(a.d, a.m[3], 20, &old, bad), -EINVAL);
    assert_int_equal(l1[20], good);
    ((uint64_t *)machine_frame(a.m[10]))[7] = bad;
    assert_int_equal(type_pin(a.d, a.m[10], TYPE_L1), -EINVAL);
    ((uint64_t *)machine_frame(a.m[10]))[7] = good;
    assert_int_equal(type_pin(a.d, a.m[10], TYPE_L1), 0);
    a.d->privileges = PRIV_ALL;
    assert_int_equal(pt_set(a.m[3], 20, bad, a.d, a.d, false), 0);
    a.d->privileges = 0;
    machine_leaks_l1 = false;
    hosted_check();
}

static void grant_mappings_have_references_of_their_own(void **state)
{
    uint64_t entry = pte_make(b.m[9].n, RW), at = mfn_maddr(a.m[3]) + 8 * 8, pte, old;
    struct frame *f = frame_of(b.m[9]);

    guest_start(&a, 8);
    for (unsigned i = 0; i < 2; i++) { /* an entry's, and the mapping's own (core/grant_map.c) */
        assert_int_equal(frame_get_type(b.d, b.m[9], TYPE_WRITABLE), 0);
        frame_mapped_foreign(b.m[9]);
    }
    assert_int_equal(grant_mapped(&a, at, true, entry, &pte), GNTST_okay);
    assert_int_equal(pte, at);
    assert_int_equal(f->refs & REFS_COUNT, 3);
    assert_int_equal(f->type & TYPE_COUNT, 2);
    assert_int_equal(grant_unmapped(&a, at, b.m[10]), GNTST_general_error);
    assert_int_equal(grant_unmapped(&a, at, b.m[9]), GNTST_okay);
    assert_int_equal(f->type & TYPE_COUNT, 1);
    assert_int_equal(frame_get_type(b.d, b.m[9], TYPE_WRITABLE), 0);
    assert_int_equal(grant_mapped(&a, 7 * PAGE_SIZE, false, entry, &pte), GNTST_okay);
    assert_int_equal(pte, mfn_maddr(a.m[3]) + 7 * 8);
    assert_int_equal(refs(7), 1); /* replaced */
    assert_int_equal(pt_grant_replace(a.v, pte, b.m[9], pte_make(a.m[7].n, RW), &old), GNTST_okay);
    frame_put_type(b.m[9]);
    assert_int_equal(refs(7), 2);
    /* Not an L1 table, not aligned, not mapped: the references stay the caller's. */
    assert_int_equal(grant_mapped(&a, mfn_maddr(a.m[2]), true, entry, &pte), GNTST_general_error);
    assert_int_equal(grant_mapped(&a, at + 1, true, entry, &pte), GNTST_general_error);
    assert_int_equal(grant_mapped(&a, 1ull << 40, false, entry, &pte), GNTST_general_error);
    assert_int_equal(f->refs & REFS_COUNT, 2);
    frame_put_type(b.m[9]);
    hosted_check();
}

static void grant_mappings_one_at_a_time(void **state)
{
    struct pt_grant none = { .addr = 7 * PAGE_SIZE, .pte = 1 };
    struct pt_grant_gone gone = { .old = 1 };

    grants_alone = true;
    grant_mappings_have_references_of_their_own(state);
    grants_alone = false;
    pt_grant_map_one(a.v, &none);
    assert_int_equal(none.pte, 0);
    pt_grant_clear_one(a.v, &gone);
    assert_int_equal(gone.old, 0);
    hosted_check();
}

/* ---- What the guest does with it ---- */

static void stale_translations_are_flushed_before_a_frame_changes(void **state)
{
    uint64_t x;

    guest_start(&a, 16);
    assert_true(host_guest_store(a.v, 9 * PAGE_SIZE, 0x1234));
    assert_true(host_guest_load(a.v, 9 * PAGE_SIZE, &x));
    assert_int_equal(x, 0x1234);
    assert_false(host_guest_store(a.v, 3 * PAGE_SIZE, 0)); /* its own L1 table */
    assert_true(host_guest_store(a.v, 9 * PAGE_SIZE, 0));

    /* Unmapped without a flush: the guest can still write, which is its own affair. */
    assert_int_equal(pt_set(a.m[3], 9, 0, a.d, a.d, false), 0);
    assert_true(host_guest_store(a.v, 9 * PAGE_SIZE, 0));
    hosted_check();
    /* But not once the frame is a page table. */
    assert_int_equal(type_pin(a.d, a.m[9], TYPE_L1), 0);
    hosted_check();
    assert_false(host_guest_store(a.v, 9 * PAGE_SIZE, 0));

    /* Nor when it belongs to somebody else. */
    assert_true(host_guest_store(a.v, 10 * PAGE_SIZE, 0));
    assert_int_equal(pt_set(a.m[3], 10, 0, a.d, a.d, false), 0);
    assert_true(reservation_remove(a.d, a.m[10]));
    hosted_check();
    b.d->max_pages = HOSTED_FRAMES;
    for (unsigned i = 0; i < 32; i++)
        assert_false(mfn_same(reservation_add(b.d, 0, 0, PAGES + i), MFN_NONE));
    hosted_check();
}

static void a_root_holds_its_tree(void **state)
{
    guest_start(&a, 8);
    assert_int_equal(type_unpin(a.m[0]), 0);
    hosted_leave(a.v, 1);
    hosted_check();
    assert_int_equal(uses(0), 1);
    assert_true(host_guest_store(a.v, 6 * PAGE_SIZE, 5));
    /* The frames of a mapped page given up by the guest are still its until the mapping goes. */
    assert_true(reservation_remove(a.d, a.m[6]));
    hosted_check();
    assert_true(host_guest_store(a.v, 6 * PAGE_SIZE, 6));
    assert_true(refused(pt_set_root(a.v, a.m[5], false))); /* it is mapped writable */
    hosted_check();
}

/* ---- Anything, in any order ---- */

static uint64_t seed;

static unsigned rnd(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % n;
}

static uint64_t random_entry(void)
{
    static const uint64_t flags[] = { RW, RW, RO, RO, RW, 0, RO | PTE_G, RW | PTE_PSE, RO | PTE_NX };
    struct guest *g = rnd(12) ? &a : &b;

    return pte_make(g->m[rnd(rnd(3) ? 12 : PAGES)].n, flags[rnd(ARRAY_SIZE(flags))]);
}

static void random_set(void)
{
    mfn_t t = a.m[rnd(12)];
    enum frame_type type = type_of(frame_of(t)->type);

    if (type < TYPE_L1 || type > TYPE_L4 || !frame_get(t, a.d->id))
        return;
    if (type_get(a.d, t, type) == 0) {
        (void)!pt_set(t, rnd(3) ? rnd(8) : rnd(512), random_entry(), a.d, rnd(8) ? a.d : b.d, rnd(2));
        type_put(t);
    }
    frame_put(t);
}

static void random_op(void)
{
    unsigned i = rnd(rnd(3) ? 12 : PAGES);
    uint64_t *words;

    if (!(frame_of(a.m[i])->refs & REFS_OWNED) || frame_of(a.m[i])->owner != a.d->id)
        return;
    switch (rnd(10)) {
    case 0: case 1:
        (void)!type_pin(a.d, a.m[i], (enum frame_type)(TYPE_L1 + rnd(4)));
        break;
    case 2:
        (void)!type_unpin(a.m[i]);
        break;
    case 3: case 4: case 5:
        random_set();
        break;
    case 6: /* the guest writes to a page that it may write to */
        if (frame_get_type(a.d, a.m[i], TYPE_WRITABLE))
            break;
        words = machine_frame(a.m[i]);
        for (unsigned n = rnd(6); n; n--)
            words[rnd(3) ? rnd(8) : rnd(512)] = random_entry();
        if (rnd(4) == 0)
            memset(words, 0, PAGE_SIZE);
        frame_put_type(a.m[i]);
        break;
    case 7:
        (void)!pt_set_root(a.v, a.m[i], rnd(4) == 0);
        break;
    case 8:
        (void)host_guest_store(a.v, (uint64_t)rnd(8) << PAGE_SHIFT | (uint64_t)rnd(2) << 21, 0);
        break;
    default:
        (void)type_drain(a.v);
    }
}

static void anything_in_any_order(void **state)
{
    seed = 88172645463325252ull;
    guest_tables(&a, 8);
    for (unsigned n = 0; n < 6000; n++) {
        this_pcpu()->budget = rnd(3) ? PLENTY : 1 + rnd(700);
        random_op();
        hosted_check();
        if (rnd(5) == 0)
            hosted_leave(a.v, 1 + rnd(600));
    }
    hosted_leave(a.v, 3);
    hosted_check();
}

/* The same to the guests, in all of it, as they are watched. */
static int two_watched_guests(void **state)
{
    two_guests(state);
    host_run(control.v);
    assert_int_equal(dirty_start(a.d) | dirty_start(b.d), 0);
    host_run(a.v);
    plenty();
    return 0;
}

#define GUEST_TEST(f)                                                                  \
    cmocka_unit_test_setup_teardown(f, two_guests, no_guests),                         \
    { "watched: " #f, f, two_watched_guests, no_guests, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(a_pin_holds_everything_below),
        GUEST_TEST(bad_entries_are_refused),
        GUEST_TEST(a_table_may_map_itself_read_only),
        GUEST_TEST(the_hypervisors_slots_stay),
        GUEST_TEST(pieces_give_the_same),
        GUEST_TEST(pieces_fail_as_a_whole),
        GUEST_TEST(a_partial_table_becomes_something_else),
        GUEST_TEST(a_run_of_entries_ends_at_the_first_unusual_one),
        GUEST_TEST(a_run_of_entries_is_as_one_by_one),
        GUEST_TEST(a_run_of_entries_ends_where_order_matters),
        GUEST_TEST(an_entry_moves_its_references),
        GUEST_TEST(root_changes_are_told),
        GUEST_TEST(accessed_and_dirty_survive),
        GUEST_TEST(a_compared_write_is_all_or_nothing),
        GUEST_TEST(foreign_frames_need_their_owner_named),
        GUEST_TEST(addresses_of_memory_are_not_for_entries_that_are_not_present),
        GUEST_TEST(grant_mappings_have_references_of_their_own),
        GUEST_TEST(grant_mappings_one_at_a_time),
        GUEST_TEST(stale_translations_are_flushed_before_a_frame_changes),
        GUEST_TEST(a_root_holds_its_tree),
        GUEST_TEST(anything_in_any_order),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
