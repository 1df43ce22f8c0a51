/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/grant.c and the single operations of abi/grant_table.c: sizes, versions, who may ask, what stays and
 * what goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_grant.h"

static int16_t setup(unsigned by, domid_t of, unsigned nr, uint64_t *list)
{
    struct gnttab_setup_table op = { .dom = of, .nr_frames = nr, .status = 1 };

    op.frame_list.p = list;
    assert_int_equal(gnttab(by, GNTTABOP_setup_table, &op, 1), 0);
    return op.status;
}

static struct gnttab_query_size query(unsigned by, domid_t of)
{
    struct gnttab_query_size op = { .dom = of, .status = 1 };

    assert_int_equal(gnttab(by, GNTTABOP_query_size, &op, 1), 0);
    return op;
}

static long set_version(unsigned by, uint32_t version, uint32_t *now)
{
    struct gnttab_set_version op = { .version = version };
    long rc = gnttab(by, GNTTABOP_set_version, &op, 1);

    *now = op.version;
    return rc;
}

static void born_with_one_frame(void **state)
{
    struct gnttab_query_size q = query(1, DOMID_SELF);
    struct gnttab_get_version v = { .dom = DOMID_SELF };
    uint64_t list[2] = { 0, 77 };

    (void)state;
    assert_int_equal(q.status, GNTST_okay);
    assert_int_equal(q.nr_frames, 1);
    assert_int_equal(q.max_nr_frames, 64);
    assert_int_equal(gnttab(1, GNTTABOP_get_version, &v, 1), 0);
    assert_int_equal(v.version, 1);
    assert_int_equal(setup(1, DOMID_SELF, 1, list), GNTST_okay);
    assert_ptr_equal(machine_frame(mfn(list[0])), grant_table(&doms[1])->shared[0]);
    assert_int_equal(list[1], 77);
    assert_int_equal(frame_of(mfn(list[0]))->owner, 1);
    assert_int_equal(frame_of(mfn(list[0]))->refs, REFS_HV | 1);
    assert_int_equal(m2p_get(mfn(list[0])), M2P_SHARED);
    assert_int_equal(doms[1].tot_pages, 1); /* its L1: the table does not count */
}

static void grows_to_its_limit_and_no_further(void **state)
{
    uint64_t list[65] = { 0 };

    (void)state;
    assert_int_equal(setup(1, DOMID_SELF, 4, list), GNTST_okay);
    assert_int_equal(query(1, 1).nr_frames, 4);
    assert_int_equal(setup(1, DOMID_SELF, 2, list), GNTST_okay);
    assert_int_equal(query(1, 1).nr_frames, 4);
    assert_int_equal(setup(1, DOMID_SELF, 64, list), GNTST_okay);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(list[i], grants_frame(&doms[1], false, i).n);
    assert_true(mfn_same(grants_frame(&doms[1], false, 64), MFN_NONE));
    assert_int_equal(setup(1, DOMID_SELF, 65, list), GNTST_general_error);
    assert_int_equal(setup(1, DOMID_SELF, ~0u, list), GNTST_general_error);
    assert_int_equal(setup(1, DOMID_SELF, 1, BAD_POINTER), GNTST_bad_virt_addr);
    entry_v1(1, 64 * 512 - 1, GTF_invalid, 0, 0);
    world_audit();
}

