/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers out of range: hypercalls, sub-operations, and counts that overflow or never end. */

#include "hostile.h"

#include <xen/memory.h>
#include <xen/sched.h>

static char argument[PAGE_SIZE] __attribute__((aligned(4096)));

TEST(hypercalls)
{
    static const struct { const char *name; unsigned long nr; long want; } numbers[] = {
        { "hole_11", 11, -XEN_ENOSYS }, { "hole_27", 27, NO_GAIN }, { "hvm_only", 41, -XEN_ENOSYS },
        { "behind_the_last", 43, -XEN_ENOSYS }, { "n47", 47, -XEN_ENOSYS }, { "n49", 49, NO_GAIN },
        { "n50", 50, NO_GAIN }, { "n55", 55, NO_GAIN }, { "n56", 56, -XEN_ENOSYS }, { "n63", 63, -XEN_ENOSYS },
        { "n64", 64, -XEN_ENOSYS }, { "n127", 127, -XEN_ENOSYS }, { "n128", 128, -XEN_ENOSYS },
        { "n255", 255, -XEN_ENOSYS }, { "n4096", 4096, -XEN_ENOSYS }, { "int_max", 0x7fffffff, -XEN_ENOSYS },
        { "int_min", 0x80000000, -XEN_ENOSYS }, { "uint_max", 0xffffffff, -XEN_ENOSYS },
        { "minus_one", ~0UL, -XEN_ENOSYS }, { "sign_bit", 1UL << 63, NO_GAIN }, { "bit32_and_64", 1UL << 32 | 64,
                -XEN_ENOSYS },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(numbers); i++)
        verdict("hypercall", numbers[i].name, hypercall(numbers[i].nr, argument, 1, 2, 3, 4), numbers[i].want);
}

static const struct {
    const char *name;
    unsigned int nr, behind;            /* its number and the first sub-operation that does not exist */
} families[] = {
    { "memory_op", __HYPERVISOR_memory_op, 40 }, { "xen_version", __HYPERVISOR_xen_version, 12 },
    { "grant_table_op", __HYPERVISOR_grant_table_op, 14 },
    { "event_channel_op", __HYPERVISOR_event_channel_op, 15 }, { "physdev_op", __HYPERVISOR_physdev_op, 34 },
    { "callback_op", __HYPERVISOR_callback_op, 3 }, { "vcpu_op", __HYPERVISOR_vcpu_op, 16 },
    { "hvm_op", __HYPERVISOR_hvm_op, 40 }, { "sched_op", __HYPERVISOR_sched_op, 9 },
    { "console_io", __HYPERVISOR_console_io, 3 }, { "vm_assist", __HYPERVISOR_vm_assist, 2 },
    { "set_segment_base", __HYPERVISOR_set_segment_base, 4 }, { "nmi_op", __HYPERVISOR_nmi_op, 2 },
};

TEST(sub_operations)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(families); i++) {
        unsigned int nr = families[i].nr, behind = families[i].behind;

        verdict(families[i].name, "behind_the_last", hypercall(nr, behind, argument, argument), REFUSED);
        verdict(families[i].name, "n255", hypercall(nr, 255, argument, argument), REFUSED);
        verdict(families[i].name, "int_max", hypercall(nr, 0x7fffffff, argument, argument), REFUSED);
        /* The bits above a memory operation's number say how far it came: none of its extents is left to do. */
        verdict(families[i].name, "int_min", hypercall(nr, 0x80000000, argument, argument),
                nr == __HYPERVISOR_memory_op ? 0x80000000 >> 6 : REFUSED);
        verdict(families[i].name, "minus_one", hypercall(nr, ~0UL, argument, argument), REFUSED);
    }
}

static const struct {
    const char *name;
    unsigned long n;
} counts[] = {
    { "int_max", 0x7fffffff }, { "int_min", 0x80000000 }, { "uint_max", 0xffffffff }, { "bit32", 1UL << 32 },
    { "minus_one", ~0UL },
};

/* The argument's page is the last one mapped. */
static uint64_t edge(void)
{
    static uint64_t va;

    if (!va) {
        va = SCRATCH + 0x7040000000;
        EXPECT_EQ(map(va, mfn_of(argument) << 12 | PTE_FLAGS), 0);
    }
    return va;
}

static long count_mmu_update(unsigned long n)
{
    return hypercall(__HYPERVISOR_mmu_update, edge(), n, NULL, DOMID_SELF);
}

static long count_mmu_update_end(unsigned long n)
{
    return hypercall(__HYPERVISOR_mmu_update, edge() + PAGE_SIZE - 16, n, NULL, DOMID_SELF);
}

static long count_mmuext(unsigned long n)
{
    memset(argument, 0, PAGE_SIZE);
    ((struct mmuext_op *)argument)->cmd = 99;
    return hypercall(__HYPERVISOR_mmuext_op, edge(), n, NULL, DOMID_SELF);
}

static long count_multicall(unsigned long n)
{
    memset(argument, 0x7f, PAGE_SIZE);
    return hypercall(__HYPERVISOR_multicall, edge(), n);
}

static long count_gdt(unsigned long n)
{
    return hypercall(__HYPERVISOR_set_gdt, edge(), n);
}

static long count_grant_map(unsigned long n)
{
    memset(argument, 0xff, PAGE_SIZE);
    return hypercall(__HYPERVISOR_grant_table_op, 0, edge(), n);
}

