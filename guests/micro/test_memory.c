/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_op: questions about memory, and giving frames back, getting them and exchanging them. */

#include "mm.h"
#include "trap.h"

#include <xen/memory.h>

#define NR_PAGES 16

static long memory_op(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_memory_op, cmd, arg);
}

static long reserve(unsigned int cmd, xen_pfn_t *frames, unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frames);
    return memory_op(cmd, &r);
}

static long of_domain(unsigned int cmd, domid_t domid)
{
    domid_t d = domid;

    return memory_op(cmd, &d);
}

/* Takes pool pages out of the address space, or back in with new frames. */
static void unmap_pages(void **pages, xen_pfn_t *mfns, unsigned int n)
{
    unsigned int i;

    for (i = 0; i < n; i++) {
        pages[i] = page_alloc();
        mfns[i] = mfn_of(pages[i]);
        EXPECT_EQ(update_va(pages[i], 0, UVMF_INVLPG), 0);
    }
}

static void map_pages(void **pages, xen_pfn_t *mfns, unsigned int n)
{
    unsigned int i;

    for (i = 0; i < n; i++) {
        p2m()[va_to_pfn(pages[i])] = mfns[i];
        EXPECT_EQ(make_writable(pages[i]), 0);
        page_free(pages[i]);
    }
}

TEST(reservations)
{
    long current = of_domain(XENMEM_current_reservation, DOMID_SELF);
    long maximum = of_domain(XENMEM_maximum_reservation, DOMID_SELF);

    EXPECT_GE(current, (long)start_info->nr_pages);
    EXPECT_GE(maximum, current);
    obs("extra", current - (long)start_info->nr_pages);
    if (is_dom0())
        EXPECT_EQ(of_domain(XENMEM_current_reservation, 0), current);
    EXPECT_EQ(of_domain(XENMEM_current_reservation, 77), -XEN_ESRCH);
    EXPECT_EQ(memory_op(XENMEM_current_reservation, (void *)8), -XEN_EFAULT);
    obs("maximum_gpfn", of_domain(XENMEM_maximum_gpfn, DOMID_SELF));
    EXPECT_EQ(of_domain(XENMEM_maximum_gpfn, 77), -XEN_ESRCH);
}

TEST(machine)
{
    long top = memory_op(XENMEM_maximum_ram_page, NULL);

    EXPECT_GE(top, (long)mfn_of(page_alloc()));
    obs("maximum_ram_page", top);
}

TEST(machphys_mapping)
{
    struct xen_machphys_mapping m = { 0 };

    EXPECT_EQ(memory_op(XENMEM_machphys_mapping, &m), 0);
    EXPECT_EQ(m.v_start, MACH2PHYS_VIRT_START);
    EXPECT_GE(m.v_end, m.v_start + 8 * (m.max_mfn + 1));
    obs("v_end", (long)m.v_end);
    obs("max_mfn", (long)m.max_mfn);
    EXPECT_EQ(memory_op(XENMEM_machphys_mapping, (void *)8), -XEN_EFAULT);
}

TEST(machphys_mfn_list)
{
    xen_pfn_t extents[4] = { 0 };
    struct xen_machphys_mfn_list l = { .max_extents = 4 };

    set_xen_guest_handle(l.extent_start, extents);
    EXPECT_EQ(memory_op(XENMEM_machphys_mfn_list, &l), 0);
    EXPECT_GE(l.nr_extents, 1);
    EXPECT_NE(extents[0], 0);
    EXPECT_EQ(extents[0] & 511, 0);
    obs("extents", l.nr_extents);
    l.max_extents = 0;
    EXPECT_EQ(memory_op(XENMEM_machphys_mfn_list, &l), 0);
    EXPECT_EQ(l.nr_extents, 0);
    EXPECT_EQ(memory_op(XENMEM_machphys_mfn_list, (void *)8), -XEN_EFAULT);
}

