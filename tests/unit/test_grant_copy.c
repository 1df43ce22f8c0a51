/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/grant_copy.c and core/grant_transfer.c: bytes move only where both sides may, frames only to who asked
 * for one; and whatever the answer, nothing stays pinned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_grant.h"

enum { SRC = GNTCOPY_source_gref, DST = GNTCOPY_dest_gref };

static int16_t copy_unaudited(unsigned by, struct gnttab_copy op)
{
    op.status = 1;
    assert_int_equal(gnttab(by, GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

static int16_t copy(unsigned by, struct gnttab_copy op)
{
    int16_t status = copy_unaudited(by, op);

    world_audit();
    return status;
}

/* Side of an operation; a reference is the low half of a frame number. */
#define AT(where, id, off) { .u.gmfn = (where), .domid = (id), .offset = (uint16_t)(off) }
#define OP(from, to, n, how) ((struct gnttab_copy){ .source = from, .dest = to, .len = (n), .flags = (how) })

static uint8_t *bytes(mfn_t m) { return machine_frame(m); }

static mfn_t filled(unsigned d, int byte)
{
    mfn_t m = frame_new(d);

    memset(machine_frame(m), byte, PAGE_SIZE);
    return m;
}

static void between_own_frames_and_grants(void **state)
{
    mfn_t own = filled(1, 0x11), his = filled(2, 0x22), hers = filled(3, 0x33);
    unsigned o = (unsigned)own.n;

    (void)state;
    entry_v1(2, 9, GTF_permit_access | GTF_readonly, 1, (uint32_t)his.n);
    entry_v1(3, 9, GTF_permit_access, 1, (uint32_t)hers.n);
    assert_int_equal(copy(1, OP(AT(9, 2, 100), AT(o, DOMID_SELF, 4000), 96, SRC)), GNTST_okay);
    assert_int_equal(bytes(own)[3999], 0x11);
    assert_int_equal(bytes(own)[4000], 0x22);
    assert_int_equal(bytes(own)[4095], 0x22);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(9, 3, 0), 4096, SRC | DST)), GNTST_okay);
    assert_memory_equal(bytes(hers), bytes(his), PAGE_SIZE);
    /* Overlapping, in one frame; and nothing at all. */
    for (unsigned i = 0; i < 64; i++)
        bytes(own)[i] = (uint8_t)i;
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(o, DOMID_SELF, 1), 64, 0)), GNTST_okay);
    assert_int_equal(bytes(own)[64], 63);
    assert_int_equal(copy(1, OP(AT(9, 2, 4096), AT(o, DOMID_SELF, 0), 0, SRC)), GNTST_okay);
    /* Read-only is not for writing. */
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 0), 1, DST)), GNTST_general_error);
    assert_int_equal(bytes(his)[0], 0x22);
}

static void within_a_page(void **state)
{
    unsigned o = (unsigned)filled(1, 0).n;

    (void)state;
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 1), AT(o, DOMID_SELF, 0), 4096, 0)), GNTST_bad_copy_arg);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(o, DOMID_SELF, 4095), 2, 0)), GNTST_bad_copy_arg);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0xffff), AT(o, DOMID_SELF, 0), 0xffff, 0)),
                     GNTST_bad_copy_arg);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(o, DOMID_SELF, 0), 4096, 0)), GNTST_okay);
}

static void what_one_may_not_copy(void **state)
{
    mfn_t own = filled(1, 0x11), his = filled(2, 0x22), table = grants_frame(&doms[1], false, 0);
    unsigned o = (unsigned)own.n, h = (unsigned)his.n;

    (void)state;
    assert_int_equal(copy(1, OP(AT(h, 2, 0), AT(o, DOMID_SELF, 0), 8, 0)), GNTST_permission_denied);
    assert_int_equal(copy(1, OP(AT(o, 1, 0), AT(o, DOMID_SELF, 0), 8, 0)), GNTST_permission_denied);
    assert_int_equal(copy(1, OP(AT(h, DOMID_SELF, 0), AT(o, DOMID_SELF, 0), 8, 0)), GNTST_bad_page);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(0xffffffff, DOMID_SELF, 0), 8, 0)), GNTST_bad_page);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT((unsigned)table.n, DOMID_SELF, 0), 8, 0)),
                     GNTST_bad_page);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    assert_int_equal(copy(1, OP(AT(9, 77, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_bad_domain);
    assert_int_equal(copy(1, OP(AT(~0u, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_bad_gntref);
    entry_v1(2, 9, GTF_permit_access, 3, h);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    /* A page table is read, never written. */
    entry_v1(2, 9, GTF_permit_access, 1, h);
    assert_int_equal(frame_get_type(&doms[1], own, TYPE_L1), 0);
    assert_int_equal(copy_unaudited(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 0), 8, DST)), GNTST_okay);
    assert_int_equal(copy_unaudited(1, OP(AT(9, 2, 8), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    frame_put_type(own);
    assert_true(type_drain(&vcpus[1]));
    assert_int_equal(bytes(own)[0], 0x11);
}

static void sub_pages(void **state)
{
    mfn_t own = filled(1, 0x11), his = filled(2, 0x22);
    unsigned o = (unsigned)own.n;
    struct gnttab_map_grant_ref op;

    (void)state;
    assert_int_equal(grants_set_version(&doms[2], 2), 0);
    entry_v2(2, 9)->sub_page.frame = his.n;
    entry_v2(2, 9)->sub_page.page_off = 100;
    entry_v2(2, 9)->sub_page.length = 50;
    entry_v2(2, 9)->hdr =
        (struct grant_entry_header){ .flags = GTF_permit_access | GTF_sub_page, .domid = 1 };
    assert_int_equal(copy(1, OP(AT(9, 2, 100), AT(o, DOMID_SELF, 0), 50, SRC)), GNTST_okay);
    assert_int_equal(copy(1, OP(AT(9, 2, 99), AT(o, DOMID_SELF, 0), 50, SRC)), GNTST_general_error);
    assert_int_equal(copy(1, OP(AT(9, 2, 100), AT(o, DOMID_SELF, 0), 51, SRC)), GNTST_general_error);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 149), 1, DST)), GNTST_okay);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map, VA(0), &op), GNTST_general_error);
    /* A range that leaves the page is still bounded by the page. */
    entry_v2(2, 9)->sub_page.page_off = 0xffff;
    entry_v2(2, 9)->sub_page.length = 0xffff;
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 1, SRC)), GNTST_general_error);
    world_audit();
}

