/* SPDX-License-Identifier: BSD-2-Clause */
/* multicall: a list of hypercalls, each with its own result. */

#include "mm.h"
#include "trap.h"

#include <xen/event_channel.h>
#include <xen/version.h>

static multicall_entry_t list[40] __attribute__((aligned(8)));

static long multicall(unsigned int n)
{
    return hypercall(__HYPERVISOR_multicall, list, n);
}

static void entry(unsigned int i, unsigned long op, unsigned long a, unsigned long b, unsigned long c,
                  unsigned long d)
{
    list[i] = (multicall_entry_t){ .op = op, .result = 0x7777, .args = { a, b, c, d } };
}

TEST(results)
{
    entry(0, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    entry(1, __HYPERVISOR_xen_version, 99, 0, 0, 0);
    entry(2, 60, 0, 0, 0, 0);
    entry(3, __HYPERVISOR_update_descriptor, maddr_of(page_alloc()), 0, 0, 0);
    EXPECT_EQ(multicall(4), 0);
    EXPECT_EQ(list[0].result, 4 << 16 | 17);
    EXPECT_EQ(list[1].result, (unsigned long)-XEN_ENOSYS);
    EXPECT_EQ(list[2].result, (unsigned long)-XEN_ENOSYS);
    EXPECT_EQ(list[3].result, 0);
    EXPECT_EQ(list[0].op, __HYPERVISOR_xen_version);
    EXPECT_EQ(list[0].args[0], XENVER_version);
}

TEST(empty)
{
    EXPECT_EQ(multicall(0), 0);
}

TEST(nested)
{
    entry(0, __HYPERVISOR_multicall, U(&list[2]), 1, 0, 0);
    entry(1, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    entry(2, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    EXPECT_EQ(multicall(2), 0);
    EXPECT_EQ(list[0].result, (unsigned long)-XEN_EINVAL);
    EXPECT_EQ(list[1].result, 4 << 16 | 17);
}

TEST(address_spaces)
{
    uint64_t *page = page_alloc();

    entry(0, __HYPERVISOR_update_va_mapping, U(page), mfn_of(page) << 12 | PTE_RO_FLAGS, UVMF_INVLPG, 0);
    entry(1, __HYPERVISOR_stack_switch, KERNEL_SS, U(kernel_stack) + sizeof(kernel_stack), 0, 0);
    entry(2, __HYPERVISOR_update_va_mapping, U(page), mfn_of(page) << 12 | PTE_FLAGS, UVMF_INVLPG, 0);
    entry(3, __HYPERVISOR_update_va_mapping, 0x1000, mfn_of(page) << 12 | PTE_FLAGS, 0, 0);
    EXPECT_EQ(multicall(4), 0);
    EXPECT_EQ(list[0].result, 0);
    EXPECT_EQ(list[1].result, 0);
    EXPECT_EQ(list[2].result, 0);
    EXPECT_EQ(list[3].result, (unsigned long)-XEN_EINVAL);
    page[0] = 1;
    page_free(page);
}

TEST(many)
{
    unsigned int i;

    for (i = 0; i < 32; i++)
        entry(i, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0, 0);
    EXPECT_EQ(multicall(32), 0);
    for (i = 0; i < 32; i++)
        EXPECT_EQ(list[i].result, 4096);
}

TEST(bad_pointers)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, 8, 1), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, MACH2PHYS_VIRT_START, 1), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, 0xffff830000000000, 1), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, 8, 0), 0);
}

/* The list ends in a page that is not there: what came before is done. */
TEST(runs_off_the_end)
{
    uint64_t va = SCRATCH + 0x140000000UL;
    char *page = page_alloc();
    multicall_entry_t *last = (void *)(page + PAGE_SIZE - sizeof(*last));

    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_FLAGS), 0);
    *last = (multicall_entry_t){ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } };
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, va + PAGE_SIZE - sizeof(*last), 2), -XEN_EFAULT);
    EXPECT_EQ(last->result, 4096);
    /* a result that cannot be stored */
    EXPECT_EQ(update_va((void *)va, mfn_of(page) << 12 | PTE_RO_FLAGS, UVMF_INVLPG), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_multicall, va + PAGE_SIZE - sizeof(*last), 1), -XEN_EFAULT);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    page_free(page);
}

