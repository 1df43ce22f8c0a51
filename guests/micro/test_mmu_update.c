/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmu_update and update_va_mapping: entries of live page tables, the M2P table, and what must never get in.
 */

#include "mm.h"
#include "trap.h"

/*
 * A frame that exists but is not ours: the M2P table's own first page would do; so does the hypervisor's
 * image.
 */
#define MFN_BEYOND 0x0fffffffffUL

static uint64_t *page;                  /* a mapped pool page to change the entry of */
static uint64_t *entry;                 /* its L1 entry */

static void setup(void)
{
    if (!page)
        page = page_alloc();
    entry = pte_of(page, 1);
    EXPECT_EQ(make_writable(page), 0);
}

TEST(normal)
{
    uint64_t pte;

    setup();
    pte = *entry;
    EXPECT_EQ(pte >> 12 & 0xffffffffff, mfn_of(page));
    EXPECT_EQ(pte & PTE_U, PTE_U);              /* the hypervisor adds it */
    EXPECT_EQ(mmu_update(maddr_of(entry), 0), 0);
    EXPECT_EQ(*entry, 0);
    TRY("mov (%%rax), %%rax", : : "a"(page) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS), 0);
    EXPECT_EQ(*entry & PTE_ADDR & ~(PTE_A | PTE_D), mfn_of(page) << 12);
    EXPECT_EQ(*entry & 0xf9f, PTE_P | PTE_W | PTE_U);
    obs("high_bits", (long)(*entry >> 52));
    TRY("mov (%%rax), %%rax", : : "a"(page) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(mmu_update(maddr_of(entry), 0x5555555555555554UL), 0);    /* not present: anything */
    EXPECT_EQ(*entry, 0x5555555555555554UL);
    EXPECT_EQ(make_writable(page), 0);
}

TEST(software_bits)
{
    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x200), 0);
    EXPECT_EQ(*entry & 0xe00, 0x200);
    EXPECT_EQ(mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x7UL << 52), 0);
    EXPECT_EQ(*entry >> 52 & 7, 7);
    obs("bit10", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x400));
    obs("bit11", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x800));
    obs("bit58", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 1UL << 58));
    obs("bit62", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 1UL << 62));
    obs("global", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x100));
    obs("global_kept", !!(*entry & 0x100));
    obs("pat", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x80));
    obs("pcd", mmu_update(maddr_of(entry), mfn_of(page) << 12 | PTE_FLAGS | 0x10));
    EXPECT_EQ(make_writable(page), 0);
}

TEST(preserve_ad)
{
    uint64_t pte;

    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), (mfn_of(page) << 12 | PTE_P | PTE_W)), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, U(page), 0), 0);
    EXPECT_EQ(*entry & (PTE_A | PTE_D), 0);
    page[0] = 1;
    EXPECT_EQ(*entry & (PTE_A | PTE_D), PTE_A | PTE_D);
    pte = mfn_of(page) << 12 | PTE_P;           /* read-only, A and D not asked for */
    EXPECT_EQ(mmu_update(maddr_of(entry) | MMU_PT_UPDATE_PRESERVE_AD, pte), 0);
    EXPECT_EQ(*entry & (PTE_A | PTE_D | PTE_W), PTE_A | PTE_D);
    EXPECT_EQ(mmu_update(maddr_of(entry), pte), 0);
    EXPECT_EQ(*entry & (PTE_A | PTE_D), 0);
    EXPECT_EQ(make_writable(page), 0);
}

TEST(refused_targets)
{
    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), MFN_BEYOND << 12 | PTE_FLAGS), -XEN_EPERM);
    /* the hypervisor's own page tables and M2P: not ours, writable or not */
    EXPECT_EQ(mmu_update(maddr_of(entry), mfn_of(boot_l4()) << 12 | PTE_FLAGS), -XEN_EBUSY);
    EXPECT_EQ(mmu_update(maddr_of(entry), mfn_of(boot_l4()) << 12 | PTE_RO_FLAGS), 0);
    EXPECT_EQ(make_writable(page), 0);
    /* entries of tables that are nobody's */
    EXPECT_EQ(mmu_update(MFN_BEYOND << 12, 0), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(0x1000, 0), -XEN_EINVAL);
    EXPECT_EQ(*entry >> 12 & 0xffffffffff, mfn_of(page));
}