static void lend(unsigned d, grant_ref_t ref, unsigned flags, domid_t to, domid_t via, grant_ref_t his)
{
    union grant_entry_v2 *e = entry_v2(d, ref);

    e->transitive.trans_domid = via;
    e->transitive.gref = his;
    e->hdr = (struct grant_entry_header){ .flags = (uint16_t)(GTF_transitive | flags), .domid = to };
}

static void transitive_grants(void **state)
{
    mfn_t own = filled(1, 0x11), hers = filled(3, 0x33), his;
    unsigned o = (unsigned)own.n;
    struct gnttab_map_grant_ref op;

    (void)state;
    assert_int_equal(grants_set_version(&doms[2], 2), 0);
    entry_v1(3, 20, GTF_permit_access | GTF_readonly, 2, (uint32_t)hers.n); /* 3 to 2 ...   */
    lend(2, 9, 0, 1, 3, 20);                                                /* ... 2 to 1   */
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_okay);
    assert_int_equal(bytes(own)[7], 0x33);
    /* Not more than either granted, not mapped, not without the lender. */
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 0), 8, DST)), GNTST_general_error);
    assert_int_equal(copy(1, OP(AT(20, 3, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    assert_int_equal(map(1, 2, 9, GNTMAP_host_map | GNTMAP_readonly, VA(0), &op), GNTST_general_error);
    entry_v1(3, 20, GTF_permit_access, 2, (uint32_t)hers.n);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 0), 8, DST)), GNTST_okay);
    lend(2, 9, GTF_readonly, 1, 3, 20);
    assert_int_equal(copy(1, OP(AT(o, DOMID_SELF, 0), AT(9, 2, 0), 8, DST)), GNTST_general_error);
    /* To nobody, to nowhere, to itself, in two steps. */
    lend(2, 9, 0, 1, 77, 20);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_bad_domain);
    lend(2, 9, 0, 1, 3, 100000);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_bad_gntref);
    his = filled(2, 0x22);
    lend(2, 9, 0, 1, 2, 10);
    lend(2, 10, 0, 2, 3, (grant_ref_t)his.n); /* a reference that is also the number of a frame */
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    lend(2, 9, 0, 1, 2, 9);
    assert_int_equal(copy(1, OP(AT(9, 2, 0), AT(o, DOMID_SELF, 0), 8, SRC)), GNTST_general_error);
    assert_int_equal(grant_table(&doms[2])->pinned, 0);
}

static void many_at_once(void **state)
{
    enum { N = 600 };
    static struct gnttab_copy ops[N];
    mfn_t own = filled(1, 0x11), his = filled(2, 0x22);

    (void)state;
    entry_v1(2, 9, GTF_permit_access, 1, (uint32_t)his.n);
    for (unsigned i = 0; i < N; i++)
        ops[i] = OP(AT(i == 300 ? 10 : 9, 2, i), AT((unsigned)own.n, DOMID_SELF, i), 1, SRC);
    assert_int_equal(gnttab(1, GNTTABOP_copy, ops, N), 0);
    assert_true(restarts > 0);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(ops[i].status, i == 300 ? GNTST_general_error : GNTST_okay);
        assert_int_equal(bytes(own)[i], i == 300 ? 0x11 : 0x22);
    }
    world_audit();
}

/* ---- Transfers ---- */

