/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/grant_map.c: what a mapping holds, when it lets go, and that neither side can make it hold more or
 * less.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_grant.h"

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* Domain 2 grants a new frame to domain 1 by `ref`. */
static mfn_t granted(grant_ref_t ref, unsigned flags)
{
    mfn_t m = frame_new(2);

    entry_v1(2, ref, GTF_permit_access | flags, 1, (uint32_t)m.n);
    return m;
}

static void a_mapping_lives_and_ends(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);
    unsigned flushes;

    (void)state;
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(5), &op), GNTST_okay);
    world_audit();
    assert_int_equal(pte_mfn(*slot_of(1, 5)), m.n);
    assert_int_equal(op.dev_bus_addr, mfn_maddr(m));
    assert_int_equal(*slot_of(1, 5) & (PTE_P | PTE_RW | PTE_US | PTE_AVAIL), PTE_P | PTE_RW | PTE_US);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(frame_of(m)->refs & REFS_COUNT, 3);
    assert_int_equal(frame_of(m)->type & TYPE_COUNT, 2);
    assert_int_equal(grant_table(&doms[2])->pinned, 1);
    flushes = fake_flushes;
    assert_int_equal(unmap(1, op.handle, VA(5), 0), GNTST_okay);
    assert_int_equal(fake_flushes, flushes + 1);
    world_audit();
    assert_int_equal(*slot_of(1, 5), 0);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access);
    assert_int_equal(unmap(1, op.handle, VA(5), 0), GNTST_bad_handle);
    assert_int_equal(grants_mapped(&doms[1]), 0);
}

static void read_only_takes_no_type(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, GTF_readonly);

    (void)state;
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_general_error);
    world_audit();
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map | GNTMAP_readonly, VA(0), &op), GNTST_okay);
    world_audit();
    assert_int_equal(*slot_of(1, 0) & PTE_RW, 0);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access | GTF_readonly | GTF_reading);
    /* It may become a page table: nobody can write to it. */
    assert_int_equal(frame_get_type(&doms[2], m, TYPE_L1), 0);
    frame_put_type(m);
    assert_true(type_drain(&vcpus[1]));
    assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_okay);
}

static void two_mappings_of_one_entry(void **state)
{
    struct gnttab_map_grant_ref w, r;

    (void)state;
    granted(3, 0);
    assert_int_equal(map(1, 2, 3, GNTMAP_host_map | GNTMAP_readonly, VA(0), &r), GNTST_okay);
    assert_int_equal(flags_v1(2, 3), GTF_permit_access | GTF_reading);
    assert_int_equal(map(1, 2, 3, GNTMAP_host_map, VA(1), &w), GNTST_okay);
    assert_int_equal(flags_v1(2, 3), GTF_permit_access | GTF_reading | GTF_writing);
    world_audit();
    /* The frame of the first pin is the one of all. */
    ((struct grant_entry_v1 *)grant_shared(grant_table(&doms[2]), 3))->frame = (uint32_t)frame_new(2).n;
    assert_int_equal(unmap(1, w.handle, VA(1), 0), GNTST_okay);
    assert_int_equal(map(1, 2, 3, GNTMAP_host_map, VA(1), &w), GNTST_okay);
    assert_int_equal(pte_mfn(*slot_of(1, 1)), pte_mfn(*slot_of(1, 0)));
    world_audit();
    assert_int_equal(unmap(1, w.handle, VA(1), 0), GNTST_okay);
    assert_int_equal(flags_v1(2, 3), GTF_permit_access | GTF_reading);
    assert_int_equal(unmap(1, r.handle, VA(0), 0), GNTST_okay);
    assert_int_equal(flags_v1(2, 3), GTF_permit_access);
    world_audit();
}

