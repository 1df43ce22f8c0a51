/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page pool, the walk of the boot page tables, short forms of the mmu hypercalls, and a user address
 * space.
 */

#include "mm.h"

#include <xen/sched.h>

#define POOL_PAGES 768

static char pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static void *free_pages[POOL_PAGES];
static unsigned int free_count;
static char *user_stack_pages[1];

uint64_t *user_l4;

void mm_init(void)
{
    unsigned int i;

    for (i = POOL_PAGES; i-- > 0;)
        free_pages[free_count++] = pool[i];
}

void *page_alloc(void)
{
    if (!free_count) {
        print("not ok 0 the page pool is empty\n");
        shutdown(SHUTDOWN_reboot);
    }
    return memset(free_pages[--free_count], 0, PAGE_SIZE);
}

void page_free(void *page)
{
    free_pages[free_count++] = page;
}

uint64_t *p2m(void)
{
    return (uint64_t *)start_info->mfn_list;
}

uint64_t m2p(uint64_t mfn)
{
    return ((uint64_t *)MACH2PHYS_VIRT_START)[mfn];
}

uint64_t *boot_l4(void)
{
    return (uint64_t *)start_info->pt_base;
}

uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(VIRT_BASE + (m2p((entry & PTE_ADDR) >> 12) << 12));
}

uint64_t *pte_of(const void *va, int level)
{
    uint64_t *table = boot_l4();
    int l;

    for (l = 4;; l--) {
        uint64_t *entry = &table[(U(va) >> (12 + 9 * (l - 1))) & 511];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P))
            return NULL;
        table = table_of(*entry);
    }
}

long update_va(const void *va, uint64_t pte, unsigned long flags)
{
    return hypercall(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

long mmu_updates(struct mmu_update *req, unsigned int n, unsigned int *done, domid_t dom)
{
    return hypercall(__HYPERVISOR_mmu_update, req, n, done, dom);
}

long mmu_update(uint64_t ptr, uint64_t val)
{
    struct mmu_update req = { .ptr = ptr, .val = val };

    return mmu_updates(&req, 1, NULL, DOMID_SELF);
}

long mmuext(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.mfn = arg1;
    op.arg2.nr_ents = (unsigned int)arg2;
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF);
}

long make_readonly(void *page)
{
    return update_va(page, mfn_of(page) << 12 | PTE_RO_FLAGS, UVMF_INVLPG);
}

long make_writable(void *page)
{
    return update_va(page, mfn_of(page) << 12 | PTE_FLAGS, UVMF_INVLPG);
}

long map(uint64_t va, uint64_t pte)
{
    uint64_t user = va < (1UL << 47) ? PTE_U : 0;
    int level;

    for (level = 4; level > 1; level--) {
        uint64_t *entry = pte_of((void *)va, level);
        void *table;
        long rc;

        if (*entry & PTE_P)
            continue;
        table = page_alloc();
        rc = make_readonly(table);
        rc = rc ?: mmu_update(maddr_of(entry), mfn_of(table) << 12 | PTE_FLAGS | user);
        if (rc)
            return rc;
    }
    return update_va((void *)va, pte, UVMF_INVLPG);
}

void user_init(void)
{
    uint64_t va, *kernel_entry;
    long rc = 0;

    if (user_l4)
        return;
    user_stack_pages[0] = page_alloc();
    for (va = 0; va < U(user_end) - U(user_start); va += PAGE_SIZE)
        rc = rc ?: map(USER_VA + va, mfn_of(user_start + va) << 12 | PTE_RO_FLAGS | PTE_U);
    rc = rc ?: map(USER_STACK_TOP - PAGE_SIZE, mfn_of(user_stack_pages[0]) << 12 | PTE_FLAGS | PTE_U);

    user_l4 = page_alloc();
    kernel_entry = pte_of((void *)USER_VA, 4);
    user_l4[0] = *kernel_entry;
    rc = rc ?: make_readonly(user_l4);
    rc = rc ?: mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(user_l4), 0);
    rc = rc ?: mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4), 0);
    if (rc)
        print("# user_init: %ld\n", rc);
}
