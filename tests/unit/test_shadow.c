/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/shadow.c: a guest that runs on shadow tables sees nothing of them. After each step all references and all shadow
 * entries are checked (core/audit.c), and every TLB is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"
#include "tests/unit/tracked.h"

#include <xen/grant_table.h>

enum { PAGES = 240, MAPPED = 64 };
#define PLAIN (PTE_P | PTE_US)           /* as a guest makes an entry that it did not use yet */

static struct guest a, b;

static _Atomic uint64_t *entry_of(unsigned table, unsigned i) { return (_Atomic uint64_t *)machine_frame(a.m[table]) + i; }
static bool has(unsigned table, unsigned i, uint64_t flags)   { return (*entry_of(table, i) & flags) == flags; }

static int tracked_guest(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_create(&b, 2, 0, 16);
    for (unsigned i = 0; i < 3; i++)
        guest_entry(&a, i, 0, i + 1, PLAIN | PTE_RW);
    for (unsigned i = 0; i < MAPPED; i++)
        guest_entry(&a, 3, i, i, i < 4 ? PLAIN : PLAIN | PTE_RW);
    host_run(a.v);
    plenty();
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    assert_int_equal(pt_set_root(a.v, a.m[0], false), 0);
    assert_int_equal(track(&a), 0);
    hosted_check();
    return 0;
}

static int no_guests(void **state)
{
    guest_destroy(&a, control.v, 1);
    guest_destroy(&b, control.v, 1);
    hosted_check();
    assert_null(domain_get(1));
    return 0;
}

static uint64_t load(unsigned page)
{
    uint64_t x = 0;

    assert_true(host_guest_load(a.v, VA(page), &x));
    hosted_check();
    return x;
}

static void store(unsigned page, uint64_t x)
{
    assert_true(host_guest_store(a.v, VA(page), x));
    hosted_check();
}

static void change(unsigned table, unsigned i, uint64_t entry)
{
    assert_int_equal(pt_set(a.m[table], i, entry, a.d, a.d, false), 0);
    hosted_check();
}

/* ---- What the guest sees ---- */

static void the_guest_sees_its_own_entries(void **state)
{
    uint64_t before[PT_ENTRIES], x;

    memcpy(before, machine_frame(a.m[3]), sizeof(before));
    load(8);
    assert_int_equal(*entry_of(3, 8), before[8] | PTE_A);
    store(9, 1);
    assert_int_equal(*entry_of(3, 9), before[9] | PTE_A | PTE_D);
    store(8, 2);
    assert_int_equal(*entry_of(3, 8), before[8] | PTE_A | PTE_D);
    for (unsigned level = 0; level < 3; level++)
        assert_int_equal(*entry_of(level, 0), pte_make(a.m[level + 1].n, PLAIN | PTE_RW | PTE_A));
    /* Also as it reads them itself. */
    assert_true(host_guest_load(a.v, VA(3) + 8 * 9, &x));
    assert_int_equal(x, before[9] | PTE_A | PTE_D);
    for (unsigned i = 10; i < PT_ENTRIES; i++)
        assert_int_equal(*entry_of(3, i), before[i]);
    assert_int_equal(*entry_of(0, PT_HV_SLOT_FIRST), PTE_P | PTE_RW);
}

static void writes_are_logged_once(void **state)
{
    clean(&a);
    load(8);
    store(9, 1);
    store(9, 2);
    load(9);
    clean(&a);
    assert_true(was_written(9) && was_written(3)); /* and the table, whose A and D changed */
    assert_false(was_written(8));
    assert_int_equal(told_count(), 5);             /* all four tables */
    assert_int_equal(count, 5);
    assert_true(faults >= 2);
    clean(&a);
    assert_int_equal(told_count(), 0);
    load(9);
    store(9, 3);
    store(10, 1);
    clean(&a);
    assert_true(was_written(9) && was_written(10) && was_written(3));
    assert_int_equal(told_count(), 3);
}