static void what_is_not_granted_is_refused(void **state)
{
    static const struct { unsigned flags; domid_t to; uint32_t frame; int16_t status;
    } bad[] = {
        { GTF_invalid, 1, 0, GNTST_general_error },
        { GTF_accept_transfer, 1, 0, GNTST_general_error },
        { GTF_transitive, 1, 0, GNTST_general_error },
        { GTF_permit_access, 3, 0, GNTST_general_error },
        { GTF_permit_access | GTF_sub_page, 1, 0, GNTST_general_error },
        { GTF_permit_access, 1, 0xffffffff, GNTST_bad_page },
        { GTF_permit_access, 1, 1, GNTST_bad_page },
    };
    struct gnttab_map_grant_ref op;
    uint32_t own = (uint32_t)granted(20, 0).n;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        entry_v1(2, 20, bad[i].flags, bad[i].to, bad[i].frame ? bad[i].frame : own);
        assert_int_equal(map(1, 2, 20, GNTMAP_host_map, VA(0), &op), bad[i].status);
        world_audit();
    }
    /* A frame of somebody else, and the grant table's own page. */
    entry_v1(2, 20, GTF_permit_access, 1, (uint32_t)frame_new(3).n);
    assert_int_equal(map(1, 2, 20, GNTMAP_host_map, VA(0), &op), GNTST_bad_page);
    entry_v1(2, 20, GTF_permit_access, 1, (uint32_t)grants_frame(&doms[2], false, 0).n);
    assert_int_equal(map(1, 2, 20, GNTMAP_host_map | GNTMAP_readonly, VA(0), &op), GNTST_bad_page);
    /* References beyond the table, no such domain, neither CPU nor device. */
    assert_int_equal(map(1, 2, 512, GNTMAP_host_map, VA(0), &op), GNTST_bad_gntref);
    assert_int_equal(map(1, 2, ~0u, GNTMAP_host_map, VA(0), &op), GNTST_bad_gntref);
    assert_int_equal(map(1, 77, 20, GNTMAP_host_map, VA(0), &op), GNTST_bad_domain);
    assert_int_equal(map(1, DOMID_IO, 20, GNTMAP_host_map, VA(0), &op), GNTST_bad_domain);
    entry_v1(2, 20, GTF_permit_access, 1, own);
    assert_int_equal(map(1, 2, 20, GNTMAP_readonly, VA(0), &op), GNTST_bad_gntref);
    doms[2].life = DOMAIN_DYING;
    assert_int_equal(map(1, 2, 20, GNTMAP_host_map, VA(0), &op), GNTST_bad_domain);
    world_audit();
    assert_int_equal(grants_mapped(&doms[1]), 0);
}

static void a_table_is_not_mapped_writable(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);

    (void)state;
    assert_int_equal(frame_get_type(&doms[2], m, TYPE_L1), 0);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_general_error);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access);
    frame_put_type(m);
    assert_true(type_drain(&vcpus[1]));
    /* And while it is writable it is no table. */
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_okay);
    assert_int_equal(frame_get_type(&doms[2], m, TYPE_L1), -EINVAL);
    /* Nor is the table that the hypervisor writes. */
    assert_int_equal(frame_get_type(&doms[2], grants_frame(&doms[2], false, 0), TYPE_L1), -EINVAL);
}

static void bad_places(void **state)
{
    static const uint64_t bad[] = { VA(SLOTS), 0, VA(3) + 1, VA(3) + 8, ~0ull };
    struct gnttab_map_grant_ref op;

    (void)state;
    granted(9, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(map(1, 2, 9, GNTMAP_host_map, bad[i], &op), GNTST_general_error);
        world_audit();
    }
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map | GNTMAP_contains_pte, mfn_maddr(l1[1]) + 4, &op),
                     GNTST_general_error);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map | GNTMAP_contains_pte, mfn_maddr(l1[2]), &op),
                     GNTST_general_error);
    world_audit();
    assert_int_equal(flags_v1(2, 9), GTF_permit_access);
}

static void by_entry_with_software_bits(void **state)
{
    uint64_t pte = mfn_maddr(l1[1]) + 7 * 8;
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);

    (void)state;
    assert_int_equal(
        map(1, 2, 9,
            GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte | 5u << _GNTMAP_guest_avail0, pte,
            &op),
        GNTST_okay);
    assert_int_equal(*slot_of(1, 7) & PTE_AVAIL, PTE_GNTMAP | PTE_GNTMAP << 2);
    assert_int_equal(pte_mfn(*slot_of(1, 7)), m.n);
    world_audit();
    assert_int_equal(unmap(1, op.handle, VA(7), 0), GNTST_general_error);
    assert_int_equal(unmap(1, op.handle, pte, 0), GNTST_okay);
    assert_int_equal(*slot_of(1, 7), 0);
    world_audit();
}

