/* SPDX-License-Identifier: BSD-2-Clause */
/* The doors into page tables; see hostile_door.h. */

#include "hostile_door.h"

uint64_t *tree[5], *tree_leaf;

static uint64_t *fresh;                 /* becomes a table when it is pinned */
static uint64_t whole[5];

void tree_make(void)
{
    int level;

    if (tree_leaf)
        return;
    tree_leaf = page_alloc();
    fresh = page_alloc();
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(map(TREE_VA, mfn_of(tree_leaf) << 12 | PTE_FLAGS), 0);
    tree[4] = boot_l4();
    for (level = 4; level >= 1; level--) {
        whole[level] = *pte_of((void *)TREE_VA, level);
        if (level > 1)
            tree[level - 1] = table_of(whole[level]);
    }
}

static uint64_t *slot(unsigned int level)
{
    return &tree[level][TREE_VA >> (12 + 9 * (level - 1)) & 511];
}

void tree_mend(void)
{
    unsigned int level;

    for (level = 4; level >= 1; level--)
        EXPECT_EQ(mmu_update(maddr_of(slot(level)), whole[level]), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

static long by_mmu_update(unsigned int level, uint64_t value)
{
    return mmu_update(maddr_of(slot(level)), value);
}

static long by_update_va(unsigned int level, uint64_t value)
{
    return update_va((void *)TREE_VA, value, UVMF_INVLPG);
}

static long by_store(unsigned int level, uint64_t value)
{
    TRY("mov %1, (%0)", : : "r"(slot(level)), "r"(value) : "memory");
    return try_result();
}

static long by_pin(unsigned int level, uint64_t value)
{
    long rc;

    fresh[0] = value;
    if (make_readonly(fresh))
        return -XEN_EBUSY;
    rc = mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(fresh), 0);
    if (!rc)
        EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(fresh), 0), 0);
    EXPECT_EQ(make_writable(fresh), 0);
    fresh[0] = 0;
    memset(fresh + 256, 0, 16 * 8);     /* what a hypervisor left in its slots of an L4 */
    return rc;
}

const struct door doors[DOORS] = {
    { "mmu_update", 4, by_mmu_update },
    { "update_va", 1, by_update_va },
    { "store", 4, by_store },
    { "pin", 4, by_pin },
};
