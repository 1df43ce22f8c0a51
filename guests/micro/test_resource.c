/* SPDX-License-Identifier: BSD-2-Clause */
/* XENMEM_acquire_resource: sizes, and what is refused to a domain that asks for its own. */

#include "mm.h"

#include <xen/memory.h>

static long acquire(struct xen_mem_acquire_resource *r, xen_pfn_t *frames)
{
    set_xen_guest_handle(r->frame_list, frames);
    return hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, r);
}

TEST(errors)
{
    xen_pfn_t frames[4];
    struct xen_mem_acquire_resource r = { .domid = 77, .type = XENMEM_resource_grant_table };

    EXPECT_EQ(acquire(&r, NULL), -XEN_ESRCH);
    r.domid = DOMID_SELF;
    obs("own_size", acquire(&r, NULL));
    r.nr_frames = 1;
    obs("own_frame", acquire(&r, frames));
    r.type = 99;
    obs("unknown_type", acquire(&r, frames));
    r.pad = 1;
    obs("padding", acquire(&r, frames));
    EXPECT_EQ(hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, 8), -XEN_EFAULT);
}