static void device_and_host(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);

    (void)state;
    assert_int_equal(map(1, 2, 9, GNTMAP_device_map, 0, &op), GNTST_okay);
    assert_int_equal(op.dev_bus_addr, mfn_maddr(m));
    world_audit();
    assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_general_error);
    assert_int_equal(unmap(1, op.handle, 0, mfn_maddr(m) + PAGE_SIZE), GNTST_bad_dev_addr);
    assert_int_equal(unmap(1, op.handle, 0, mfn_maddr(m)), GNTST_okay);
    assert_int_equal(map(1, 2, 9, GNTMAP_device_map | GNTMAP_host_map, VA(2), &op), GNTST_okay);
    assert_int_equal(unmap(1, op.handle, 0, 0), GNTST_okay); /* names nothing: nothing ends */
    assert_int_equal(unmap(1, op.handle, VA(2), 0), GNTST_okay);
    world_audit();
    assert_int_equal(*slot_of(1, 2), 0);
    assert_int_equal(grants_mapped(&doms[1]), 1);
    assert_int_equal(unmap(1, op.handle, 0, mfn_maddr(m)), GNTST_okay);
    assert_int_equal(grants_mapped(&doms[1]), 0);
    world_audit();
}

/* A guest that empties its entry itself keeps the frame's owner waiting, and nothing else. */
static void entry_taken_away_by_the_guest(void **state)
{
    struct gnttab_map_grant_ref a, b;
    mfn_t m = granted(9, 0);

    (void)state;
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &a), GNTST_okay);
    pte_put(atomic_exchange(slot_of(1, 0), 0));
    machine_flush(1u << 1, FLUSH_ALL, 0);
    world_audit();
    assert_int_equal(unmap(1, a.handle, VA(0), 0), GNTST_general_error);
    assert_int_equal(frame_of(m)->refs & REFS_COUNT, 2);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access | GTF_reading | GTF_writing);
    /* No other mapping's entry stands in for it. */
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(1), &b), GNTST_okay);
    assert_int_equal(unmap(1, a.handle, VA(1), 0), GNTST_general_error);
    world_audit();
}

static void replaced_by_a_page_of_ones_own(void **state)
{
    struct gnttab_unmap_and_replace op;
    struct gnttab_map_grant_ref m;
    mfn_t own = frame_new(1);

    (void)state;
    granted(9, 0);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &m), GNTST_okay);
    assert_int_equal(frame_get_type(&doms[1], own, TYPE_WRITABLE), 0);
    *slot_of(1, 8) = pte_make(own.n, PTE_P | PTE_RW | PTE_US);
    world_audit();
    op = (struct gnttab_unmap_and_replace){ .host_addr = VA(0), .new_addr = VA(SLOTS), .handle = m.handle };
    assert_int_equal(gnttab(1, GNTTABOP_unmap_and_replace, &op, 1), 0);
    assert_int_equal(op.status, GNTST_bad_virt_addr);
    op = (struct gnttab_unmap_and_replace){ .host_addr = VA(0), .new_addr = VA(8), .handle = m.handle };
    assert_int_equal(gnttab(1, GNTTABOP_unmap_and_replace, &op, 1), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(pte_mfn(*slot_of(1, 0)), own.n);
    assert_int_equal(*slot_of(1, 8), 0);
    world_audit();
    /* With another grant's page it does not go. */
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(3), &m), GNTST_okay);
    op = (struct gnttab_unmap_and_replace){ .host_addr = VA(3), .new_addr = VA(3), .handle = m.handle };
    assert_int_equal(gnttab(1, GNTTABOP_unmap_and_replace, &op, 1), 0);
    assert_int_equal(op.status, GNTST_general_error);
    world_audit();
}

/*
 * 100 unmaps in one call: a flush for each full batch, no more; the same with the budget ending it at each
 * element.
 */