/* The M2P frames themselves: readable through DOMID_XEN, never writable. */
TEST(map_m2p)
{
    xen_pfn_t extent = 0;
    struct xen_machphys_mfn_list l = { .max_extents = 1 };
    uint64_t va = SCRATCH + 0x180000000UL;
    struct mmu_update req;
    char *page = page_alloc();

    if (!is_dom0())
        return;
    set_xen_guest_handle(l.extent_start, &extent);
    EXPECT_EQ(memory_op(XENMEM_machphys_mfn_list, &l), 0);
    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_RO_FLAGS), 0);
    req = (struct mmu_update){ .ptr = maddr_of(pte_of((void *)va, 1)), .val = extent << 12 | PTE_RO_FLAGS };
    EXPECT_EQ(mmu_updates(&req, 1, NULL, DOMID_XEN), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, va, 0), 0);
    EXPECT_EQ(*(uint64_t *)(va + 8 * (mfn_of(page) & 511)), m2p(mfn_of(page) & 511));
    req.val = extent << 12 | PTE_FLAGS;
    EXPECT(mmu_updates(&req, 1, NULL, DOMID_XEN) < 0);
    EXPECT(mmu_updates(&req, 1, NULL, DOMID_SELF) < 0);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    page_free(page);
}

TEST(memory_map)
{
    struct e820entry {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) map[64];
    struct xen_memory_map m = { .nr_entries = ARRAY_SIZE(map) };
    uint64_t ram = 0;
    unsigned int i;

    set_xen_guest_handle(m.buffer, (void *)map);
    EXPECT_EQ(memory_op(XENMEM_machine_memory_map, &m), is_dom0() ? 0 : -XEN_EPERM);
    if (is_dom0()) {
        EXPECT_GE(m.nr_entries, 2);
        for (i = 0; i < m.nr_entries; i++)
            ram += map[i].type == 1 ? map[i].size : 0;
        EXPECT_GE(ram, 32 << 20);
        obs("machine_entries", m.nr_entries);
        obs("machine_ram", (long)ram);
        m.nr_entries = 1;
        EXPECT_EQ(memory_op(XENMEM_machine_memory_map, &m), -XEN_EINVAL);       /* all or nothing */
        m.nr_entries = ARRAY_SIZE(map);
        EXPECT_EQ(memory_op(XENMEM_machine_memory_map, (void *)8), -XEN_EFAULT);
        set_xen_guest_handle(m.buffer, (void *)8);
        EXPECT_EQ(memory_op(XENMEM_machine_memory_map, &m), -XEN_EFAULT);
    }
    set_xen_guest_handle(m.buffer, (void *)map);
    m.nr_entries = ARRAY_SIZE(map);
    obs("memory_map", memory_op(XENMEM_memory_map, &m));
}

TEST(decrease_and_populate)
{
    void *pages[NR_PAGES];
    xen_pfn_t mfns[NR_PAGES], frames[NR_PAGES];
    long before = of_domain(XENMEM_current_reservation, DOMID_SELF);
    unsigned int i;

    unmap_pages(pages, mfns, NR_PAGES);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, mfns, NR_PAGES, 0), NR_PAGES);
    EXPECT_EQ(of_domain(XENMEM_current_reservation, DOMID_SELF), before - NR_PAGES);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, mfns, 1, 0), 0);     /* no longer ours */
    EXPECT(mmu_update(maddr_of(pte_of(pages[0], 1)), mfns[0] << 12 | PTE_FLAGS) < 0);

    for (i = 0; i < NR_PAGES; i++)
        frames[i] = va_to_pfn(pages[i]);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, frames, NR_PAGES, 0), NR_PAGES);
    EXPECT_EQ(of_domain(XENMEM_current_reservation, DOMID_SELF), before);
    for (i = 0; i < NR_PAGES; i++) {
        EXPECT_NE(frames[i], va_to_pfn(pages[i]));
        EXPECT_EQ(m2p(frames[i]), va_to_pfn(pages[i]));
    }
    map_pages(pages, frames, NR_PAGES);
}

/* What comes back is clean. */
TEST(scrubbed)
{
    void *pages[NR_PAGES];
    xen_pfn_t mfns[NR_PAGES], frames[NR_PAGES];
    unsigned int i, j, dirty = 0;

    for (i = 0; i < NR_PAGES; i++) {
        pages[i] = page_alloc();
        memset(pages[i], 0xa5, PAGE_SIZE);
        frames[i] = va_to_pfn(pages[i]);
        mfns[i] = mfn_of(pages[i]);
    }
    for (i = 0; i < NR_PAGES; i++)
        EXPECT_EQ(update_va(pages[i], 0, UVMF_INVLPG), 0);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, mfns, NR_PAGES, 0), NR_PAGES);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, frames, NR_PAGES, 0), NR_PAGES);
    for (i = 0; i < NR_PAGES; i++) {
        p2m()[va_to_pfn(pages[i])] = frames[i];
        EXPECT_EQ(make_writable(pages[i]), 0);
        for (j = 0; j < PAGE_SIZE; j++)
            dirty += ((unsigned char *)pages[i])[j] == 0xa5;
        page_free(pages[i]);
    }
    obs("bytes_of_before", dirty);
}