/* The CPU sets them again when the guest has cleared them. */
static void cleared_bits_come_back(void **state)
{
    store(9, 1);
    change(3, 9, pte_make(a.m[9].n, PLAIN | PTE_RW));
    machine_flush(a.d->dirty_cpus, FLUSH_PAGE, VA(9));
    load(9);
    assert_true(has(3, 9, PTE_A) && !has(3, 9, PTE_D));
    store(9, 1);
    assert_true(has(3, 9, PTE_A | PTE_D));
    change(0, 0, pte_make(a.m[1].n, PLAIN | PTE_RW));
    machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
    load(9);
    assert_true(has(0, 0, PTE_A));
}

static void faults_are_handed_on_as_they_were(void **state)
{
    uint32_t error;
    uint64_t x;

    assert_false(host_guest_load(a.v, VA(MAPPED), &x));
    assert_int_equal(host_error, X86_PFEC_USER);
    assert_false(host_guest_load(a.v, 1ull << 40, &x));
    assert_int_equal(host_error, X86_PFEC_USER);
    /* There, and its shadow is not: the guest is told what its own entry says. */
    assert_false(host_guest_store(a.v, VA(2), 1));
    assert_int_equal(host_error, X86_PFEC_USER | X86_PFEC_WRITE | X86_PFEC_PRESENT);
    assert_false(has(3, 2, PTE_A));
    change(3, 9, pte_make(a.m[9].n, PLAIN | PTE_NX));
    error = X86_PFEC_USER | X86_PFEC_FETCH;
    assert_false(shadow_fault(a.v, VA(9), &error));
    assert_int_equal(error, X86_PFEC_USER | X86_PFEC_FETCH | X86_PFEC_PRESENT);
    error = X86_PFEC_USER | X86_PFEC_FETCH;
    assert_true(shadow_fault(a.v, VA(10), &error));
    /* No rights at a level above. */
    change(1, 0, pte_make(a.m[2].n, PLAIN));
    assert_false(host_guest_store(a.v, VA(10), 1));
    assert_int_equal(host_error, X86_PFEC_USER | X86_PFEC_WRITE | X86_PFEC_PRESENT);
    change(1, 0, 0);
    error = X86_PFEC_USER | X86_PFEC_WRITE | X86_PFEC_PRESENT;
    assert_false(shadow_fault(a.v, VA(10), &error));
    assert_int_equal(error, X86_PFEC_USER | X86_PFEC_WRITE);
    /* Not ours at all. */
    error = X86_PFEC_USER | X86_PFEC_RESERVED | X86_PFEC_PRESENT;
    assert_false(shadow_fault(a.v, VA(11), &error));
    error = X86_PFEC_USER;
    assert_false(shadow_fault(a.v, HV_VADDR_START, &error));
    assert_int_equal(error, X86_PFEC_USER);
}

/* ---- Changes of the guest's tables ---- */

static void entries_change_under_their_shadows(void **state)
{
    uint64_t old;

    store(9, 0x99);
    change(3, 9, pte_make(a.m[20].n, PLAIN | PTE_RW));
    machine_flush(a.d->dirty_cpus, FLUSH_PAGE, VA(9));
    store(9, 0x20);
    assert_int_equal(*(uint64_t *)machine_frame(a.m[9]), 0x99);
    assert_int_equal(*(uint64_t *)machine_frame(a.m[20]), 0x20);

    old = *entry_of(3, 9);
    assert_int_equal(pt_cmpxchg_l1(a.d, a.m[3], 9, &old, pte_make(a.m[21].n, PLAIN)), 0);
    hosted_check();
    machine_flush(a.d->dirty_cpus, FLUSH_PAGE, VA(9));
    assert_false(host_guest_store(a.v, VA(9), 1));
    old = 0;
    assert_int_equal(pt_cmpxchg_l1(a.d, a.m[3], 9, &old, 0), -EAGAIN);
    /* The frame that was written becomes a table at once: the writer's TLB is flushed first. */
    store(20, 5);
    change(3, 20, 0);
    memset(machine_frame(a.m[20]), 0, PAGE_SIZE);
    assert_int_equal(type_pin(a.d, a.m[20], TYPE_L1), 0);
    assert_false(host_guest_store(a.v, VA(20), 5));
    hosted_check();
}