static void batches_and_restarts(void **state)
{
    enum { N = 100 };
    struct gnttab_map_grant_ref maps[N];
    struct gnttab_unmap_grant_ref unmaps[N];
    unsigned flushes;

    (void)state;
    for (unsigned units = 1; units <= PLENTY; units += PLENTY - 1) {
        budget_units = units;
        restarts = 0;
        for (unsigned i = 0; i < N; i++) {
            granted(i, 0);
            maps[i] = (struct gnttab_map_grant_ref){
                .host_addr = VA(i), .flags = GNTMAP_host_map, .ref = i, .dom = 2
            };
        }
        maps[50].ref = 511;
        assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, maps, N), 0);
        assert_int_equal(restarts, units == 1 ? N - 1 : 0);
        for (unsigned i = 0; i < N; i++) {
            assert_int_equal(maps[i].status, i == 50 ? GNTST_general_error : GNTST_okay);
            unmaps[i] = (struct gnttab_unmap_grant_ref){ .host_addr = VA(i),
                                                         .handle = i == 50 ? ~0u : maps[i].handle };
        }
        world_audit();
        assert_int_equal(grants_mapped(&doms[1]), N - 1);
        flushes = fake_flushes;
        assert_int_equal(gnttab(1, GNTTABOP_unmap_grant_ref, unmaps, N), 0);
        if (units > 1)
            assert_int_equal(fake_flushes - flushes, (N + GRANT_UNMAPS - 1) / GRANT_UNMAPS);
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(unmaps[i].status, i == 50 ? GNTST_bad_handle : GNTST_okay);
        world_audit();
        assert_int_equal(grants_mapped(&doms[1]), 0);
    }
}

/* Each operation of a batch is for itself: what fails leaves the others alone, and what it took is taken by the next call. */
static void a_batch_fails_in_part(void **state)
{
    enum { N = 8 };
    struct gnttab_map_grant_ref maps[N];
    grant_handle_t most = 0;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++) {
            granted(i, 0);
            maps[i] = (struct gnttab_map_grant_ref){ .host_addr = VA(i), .flags = GNTMAP_host_map, .ref = i, .dom = 2 };
        }
        maps[1].ref = 512;
        maps[2].host_addr = VA(SLOTS);
        entry_v1(2, 4, GTF_permit_access, 1, 0xffffffff);
        maps[5].flags = 0;
        maps[6].flags = GNTMAP_device_map;
        assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, maps, N), 0);
        world_audit();
        assert_int_equal(maps[1].status, GNTST_bad_gntref);
        assert_int_equal(maps[2].status, GNTST_general_error);
        assert_int_equal(maps[4].status, GNTST_bad_page);
        assert_int_equal(maps[5].status, GNTST_bad_gntref);
        assert_int_equal(grants_mapped(&doms[1]), 4);
        assert_int_equal(*slot_of(1, 6), 0);
        for (unsigned i = 0; i < N; i++) {
            if (maps[i].status)
                continue;
            most = MAX(most, maps[i].handle);
            assert_int_equal(unmap(1, maps[i].handle, i == 6 ? 0 : VA(i), i == 6 ? maps[i].dev_bus_addr : 0), GNTST_okay);
        }
        world_audit();
        assert_int_equal(grants_mapped(&doms[1]), 0);
    }
    assert_true(most < N);
}

/* One handle several times in a call: a half that goes before the other, and one that is gone already. */
static void one_handle_twice_in_a_batch(void **state)
{
    struct gnttab_unmap_grant_ref unmaps[4];
    struct gnttab_map_grant_ref op;

    (void)state;
    granted(9, 0);
    assert_int_equal(map(1, 2, 9, GNTMAP_device_map | GNTMAP_host_map, VA(2), &op), GNTST_okay);
    for (unsigned i = 0; i < 4; i++)
        unmaps[i] = (struct gnttab_unmap_grant_ref){ .handle = op.handle };
    unmaps[0].host_addr = VA(2);
    unmaps[1].host_addr = VA(2);
    unmaps[2].dev_bus_addr = op.dev_bus_addr;
    unmaps[3].dev_bus_addr = op.dev_bus_addr;
    assert_int_equal(gnttab(1, GNTTABOP_unmap_grant_ref, unmaps, 4), 0);
    world_audit();
    assert_int_equal(unmaps[0].status, GNTST_okay);
    assert_int_equal(unmaps[1].status, GNTST_general_error);
    assert_int_equal(unmaps[2].status, GNTST_okay);
    assert_int_equal(unmaps[3].status, GNTST_bad_handle);
    assert_int_equal(grants_mapped(&doms[1]), 0);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access);
}

