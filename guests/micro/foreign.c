/* SPDX-License-Identifier: BSD-2-Clause */
/* Another domain's memory from dom0; see foreign.h. */

#include "foreign.h"

#include <xen/memory.h>

long populate(domid_t dom, xen_pfn_t *frames, unsigned int n, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = dom };

    set_xen_guest_handle(r.extent_start, frames);
    return hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r);
}

long window_map(domid_t dom, unsigned int index, uint64_t mfn, uint64_t flags)
{
    static bool tables;
    struct mmu_update req;
    long rc;

    if (!tables && (rc = map(WINDOW, 0)) != 0)
        return rc;
    tables = true;
    req = (struct mmu_update){ .ptr = maddr_of(pte_of(window(index), 1)), .val = mfn << 12 | flags };
    rc = mmu_updates(&req, 1, NULL, dom);
    mmuext(MMUEXT_INVLPG_LOCAL, U(window(index)), 0);
    return rc;
}

void window_unmap(unsigned int index)
{
    EXPECT_EQ(update_va(window(index), 0, UVMF_INVLPG), 0);
}
