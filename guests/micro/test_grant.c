/* SPDX-License-Identifier: BSD-2-Clause */
/* Grant tables, version 1: sizes, mapping our own grants, unmapping, and the refusals of both. */

#include "grant.h"
#include "trap.h"

#define REF 20                          /* entries from here on are ours to play with */

static char *shared, *window;           /* the granted page; a page whose address maps it */

static bool setup(void)
{
    if (!grant_setup())
        return false;
    if (!shared) {
        shared = page_alloc();
        window = page_alloc();
    }
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    return true;
}

static unsigned int entry_flags(grant_ref_t ref)
{
    return *(volatile uint16_t *)&gt1[ref].flags;
}

TEST(query_size)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };

    EXPECT_EQ(grant_op(GNTTABOP_query_size, &q, 1), 0);
    EXPECT_EQ(q.status, GNTST_okay);
    EXPECT_GE(q.max_nr_frames, 1);
    EXPECT_GE(q.max_nr_frames, q.nr_frames);
    obs("max_nr_frames", q.max_nr_frames);
    q.dom = 77;
    EXPECT_EQ(grant_op(GNTTABOP_query_size, &q, 1), 0);
    EXPECT_EQ(q.status, GNTST_bad_domain);
    EXPECT_EQ(grant_op(GNTTABOP_query_size, &q, 2), -XEN_EINVAL);
    EXPECT_EQ(grant_op(GNTTABOP_query_size, (void *)8, 1), -XEN_EFAULT);
}

TEST(setup_table)
{
    static xen_pfn_t frames[1024];
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 2 };

    set_xen_guest_handle(s.frame_list, frames);
    EXPECT_EQ(grant_op(GNTTABOP_setup_table, &s, 1), 0);
    EXPECT_EQ(s.status, GNTST_okay);
    EXPECT_NE(frames[0], 0);
    EXPECT_NE(frames[1], frames[0]);
    EXPECT_EQ(grant_op(GNTTABOP_query_size, &q, 1), 0);
    EXPECT_GE(q.nr_frames, 2);
    s.nr_frames = q.max_nr_frames + 1;
    s.status = 99;
    EXPECT_EQ(grant_op(GNTTABOP_setup_table, &s, 1), 0);
    obs("too_many", s.status);
    s.nr_frames = 0;
    EXPECT_EQ(grant_op(GNTTABOP_setup_table, &s, 1), 0);
    EXPECT_EQ(s.status, GNTST_okay);
    s.dom = 77;
    s.nr_frames = 1;
    EXPECT_EQ(grant_op(GNTTABOP_setup_table, &s, 1), 0);
    EXPECT_EQ(s.status, GNTST_bad_domain);
    EXPECT_EQ(grant_op(GNTTABOP_setup_table, (void *)8, 1), -XEN_EFAULT);
}

TEST(map_and_unmap)
{
    grant_handle_t handle = 0;
    uint64_t pte;

    if (!setup())
        return;
    shared[100] = 42;
    grant_page(REF, shared, own_domid(), 0);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, &handle), GNTST_okay))
        return;
    EXPECT_EQ(window[100], 42);
    window[200] = 17;
    EXPECT_EQ(shared[200], 17);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access | GTF_reading | GTF_writing);
    pte = *pte_of(window, 1);
    EXPECT_EQ((pte & PTE_ADDR) >> 12, mfn_of(shared));
    EXPECT_EQ(pte & (PTE_W | PTE_P), PTE_W | PTE_P);
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_okay);
    EXPECT_EQ(*pte_of(window, 1), 0);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access);
    TRY("mov (%%rax), %%rax", : : "a"(window) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    gt1[REF].flags = 0;
}

TEST(map_readonly)
{
    grant_handle_t handle;

    if (!setup())
        return;
    grant_page(REF, shared, own_domid(), GTF_readonly);
    EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, NULL), GNTST_general_error);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access | GTF_readonly);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map | GNTMAP_readonly, &handle),
                   GNTST_okay))
        return;
    EXPECT_EQ(entry_flags(REF), GTF_permit_access | GTF_readonly | GTF_reading);
    TRY("mov %%rax, (%%rax)", : : "a"(window) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_okay);
    gt1[REF].flags = 0;
}

/* Twice the same: two handles, and the entry is busy until both are gone. */
TEST(map_twice)
{
    grant_handle_t h1, h2;
    char *second;

    if (!setup())
        return;
    second = page_alloc();
    EXPECT_EQ(update_va(second, 0, UVMF_INVLPG), 0);
    grant_page(REF, shared, own_domid(), 0);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, &h1), GNTST_okay))
        return;
    if (!EXPECT_EQ(grant_map(second, own_domid(), REF, GNTMAP_host_map | GNTMAP_readonly, &h2), GNTST_okay))
        return;
    EXPECT_NE(h1, h2);
    EXPECT_EQ(grant_unmap(U(window), h1), GNTST_okay);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access | GTF_reading);
    EXPECT_EQ(grant_unmap(U(window), h1), GNTST_bad_handle);
    EXPECT_EQ(grant_unmap(U(second), h2), GNTST_okay);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access);
    EXPECT_EQ(make_writable(second), 0);
    page_free(second);
    gt1[REF].flags = 0;
}