static void a_run_of_entries_changes_under_its_shadow(void **state)
{
    struct mmu_update u[3];

    for (unsigned i = 0; i < 3; i++) {
        store(9 + i, 0x90 + i);
        u[i] = (struct mmu_update){ mfn_maddr(a.m[3]) + 8 * (9 + i), pte_make(a.m[20 + i].n, PLAIN | PTE_RW) };
    }
    clean(&a);
    assert_int_equal(pt_set_run(a.d, a.d, u, 3), 3);
    hosted_check();
    clean(&a);
    assert_true(was_written(3));
    machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
    for (unsigned i = 0; i < 3; i++) {
        store(9 + i, 0x20 + i);
        assert_int_equal(*(uint64_t *)machine_frame(a.m[9 + i]), 0x90 + i);
        assert_int_equal(*(uint64_t *)machine_frame(a.m[20 + i]), 0x20 + i);
    }
}

static void a_grant_is_mapped_and_unmapped(void **state)
{
    uint64_t at = mfn_maddr(a.m[3]) + 8 * 8, pte;

    store(8, 8);
    assert_int_equal(frame_get_type(b.d, b.m[9], TYPE_WRITABLE), 0); /* the entry's */
    frame_mapped_foreign(b.m[9]);
    assert_int_equal(grant_mapped(&a, at, true, pte_make(b.m[9].n, PLAIN | PTE_RW | PTE_A | PTE_D), &pte), GNTST_okay);
    hosted_check();
    machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
    store(8, 77);
    assert_int_equal(*(uint64_t *)machine_frame(b.m[9]), 77);
    clean(&a);
    assert_false(was_written(9)); /* another's frame, whatever its number */
    store(8, 78);
    assert_int_equal(grant_unmapped(&a, pte, b.m[9]), GNTST_okay);
    hosted_check();
    machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
    assert_false(host_guest_store(a.v, VA(8), 1));
    hosted_check();
}

/* An L1 table is undone, written as data, and is a table again. */
static void tables_come_and_go(void **state)
{
    guest_entry(&a, 70, 0, 71, PLAIN | PTE_RW);
    guest_entry(&a, 70, 1, 72, PLAIN | PTE_RW);
    for (unsigned turn = 0; turn < 3; turn++) {
        change(3, 50, 0);
        machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
        change(2, 1, pte_make(a.m[70].n, PLAIN | PTE_RW));
        store(512, turn);
        store(513, turn);
        assert_int_equal(*(uint64_t *)machine_frame(a.m[71]), turn);
        change(2, 1, 0);
        hosted_leave(a.v, 1);
        hosted_check();
        change(3, 50, pte_make(a.m[70].n, PLAIN | PTE_RW));
        store(50, pte_make(a.m[71].n, PLAIN | PTE_RW));
        assert_false(host_guest_store(a.v, VA(512), 1));
    }
}

static void roots_change(void **state)
{
    uint64_t x;

    store(9, 1);
    guest_entry(&a, 80, 1, 1, PLAIN | PTE_RW); /* the same L3 in another slot */
    assert_int_equal(pt_set_root(a.v, a.m[80], false), 0);
    hosted_check();
    assert_false(host_guest_load(a.v, VA(9), &x));
    assert_true(host_guest_load(a.v, (1ull << 39) + VA(9), &x));
    assert_int_equal(x, 1);
    hosted_check();
    assert_int_equal(pt_set_root(a.v, a.m[0], true), 0); /* the user's */
    machine_set_mode(a.v, false);
    store(9, 2);
    assert_int_equal(pt_set(a.m[0], 0, 0, a.d, a.d, false), 0);
    machine_flush(a.d->dirty_cpus, FLUSH_ALL, 0);
    assert_false(host_guest_load(a.v, VA(9), &x));
    hosted_check();
    machine_set_mode(a.v, true);
    assert_true(host_guest_load(a.v, (1ull << 39) + VA(9), &x));
    assert_int_equal(pt_set_root(a.v, MFN_NONE, true), 0);
    hosted_check();
    /* Reset, as the tools do to a vCPU that is off its CPU. */
    host_run(control.v);
    vcpu_reset(a.v);
    hosted_leave(control.v, 1);
    hosted_check();
    host_run(a.v);
    assert_false(host_guest_load(a.v, (1ull << 39) + VA(9), &x));
}

