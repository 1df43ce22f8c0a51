/* SPDX-License-Identifier: BSD-2-Clause */
/* mmuext_op: pinning page tables of each level, changing address spaces, flushing. */

#include "mm.h"
#include "trap.h"

static uint64_t *l1, *l2, *l3, *l4, *leaf;

/* A tree of its own, every table read-only: l4[0] -> l3[0] -> l2[0] -> l1[0] -> leaf. */
static void tree(void)
{
    if (!l1) {
        l1 = page_alloc();
        l2 = page_alloc();
        l3 = page_alloc();
        l4 = page_alloc();
        leaf = page_alloc();
    }
    EXPECT_EQ(make_writable(l1) | make_writable(l2) | make_writable(l3) | make_writable(l4), 0);
    memset(l1, 0, PAGE_SIZE);
    memset(l2, 0, PAGE_SIZE);
    memset(l3, 0, PAGE_SIZE);
    memset(l4, 0, PAGE_SIZE);
    l1[0] = mfn_of(leaf) << 12 | PTE_FLAGS | PTE_U;
    l2[0] = mfn_of(l1) << 12 | PTE_FLAGS | PTE_U;
    l3[0] = mfn_of(l2) << 12 | PTE_FLAGS | PTE_U;
    l4[0] = mfn_of(l3) << 12 | PTE_FLAGS | PTE_U;
    EXPECT_EQ(make_readonly(l1) | make_readonly(l2) | make_readonly(l3) | make_readonly(l4), 0);
}

static long pin(unsigned int cmd, void *table)
{
    return mmuext(cmd, mfn_of(table), 0);
}

TEST(pin_each_level)
{
    tree();
    EXPECT_EQ(pin(MMUEXT_PIN_L1_TABLE, l1), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L2_TABLE, l2), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L3_TABLE, l3), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), 0);
    EXPECT_EQ(make_writable(l1), -XEN_EBUSY);
    EXPECT_EQ(make_writable(l4), -XEN_EBUSY);
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), -XEN_EINVAL);       /* twice */
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l4), 0);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l4), -XEN_EINVAL);
    EXPECT_EQ(make_writable(l4), 0);
    EXPECT_EQ(make_writable(l3), -XEN_EBUSY);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l3), 0);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l2), 0);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l1), 0);
    EXPECT_EQ(make_writable(l1), 0);
}

TEST(pin_pulls_children)
{
    tree();
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), 0);
    EXPECT_EQ(make_writable(l1), -XEN_EBUSY);
    EXPECT_EQ(make_writable(l2), -XEN_EBUSY);
    EXPECT_EQ(make_writable(l3), -XEN_EBUSY);
    EXPECT_EQ(make_writable(leaf), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L1_TABLE, l1), 0);                 /* Linux pins these as well */
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l4), 0);
    EXPECT_EQ(make_writable(l2), 0);
    EXPECT_EQ(make_writable(l1), -XEN_EBUSY);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l1), 0);
    EXPECT_EQ(make_writable(l1), 0);
}

TEST(hypervisor_slots_filled)
{
    unsigned int i, present = 0;

    tree();
    EXPECT_EQ(l4[256], 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), 0);
    for (i = 256; i < 272; i++)
        present += l4[i] & PTE_P;
    obs("slots", present);
    obs("m2p_slot", !!(l4[256] & PTE_P));
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l4), 0);
}

TEST(refused)
{
    tree();
    EXPECT_EQ(pin(MMUEXT_PIN_L1_TABLE, leaf), -XEN_EINVAL);     /* mapped writable */
    EXPECT_EQ(make_writable(l2), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), -XEN_EINVAL);       /* one table below is */
    EXPECT_EQ(make_writable(l3), 0);                            /* and nothing is held afterwards */
    tree();
    EXPECT_EQ(pin(MMUEXT_PIN_L3_TABLE, l4), 0);                 /* what it holds fits one level down too */
    EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, l4), -XEN_EINVAL);       /* but not as both */
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l4), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L1_TABLE, l1), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L2_TABLE, l1), -XEN_EINVAL);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l1), 0);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, ~0UL, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, 1, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, ~0UL, 0), -XEN_EINVAL);
    EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, leaf), -XEN_EINVAL);
}

static long pin_l1_with(uint64_t entry)
{
    long rc;

    EXPECT_EQ(make_writable(l1), 0);
    l1[1] = entry;
    EXPECT_EQ(make_readonly(l1), 0);
    rc = pin(MMUEXT_PIN_L1_TABLE, l1);
    if (rc == 0)
        EXPECT_EQ(pin(MMUEXT_UNPIN_TABLE, l1), 0);
    return rc;
}

TEST(validation)
{
    tree();
    EXPECT_EQ(pin_l1_with(0), 0);
    EXPECT_EQ(pin_l1_with(mfn_of(leaf) << 12 | PTE_FLAGS), 0);
    EXPECT_EQ(pin_l1_with(0xfffffffffffffffe), 0);
    EXPECT(pin_l1_with(0x0fffffffffUL << 12 | PTE_FLAGS) < 0);
    EXPECT_EQ(pin_l1_with(mfn_of(l2) << 12 | PTE_RO_FLAGS), 0);
    EXPECT_EQ(pin_l1_with(mfn_of(boot_l4()) << 12 | PTE_FLAGS), -XEN_EBUSY);
    EXPECT_EQ(pin_l1_with(mfn_of(l1) << 12 | PTE_RO_FLAGS), 0);         /* itself, read-only */
    EXPECT(pin_l1_with(mfn_of(l1) << 12 | PTE_FLAGS) < 0);
    obs("self_writable", pin_l1_with(mfn_of(l1) << 12 | PTE_FLAGS));
    EXPECT_EQ(pin_l1_with(0), 0);
}

