/* SPDX-License-Identifier: BSD-2-Clause */
/* Grant table helpers of the micro guest; see grant.h. */

#include "grant.h"

#include "event.h"

grant_entry_v1_t *gt1;

domid_t own_domid(void)
{
    static domid_t id = DOMID_INVALID;
    struct evtchn_status s = { .dom = DOMID_SELF };
    long a, b;

    if (id != DOMID_INVALID)
        return id;
    a = port_alloc(DOMID_SELF, DOMID_SELF);
    b = port_bind(DOMID_SELF, (evtchn_port_t)a);
    s.port = (evtchn_port_t)a;
    if (b > 0 && evtchn(EVTCHNOP_status, &s) == 0)
        id = s.u.interdomain.dom;
    port_close((evtchn_port_t)b);
    port_close((evtchn_port_t)a);
    return id;
}

bool grant_setup(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 1 };
    void *va;

    if (gt1)
        return true;
    set_xen_guest_handle(op.frame_list, &frame);
    if (!EXPECT_EQ(grant_op(GNTTABOP_setup_table, &op, 1), 0) || !EXPECT_EQ(op.status, GNTST_okay))
        return false;
    va = page_alloc();
    if (!EXPECT_EQ(update_va(va, frame << 12 | PTE_FLAGS, UVMF_INVLPG), 0))
        return false;
    gt1 = va;
    return true;
}

void grant_page(grant_ref_t ref, const void *page, domid_t to, unsigned int flags)
{
    gt1[ref].domid = to;
    gt1[ref].frame = (uint32_t)mfn_of(page);
    __atomic_store_n(&gt1[ref].flags, (uint16_t)(GTF_permit_access | flags), __ATOMIC_SEQ_CST);
}

long grant_map(void *va, domid_t dom, grant_ref_t ref, unsigned int flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = U(va), .flags = flags, .ref = ref, .dom = dom,
                                       .status = 99 };
    long rc = grant_op(GNTTABOP_map_grant_ref, &op, 1);

    if (handle)
        *handle = op.handle;
    return rc ?: op.status;
}

long grant_unmap(uint64_t host_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .handle = handle, .status = 99 };
    long rc = grant_op(GNTTABOP_unmap_grant_ref, &op, 1);

    return rc ?: op.status;
}

long grant_copy(struct copy_side from, struct copy_side to, uint16_t len, uint16_t flags)
{
    struct gnttab_copy op = { .len = len, .flags = flags, .status = 99 };
    long rc;

    op.source.domid = from.domid;
    op.source.offset = from.offset;
    if (flags & GNTCOPY_source_gref)
        op.source.u.ref = (grant_ref_t)from.ref_or_mfn;
    else
        op.source.u.gmfn = from.ref_or_mfn;
    op.dest.domid = to.domid;
    op.dest.offset = to.offset;
    if (flags & GNTCOPY_dest_gref)
        op.dest.u.ref = (grant_ref_t)to.ref_or_mfn;
    else
        op.dest.u.gmfn = to.ref_or_mfn;
    rc = grant_op(GNTTABOP_copy, &op, 1);
    return rc ?: op.status;
}