static void others_need_control(void **state)
{
    struct gnttab_get_version v = { .dom = 1 };
    struct gnttab_dump_table dump = { .dom = DOMID_SELF };
    struct gnttab_query_size two[2] = { { .dom = DOMID_SELF }, { .dom = DOMID_SELF } };
    uint64_t list[1];

    (void)state;
    assert_int_equal(setup(2, 1, 1, list), GNTST_permission_denied);
    assert_int_equal(query(2, 1).status, GNTST_permission_denied);
    assert_int_equal(query(2, 99).status, GNTST_bad_domain);
    assert_int_equal(gnttab(2, GNTTABOP_get_version, &v, 1), -EPERM);
    v.dom = 99;
    assert_int_equal(gnttab(2, GNTTABOP_get_version, &v, 1), -ESRCH);
    assert_int_equal(setup(0, 1, 1, list), GNTST_okay);
    assert_int_equal(query(0, 1).status, GNTST_okay);
    assert_int_equal(gnttab(2, GNTTABOP_dump_table, &dump, 1), 0);
    assert_int_equal(dump.status, GNTST_permission_denied);
    dump.dom = 2;
    assert_int_equal(gnttab(0, GNTTABOP_dump_table, &dump, 1), 0);
    assert_int_equal(dump.status, GNTST_okay);
    /* Exactly one element. */
    assert_int_equal(gnttab(0, GNTTABOP_query_size, two, 0), -EINVAL);
    assert_int_equal(gnttab(0, GNTTABOP_query_size, two, 2), -EINVAL);
}

static void versions_keep_the_reserved_entries(void **state)
{
    struct gnttab_map_grant_ref op, late;
    struct gnttab_get_status_frames sf = { .nr_frames = 1, .dom = DOMID_SELF };
    uint64_t list[2];
    uint32_t now;
    mfn_t m = frame_new(1);

    (void)state;
    entry_v1(1, 1, GTF_permit_access, 0, (uint32_t)m.n);
    entry_v1(1, 8, GTF_permit_access, 0, (uint32_t)m.n);
    assert_int_equal(map(0, 1, 1, GNTMAP_host_map, VA(0), &op), GNTST_okay);
    assert_int_equal(set_version(1, 1, &now), 0);
    sf.frame_list.p = list;
    assert_int_equal(gnttab(1, GNTTABOP_get_status_frames, &sf, 1), 0);
    assert_int_equal(sf.status, GNTST_general_error);

    assert_int_equal(map(0, 1, 8, GNTMAP_host_map, VA(1), &late), GNTST_okay);
    assert_int_equal(set_version(1, 2, &now), -EBUSY);
    assert_int_equal(now, 1);
    assert_int_equal(unmap(0, late.handle, VA(1), 0), GNTST_okay);
    assert_int_equal(set_version(1, 2, &now), 0);
    assert_int_equal(now, 2);
    world_audit();
    assert_int_equal(entry_v2(1, 1)->full_page.frame, m.n);
    assert_int_equal(entry_v2(1, 1)->hdr.flags, GTF_permit_access);
    assert_int_equal(entry_v2(1, 8)->hdr.flags, 0);
    sf = (struct gnttab_get_status_frames){ .nr_frames = 1, .dom = DOMID_SELF };
    sf.frame_list.p = list;
    assert_int_equal(gnttab(1, GNTTABOP_get_status_frames, &sf, 1), 0);
    assert_int_equal(sf.status, GNTST_okay);
    assert_int_equal(((uint16_t *)machine_frame(mfn(list[0])))[1], GTF_reading | GTF_writing);
    sf = (struct gnttab_get_status_frames){ .nr_frames = 2, .dom = DOMID_SELF };
    sf.frame_list.p = list;
    assert_int_equal(gnttab(1, GNTTABOP_get_status_frames, &sf, 1), 0);
    assert_int_equal(sf.status, GNTST_general_error);

    /* And back, still mapped. */
    assert_int_equal(set_version(1, 1, &now), 0);
    assert_int_equal(flags_v1(1, 1), GTF_permit_access | GTF_reading | GTF_writing);
    world_audit();
    assert_int_equal(unmap(0, op.handle, VA(0), 0), GNTST_okay);
    assert_int_equal(flags_v1(1, 1), GTF_permit_access);
    assert_int_equal(grants_frames(&doms[1], true), 0);
}