TEST(map_by_pte)
{
    grant_handle_t handle;
    uint64_t pte;

    if (!setup())
        return;
    grant_page(REF, shared, own_domid(), 0);
    pte = maddr_of(pte_of(window, 1));
    if (!EXPECT_EQ(grant_map((void *)pte, own_domid(), REF, GNTMAP_host_map | GNTMAP_contains_pte, &handle),
                   GNTST_okay))
        return;
    shared[7] = 9;
    EXPECT_EQ(window[7], 9);
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_general_error);     /* not where it was put */
    EXPECT_EQ(grant_unmap(pte, handle), GNTST_okay);
    EXPECT_EQ(*pte_of(window, 1), 0);
    /* what gntdev asks for: user page, application map, software bit 9 */
    if (!EXPECT_EQ(grant_map((void *)pte, own_domid(), REF,
                             GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_application_map |
                        1u << _GNTMAP_guest_avail0, &handle), GNTST_okay))
        return;
    EXPECT_EQ(*pte_of(window, 1) & (PTE_U | 0xe00), PTE_U | 0x200);
    EXPECT_EQ(grant_unmap(pte, handle), GNTST_okay);
    gt1[REF].flags = 0;
}

TEST(map_refused)
{
    grant_handle_t handle;

    if (!setup())
        return;
    /* not granted */
    EXPECT_EQ(grant_map(window, own_domid(), REF + 1, GNTMAP_host_map, NULL), GNTST_general_error);
    EXPECT_EQ(grant_map(window, own_domid(), 1 << 20, GNTMAP_host_map, NULL), GNTST_bad_gntref);
    EXPECT_EQ(grant_map(window, 77, REF, GNTMAP_host_map, NULL), GNTST_bad_domain);
    EXPECT_EQ(grant_map(window, DOMID_SELF, REF, GNTMAP_host_map, NULL), GNTST_bad_domain);
    grant_page(REF, shared, 77, 0);
    /* to another */
    EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, NULL), GNTST_general_error);
    grant_page(REF, shared, own_domid(), 0);
    EXPECT_EQ(grant_map(window, own_domid(), REF, 0, NULL), GNTST_bad_gntref);
    EXPECT_EQ(grant_map((void *)SCRATCH, own_domid(), REF, GNTMAP_host_map, NULL), GNTST_general_error);
    EXPECT_EQ(grant_map((void *)8, own_domid(), REF, GNTMAP_host_map | GNTMAP_contains_pte, NULL),
              GNTST_general_error);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access);
    gt1[REF].frame = 0x0fffffff;
    EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, NULL), GNTST_bad_page);
    EXPECT_EQ(entry_flags(REF), GTF_permit_access);
    /* a page table cannot be granted writable */
    grant_page(REF, boot_l4(), own_domid(), 0);
    EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, NULL), GNTST_general_error);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map | GNTMAP_readonly, &handle),
                   GNTST_okay))
        return;
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_okay);
    gt1[REF].flags = 0;
}

TEST(unmap_refused)
{
    grant_handle_t handle;

    if (!setup())
        return;
    EXPECT_EQ(grant_unmap(U(window), 0x12345), GNTST_bad_handle);
    EXPECT_EQ(grant_unmap(U(window), ~0u), GNTST_bad_handle);
    grant_page(REF, shared, own_domid(), 0);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, &handle), GNTST_okay))
        return;
    /* an address that maps another frame */
    EXPECT_EQ(grant_unmap(U(gt1), handle), GNTST_general_error);
    EXPECT_EQ(window[0], shared[0]);
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_okay);
    gt1[REF].flags = 0;
}

