/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every hypercall family, all its sub-operations, with each class of pointer. One case is a family and a class; its
 * result is how many sub-operations took the pointer, and for the classes that nothing may read or write it is what
 * an unmapped pointer gives. What may be read but not written must stay as it is.
 */

#include "hostile_door.h"

static const struct {
    const char *name;
    unsigned int nr, pointer_at, count;
    uint64_t skip;                      /* bit set: the sub-operation does something without its pointer, */
    uint64_t skip_readable;             /* or would rightly end or reset the guest with what it finds there */
} families[] = {
    { "memory_op", __HYPERVISOR_memory_op, 1, 29, 0, 0 },
    { "xen_version", __HYPERVISOR_xen_version, 1, 12, 0, 0 },
    { "grant_table_op", __HYPERVISOR_grant_table_op, 1, 14, 0, 0 },
    { "event_channel_op", __HYPERVISOR_event_channel_op, 1, 15, 0, 1 << 10 | 1 << 14 },
    { "physdev_op", __HYPERVISOR_physdev_op, 1, 34, 0, 0 },
    { "callback_op", __HYPERVISOR_callback_op, 1, 3, 0, 0 },
    { "vcpu_op", __HYPERVISOR_vcpu_op, 2, 16, 1 << 1 | 1 << 2 | 1 << 11, 0 },
    { "hvm_op", __HYPERVISOR_hvm_op, 1, 26, 0, 0 },
    { "sched_op", __HYPERVISOR_sched_op, 1, 9, 1 << 0 | 1 << 1, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 },
    { "console_io", __HYPERVISOR_console_io, 2, 2, 1 << 1, 0 },
    { "multicall", __HYPERVISOR_multicall, 0, 1, 0, 0 },
    { "mmu_update", __HYPERVISOR_mmu_update, 0, 1, 0, 0 },
    { "mmuext_op", __HYPERVISOR_mmuext_op, 0, 1, 0, 0 },
    { "set_gdt", __HYPERVISOR_set_gdt, 0, 1, 0, 0 },
    { "platform_op", __HYPERVISOR_platform_op, 0, 1, 0, 0 },
    { "domctl", __HYPERVISOR_domctl, 0, 1, 0, 0 },
    { "sysctl", __HYPERVISOR_sysctl, 0, 1, 0, 0 },
    { "set_trap_table", __HYPERVISOR_set_trap_table, 0, 1, 0, 0 },
};

static uint64_t *page;
static uint64_t edge;                   /* page is mapped there, nothing behind it */

static long call(unsigned int f, unsigned int sub, uint64_t pointer)
{
    unsigned int nr = families[f].nr;

    if (families[f].pointer_at == 2)
        return hypercall(nr, sub, nr == __HYPERVISOR_console_io ? 16 : 0, pointer);
    if (families[f].pointer_at == 1)
        return hypercall(nr, sub, pointer, 1);
    return hypercall(nr, pointer, 1, 0, DOMID_SELF);
}

static long taken(unsigned int f, uint64_t pointer, uint64_t skip)
{
    unsigned int sub;
    long n = 0;

    for (sub = 0; sub < families[f].count; sub++)
        if (!(skip & 1UL << sub))
            n += call(f, sub, pointer) >= 0;
    return n;
}

/* Pointers that lead nowhere, for reading and writing. */
static const struct {
    const char *name;
    uint64_t pointer;
} nowhere[] = {
    { "low", 8 }, { "odd", 0x1001 }, { "non_canonical_low_end", 0x800000000000 },
    { "non_canonical_high_end", 0xffff7ffffffffff8 }, { "into_non_canonical", 0x7ffffffffffc },
    { "non_canonical_bit63", 1UL << 63 }, { "hypervisor", 0xffff830000000000 },
    { "hypervisor_stack_like", 0xffff828000000ff8 }, { "hypervisor_last", 0xffff87fffffffff8 },
    { "into_hypervisor", 0xffff7ffffffffffc }, { "top", ~7UL }, { "wraps", ~0UL },
};

TEST(nowhere)
{
    unsigned int f, i;

    for (f = 0; f < ARRAY_SIZE(families); f++)
        for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
            long want = taken(f, SCRATCH + 0x555000, families[f].skip);
            long got = taken(f, nowhere[i].pointer, families[f].skip);

            trap_init();
            verdict(families[f].name, nowhere[i].name, got, want);
        }
}

static uint64_t sum_of(const uint64_t *p)
{
    uint64_t sum = 0;
    unsigned int i;

    for (i = 0; i < 512; i++)
        sum = sum * 31 + p[i];
    return sum;
}

/* -1: what could only be read was written. */
static long taken_unchanged(unsigned int f, uint64_t pointer, const uint64_t *at)
{
    uint64_t before = sum_of(at);
    long n = taken(f, pointer, families[f].skip | families[f].skip_readable);

    trap_init();
    return sum_of(at) == before ? (n >= 0 ? 0 : n) : -1;
}

/* Pages that the guest can read and may not change: nothing may change them for it. */
TEST(read_only)
{
    unsigned int f;

    tree_make();
    if (!page) {
        page = page_alloc();
        memset(page, 0xff, PAGE_SIZE);
        edge = SCRATCH + 0x7000000000;
        EXPECT_EQ(map(edge, mfn_of(page) << 12 | PTE_RO_FLAGS), 0);
    }
    EXPECT_EQ(make_readonly(page), 0);
    for (f = 0; f < ARRAY_SIZE(families); f++) {
        verdict(families[f].name, "read_only_page", taken_unchanged(f, U(page), page), 0);
        verdict(families[f].name, "page_table", taken_unchanged(f, U(tree[1]), tree[1]), 0);
        verdict(families[f].name, "own_root", taken_unchanged(f, U(boot_l4() + 280), boot_l4()), 0);
        verdict(families[f].name, "m2p", taken_unchanged(f, MACH2PHYS_VIRT_START, (void *)MACH2PHYS_VIRT_START), 0);
        verdict(families[f].name, "end_of_page", taken_unchanged(f, edge + PAGE_SIZE - 4, page), 0);
    }
    EXPECT_EQ(make_writable(page), 0);
}