TEST(still_mapped)
{
    void *page = page_alloc();
    xen_pfn_t frame = mfn_of(page);

    obs("decrease_mapped", reserve(XENMEM_decrease_reservation, &frame, 1, 0));
    /* Given back, but it stays ours to read until the mapping goes. */
    TRY("mov (%%rax), %%rax", : : "a"(page) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(update_va(page, 0, UVMF_INVLPG), 0);
    frame = va_to_pfn(page);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, &frame, 1, 0), 1);
    map_pages(&page, &frame, 1);
}

TEST(reservation_errors)
{
    xen_pfn_t frame = ~0UL;

    EXPECT_EQ(reserve(XENMEM_decrease_reservation, &frame, 1, 0), 0);
    frame = mfn_of(boot_l4());
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, &frame, 0, 0), 0);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, (void *)8, 1, 0), 0);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, (void *)8, 1, 0), 0);
    frame = 1 << 20;
    obs("populate_big_order", reserve(XENMEM_populate_physmap, &frame, 1, 20));
    obs("populate_max_order", reserve(XENMEM_populate_physmap, &frame, 1, 63));
    obs("decrease_big_order", reserve(XENMEM_decrease_reservation, &frame, 1, 20));
    obs("populate_beyond", reserve(XENMEM_populate_physmap, &frame, 1, 0));
    /* a bad argument counts as "none done" */
    EXPECT_EQ(memory_op(XENMEM_populate_physmap, (void *)8), 0);
    EXPECT_EQ(memory_op(XENMEM_decrease_reservation, (void *)8), 0);
    EXPECT_EQ(memory_op(99, NULL), -XEN_ENOSYS);
    obs("start_extent_beyond", hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap | 5 << 6,
                                         (void *)8));
}

TEST(increase)
{
    void *page;
    xen_pfn_t frame, got = 0;

    unmap_pages(&page, &frame, 1);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, &frame, 1, 0), 1);
    EXPECT_EQ(reserve(XENMEM_increase_reservation, &got, 1, 0), 1);
    EXPECT_NE(got, 0);
    EXPECT_EQ(mmu_update(got << 12 | MMU_MACHPHYS_UPDATE, va_to_pfn(page)), 0);
    map_pages(&page, &got, 1);
}

static long exchange(xen_pfn_t *in, unsigned long nr_in, unsigned int order_in, xen_pfn_t *out,
                     unsigned long nr_out,
                     unsigned int order_out, unsigned long *done)
{
    struct xen_memory_exchange e = {
        .in = { .nr_extents = nr_in, .extent_order = order_in, .domid = DOMID_SELF },
        .out = { .nr_extents = nr_out, .extent_order = order_out, .domid = DOMID_SELF,
                 .mem_flags = XENMEMF_address_bits(32) },
    };
    long rc;

    set_xen_guest_handle(e.in.extent_start, in);
    set_xen_guest_handle(e.out.extent_start, out);
    rc = memory_op(XENMEM_exchange, &e);
    *done = e.nr_exchanged;
    return rc;
}

/* The swiotlb's question: sixteen single frames for one piece of sixteen. */
TEST(exchange)
{
    void *pages[NR_PAGES];
    xen_pfn_t mfns[NR_PAGES], out;
    unsigned long done = 99;
    unsigned int i;

    unmap_pages(pages, mfns, NR_PAGES);
    out = 0x30000;                              /* pool pages are not in pfn order: any numbers do */
    EXPECT_EQ(exchange(mfns, NR_PAGES, 0, &out, 1, 4, &done), 0);
    EXPECT_EQ(done, NR_PAGES);
    EXPECT_EQ(out & (NR_PAGES - 1), 0);
    for (i = 0; i < NR_PAGES; i++) {
        EXPECT_EQ(m2p(out + i), 0x30000 + i);
        EXPECT_EQ(mmu_update((out + i) << 12 | MMU_MACHPHYS_UPDATE, va_to_pfn(pages[i])), 0);
        mfns[i] = out + i;
    }
    map_pages(pages, mfns, NR_PAGES);
}