static int16_t transfer(unsigned by, uint64_t frame, domid_t to, grant_ref_t ref)
{
    struct gnttab_transfer op = { .mfn = frame, .domid = to, .ref = ref, .status = 1 };

    assert_int_equal(gnttab(by, GNTTABOP_transfer, &op, 1), 0);
    world_audit();
    return op.status;
}

static void a_frame_changes_hands(void **state)
{
    struct grant_entry_v1 *e = grant_shared(grant_table(&doms[2]), 9);
    mfn_t m = filled(1, 0x77);
    unsigned flushes = fake_flushes;

    (void)state;
    entry_v1(2, 9, GTF_accept_transfer, 1, 1234);
    assert_int_equal(transfer(1, m.n, 2, 9), GNTST_okay);
    assert_int_equal(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    assert_int_equal(e->frame, m.n);
    assert_int_equal(frame_of(m)->owner, 2);
    assert_int_equal(m2p_get(m), 1234);
    assert_int_equal(bytes(m)[4095], 0x77);
    assert_true(fake_flushes > flushes);
    assert_int_equal(doms[1].tot_pages, 1);
    assert_int_equal(doms[2].tot_pages, 2);
    /* Once. */
    assert_int_equal(transfer(2, m.n, 2, 9), GNTST_bad_gntref);
    assert_true(frame_of(m)->refs & REFS_FREE);
}

static void version_two_accepts_too(void **state)
{
    mfn_t m = filled(1, 0x77);

    (void)state;
    assert_int_equal(grants_set_version(&doms[2], 2), 0);
    entry_v2(2, 9)->full_page.frame = 0;
    entry_v2(2, 9)->hdr = (struct grant_entry_header){ .flags = GTF_accept_transfer, .domid = 1 };
    assert_int_equal(transfer(1, m.n, 2, 9), GNTST_okay);
    assert_int_equal(entry_v2(2, 9)->full_page.frame, m.n);
    assert_int_equal(m2p_get(m), M2P_INVALID);
    assert_int_equal(frame_of(m)->owner, 2);
}

static void what_is_in_use_stays(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m = filled(1, 0x77);

    (void)state;
    entry_v1(2, 9, GTF_accept_transfer, 1, 0);
    entry_v1(1, 9, GTF_permit_access, 3, (uint32_t)m.n);
    assert_int_equal(map(3, 1, 9, GNTMAP_host_map | GNTMAP_readonly, VA(0), &op), GNTST_okay);
    assert_int_equal(transfer(1, m.n, 2, 9), GNTST_bad_page);
    assert_int_equal(unmap(3, op.handle, VA(0), 0), GNTST_okay);
    assert_int_equal(transfer(1, l1[1].n, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, grants_frame(&doms[1], false, 0).n, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, frame_new(3).n, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, ~0ull, 2, 9), GNTST_bad_page);
    assert_int_equal(flags_v1(2, 9), GTF_accept_transfer);
    assert_int_equal(transfer(1, m.n, 2, 9), GNTST_okay);
}

/* The ABI's harsh rule: the frame is gone from the caller, and goes to nobody. */
static void refused_frames_are_freed(void **state)
{
    static const struct { unsigned flags; domid_t giver, to; grant_ref_t ref; int16_t status;
    } bad[] = {
        { GTF_accept_transfer, 3, 2, 9, GNTST_bad_gntref },
        { GTF_permit_access, 1, 2, 9, GNTST_bad_gntref },
        { GTF_invalid, 1, 2, 9, GNTST_bad_gntref },
        { GTF_accept_transfer, 1, 2, 512, GNTST_bad_gntref },
        { GTF_accept_transfer | GTF_transfer_committed, 1, 2, 9, GNTST_bad_gntref },
        { GTF_accept_transfer | GTF_transfer_completed, 1, 2, 9, GNTST_bad_gntref },
        { GTF_accept_transfer, 1, 77, 9, GNTST_bad_domain },
        { GTF_accept_transfer, 1, 2, 9, GNTST_general_error },
    };
    mfn_t m;

    (void)state;
    guests_honest = false;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        m = filled(1, 0x77);
        entry_v1(2, 9, bad[i].flags, bad[i].giver, 0);
        if (bad[i].status == GNTST_general_error)
            doms[2].max_pages = doms[2].tot_pages;
        assert_int_equal(transfer(1, m.n, bad[i].to, bad[i].ref), bad[i].status);
        assert_true(frame_of(m)->refs & REFS_FREE);
        assert_int_equal(flags_v1(2, 9), bad[i].flags);
    }
    assert_int_equal(doms[1].tot_pages, 1);
    assert_int_equal(doms[2].tot_pages, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)
    const struct CMUnitTest tests[] = {
        T(between_own_frames_and_grants),
        T(within_a_page),
        T(what_one_may_not_copy),
        T(sub_pages),
        T(transitive_grants),
        T(many_at_once),
        T(a_frame_changes_hands),
        T(version_two_accepts_too),
        T(what_is_in_use_stays),
        T(refused_frames_are_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