/* A frame was a table a moment ago, and that it is none any more takes several pieces: what was pinned for later operations goes. */
static void a_batch_stops_in_its_middle(void **state)
{
    enum { N = 8 };
    struct gnttab_map_grant_ref maps[N];
    mfn_t m[N];

    (void)state;
    arguments_decay = false; /* what was not done is read again */
    for (unsigned i = 0; i < N; i++) {
        m[i] = granted(i, 0);
        maps[i] = (struct gnttab_map_grant_ref){ .host_addr = VA(i), .flags = GNTMAP_host_map, .ref = i, .dom = 2, .status = 1 };
    }
    this_pcpu()->current = &vcpus[1];
    assert_int_equal(frame_get_type(&doms[2], m[3], TYPE_L1), 0);
    frame_put_type(m[3]);
    undone_later = 2;
    assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, maps, N), 0);
    assert_int_equal(restarts, 2);
    assert_true(type_drain(&vcpus[1]));
    world_audit();
    assert_int_equal(grants_mapped(&doms[1]), N);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(maps[i].status, GNTST_okay);
        assert_int_equal(pte_mfn(*slot_of(1, i)), m[i].n);
    }
}

/* The guest makes its entry read-only: it has other references than the mapping. */
static void an_entry_changed_by_the_guest(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);

    (void)state;
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_okay);
    type_put(m);
    *slot_of(1, 0) &= ~PTE_RW;
    tlb[1][0] = *slot_of(1, 0);
    assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_okay);
    world_audit();
    assert_int_equal(frame_of(m)->refs & REFS_COUNT, 1);
    assert_int_equal(frame_of(m)->type & TYPE_COUNT, 0);
}

/* What is kept of one element for the next is told apart from what the next one names; and none of it is left. */
static void granters_of_one_call_are_several(void **state)
{
    static const domid_t of[] = { 2, 3, 3, 77, 2, 2, 3, 2 };
    enum { N = sizeof(of) / sizeof(of[0]) };
    struct gnttab_map_grant_ref maps[N];
    struct gnttab_unmap_grant_ref unmaps[N];
    unsigned refs[2];
    mfn_t m[N];

    (void)state;
    assert_int_equal(grants_grow(&doms[3], 1), 0);
    for (unsigned units = 1; units <= PLENTY; units += PLENTY - 1) {
        budget_units = units;
        for (unsigned i = 0; i < N; i++) {
            if (of[i] < DOMS) {
                m[i] = frame_new(of[i]);
                entry_v1(of[i], i, GTF_permit_access, 1, (uint32_t)m[i].n);
            }
            maps[i] = (struct gnttab_map_grant_ref){ .host_addr = VA(i), .flags = GNTMAP_host_map, .ref = i, .dom = of[i] };
        }
        for (unsigned i = 0; i < 2; i++)
            refs[i] = doms[2 + i].refs;
        assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, maps, N), 0);
        world_audit();
        for (unsigned i = 0; i < N; i++) {
            bool there = of[i] < DOMS;

            assert_int_equal(maps[i].status, there ? GNTST_okay : GNTST_bad_domain);
            if (there)
                assert_int_equal(pte_mfn(*slot_of(1, i)), m[i].n);
            unmaps[i] = (struct gnttab_unmap_grant_ref){ .host_addr = VA(i), .handle = there ? maps[i].handle : ~0u };
        }
        assert_int_equal(doms[2].refs, refs[0] + 4); /* a mapping has one each */
        assert_int_equal(doms[3].refs, refs[1] + 3);
        assert_int_equal(gnttab(1, GNTTABOP_unmap_grant_ref, unmaps, N), 0);
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(unmaps[i].status, of[i] < DOMS ? GNTST_okay : GNTST_bad_handle);
        world_audit();
        assert_int_equal(grants_mapped(&doms[1]), 0);
    }
}

