/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables: single entries, batches, stores to read-only tables, pinned tables and whole address spaces. */

#include "bench.h"

#include "mm.h"
#include "trap.h"

#define ENTRIES 512
#define L1S     16                      /* tables of the large address space: 8192 entries */

static uint64_t *table, *leaf;          /* a pinned level-1 table of our own; a page for it to show */
static struct mmu_update requests[ENTRIES];

static void fill_requests(uint64_t flags)
{
    unsigned int i;

    for (i = 0; i < ENTRIES; i++) {
        requests[i].ptr = maddr_of(&table[i]) | MMU_NORMAL_PT_UPDATE;
        requests[i].val = mfn_of(leaf) << 12 | flags;
    }
}

static void fill_table(uint64_t *t)
{
    unsigned int i;

    for (i = 0; i < ENTRIES; i++)
        t[i] = mfn_of(leaf) << 12 | PTE_FLAGS | PTE_U;
}

#define TOGGLE (i_ & 1 ? PTE_RO_FLAGS : PTE_FLAGS)  /* entries change in each sample */

BENCH(updates)
{
    unsigned int done;

    table = page_alloc();
    leaf = page_alloc();
    bench_need("table", make_readonly(table));
    bench_need("pin", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0));
    MEASURE_AFTER("mmu_update_1", 1, fill_requests(TOGGLE), mmu_updates(requests, 1, &done, DOMID_SELF));
    MEASURE_AFTER("mmu_update_32_each", 32, fill_requests(TOGGLE), mmu_updates(requests, 32, &done, DOMID_SELF));
    MEASURE_AFTER("mmu_update_512_each", 512, fill_requests(TOGGLE), mmu_updates(requests, 512, &done, DOMID_SELF));
    MEASURE("update_va_mapping", 1, update_va(leaf, mfn_of(leaf) << 12 | TOGGLE, UVMF_NONE));
    MEASURE("update_va_mapping_invlpg", 1, update_va(leaf, mfn_of(leaf) << 12 | TOGGLE, UVMF_INVLPG));
    make_writable(leaf);
    bench_need("unpin", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table), 0));
    make_writable(table);
}

BENCH(stores)
{
    volatile uint64_t *entry = pte_of(leaf, 1);
    uint64_t v;

    bench_need("assist", hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
    MEASURE("store_mov", 1, *entry = mfn_of(leaf) << 12 | TOGGLE);
    MEASURE("store_xchg", 1, v = mfn_of(leaf) << 12 | TOGGLE; __asm__ volatile("xchg %0, %1" : "+r"(v), "+m"(*entry)));
    MEASURE_AFTER("store_cmpxchg", 1, v = *entry,
                  __asm__ volatile("lock cmpxchg %2, %1" : "+a"(v), "+m"(*entry) : "r"(mfn_of(leaf) << 12 | TOGGLE) : "cc"));
    make_writable(leaf);
}

/* A second root with all that the first one shows. */
static uint64_t *second_root(void)
{
    uint64_t *l4 = page_alloc(), *boot = boot_l4();
    unsigned int i;

    for (i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            l4[i] = boot[i];
    bench_need("root", make_readonly(l4));
    bench_need("pin root", mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4), 0));
    return l4;
}

BENCH(roots)
{
    uint64_t *l4 = second_root();

    MEASURE("new_baseptr", 1, mmuext(MMUEXT_NEW_BASEPTR, i_ & 1 ? mfn_of(boot_l4()) : mfn_of(l4), 0));
    mmuext(MMUEXT_NEW_BASEPTR, mfn_of(boot_l4()), 0);
    mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4), 0);
    make_writable(l4);
    page_free(l4);
    MEASURE("flush_local", 1, mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    MEASURE("invlpg_local", 1, mmuext(MMUEXT_INVLPG_LOCAL, U(leaf), 0));
}

static long pin(unsigned int cmd, const void *t)
{
    return mmuext(cmd, mfn_of(t), 0);
}

BENCH(pinning)
{
    fill_table(table);
    bench_need("table", make_readonly(table));
    MEASURE_AFTER("pin_l1_512", 1, pin(MMUEXT_UNPIN_TABLE, table), pin(MMUEXT_PIN_L1_TABLE, table));
    MEASURE_AFTER("unpin_l1_512", 1, pin(MMUEXT_PIN_L1_TABLE, table), pin(MMUEXT_UNPIN_TABLE, table));
    make_writable(table);
}

/* An address space as a process has it, of full tables. */
BENCH(spaces)
{
    uint64_t *l4 = page_alloc(), *l3 = page_alloc(), *l2 = page_alloc();
    unsigned int i;

    for (i = 0; i < L1S; i++) {
        uint64_t *l1 = page_alloc();

        fill_table(l1);
        l2[i] = mfn_of(l1) << 12 | PTE_FLAGS | PTE_U;
        bench_need("l1", make_readonly(l1));
    }
    l3[0] = mfn_of(l2) << 12 | PTE_FLAGS | PTE_U;
    l4[0] = mfn_of(l3) << 12 | PTE_FLAGS | PTE_U;
    bench_need("tables", make_readonly(l2) | make_readonly(l3) | make_readonly(l4));
    MEASURE_AFTER("pin_space_8192", 1, pin(MMUEXT_UNPIN_TABLE, l4), pin(MMUEXT_PIN_L4_TABLE, l4));
    MEASURE_AFTER("unpin_space_8192", 1, pin(MMUEXT_PIN_L4_TABLE, l4), pin(MMUEXT_UNPIN_TABLE, l4));
}