/* ---- The hypervisor's own accesses ---- */

static void the_hypervisor_reads_and_writes_by_shadows(void **state)
{
    uint64_t x = 42, old;

    clean(&a);
    assert_int_equal(machine_copy_to_guest(gptr(VA(9) + 4092), &x, 8), 0);
    hosted_check();
    clean(&a);
    assert_true(was_written(9) && was_written(10));
    assert_int_equal(machine_copy_from_guest(&old, gptr(VA(9) + 4092), 8), 0);
    assert_int_equal(old, 42);
    assert_int_equal(machine_copy_to_guest(gptr(VA(2)), &x, 8), 8);
    clean(&a);
    assert_int_equal(told_count(), 0);
    old = 0;
    assert_int_equal(machine_cmpxchg_guest(gptr(VA(12)), &old, 5, 8), 0);
    assert_true(has(3, 12, PTE_A | PTE_D));
    clean(&a);
    assert_true(was_written(12));
}

/* Another vCPU takes each entry away between the fault and the next try. */
static unsigned taken;
static void takes_it_away(void)
{
    taken++;
    assert_int_equal(pt_set(a.m[3], 9, pte_make(a.m[9].n, PLAIN | PTE_RW), a.d, a.d, false), 0);
}

static void the_hypervisor_does_not_try_for_ever(void **state)
{
    uint64_t x = 42, old = 0;

    plenty();
    taken = 0;
    host_filled = takes_it_away;
    assert_int_equal(machine_copy_to_guest(gptr(VA(9)), &x, 8), 8);
    assert_int_equal(taken, SHADOW_OWN_FAULTS);
    assert_int_equal(machine_cmpxchg_guest(gptr(VA(9)), &old, 5, 8), -EFAULT);
    host_filled = NULL;
    plenty(); /* the next entry */
    assert_int_equal(machine_copy_to_guest(gptr(VA(9)), &x, 8), 0);
    hosted_check();
}

/* ---- Not enough shadows ---- */

/* More tables than there are shadows: all are forgotten, again and again, and everything goes on. */
static void shadows_run_out(void **state)
{
    enum { FIRST = 66, N = 150 };

    for (unsigned i = 0; i < N; i++) {
        guest_entry(&a, FIRST + i, 0, 10 + i % 40, PLAIN | PTE_RW);
        assert_int_equal(pt_set(a.m[2], 1 + i, pte_make(a.m[FIRST + i].n, PLAIN | PTE_RW), a.d, a.d, false), 0);
    }
    assert_true(a.d->dirty->shadow.count < N);
    clean(&a);
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < N; i++) {
            uint64_t x;

            assert_true(host_guest_store(a.v, VA(512 * (i + 1)), turn * 1000 + i));
            assert_true(host_guest_load(a.v, VA(10 + i % 40), &x));
            assert_int_equal(x, turn * 1000 + i);
            if (i % 50 == 0)
                hosted_check();
        }
    }
    clean(&a);
    for (unsigned i = 0; i < 40; i++)
        assert_true(was_written(10 + i));
    assert_false(was_written(50));
    hosted_check();
}

/* Table 70 + k under L2 entry 1: used by two pages, undone; the CPU flushes one of them, and remembers the other. */
static void use_and_undo(unsigned k)
{
    uint64_t x;

    assert_int_equal(pt_set(a.m[2], 1, pte_make(a.m[70 + k].n, PLAIN | PTE_RW), a.d, a.d, false), 0);
    machine_flush(a.d->dirty_cpus, FLUSH_PAGE, VA(512));
    assert_true(host_guest_store(a.v, VA(512), k));
    assert_true(host_guest_load(a.v, VA(513), &x));
    assert_int_equal(pt_set(a.m[2], 1, 0, a.d, a.d, false), 0);
    hosted_leave(a.v, PLENTY);
}