static void bad_pointers_end_the_call(void **state)
{
    struct gnttab_map_grant_ref op;

    (void)state;
    assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, BAD_POINTER, 1), -EFAULT);
    assert_int_equal(gnttab(1, GNTTABOP_unmap_grant_ref, BAD_POINTER, 1), -EFAULT);
    assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, BAD_POINTER, 0), 0);
    assert_int_equal(gnttab(1, GNTTABOP_map_grant_ref, &op, 0x80000000u), -EINVAL);
    assert_int_equal(gnttab(1, 13, &op, 1), -ENOSYS);
    world_audit();
}

static void handles_run_out(void **state)
{
    const unsigned n = MAPPINGS_PER_PAGE * 2;
    struct gnttab_map_grant_ref op;

    (void)state;
    grants_free(&doms[1]);
    assert_int_equal(grants_init(&doms[1], ~0u, 2, 1), 0);
    granted(9, 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(i), &op), GNTST_okay);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(n), &op), GNTST_no_space);
    world_audit();
    assert_int_equal(unmap(1, 17, VA(17), 0), GNTST_okay);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(17), &op), GNTST_okay);
    assert_int_equal(op.handle, 17);
    world_audit();
}

/*
 * The first mapping of one domain and the first pin in each part of another's table need a page: without it nothing is marked. A page
 * that was had stays.
 */
static void memory_runs_out(void **state)
{
    enum { FIRST = 9, SECOND = FIRST + ACTIVES_PER_PAGE };
    static const struct { unsigned spare; bool first, second; } steps[] = {
        { 0, false, false }, { 1, false, false }, { 1, true, false }, { 0, true, false }, { 1, true, true }, { 0, true, true },
    };
    struct gnttab_map_grant_ref op, other;

    (void)state;
    granted(FIRST, 0);
    granted(SECOND, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        memory_leave(steps[i].spare);
        assert_int_equal(map(1, 2, FIRST, GNTMAP_host_map, VA(0), &op), steps[i].first ? GNTST_okay : GNTST_no_space);
        assert_int_equal(map(1, 2, SECOND, GNTMAP_host_map, VA(1), &other), steps[i].second ? GNTST_okay : GNTST_no_space);
        assert_int_equal(flags_v1(2, SECOND), GTF_permit_access | (steps[i].second ? GTF_reading | GTF_writing : 0));
        world_audit();
        if (steps[i].first)
            assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_okay);
        if (steps[i].second)
            assert_int_equal(unmap(1, other.handle, VA(1), 0), GNTST_okay);
        assert_int_equal(frames_free_count(), 0);
        memory_return();
        world_audit();
    }
}

/* The index of pages moves while there are mappings; when it can't, they stay. */
static void more_mappings_than_a_first_index_holds(void **state)
{
    const unsigned n = MAPPINGS_PER_PAGE * 4;
    struct gnttab_map_grant_ref op;
    mfn_t m = granted(9, 0);

    (void)state;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(map(1, 2, 9, GNTMAP_device_map, 0, &op), GNTST_okay);
    memory_leave(0);
    assert_int_equal(map(1, 2, 9, GNTMAP_device_map, 0, &op), GNTST_no_space);
    world_audit();
    memory_return();
    for (unsigned i = n; i < 3 * n; i++)
        assert_int_equal(map(1, 2, 9, GNTMAP_device_map, 0, &op), GNTST_okay);
    assert_int_equal(op.handle, 3 * n - 1);
    assert_int_equal(grants_mapped(&doms[1]), 3 * n);
    world_audit();
    for (unsigned i = 0; i < 3 * n; i++)
        assert_int_equal(unmap(1, i, 0, mfn_maddr(m)), GNTST_okay);
    world_audit();
}