TEST(superpages_refused)
{
    tree();
    EXPECT_EQ(make_writable(l2), 0);
    l2[1] = (mfn_of(leaf) & ~511UL) << 12 | PTE_FLAGS | PTE_PS;
    EXPECT_EQ(make_readonly(l2), 0);
    EXPECT_EQ(pin(MMUEXT_PIN_L2_TABLE, l2), -XEN_EINVAL);
    tree();
}

/* The whole boot address space again in an L4 of its own, then running on it. */
TEST(new_baseptr)
{
    uint64_t *boot = boot_l4(), cr3 = 0;
    unsigned int i;

    tree();
    EXPECT_EQ(make_writable(l4), 0);
    for (i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            l4[i] = boot[i];
    EXPECT_EQ(make_readonly(l4), 0);
    EXPECT_EQ(pin(MMUEXT_NEW_BASEPTR, l4), 0);                  /* need not be pinned */
    TRY("mov %%cr3, %0", : "=r"(cr3));
    EXPECT_EQ(cr3 >> 12, mfn_of(l4));
    EXPECT_EQ(make_writable(l4), -XEN_EBUSY);
    EXPECT_EQ(pin(MMUEXT_NEW_BASEPTR, boot), 0);
    EXPECT_EQ(make_writable(l4), 0);
    tree();
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, ~0UL, 0), -XEN_EINVAL);
    EXPECT(pin(MMUEXT_NEW_BASEPTR, l3) < 0);
    EXPECT(pin(MMUEXT_NEW_BASEPTR, leaf) < 0);
    obs("l3", pin(MMUEXT_NEW_BASEPTR, l3));
    obs("leaf", pin(MMUEXT_NEW_BASEPTR, leaf));
    EXPECT(pin(MMUEXT_NEW_USER_BASEPTR, leaf) < 0);
}

/* The live L4 may lose its pin; it stays an L4 while loaded. */
TEST(unpin_live)
{
    uint64_t *boot = boot_l4();
    long pinned = pin(MMUEXT_UNPIN_TABLE, boot);

    obs("boot_l4_was_pinned", pinned == 0);
    EXPECT_EQ(make_writable(boot), -XEN_EBUSY);
    if (pinned == 0)
        EXPECT_EQ(pin(MMUEXT_PIN_L4_TABLE, boot), 0);
}

TEST(flushes)
{
    uint64_t bitmap = 1;
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_MULTI };

    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, U(&bitmap), 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, 1UL << 63, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_ALL, U(&bitmap), 0), 0);
    set_xen_guest_handle(op.arg2.vcpumask, (const void *)&bitmap);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), 0);
    op.cmd = MMUEXT_INVLPG_MULTI;
    op.arg1.linear_addr = U(&bitmap);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), 0);
    set_xen_guest_handle(op.arg2.vcpumask, (const void *)8);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    obs("flush_cache", mmuext(MMUEXT_FLUSH_CACHE, 0, 0));
    obs("flush_cache_global", mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0));
}

/* An invlpg that matters: an entry changed without a flush, then flushed. */
TEST(flush_is_real)
{
    uint64_t va = SCRATCH + 0x100000000UL, *a = page_alloc(), *b = page_alloc();

    a[0] = 1;
    b[0] = 2;
    EXPECT_EQ(map(va, mfn_of(a) << 12 | PTE_FLAGS), 0);
    EXPECT_EQ(*(volatile uint64_t *)va, 1);
    EXPECT_EQ(update_va((void *)va, mfn_of(b) << 12 | PTE_FLAGS, UVMF_NONE), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, va, 0), 0);
    EXPECT_EQ(*(volatile uint64_t *)va, 2);
    EXPECT_EQ(update_va((void *)va, mfn_of(a) << 12 | PTE_FLAGS, UVMF_NONE), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    EXPECT_EQ(*(volatile uint64_t *)va, 1);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    page_free(a);
    page_free(b);
}

TEST(clear_and_copy)
{
    uint64_t *a = page_alloc(), *b = page_alloc();
    struct mmuext_op op = { .cmd = MMUEXT_COPY_PAGE };

    a[0] = 1;
    a[511] = 2;
    b[0] = 3;
    op.arg1.mfn = mfn_of(b);
    op.arg2.src_mfn = mfn_of(a);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), 0);
    EXPECT_EQ(b[0], 1);
    EXPECT_EQ(b[511], 2);
    EXPECT_EQ(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(b), 0), 0);
    EXPECT_EQ(b[0], 0);
    EXPECT_EQ(b[511], 0);
    EXPECT_EQ(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(boot_l4()), 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_CLEAR_PAGE, ~0UL, 0), -XEN_EINVAL);
    op.arg2.src_mfn = ~0UL;
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    page_free(a);
    page_free(b);
}

TEST(superpage_marks)
{
    obs("mark_super", mmuext(MMUEXT_MARK_SUPER, 0, 0));
    obs("unmark_super", mmuext(MMUEXT_UNMARK_SUPER, 0, 0));
}

TEST(errors)
{
    struct mmuext_op op[2] = { { .cmd = MMUEXT_TLB_FLUSH_LOCAL }, { .cmd = 99 } };
    unsigned int done = 99;

    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, op, 2, &done, DOMID_SELF), -XEN_ENOSYS);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, 8, 1, &done, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, op, 1, NULL, 77), -XEN_ESRCH);
    EXPECT_EQ(hypercall(__HYPERVISOR_mmuext_op, op, 0, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 0);
}