static void versions_that_are_not(void **state)
{
    uint32_t now;

    (void)state;
    assert_int_equal(set_version(1, 0, &now), -EINVAL);
    assert_int_equal(set_version(1, 3, &now), -EINVAL);
    assert_int_equal(now, 1);
    assert_int_equal(set_version(1, 2, &now), 0);
    entry_v2(1, 3)->hdr.flags = GTF_transitive;
    assert_int_equal(set_version(1, 1, &now), -EINVAL);
    entry_v2(1, 3)->hdr.flags = GTF_permit_access | GTF_sub_page;
    assert_int_equal(set_version(1, 1, &now), -EINVAL);
    entry_v2(1, 3)->hdr.flags = GTF_permit_access;
    entry_v2(1, 3)->full_page.frame = 1ull << 32;
    assert_int_equal(set_version(1, 1, &now), -EINVAL);
    assert_int_equal(now, 2);
    entry_v2(1, 3)->full_page.frame = 5;
    assert_int_equal(set_version(1, 1, &now), 0);
}

static void version_two_reaches_its_last_entry(void **state)
{
    struct gnttab_map_grant_ref op;
    uint64_t list[64];
    uint32_t now;
    mfn_t m = frame_new(1);
    grant_ref_t last = 64 * 256 - 1;

    (void)state;
    assert_int_equal(set_version(1, 2, &now), 0);
    assert_int_equal(setup(1, DOMID_SELF, 64, list), GNTST_okay);
    assert_int_equal(grants_frames(&doms[1], true), 8);
    entry_v2(1, last)->full_page.frame = m.n;
    entry_v2(1, last)->hdr = (struct grant_entry_header){ .flags = GTF_permit_access, .domid = 2 };
    assert_int_equal(map(2, 1, last, GNTMAP_host_map, VA(0), &op), GNTST_okay);
    assert_int_equal(((uint16_t *)grant_table(&doms[1])->status[7])[2047], GTF_reading | GTF_writing);
    world_audit();
    assert_int_equal(map(2, 1, last + 1, GNTMAP_host_map, VA(1), &op), GNTST_bad_gntref);
    assert_int_equal(unmap(2, 0, VA(0), 0), GNTST_okay);
    assert_int_equal(((uint16_t *)grant_table(&doms[1])->status[7])[2047], 0);
    world_audit();
}

static void swapping(void **state)
{
    struct gnttab_swap_grant_ref op[] = { { .ref_a = 9, .ref_b = 10 },
                                          { .ref_a = 9, .ref_b = 512 },
                                          { .ref_a = 4, .ref_b = 4 } };
    struct gnttab_map_grant_ref m;
    mfn_t f = frame_new(1);

    (void)state;
    entry_v1(1, 9, GTF_permit_access, 2, (uint32_t)f.n);
    entry_v1(1, 10, GTF_permit_access | GTF_readonly, 3, 33);
    assert_int_equal(gnttab(1, GNTTABOP_swap_grant_ref, op, 3), 0);
    assert_int_equal(op[0].status, GNTST_okay);
    assert_int_equal(op[1].status, GNTST_bad_gntref);
    assert_int_equal(op[2].status, GNTST_okay);
    assert_int_equal(flags_v1(1, 9), GTF_permit_access | GTF_readonly);
    assert_int_equal(map(2, 1, 10, GNTMAP_host_map, VA(0), &m), GNTST_okay);
    op[0] = (struct gnttab_swap_grant_ref){ .ref_a = 9, .ref_b = 10 };
    assert_int_equal(gnttab(1, GNTTABOP_swap_grant_ref, op, 1), 0);
    assert_int_equal(op[0].status, GNTST_eagain);
    world_audit();
}

static void resources_for_the_tools(void **state)
{
    uint32_t now;
    mfn_t m;

    (void)state;
    assert_int_equal(grants_max_frames(&doms[1]), 64);
    assert_int_equal(grants_resource(&doms[1], false, 0, &m), 0);
    assert_true(mfn_same(m, grants_frame(&doms[1], false, 0)));
    assert_int_equal(grants_resource(&doms[1], false, 9, &m), 0);
    assert_int_equal(grants_frames(&doms[1], false), 10);
    assert_int_equal(grants_resource(&doms[1], false, 64, &m), -EINVAL);
    assert_int_equal(grants_resource(&doms[1], false, ~0u, &m), -EINVAL);
    assert_int_equal(grants_resource(&doms[1], true, 0, &m), -EINVAL);
    assert_int_equal(set_version(1, 2, &now), 0);
    assert_int_equal(grants_resource(&doms[1], true, 7, &m), 0);
    assert_ptr_equal(machine_frame(m), grant_table(&doms[1])->status[7]);
    assert_int_equal(grants_frames(&doms[1], false), 57);
    assert_int_equal(grants_resource(&doms[1], true, 8, &m), -EINVAL);
}