/* Frames in the foreign mapping: the guest cannot turn them into page tables or give them back. */
TEST(unmap_and_replace)
{
    struct gnttab_unmap_and_replace op = { 0 };
    char *other;
    grant_handle_t handle;

    if (!setup())
        return;
    other = page_alloc();
    other[0] = 55;
    grant_page(REF, shared, own_domid(), 0);
    if (!EXPECT_EQ(grant_map(window, own_domid(), REF, GNTMAP_host_map, &handle), GNTST_okay))
        return;
    op.host_addr = U(window);
    op.new_addr = U(other);
    op.handle = handle;
    EXPECT_EQ(grant_op(GNTTABOP_unmap_and_replace, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(window[0], 55);
    EXPECT_EQ(*pte_of(other, 1), 0);
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    EXPECT_EQ(make_writable(other), 0);
    page_free(other);
    gt1[REF].flags = 0;
}

TEST(device_map)
{
    struct gnttab_map_grant_ref op = { .flags = GNTMAP_device_map, .ref = REF, .dom = own_domid() };

    if (!setup())
        return;
    grant_page(REF, shared, own_domid(), 0);
    EXPECT_EQ(grant_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(op.dev_bus_addr, maddr_of(shared));
    {
        struct gnttab_unmap_grant_ref un = { .dev_bus_addr = op.dev_bus_addr, .handle = op.handle };

        EXPECT_EQ(grant_op(GNTTABOP_unmap_grant_ref, &un, 1), 0);
        EXPECT_EQ(un.status, GNTST_okay);
    }
    gt1[REF].flags = 0;
}

TEST(batches)
{
    struct gnttab_map_grant_ref op[3];
    char *pages[3];
    unsigned int i;

    if (!setup())
        return;
    for (i = 0; i < 3; i++) {
        pages[i] = page_alloc();
        EXPECT_EQ(update_va(pages[i], 0, UVMF_INVLPG), 0);
        grant_page(REF + i, shared, own_domid(), 0);
        op[i] = (struct gnttab_map_grant_ref){
            .host_addr = U(pages[i]), .flags = GNTMAP_host_map,
            .ref = i == 1 ? 1 << 20 : REF + i, .dom = own_domid(),
        };
    }
    EXPECT_EQ(grant_op(GNTTABOP_map_grant_ref, op, 3), 0);
    EXPECT_EQ(op[0].status, GNTST_okay);
    EXPECT_EQ(op[1].status, GNTST_bad_gntref);          /* one failure does not stop the others */
    EXPECT_EQ(op[2].status, GNTST_okay);
    EXPECT_EQ(grant_unmap(op[0].host_addr, op[0].handle), GNTST_okay);
    EXPECT_EQ(grant_unmap(op[2].host_addr, op[2].handle), GNTST_okay);
    for (i = 0; i < 3; i++) {
        EXPECT_EQ(make_writable(pages[i]), 0);
        page_free(pages[i]);
        gt1[REF + i].flags = 0;
    }
    EXPECT_EQ(grant_op(GNTTABOP_map_grant_ref, op, 0), 0);
    EXPECT_EQ(grant_op(GNTTABOP_map_grant_ref, (void *)8, 1), -XEN_EFAULT);
    EXPECT_EQ(grant_op(99, op, 1), -XEN_ENOSYS);
    EXPECT_EQ(grant_op(GNTTABOP_map_grant_ref, op, 0x80000000), -XEN_EINVAL);
}

TEST(transfer)
{
    struct gnttab_transfer op = { .domid = own_domid(), .ref = REF };
    long rc;

    if (!setup())
        return;
    op.mfn = mfn_of(boot_l4());
    rc = grant_op(GNTTABOP_transfer, &op, 1);
    obs("rc", rc);
    obs("page_table", op.status);
    op.mfn = ~0UL;
    EXPECT_EQ(grant_op(GNTTABOP_transfer, &op, 1), rc);
    obs("bad_frame", op.status);
}

TEST(dump_and_cache)
{
    struct gnttab_dump_table dump = { .dom = DOMID_SELF };
    struct gnttab_cache_flush flush = { .op = 0 };

    if (!setup())
        return;
    obs("dump", grant_op(GNTTABOP_dump_table, &dump, 1));
    flush.a.dev_bus_addr = maddr_of(shared);
    flush.length = 64;
    flush.op = GNTTAB_CACHE_CLEAN;
    obs("cache_flush", grant_op(GNTTABOP_cache_flush, &flush, 1));
}

TEST(swap)
{
    struct gnttab_swap_grant_ref s = { .ref_a = REF, .ref_b = REF + 1 };

    if (!setup())
        return;
    grant_page(REF, shared, 3, 0);
    gt1[REF + 1] = (grant_entry_v1_t){ 0 };
    EXPECT_EQ(grant_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
    EXPECT_EQ(s.status, GNTST_okay);
    EXPECT_EQ(gt1[REF + 1].frame, mfn_of(shared));
    EXPECT_EQ(gt1[REF + 1].domid, 3);
    EXPECT_EQ(entry_flags(REF + 1), GTF_permit_access);
    EXPECT_EQ(entry_flags(REF), 0);
    s.ref_b = 1 << 20;
    EXPECT_EQ(grant_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
    EXPECT_EQ(s.status, GNTST_bad_gntref);
    gt1[REF + 1].flags = 0;
}