/* Forgotten one by one, used again: not before a CPU that may remember has flushed. */
static void shadows_are_used_again(void **state)
{
    unsigned flushes = 0, pages = 0;

    for (unsigned k = 0; k < 2; k++) {
        guest_entry(&a, 70 + k, 0, 20 + k, PLAIN | PTE_RW);
        guest_entry(&a, 70 + k, 1, 22 + k, PLAIN | PTE_RW);
    }
    for (unsigned i = 0; i < 200; i++) {
        if (a.d->dirty->shadow.used == a.d->dirty->shadow.count && !flushes)
            flushes = host_flushes;
        use_and_undo(i % 2);
        pages += !!flushes;
        hosted_check();
    }
    assert_true(flushes && host_flushes > flushes + pages); /* more than those of the page */
}

/* ---- Anything in any order ---- */

static uint64_t rnd_state = 12345;
static unsigned rnd(unsigned n)
{
    rnd_state = rnd_state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(rnd_state >> 33) % n;
}

/* As a guest without tracking would see it, against a model of its mappings: page -> frame, or none, or read-only. */
static void anything_in_any_order(void **state)
{
    struct { int frame; bool rw; } is[MAPPED];

    for (unsigned i = 0; i < MAPPED; i++)
        is[i].frame = (int)i, is[i].rw = i >= 4;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned page = 4 + rnd(MAPPED - 4), frame = 4 + rnd(60);
        uint64_t x, value = step;

        switch (rnd(8)) {
        case 0:
            is[page].frame = rnd(3) ? (int)frame : -1;
            is[page].rw = rnd(3);
            assert_int_equal(pt_set(a.m[3], page, is[page].frame < 0 ? 0 : pte_make(a.m[frame].n, PLAIN |
                                    (is[page].rw ? PTE_RW : 0)), a.d, a.d, rnd(2)), 0);
            machine_flush(a.d->dirty_cpus, FLUSH_PAGE, VA(page));
            break;
        case 1:
            if (rnd(20) == 0)
                clean(&a);
            break;
        case 2:
            if (rnd(100) == 0) {
                assert_int_equal(untrack(&a), 0);
                hosted_check();
                assert_int_equal(track(&a), 0);
            }
            break;
        case 3: case 4: case 5:
            assert_int_equal(host_guest_store(a.v, VA(page), value), is[page].frame >= 0 && is[page].rw);
            if (is[page].frame >= 0 && is[page].rw)
                assert_int_equal(*(uint64_t *)machine_frame(a.m[is[page].frame]), value);
            break;
        default:
            assert_int_equal(host_guest_load(a.v, VA(page), &x), is[page].frame >= 0);
            if (is[page].frame >= 0)
                assert_int_equal(x, *(uint64_t *)machine_frame(a.m[is[page].frame]));
        }
        if (step % 64 == 0)
            hosted_check();
    }
}

int main(void)
{
#define TRACKED(f) cmocka_unit_test_setup_teardown(f, tracked_guest, no_guests)
    const struct CMUnitTest tests[] = {
        TRACKED(the_guest_sees_its_own_entries),
        TRACKED(writes_are_logged_once),
        TRACKED(cleared_bits_come_back),
        TRACKED(faults_are_handed_on_as_they_were),
        TRACKED(entries_change_under_their_shadows),
        TRACKED(a_run_of_entries_changes_under_its_shadow),
        TRACKED(a_grant_is_mapped_and_unmapped),
        TRACKED(tables_come_and_go),
        TRACKED(roots_change),
        TRACKED(the_hypervisor_reads_and_writes_by_shadows),
        TRACKED(the_hypervisor_does_not_try_for_ever),
        TRACKED(shadows_run_out),
        TRACKED(shadows_are_used_again),
        TRACKED(anything_in_any_order),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