TEST(upper_levels)
{
    uint64_t *l2e, *l3e, *l4e, keep, va = SCRATCH + 0x80000000UL;

    setup();
    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_RO_FLAGS), 0);
    l2e = pte_of((void *)va, 2);
    l3e = pte_of((void *)va, 3);
    l4e = pte_of((void *)va, 4);
    keep = *l2e;
    /* a level-2 entry needs a level-1 table, not a page mapped writable */
    EXPECT_EQ(mmu_update(maddr_of(l2e), mfn_of(page) << 12 | PTE_FLAGS), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(l2e), keep | PTE_PS), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(l2e), keep), 0);
    /* a table of another level */
    obs("l2_in_l2", mmu_update(maddr_of(l2e), *l3e));
    obs("l4_in_l2", mmu_update(maddr_of(l2e), mfn_of(boot_l4()) << 12 | PTE_FLAGS));
    EXPECT_EQ(mmu_update(maddr_of(l2e), keep), 0);
    EXPECT_EQ(mmu_update(maddr_of(l4e), *l2e), -XEN_EINVAL);
    /* gone and back */
    EXPECT_EQ(mmu_update(maddr_of(l2e), 0), 0);
    TRY("mov (%%rax), %%rax", : : "a"(va) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(mmu_update(maddr_of(l2e), keep), 0);
    TRY("mov (%%rax), %%rax", : : "a"(va) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
}

/* Slots 256 to 271 of every L4 are the hypervisor's. */
TEST(hypervisor_slots)
{
    uint64_t *l4 = boot_l4();

    EXPECT_EQ(mmu_update(maddr_of(&l4[256]), 0), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(&l4[271]), 0), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(&l4[258]), l4[511]), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(&l4[272]), 0), 0);
}

/* A page table that maps itself: read-only, from the same level only. */
TEST(linear_page_table)
{
    uint64_t *l4 = boot_l4();

    obs("l4_self", mmu_update(maddr_of(&l4[300]), mfn_of(l4) << 12 | PTE_RO_FLAGS));
    EXPECT_EQ(mmu_update(maddr_of(&l4[300]), mfn_of(l4) << 12 | PTE_FLAGS), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(maddr_of(&l4[300]), 0), 0);
}

TEST(plain_page)
{
    setup();
    EXPECT_EQ(mmu_update(maddr_of(&page[7]), 0xdeadbeef), 0);
    EXPECT_EQ(page[7], 0xdeadbeef);
    /* the low bits are the command */
    EXPECT_EQ(mmu_update(maddr_of(&page[7]) + 4, 0x11111111), -XEN_ENOSYS);
    EXPECT_EQ(page[7], 0xdeadbeef);
}

TEST(machphys)
{
    uint64_t mfn;

    setup();
    mfn = mfn_of(page);
    EXPECT_EQ(m2p(mfn), va_to_pfn(page));
    EXPECT_EQ(mmu_update(mfn << 12 | MMU_MACHPHYS_UPDATE, 0x123456), 0);
    EXPECT_EQ(m2p(mfn), 0x123456);
    EXPECT_EQ(mmu_update(mfn << 12 | MMU_MACHPHYS_UPDATE, va_to_pfn(page)), 0);
    EXPECT_EQ(mmu_update(MFN_BEYOND << 12 | MMU_MACHPHYS_UPDATE, 1), -XEN_EINVAL);
    EXPECT_EQ(mmu_update(0x1000 | MMU_MACHPHYS_UPDATE, 1), -XEN_EINVAL);
}

