/* SPDX-License-Identifier: BSD-2-Clause */
/* GNTTABOP_copy: from and to frames and grants, inside one page, with a status for each. */

#include "grant.h"

#define REF 30

static char *from, *to;

static bool setup(void)
{
    unsigned int i;

    if (!grant_setup())
        return false;
    if (!from) {
        from = page_alloc();
        to = page_alloc();
    }
    for (i = 0; i < PAGE_SIZE; i++)
        from[i] = (char)(i * 7);
    memset(to, 0, PAGE_SIZE);
    return true;
}

static struct copy_side frame(const void *page, uint16_t offset)
{
    return (struct copy_side){ mfn_of(page), DOMID_SELF, offset };
}

static struct copy_side grant(grant_ref_t ref, uint16_t offset)
{
    return (struct copy_side){ ref, own_domid(), offset };
}

TEST(frame_to_frame)
{
    if (!setup())
        return;
    EXPECT_EQ(grant_copy(frame(from, 16), frame(to, 32), 100, 0), GNTST_okay);
    EXPECT_EQ(memcmp(from + 16, to + 32, 100), 0);
    EXPECT_EQ(to[31], 0);
    EXPECT_EQ(to[132], 0);
    EXPECT_EQ(grant_copy(frame(from, 0), frame(to, 0), 4096, 0), GNTST_okay);
    EXPECT_EQ(memcmp(from, to, 4096), 0);
    EXPECT_EQ(grant_copy(frame(from, 0), frame(to, 0), 0, 0), GNTST_okay);
}

TEST(by_grant)
{
    if (!setup())
        return;
    grant_page(REF, from, own_domid(), GTF_readonly);
    grant_page(REF + 1, to, own_domid(), 0);
    EXPECT_EQ(grant_copy(grant(REF, 0), frame(to, 0), 64, GNTCOPY_source_gref), GNTST_okay);
    EXPECT_EQ(memcmp(from, to, 64), 0);
    memset(to, 0, PAGE_SIZE);
    EXPECT_EQ(grant_copy(frame(from, 8), grant(REF + 1, 8), 64, GNTCOPY_dest_gref), GNTST_okay);
    EXPECT_EQ(memcmp(from + 8, to + 8, 64), 0);
    EXPECT_EQ(grant_copy(grant(REF, 0), grant(REF + 1, 4000), 96, GNTCOPY_source_gref | GNTCOPY_dest_gref),
              GNTST_okay);
    EXPECT_EQ(memcmp(from, to + 4000, 96), 0);
    EXPECT_EQ(gt1[REF].flags, GTF_permit_access | GTF_readonly);        /* nothing stays in use */
    EXPECT_EQ(gt1[REF + 1].flags, GTF_permit_access);
    /* a read-only grant is no destination */
    EXPECT_EQ(grant_copy(frame(to, 0), grant(REF, 0), 64, GNTCOPY_dest_gref), GNTST_general_error);
    gt1[REF].flags = gt1[REF + 1].flags = 0;
}

TEST(refused)
{
    if (!setup())
        return;
    EXPECT_EQ(grant_copy(frame(from, 4000), frame(to, 0), 97, 0), GNTST_bad_copy_arg);
    EXPECT_EQ(grant_copy(frame(from, 0), frame(to, 4095), 2, 0), GNTST_bad_copy_arg);
    EXPECT_EQ(grant_copy(frame(from, 5000), frame(to, 0), 1, 0), GNTST_bad_copy_arg);
    EXPECT_EQ(grant_copy((struct copy_side){ ~0UL, DOMID_SELF, 0 }, frame(to, 0), 1, 0), GNTST_bad_page);
    EXPECT_EQ(grant_copy(frame(from, 0), frame(boot_l4(), 0), 8, 0), GNTST_general_error);
    EXPECT_EQ(grant_copy(grant(1 << 20, 0), frame(to, 0), 1, GNTCOPY_source_gref), GNTST_bad_gntref);
    EXPECT_EQ(grant_copy(grant(REF + 5, 0), frame(to, 0), 1, GNTCOPY_source_gref), GNTST_general_error);
    EXPECT_EQ(grant_copy((struct copy_side){ REF, 77, 0 }, frame(to, 0), 1, GNTCOPY_source_gref),
              GNTST_bad_domain);
    /* frames only of our own domain */
    EXPECT_EQ(grant_copy((struct copy_side){ mfn_of(from), own_domid(), 0 }, frame(to, 0), 1, 0),
              GNTST_permission_denied);
    obs("read_page_table", grant_copy(frame(boot_l4(), 0), frame(to, 0), 8, 0));
    EXPECT_EQ(grant_op(GNTTABOP_copy, (void *)8, 1), -XEN_EFAULT);
    EXPECT_EQ(grant_op(GNTTABOP_copy, NULL, 0), 0);
}

TEST(batch)
{
    struct gnttab_copy op[3];
    unsigned int i;

    if (!setup())
        return;
    for (i = 0; i < 3; i++) {
        op[i] = (struct gnttab_copy){ .len = 16, .status = 99 };
        op[i].source.domid = op[i].dest.domid = DOMID_SELF;
        op[i].source.u.gmfn = mfn_of(from);
        op[i].dest.u.gmfn = mfn_of(to);
        op[i].source.offset = op[i].dest.offset = (uint16_t)(i * 16);
    }
    op[1].len = 5000;
    EXPECT_EQ(grant_op(GNTTABOP_copy, op, 3), 0);
    EXPECT_EQ(op[0].status, GNTST_okay);
    EXPECT_EQ(op[1].status, GNTST_bad_copy_arg);
    EXPECT_EQ(op[2].status, GNTST_okay);
    EXPECT_EQ(memcmp(from + 32, to + 32, 16), 0);
}
