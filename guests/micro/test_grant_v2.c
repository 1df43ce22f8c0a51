/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grant tables, version 2: changing over and back, status frames, sub-page and transitive grants. Leaves
 * version 1.
 */

#include "grant.h"

#define REF 40

static grant_entry_v2_t *gt2;
static grant_status_t *status;

static long set_version(uint32_t v)
{
    struct gnttab_set_version op = { .version = v };

    return grant_op(GNTTABOP_set_version, &op, 1);
}

static long get_version(domid_t dom, uint32_t *v)
{
    struct gnttab_get_version op = { .dom = dom, .version = 99 };
    long rc = grant_op(GNTTABOP_get_version, &op, 1);

    *v = op.version;
    return rc;
}

/* Two, with table and status mapped; false when the hypervisor has no version 2. */
static bool enter(void)
{
    uint64_t frame = 0;
    struct gnttab_get_status_frames op = { .dom = DOMID_SELF, .nr_frames = 1 };
    long rc = set_version(2);

    if (rc == -XEN_ENOSYS)
        return false;
    if (!grant_setup() || !EXPECT_EQ(rc, 0))
        return false;
    gt2 = (void *)gt1;
    set_xen_guest_handle(op.frame_list, &frame);
    EXPECT_EQ(grant_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    if (!status)
        status = page_alloc();
    return EXPECT_EQ(update_va(status, frame << 12 | PTE_FLAGS, UVMF_INVLPG), 0);
}

static void leave(void)
{
    EXPECT_EQ(make_writable(status), 0);
    EXPECT_EQ(set_version(1), 0);
}

TEST(versions)
{
    uint32_t v;

    EXPECT_EQ(get_version(DOMID_SELF, &v), 0);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(set_version(3), -XEN_EINVAL);
    EXPECT_EQ(set_version(0), -XEN_EINVAL);
    if (!enter())
        return;
    EXPECT_EQ(get_version(DOMID_SELF, &v), 0);
    EXPECT_EQ(v, 2);
    leave();
    EXPECT_EQ(get_version(DOMID_SELF, &v), 0);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(get_version(77, &v), -XEN_ESRCH);
    EXPECT_EQ(grant_op(GNTTABOP_set_version, (void *)8, 1), -XEN_EFAULT);
    EXPECT_EQ(grant_op(GNTTABOP_get_version, (void *)8, 1), -XEN_EFAULT);
}

TEST(map)
{
    char *page = page_alloc(), *window = page_alloc();
    grant_handle_t h;

    if (!enter())
        return;
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    page[9] = 77;
    gt2[REF].full_page.frame = mfn_of(page);
    gt2[REF].hdr.domid = own_domid();
    gt2[REF].hdr.flags = GTF_permit_access;
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, &h), GNTST_okay))
        return leave();
    EXPECT_EQ(window[9], 77);
    EXPECT_EQ(status[REF], GTF_reading | GTF_writing);
    EXPECT_EQ(gt2[REF].hdr.flags, GTF_permit_access);
    EXPECT_EQ(set_version(1), -XEN_EBUSY);              /* not while something is mapped */
    EXPECT_EQ(grant_unmap(U(window), h), GNTST_okay);
    EXPECT_EQ(status[REF], 0);
    gt2[REF].hdr.flags = 0;
    EXPECT_EQ(make_writable(window), 0);
    page_free(window);
    page_free(page);
    leave();
}

TEST(sub_page)
{
    char *page = page_alloc(), *to = page_alloc();
    struct copy_side from = { REF, own_domid(), 0 }, dest = { 0, DOMID_SELF, 0 };
    unsigned int i;

    if (!enter())
        return;
    for (i = 0; i < PAGE_SIZE; i++)
        page[i] = (char)i;
    dest.ref_or_mfn = mfn_of(to);
    gt2[REF].sub_page.frame = mfn_of(page);
    gt2[REF].sub_page.page_off = 100;
    gt2[REF].sub_page.length = 50;
    gt2[REF].hdr.domid = own_domid();
    gt2[REF].hdr.flags = GTF_permit_access | GTF_sub_page;
    from.offset = 100;
    EXPECT_EQ(grant_copy(from, dest, 50, GNTCOPY_source_gref), GNTST_okay);
    EXPECT_EQ(memcmp(to, page + 100, 50), 0);
    from.offset = 101;
    EXPECT_EQ(grant_copy(from, dest, 50, GNTCOPY_source_gref), GNTST_general_error);
    from.offset = 99;
    EXPECT_EQ(grant_copy(from, dest, 1, GNTCOPY_source_gref), GNTST_general_error);
    /* sub-page grants cannot be mapped */
    obs("map", grant_map(to, own_domid(), REF, GNTMAP_host_map, NULL));
    gt2[REF].hdr.flags = 0;
    page_free(page);
    page_free(to);
    leave();
}

TEST(transitive)
{
    char *page = page_alloc(), *to = page_alloc();
    struct copy_side from = { REF + 1, own_domid(), 0 }, dest = { 0, DOMID_SELF, 0 };

    if (!enter())
        return;
    page[0] = 5;
    dest.ref_or_mfn = mfn_of(to);
    gt2[REF].full_page.frame = mfn_of(page);
    gt2[REF].hdr.domid = own_domid();
    gt2[REF].hdr.flags = GTF_permit_access;
    gt2[REF + 1].transitive.trans_domid = own_domid();
    gt2[REF + 1].transitive.gref = REF;
    gt2[REF + 1].hdr.domid = own_domid();
    gt2[REF + 1].hdr.flags = GTF_transitive;
    obs("copy", grant_copy(from, dest, 1, GNTCOPY_source_gref));
    obs("map", grant_map(to, own_domid(), REF + 1, GNTMAP_host_map, NULL));
    gt2[REF].hdr.flags = gt2[REF + 1].hdr.flags = 0;
    page_free(page);
    page_free(to);
    leave();
}

/* The first entries, which the tools fill, survive the change of version. */
TEST(reserved_entries_survive)
{
    if (!grant_setup())
        return;
    gt1[1].frame = 0x1234;
    gt1[1].domid = 9;
    gt1[1].flags = GTF_permit_access;
    gt1[20].frame = 0x1234;
    gt1[20].domid = 9;
    gt1[20].flags = GTF_permit_access;
    if (!enter())
        return;
    EXPECT_EQ(gt2[1].full_page.frame, 0x1234);
    EXPECT_EQ(gt2[1].hdr.domid, 9);
    EXPECT_EQ(gt2[1].hdr.flags, GTF_permit_access);
    obs("others_cleared", gt2[20].hdr.flags == 0);
    gt2[1].hdr.flags = 0;
    leave();
    gt1[1].flags = 0;
    gt1[20].flags = 0;
}

TEST(status_frames_errors)
{
    uint64_t frame[2];
    struct gnttab_get_status_frames op = { .dom = DOMID_SELF, .nr_frames = 1, .status = 99 };

    set_xen_guest_handle(op.frame_list, frame);
    EXPECT_EQ(grant_op(GNTTABOP_get_status_frames, &op, 1), 0);         /* version 1 has none */
    EXPECT_EQ(op.status, GNTST_general_error);
    if (!enter())
        return;
    op.nr_frames = 1000;
    EXPECT_EQ(grant_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    op.dom = 77;
    EXPECT_EQ(grant_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_bad_domain);
    leave();
}