TEST(exchange_back)
{
    void *pages[NR_PAGES];
    xen_pfn_t mfns[NR_PAGES], out, singles[NR_PAGES];
    unsigned long done = 99;
    unsigned int i;

    unmap_pages(pages, mfns, NR_PAGES);
    out = 0x30000;
    EXPECT_EQ(exchange(mfns, NR_PAGES, 0, &out, 1, 4, &done), 0);
    for (i = 0; i < NR_PAGES; i++)
        singles[i] = va_to_pfn(pages[i]);
    EXPECT_EQ(exchange(&out, 1, 4, singles, NR_PAGES, 0, &done), 0);
    EXPECT_EQ(done, 1);
    for (i = 0; i < NR_PAGES; i++)
        EXPECT_EQ(m2p(singles[i]), va_to_pfn(pages[i]));
    map_pages(pages, singles, NR_PAGES);
}

TEST(exchange_errors)
{
    void *pages[NR_PAGES];
    xen_pfn_t mfns[NR_PAGES], out = 0x30000, bad[2];
    unsigned long done = 99;

    unmap_pages(pages, mfns, NR_PAGES);
    EXPECT_EQ(exchange(mfns, NR_PAGES, 0, &out, 1, 3, &done), -XEN_EINVAL);         /* sizes differ */
    bad[0] = mfns[0];
    bad[1] = 0x0fffffffff;
    EXPECT_EQ(exchange(bad, 2, 0, &out, 1, 1, &done), -XEN_EINVAL);
    EXPECT_EQ(done, 0);
    /* nothing was taken */
    map_pages(pages, mfns, NR_PAGES);
    EXPECT_EQ(memory_op(XENMEM_exchange, (void *)8), -XEN_EFAULT);
}

/* One of the frames is still mapped or is a page table: all or nothing. */
TEST(exchange_of_busy)
{
    xen_pfn_t mfn = mfn_of(boot_l4()), out = 0x30000;
    unsigned long done = 99;

    obs("l4", exchange(&mfn, 1, 0, &out, 1, 0, &done));
    obs("l4_done", (long)done);
    EXPECT_EQ(m2p(mfn_of(boot_l4())), va_to_pfn(boot_l4()));
}

TEST(add_to_physmap_refused)
{
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = 0x1000 };
    struct xen_remove_from_physmap r = { .domid = DOMID_SELF, .gpfn = 0x1000 };

    obs("add_shared_info", memory_op(XENMEM_add_to_physmap, &a));
    a.space = XENMAPSPACE_grant_table;
    obs("add_grant_table", memory_op(XENMEM_add_to_physmap, &a));
    a.space = 99;
    obs("add_unknown_space", memory_op(XENMEM_add_to_physmap, &a));
    obs("remove", memory_op(XENMEM_remove_from_physmap, &r));
    a.domid = 77;
    EXPECT_EQ(memory_op(XENMEM_add_to_physmap, &a), -XEN_ESRCH);
    EXPECT_EQ(memory_op(XENMEM_add_to_physmap, (void *)8), -XEN_EFAULT);
}

TEST(claims_and_sharing)
{
    struct xen_memory_reservation r = { .nr_extents = 0, .domid = 0 };

    obs("claim_0", memory_op(XENMEM_claim_pages, &r));
    r.domid = 77;
    EXPECT_EQ(memory_op(XENMEM_claim_pages, &r), -XEN_EINVAL);
    obs("freed", memory_op(XENMEM_get_sharing_freed_pages, NULL));
    obs("shared", memory_op(XENMEM_get_sharing_shared_pages, NULL));
    obs("sharing_op", memory_op(XENMEM_sharing_op, NULL));
    obs("paging_op", memory_op(XENMEM_paging_op, NULL));
    obs("access_op", memory_op(XENMEM_access_op, NULL));
}

TEST(vnuma)
{
    struct xen_vnuma_topology_info v = { .domid = DOMID_SELF };

    EXPECT_EQ(memory_op(XENMEM_get_vnumainfo, &v), -XEN_EOPNOTSUPP);
    v.domid = 77;
    EXPECT_EQ(memory_op(XENMEM_get_vnumainfo, &v), -XEN_ESRCH);
}

TEST(set_memory_map)
{
    struct xen_foreign_memory_map m = { .domid = DOMID_SELF };

    m.map.nr_entries = 1;
    obs("self", memory_op(XENMEM_set_memory_map, &m));
    m.domid = 77;
    EXPECT_EQ(memory_op(XENMEM_set_memory_map, &m), -XEN_ESRCH);
}