static void cache_flushes_are_judged(void **state)
{
    struct gnttab_cache_flush op = { .offset = 96, .length = 4000, .op = GNTTAB_CACHE_CLEAN };

    (void)state;
    assert_int_equal(gnttab(1, GNTTABOP_cache_flush, &op, 1), 0);
    op = (struct gnttab_cache_flush){ .offset = 97, .length = 4000, .op = GNTTAB_CACHE_CLEAN };
    assert_int_equal(gnttab(1, GNTTABOP_cache_flush, &op, 1), -EINVAL);
    op = (struct gnttab_cache_flush){ .op = 4 };
    assert_int_equal(gnttab(1, GNTTABOP_cache_flush, &op, 1), -EINVAL);
    op = (struct gnttab_cache_flush){ .op = GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_INVAL };
    assert_int_equal(gnttab(1, GNTTABOP_cache_flush, &op, 1), -EOPNOTSUPP);
}

static void a_domain_without_grants(void **state)
{
    struct gnttab_map_grant_ref op;
    uint64_t list[1];
    uint32_t now;
    mfn_t m;

    (void)state;
    grants_free(&doms[3]);
    assert_int_equal(grants_init(&doms[3], ~0u, ~0u, 0), 0);
    assert_int_equal(setup(3, DOMID_SELF, 1, list), GNTST_general_error);
    assert_int_equal(setup(3, DOMID_SELF, 0, list), GNTST_general_error);
    assert_int_equal(grants_kill(&doms[3]), 0);
    assert_int_equal(query(3, 3).max_nr_frames, 0);
    assert_int_equal(set_version(3, 1, &now), -ENOSYS);
    assert_int_equal(map(3, 1, 0, GNTMAP_host_map, VA(0), &op), GNTST_no_space);
    assert_int_equal(map(1, 3, 0, GNTMAP_host_map, VA(0), &op), GNTST_bad_gntref);
    assert_int_equal(grants_resource(&doms[3], false, 0, &m), -EINVAL);
}

/*
 * Each allocation of each of these made to fail in turn: nothing is lost, and it works when there is memory
 * again.
 */
static void memory_runs_out(void **state)
{
    uint64_t list[16];
    unsigned spare;
    uint32_t now;
    bool done = false;

    (void)state;
    for (spare = 0; !done; spare++) {
        uint64_t before = frames_free_count();

        memory_leave(spare);
        if (spare < 5)
            assert_int_not_equal(setup(2, DOMID_SELF, 16, list), GNTST_okay);
        done = set_version(2, 2, &now) == 0 && setup(2, DOMID_SELF, 16, list) == GNTST_okay;
        memory_return();
        world_audit();
        assert_true(frames_free_count() <= before);
    }
    assert_true(spare > 5);
    for (spare = 0, done = false; !done; spare++) {
        grants_free(&doms[3]);
        memory_leave(spare);
        done = grants_init(&doms[3], ~0u, ~0u, 2) == 0;
        assert_true(done || !doms[3].grants);
        memory_return();
    }
    assert_true(spare > 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)
    const struct CMUnitTest tests[] = {
        T(born_with_one_frame),
        T(grows_to_its_limit_and_no_further),
        T(others_need_control),
        T(versions_keep_the_reserved_entries),
        T(versions_that_are_not),
        T(version_two_reaches_its_last_entry),
        T(swapping),
        T(resources_for_the_tools),
        T(cache_flushes_are_judged),
        T(a_domain_without_grants),
        T(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
