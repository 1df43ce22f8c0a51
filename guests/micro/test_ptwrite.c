/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores to read-only level-1 page tables: done by the hypervisor as if the table were writable, and checked.
 * Every instruction that Linux uses for it, and that a fault on anything else is the guest's own.
 */

#include "mm.h"
#include "trap.h"

static uint64_t *page, *entry, flags;

static void setup(void)
{
    if (!page)
        page = page_alloc();
    entry = pte_of(page, 1);
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(make_writable(page), 0);
    trap_forget();
}

static uint64_t pte(uint64_t bits)
{
    return mfn_of(page) << 12 | bits;
}

/* The entry without what only the hypervisor puts there. */
static uint64_t stored(void)
{
    return *(volatile uint64_t *)entry & ~(1UL << 52) & ~PTE_U;
}

TEST(mov)
{
    setup();
    TRY("mov %1, (%0)", : : "r"(entry), "r"(pte(PTE_RO_FLAGS)) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_RO_FLAGS));
    TRY("movq $0, (%0)", : : "r"(entry) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, U(page), 0), 0);
    TRY("mov (%%rax), %%rax", : : "a"(page) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    TRY("mov %1, (%0)", : : "r"(entry), "r"(pte(PTE_FLAGS)) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    page[0] = 1;
}

TEST(xchg)
{
    uint64_t v = 0;

    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), pte(PTE_FLAGS)), 0);
    TRY("xchg %1, (%2)", : "=r"(v) : "0"(v), "r"(entry) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), 0);
    EXPECT_EQ(v & ~(1UL << 52) & ~PTE_U, pte(PTE_FLAGS));
    v = pte(PTE_FLAGS);
    TRY("xchg %1, (%2)", : "=r"(v) : "0"(v), "r"(entry) : "memory");
    EXPECT_EQ(v, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
}

TEST(lock_and_byte)
{
    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), pte(PTE_FLAGS)), 0);
    TRY("lock andb $0xfd, (%1)", : "=@ccz"(flags) : "r"(entry) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS & ~PTE_W));
    EXPECT_EQ(flags, 0);
    TRY("lock orb $2, (%0)", : : "r"(entry) : "memory", "cc");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
}

TEST(lock_bit_operations)
{
    bool was;

    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), pte(PTE_FLAGS)), 0);
    TRY("lock btrq $5, (%1)", : "=@ccc"(was) : "r"(entry) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(was, 1);
    EXPECT_EQ(stored(), pte(PTE_FLAGS & ~PTE_A));
    TRY("lock btrq $5, (%1)", : "=@ccc"(was) : "r"(entry) : "memory");
    EXPECT_EQ(was, 0);
    TRY("lock btsq %2, (%1)", : "=@ccc"(was) : "r"(entry), "r"(5UL) : "memory");
    EXPECT_EQ(was, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
    TRY("lock btcl $6, (%1)", : "=@ccc"(was) : "r"(entry) : "memory");
    EXPECT_EQ(was, 1);
    EXPECT_EQ(stored(), pte(PTE_FLAGS & ~PTE_D));
}

TEST(cmpxchg)
{
    uint64_t old;
    bool same;

    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), pte(PTE_FLAGS)), 0);
    old = *entry;
    TRY("lock cmpxchg %3, (%2)", : "=@ccz"(same), "+a"(old) : "r"(entry), "r"(pte(PTE_RO_FLAGS)) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(same, 1);
    EXPECT_EQ(stored(), pte(PTE_RO_FLAGS));
    old = 0x1234;
    TRY("lock cmpxchg %3, (%2)", : "=@ccz"(same), "+a"(old) : "r"(entry), "r"(0UL) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(same, 0);
    EXPECT_EQ(old, *entry);
    EXPECT_EQ(stored(), pte(PTE_RO_FLAGS));
}

TEST(arithmetic)
{
    setup();
    EXPECT_EQ(mmu_update(maddr_of(entry), 0), 0);
    TRY("lock addq %1, (%0)", : : "r"(entry), "r"(pte(PTE_FLAGS)) : "memory", "cc");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
    TRY("orq $0x200, (%0)", : : "r"(entry) : "memory", "cc");
    EXPECT_EQ(stored(), pte(PTE_FLAGS | 0x200));
    TRY("xorl $0x200, (%0)", : : "r"(entry) : "memory", "cc");
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
    TRY("movb $0x61, (%0)", : : "r"(entry) : "memory");
    EXPECT_EQ(stored(), pte(0x61));
    TRY("movw %w1, (%0)", : : "r"(entry), "r"(pte(PTE_FLAGS)) : "memory");
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
}

/* What the hypercall would refuse is refused here: the guest sees its own page fault. */
TEST(refused)
{
    setup();
    TRY("mov %1, (%0)", : : "r"(entry), "r"(mfn_of(boot_l4()) << 12 | PTE_FLAGS) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.regs.error, 3);
    EXPECT_EQ(trap_seen.cr2, U(entry));
    EXPECT_EQ(*entry >> 12 & 0xffffffffff, mfn_of(page));
    TRY("mov %1, (%0)", : : "r"(entry), "r"(0x0fffffffffUL << 12 | PTE_FLAGS) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(*entry >> 12 & 0xffffffffff, mfn_of(page));
}

TEST(upper_levels_are_not_emulated)
{
    uint64_t *l2e = pte_of(page_alloc(), 2), keep = *l2e;

    setup();
    TRY("mov %1, (%0)", : : "r"(l2e), "r"(keep) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.regs.error, 3);
    TRY("mov %1, (%0)", : : "r"(&boot_l4()[400]), "r"(0UL) : "memory");
    EXPECT_EQ(trap_vector(), 14);
}

TEST(misaligned)
{
    setup();
    TRY("mov %1, 4(%0)", : : "r"(entry), "r"(0UL) : "memory");
    obs("straddling", trap_vector());
    EXPECT_EQ(make_writable(page), 0);
}

TEST(other_addressing)
{
    uint64_t index = U(entry) - U(pte_of((void *)VIRT_BASE, 1)), base = U(pte_of((void *)VIRT_BASE, 1));

    setup();
    TRY("mov %2, (%0,%1,1)", : : "r"(base), "r"(index), "r"(pte(PTE_RO_FLAGS)) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_RO_FLAGS));
    TRY("mov %2, 0x10(%0,%1,8)", : : "r"(base - 0x10), "r"(index / 8), "r"(pte(PTE_FLAGS)) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), pte(PTE_FLAGS));
    TRY("mov %1, -0x1000(%0)", : : "r"(U(entry) + 0x1000), "r"(0UL) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(stored(), 0);
    EXPECT_EQ(make_writable(page), 0);
}

TEST(string_store)
{
    uint64_t *to;

    setup();
    to = entry;
    TRY("stosq", : "+D"(to) : "a"(pte(PTE_RO_FLAGS)) : "memory");
    obs("stosq", trap_vector());
    EXPECT_EQ(make_writable(page), 0);
}

/* All of this is an assist that a guest asks for (dom0 may have it always). */
TEST(needs_the_assist)
{
    setup();
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    TRY("mov %1, (%0)", : : "r"(entry), "r"(pte(PTE_RO_FLAGS)) : "memory");
    if (is_dom0()) {
        obs("dom0_without", trap_vector());
    } else {
        EXPECT_EQ(trap_vector(), 14);
        EXPECT_EQ(trap_seen.regs.error, 3);
    }
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
}