/* The mapper dies, in pieces; then the granter does while it is mapped. */
static void death_of_either(void **state)
{
    struct gnttab_map_grant_ref op;
    unsigned steps = 0;
    uint8_t *table;
    mfn_t m = granted(9, 0);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(i), &op), GNTST_okay);
    assert_int_equal(map(3, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_general_error);
    doms[1].life = DOMAIN_DYING;
    do {
        this_pcpu()->budget = 7;
        steps++;
    } while (grants_kill(&doms[1]) == -ERESTART);
    assert_true(steps > 100 / 7);
    assert_int_equal(grants_mapped(&doms[1]), 0);
    assert_int_equal(flags_v1(2, 9), GTF_permit_access);
    for (unsigned i = 0; i < SLOTS; i++)
        pte_put(atomic_exchange(slot_of(1, i), 0));
    world_audit();

    entry_v1(2, 9, GTF_permit_access, 3, (uint32_t)m.n);
    assert_int_equal(map(3, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_okay);
    doms[2].life = DOMAIN_DYING;
    this_pcpu()->budget = ~0u;
    table = grant_shared(grant_table(&doms[2]), 0);
    assert_int_equal(grants_kill(&doms[2]), 0);
    memset(table, 0xff, PAGE_SIZE); /* the page is somebody else's by now */
    lock(&doms[2].lock);
    assert_true(frame_release(&doms[2], m));
    unlock(&doms[2].lock);
    assert_int_equal(frame_of(m)->refs, 2);
    assert_int_equal(frame_of(m)->owner, 2);
    assert_int_equal(unmap(3, op.handle, VA(0), 0), GNTST_okay);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(table[i], 0xff);
    assert_true(frame_of(m)->refs & REFS_FREE);
}

/* Everything at random, with a granter that scribbles over its table. */
static void soak(void **state)
{
    enum { REFS = 24, HANDLES = 64 };
    struct gnttab_map_grant_ref op;
    struct { bool used; unsigned by, slot; grant_handle_t h; } held[HANDLES] = { 0 };
    mfn_t frames[8];
    unsigned ok = 0;

    (void)state;
    guests_honest = false;
    for (unsigned i = 0; i < 8; i++)
        frames[i] = frame_new(i % DOMS);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = rnd() % HANDLES, by = rnd() % DOMS, of = rnd() % DOMS, slot = rnd() % SLOTS;
        uint32_t flags = GNTMAP_host_map | (rnd() % 2 ? GNTMAP_readonly : 0);

        if (rnd() % 3 == 0)
            entry_v1(of, rnd() % REFS,
                     rnd() % 8 ? GTF_permit_access | (rnd() & GTF_readonly) : rnd() & 0xffff, (domid_t)by,
                     (uint32_t)frames[rnd() % 8].n);
        if (held[i].used) {
            if (unmap(held[i].by, held[i].h, VA(held[i].slot), 0) == GNTST_okay)
                held[i].used = false;
        } else if (!*slot_of(by, slot) && map(by, of, rnd() % REFS, flags, VA(slot), &op) == GNTST_okay) {
            held[i].used = true;
            held[i].by = by;
            held[i].slot = slot;
            held[i].h = op.handle;
            ok++;
        }
        if (step % 16 == 0)
            world_audit();
    }
    assert_true(ok > 500);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)
    const struct CMUnitTest tests[] = {
        T(a_mapping_lives_and_ends),
        T(read_only_takes_no_type),
        T(two_mappings_of_one_entry),
        T(what_is_not_granted_is_refused),
        T(a_table_is_not_mapped_writable),
        T(bad_places),
        T(by_entry_with_software_bits),
        T(device_and_host),
        T(entry_taken_away_by_the_guest),
        T(replaced_by_a_page_of_ones_own),
        T(batches_and_restarts),
        T(a_batch_fails_in_part),
        T(one_handle_twice_in_a_batch),
        T(a_batch_stops_in_its_middle),
        T(an_entry_changed_by_the_guest),
        T(granters_of_one_call_are_several),
        T(bad_pointers_end_the_call),
        T(handles_run_out),
        T(memory_runs_out),
        T(more_mappings_than_a_first_index_holds),
        T(death_of_either),
        T(soak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