static long count_grant_unmap(unsigned long n)
{
    memset(argument, 0xff, PAGE_SIZE);
    return hypercall(__HYPERVISOR_grant_table_op, 1, edge(), n);
}

static long count_grant_copy(unsigned long n)
{
    memset(argument, 0xff, PAGE_SIZE);
    return hypercall(__HYPERVISOR_grant_table_op, 5, edge(), n);
}

static long count_grant_setup(unsigned long n)
{
    return hypercall(__HYPERVISOR_grant_table_op, 2, edge(), n);
}

static long count_swap(unsigned long n)
{
    memset(argument, 0xff, PAGE_SIZE);
    return hypercall(__HYPERVISOR_grant_table_op, 11, edge(), n);
}

static long count_cache_flush(unsigned long n)
{
    memset(argument, 0xff, PAGE_SIZE);
    return hypercall(__HYPERVISOR_grant_table_op, 12, edge(), n);
}

static long extents(unsigned int cmd, unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

    memset(argument, 0xff, PAGE_SIZE);
    r.extent_start.p = (void *)edge();
    return hypercall(__HYPERVISOR_memory_op, cmd, &r);
}

static long count_decrease(unsigned long n)   { return extents(XENMEM_decrease_reservation, n, 0); }

/* A domU gets what its limit leaves, and gives it back. */
static long populate(unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = { .domid = DOMID_SELF, .extent_order = order };
    long got = extents(XENMEM_populate_physmap, n, order);

    if (got <= 0)
        return got;
    r.nr_extents = (xen_ulong_t)got;
    r.extent_start.p = (void *)edge();
    return hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r) == got ? 0 : got;
}

static long count_populate(unsigned long n) { return populate(n, 0); }

static long count_increase(unsigned long n)   { return extents(XENMEM_increase_reservation, n, 40); }
static long order_populate(unsigned long n)   { return populate(1, (unsigned int)n); }
static long order_decrease(unsigned long n)   { return extents(XENMEM_decrease_reservation, 1, (unsigned int)n); }

static long count_exchange(unsigned long n)
{
    struct xen_memory_exchange x = { .in = { .nr_extents = n, .domid = DOMID_SELF },
                                     .out = { .nr_extents = n, .domid = DOMID_SELF } };

    memset(argument, 0xff, PAGE_SIZE);
    x.in.extent_start.p = (void *)edge();
    x.out.extent_start.p = (void *)edge();
    return hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
}

static long count_exchanged(unsigned long n)
{
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF }, .nr_exchanged = n };

    memset(argument, 0xff, PAGE_SIZE);
    x.in.extent_start.p = (void *)edge();
    x.out.extent_start.p = (void *)edge();
    return hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
}

static long count_mfn_list(unsigned long n)
{
    struct xen_machphys_mfn_list l = { .max_extents = (unsigned int)n };

    l.extent_start.p = (void *)(edge() + PAGE_SIZE);
    return hypercall(__HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, &l);
}

static long count_poll(unsigned long n)
{
    struct sched_poll p = { .nr_ports = (unsigned int)n, .timeout = 1 };

    p.ports.p = (void *)edge();
    return hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &p);
}

static long count_console(unsigned long n)
{
    return is_dom0() ? -XEN_EPERM : hypercall(__HYPERVISOR_console_io, 1, n, edge() + PAGE_SIZE);
}

static long count_ldt(unsigned long n)
{
    return mmuext(MMUEXT_SET_LDT, edge(), n & 0xffffffff);
}

static long count_debugreg(unsigned long n)
{
    return hypercall(__HYPERVISOR_set_debugreg, n, 0);
}

TEST(counts)
{
    static const struct { const char *name; long (*run)(unsigned long n); long want; } attacks[] = {
        { "mmu_update", count_mmu_update, NO_GAIN }, { "mmu_update_end", count_mmu_update_end, NO_GAIN },
        { "mmuext_op", count_mmuext, NO_GAIN },
        { "multicall", count_multicall, NO_GAIN }, { "set_gdt", count_gdt, NO_GAIN },
        { "grant_map", count_grant_map, NO_GAIN }, { "grant_unmap", count_grant_unmap, NO_GAIN },
        { "grant_copy", count_grant_copy, NO_GAIN }, { "grant_setup", count_grant_setup, NO_GAIN },
        { "grant_swap", count_swap, NO_GAIN }, { "cache_flush", count_cache_flush, NO_GAIN },
        { "decrease_reservation", count_decrease, NO_GAIN }, { "populate_physmap", count_populate, NO_GAIN },
        { "increase_reservation", count_increase, NO_GAIN }, { "populate_order", order_populate, NO_GAIN },
        { "decrease_order", order_decrease, NO_GAIN }, { "exchange", count_exchange, NO_GAIN },
        { "nr_exchanged", count_exchanged, NO_GAIN }, { "machphys_mfn_list", count_mfn_list, NO_GAIN },
        { "poll", count_poll, NO_GAIN }, { "console_read", count_console, NO_GAIN }, { "set_ldt", count_ldt, NO_GAIN },
        { "set_debugreg", count_debugreg, NO_GAIN },
    };
    unsigned int a, i;

    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(counts); i++)
            verdict(attacks[a].name, counts[i].name, attacks[a].run(counts[i].n), attacks[a].want);
}