TEST(batches)
{
    struct mmu_update req[4];
    unsigned int done = 99;
    uint64_t e;

    setup();
    e = maddr_of(&page[16]);
    req[0] = (struct mmu_update){ .ptr = e, .val = 1 };
    req[1] = (struct mmu_update){ .ptr = e + 8, .val = 2 };
    req[2] = (struct mmu_update){ .ptr = MFN_BEYOND << 12, .val = 3 };
    req[3] = (struct mmu_update){ .ptr = e + 16, .val = 4 };
    EXPECT_EQ(mmu_updates(req, 2, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 2);
    EXPECT_EQ(page[17], 2);
    EXPECT_EQ(mmu_updates(req, 4, &done, DOMID_SELF), -XEN_EINVAL);
    EXPECT_EQ(done, 2);                         /* stops at the first failure */
    EXPECT_EQ(page[18], 0);
    EXPECT_EQ(mmu_updates(req, 0, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 0);
    done = 99;
    EXPECT_EQ(mmu_updates((void *)8, 2, &done, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(done, 0);
    EXPECT_EQ(mmu_updates(req, 1, (void *)8, DOMID_SELF), 0);            /* the count is best effort */
    EXPECT_EQ(mmu_updates(req, 1, NULL, 77), -XEN_ESRCH);
    obs("to_domid_io", mmu_updates(req, 1, NULL, DOMID_IO));
    obs("to_domid_xen", mmu_updates(req, 1, NULL, DOMID_XEN));
    req[0].ptr |= 3;
    EXPECT_EQ(mmu_updates(req, 1, NULL, DOMID_SELF), 0);        /* 3: no translation, as good as 0 here */
}

/* Notes whether a device page can be mapped, and how. */
static void map_device(const char *name, uint64_t maddr)
{
    long rc = mmu_update(maddr_of(entry), maddr | PTE_FLAGS);

    /* 1: mapped and writable, 0: mapped read-only, negative: refused */
    obs(name, rc ?: !!(*entry & PTE_W));
}

/* Device memory and ROM: dom0 may map what is neither RAM nor the hypervisor's. */
TEST(device_memory)
{
    setup();
    if (!is_dom0()) {
        EXPECT_EQ(mmu_update(maddr_of(entry), 0xb8000UL | PTE_FLAGS), -XEN_EPERM);
        return;
    }
    EXPECT_EQ(mmu_update(maddr_of(entry), 0xb8000UL | PTE_FLAGS | 0x10), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, U(page), 0), 0);
    TRY("mov (%%rax), %%rax", : : "a"(page) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(mmu_update(maddr_of(entry), 0xf0000UL | PTE_RO_FLAGS), 0);
    EXPECT_EQ(mmu_update(maddr_of(entry), 0xfee00000UL | PTE_FLAGS), -XEN_EPERM);       /* the local APIC */
    map_device("ioapic", 0xfec00000UL);
    map_device("hpet", 0xfed00000UL);
    map_device("beyond_ram", 0x100000000UL);
    map_device("low_bios", 0x0UL);
    map_device("smm_hole", 0xa0000UL);
    EXPECT_EQ(make_writable(page), 0);
    EXPECT(mmu_update(maddr_of(entry), 0x200000UL | PTE_FLAGS) < 0);    /* RAM that is not ours */
    obs("hypervisor_ram", mmu_update(maddr_of(entry), 0x200000UL | PTE_FLAGS));
    EXPECT_EQ(make_writable(page), 0);
}

TEST(update_va_mapping)
{
    uint64_t pte, va = SCRATCH + 0xc0000000UL, bitmap = 1;

    setup();
    pte = mfn_of(page) << 12 | PTE_FLAGS;
    EXPECT_EQ(update_va((void *)va, pte, 0), -XEN_EINVAL);              /* no tables there */
    EXPECT_EQ(update_va((void *)(1UL << 63), pte, 0), -XEN_EINVAL);
    EXPECT_EQ(update_va((void *)MACH2PHYS_VIRT_START, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(map(va, pte), 0);
    page[3] = 0x3141;
    EXPECT_EQ(((uint64_t *)va)[3], 0x3141);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG | UVMF_ALL), 0);
    TRY("mov (%%rax), %%rax", : : "a"(va) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(update_va((void *)va, pte, UVMF_TLB_FLUSH | UVMF_LOCAL), 0);
    EXPECT_EQ(update_va((void *)va, pte, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    EXPECT_EQ(update_va((void *)va, pte, UVMF_NONE), 0);
    EXPECT_EQ(update_va((void *)va, pte, UVMF_TLB_FLUSH | U(&bitmap)), 0);
    EXPECT_EQ(update_va((void *)va, pte, UVMF_INVLPG | U(&bitmap)), 0);
    obs("bitmap_fault", update_va((void *)va, pte, UVMF_TLB_FLUSH | 0x1000));
    obs("flush_3", update_va((void *)va, pte, 3));
    EXPECT_EQ(update_va((void *)va, MFN_BEYOND << 12 | PTE_FLAGS, 0), -XEN_EPERM);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, 0, 0, 77), -XEN_ESRCH);
    obs("otherdomain_self", hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, 0, 0, DOMID_SELF));
}
