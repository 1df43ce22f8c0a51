/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another domain's memory from dom0: populated, mapped, made page tables, granted, shared by ports, and gone.
 */

#include "domctl.h"
#include "event.h"
#include "foreign.h"
#include "grant.h"
#include "trap.h"

#include <xen/memory.h>

#define PAGES 64

static domid_t dom;
static xen_pfn_t mfns[PAGES];

/* A domain with PAGES frames, pfn 0 up. */
static bool create(void)
{
    long d;
    unsigned int i;

    if (!is_dom0())
        return false;
    d = domain_create(PAGES * 4 + 64, 1);
    if (!EXPECT_GE(d, 1))
        return false;
    dom = (domid_t)d;
    for (i = 0; i < PAGES; i++)
        mfns[i] = i;
    return EXPECT_EQ(populate(dom, mfns, PAGES, 0), PAGES);
}

/* Maps one frame of the domain at WINDOW + index pages. */
static long foreign_map(unsigned int index, uint64_t mfn, uint64_t flags)
{
    return window_map(dom, index, mfn, flags);
}

static long type_of(uint64_t mfn)
{
    xen_pfn_t frame = mfn;

    domctl_clear();
    dc.u.getpageframeinfo3.num = 1;
    set_xen_guest_handle(dc.u.getpageframeinfo3.array, &frame);
    return domctl(XEN_DOMCTL_getpageframeinfo3, dom) ?: (long)frame;
}

static long foreign_pin(unsigned int cmd, uint64_t mfn)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.mfn = mfn;
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, dom);
}

TEST(populate)
{
    xen_pfn_t frame = PAGES, big = 512;
    unsigned int i;

    if (!create())
        return;
    for (i = 0; i < PAGES; i++)
        EXPECT_EQ(m2p(mfns[i]), i);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.tot_pages, PAGES);
    EXPECT_EQ(populate(dom, &big, 1, 9), 0);                    /* more than max_mem: none */
    for (i = 0; i < 16; i++) {
        frame = PAGES + i;
        EXPECT_EQ(populate(dom, &frame, 1, 0), 1);
    }
    frame = 100;
    EXPECT_EQ(populate(dom, &frame, 1, 0), 0);                  /* full */
    EXPECT_EQ(populate(77, &frame, 1, 0), 0);
    domctl_clear();
    dc.u.max_mem.max_memkb = 16;
    EXPECT_EQ(domctl(XEN_DOMCTL_max_mem, dom), 0);              /* below what it has: fine */
    domain_destroy(dom);
}

TEST(superpage_populate)
{
    xen_pfn_t base = 0;
    long d;
    unsigned int i;

    if (!is_dom0())
        return;
    d = domain_create(4096, 1);
    dom = (domid_t)d;
    EXPECT_EQ(populate(dom, &base, 1, 9), 1);
    EXPECT_EQ(base & 511, 0);
    for (i = 0; i < 512; i += 37)
        EXPECT_EQ(m2p(base + i), i);
    domain_destroy(dom);
}

TEST(map_and_write)
{
    uint64_t *w = (uint64_t *)WINDOW;

    if (!create())
        return;
    if (!EXPECT_EQ(foreign_map(0, mfns[3], PTE_FLAGS), 0))
        return;
    EXPECT_EQ(w[0], 0);                                         /* fresh frames are clean */
    w[0] = 0x1234;
    EXPECT_EQ(foreign_map(1, mfns[3], PTE_RO_FLAGS), 0);
    EXPECT_EQ(w[512], 0x1234);
    /* a frame of ours is not theirs, nor the other way round */
    EXPECT(foreign_map(2, mfn_of(boot_l4()), PTE_RO_FLAGS) < 0);
    EXPECT(update_va((void *)(WINDOW + 2 * PAGE_SIZE), mfns[3] << 12 | PTE_FLAGS, 0) < 0);
    obs("theirs_as_ours", update_va((void *)(WINDOW + 2 * PAGE_SIZE), mfns[3] << 12 | PTE_FLAGS, 0));
    obs("ours_as_theirs", foreign_map(2, mfn_of(boot_l4()), PTE_RO_FLAGS));
    window_unmap(0);
    window_unmap(1);
    domain_destroy(dom);
}

/* A domain cannot go while a frame of it is mapped here. */
TEST(dying_while_mapped)
{
    if (!create())
        return;
    EXPECT_EQ(foreign_map(0, mfns[3], PTE_FLAGS), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, dom), 0);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), 0);
    EXPECT_EQ(dc.domain, dom);
    EXPECT_EQ(dc.u.getdomaininfo.flags & XEN_DOMINF_dying, XEN_DOMINF_dying);
    EXPECT_EQ(dc.u.getdomaininfo.tot_pages, 1);
    EXPECT(foreign_map(1, mfns[4], PTE_FLAGS) < 0);             /* nothing new */
    obs("map_of_dying", foreign_map(1, mfns[3], PTE_FLAGS));
    ((uint64_t *)WINDOW)[1] = 5;
    window_unmap(0);
    if (pte_of((void *)(WINDOW + PAGE_SIZE), 1) && *pte_of((void *)(WINDOW + PAGE_SIZE), 1))
        window_unmap(1);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), -XEN_ESRCH);
}

/* The domain builder's way: write tables through mappings, let go of them, pin. */
TEST(page_tables)
{
    uint64_t *w = (uint64_t *)WINDOW;
    unsigned int i;

    if (!create())
        return;
    for (i = 0; i < 4; i++)
        EXPECT_EQ(foreign_map(i, mfns[i], PTE_FLAGS), 0);
    w[0 * 512] = mfns[1] << 12 | PTE_FLAGS | PTE_U;             /* 0: L4, 1: L3, 2: L2, 3: L1 */
    w[1 * 512] = mfns[2] << 12 | PTE_FLAGS | PTE_U;
    w[2 * 512] = mfns[3] << 12 | PTE_FLAGS | PTE_U;
    w[3 * 512] = mfns[10] << 12 | PTE_FLAGS | PTE_U;
    w[3 * 512 + 1] = mfns[0] << 12 | PTE_RO_FLAGS | PTE_U;
    EXPECT_EQ(foreign_pin(MMUEXT_PIN_L4_TABLE, mfns[0]), -XEN_EINVAL);          /* still mapped writable */
    for (i = 0; i < 4; i++)
        window_unmap(i);
    EXPECT_EQ(type_of(mfns[0]), 0);
    EXPECT_EQ(foreign_pin(MMUEXT_PIN_L4_TABLE, mfns[0]), 0);
    EXPECT_EQ(type_of(mfns[0]), 0xc0000000);                    /* L4, pinned */
    EXPECT_EQ(type_of(mfns[1]), 0x30000000);
    EXPECT_EQ(type_of(mfns[3]), 0x10000000);
    EXPECT_EQ(type_of(mfns[10]), 0);
    EXPECT_EQ(type_of(mfn_of(boot_l4())), 0xf0000000);          /* not theirs */
    EXPECT_EQ(type_of(~0UL), 0xf0000000);
    /* now only readable from here */
    EXPECT_EQ(foreign_map(0, mfns[0], PTE_FLAGS), -XEN_EBUSY);
    EXPECT_EQ(foreign_map(0, mfns[0], PTE_RO_FLAGS), 0);
    EXPECT_EQ(w[0] & PTE_ADDR, mfns[1] << 12);
    window_unmap(0);
    /* tools may write single entries; they are checked */
    EXPECT_EQ(foreign_pin(MMUEXT_UNPIN_TABLE, mfns[0]), 0);
    EXPECT_EQ(type_of(mfns[0]), 0);
    EXPECT_EQ(foreign_pin(MMUEXT_PIN_L1_TABLE, mfn_of(boot_l4())), -XEN_EINVAL);
    domain_destroy(dom);
}

TEST(batch_of_types)
{
    static xen_pfn_t frames[1025];

    if (!create())
        return;
    domctl_clear();
    dc.u.getpageframeinfo3.num = 1025;
    set_xen_guest_handle(dc.u.getpageframeinfo3.array, frames);
    EXPECT_EQ(domctl(XEN_DOMCTL_getpageframeinfo3, dom), -XEN_E2BIG);
    dc.u.getpageframeinfo3.num = 0;
    EXPECT_EQ(domctl(XEN_DOMCTL_getpageframeinfo3, dom), 0);
    domain_destroy(dom);
}

/* A runnable context needs page tables of the domain's own. */
TEST(vcpu_context)
{
    static vcpu_guest_context_t ctx;
    uint64_t *w = (uint64_t *)WINDOW;
    unsigned int i;

    if (!create())
        return;
    for (i = 0; i < 4; i++)
        EXPECT_EQ(foreign_map(i, mfns[i], PTE_FLAGS), 0);
    w[0] = mfns[1] << 12 | PTE_FLAGS | PTE_U;
    w[512] = mfns[2] << 12 | PTE_FLAGS | PTE_U;
    w[1024] = mfns[3] << 12 | PTE_FLAGS | PTE_U;
    w[1536] = mfns[10] << 12 | PTE_FLAGS | PTE_U;
    for (i = 0; i < 4; i++)
        window_unmap(i);
    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = VGCF_IN_KERNEL | VGCF_online;
    ctx.user_regs.rflags = 0x200;
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    ctx.user_regs.rsi = 0x4321;
    ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.ctrlreg[3] = mfns[0] << 12;
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, dom), 0);
    EXPECT_EQ(type_of(mfns[0]), 0x40000000);                    /* validated, not pinned */
    memset(&ctx, 0x55, sizeof(ctx));
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, dom), 0);
    EXPECT_EQ(ctx.ctrlreg[3], mfns[0] << 12);
    EXPECT_EQ(ctx.ctrlreg[1], 0);
    EXPECT_EQ(ctx.user_regs.rsi, 0x4321);
    EXPECT_EQ(ctx.gdt_ents, 0);
    obs("flags", (long)ctx.flags);
    obs("rflags", (long)ctx.user_regs.rflags);
    obs("cs", ctx.user_regs.cs);
    obs("cr0", (long)ctx.ctrlreg[0]);
    obs("cr4", (long)ctx.ctrlreg[4]);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.nr_online_vcpus, 1);
    ctx.ctrlreg[3] = mfn_of(boot_l4()) << 12;
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, dom), -XEN_EOPNOTSUPP);         /* other tables than it has */
    domain_destroy(dom);
}

TEST(ports)
{
    struct evtchn_alloc_unbound a = { .dom = 0, .remote_dom = 0 };
    struct evtchn_status s;
    long local;

    if (!create())
        return;
    a.dom = dom;
    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, &a), 0);
    EXPECT_EQ(a.port, 1);
    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, &a), 0);
    EXPECT_EQ(a.port, 2);
    local = port_bind(dom, 2);
    EXPECT_GE(local, 1);
    s = (struct evtchn_status){ .dom = dom, .port = 2 };
    EXPECT_EQ(evtchn(EVTCHNOP_status, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(s.u.interdomain.dom, 0);
    EXPECT_EQ(s.u.interdomain.port, local);
    EXPECT_EQ(port_send((evtchn_port_t)local), 0);
    domain_destroy(dom);
    s = (struct evtchn_status){ .dom = DOMID_SELF, .port = (evtchn_port_t)local };
    EXPECT_EQ(evtchn(EVTCHNOP_status, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_unbound);                    /* the other end died */
    EXPECT_EQ(port_close((evtchn_port_t)local), 0);
}

TEST(grants)
{
    struct xen_mem_acquire_resource r = { .type = XENMEM_resource_grant_table,
                                          .id = XENMEM_resource_grant_table_id_shared };
    struct mmu_update req;
    grant_entry_v1_t *gt = (void *)WINDOW;
    xen_pfn_t frame = 0;
    grant_handle_t handle;
    char *window;

    if (!create())
        return;
    r.domid = dom;
    EXPECT_EQ(hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), 0);
    obs("frames", r.nr_frames);
    r.nr_frames = 1;
    set_xen_guest_handle(r.frame_list, &frame);
    EXPECT_EQ(hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), 0);
    EXPECT_NE(frame, 0);
    window_map(dom, 0, 0, 0);
    req = (struct mmu_update){ .ptr = maddr_of(pte_of((void *)WINDOW, 1)) | MMU_PT_UPDATE_NO_TRANSLATE,
                               .val = frame << 12 | PTE_FLAGS };
    EXPECT_EQ(mmu_updates(&req, 1, NULL, dom), 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, WINDOW, 0), 0);
    gt[1].domid = 0;
    gt[1].frame = (uint32_t)mfns[5];
    gt[1].flags = GTF_permit_access;
    window = page_alloc();
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    EXPECT_EQ(grant_map(window, dom, 1, GNTMAP_host_map, &handle), GNTST_okay);
    EXPECT_EQ(window[0], 0);
    window[0] = 3;
    EXPECT_EQ(gt[1].flags, GTF_permit_access | GTF_reading | GTF_writing);
    /* dying with a grant mapped here */
    window_unmap(0);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, dom), 0);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.flags & XEN_DOMINF_dying, XEN_DOMINF_dying);
    EXPECT_EQ(window[0], 3);
    EXPECT_EQ(grant_unmap(U(window), handle), GNTST_okay);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getdomaininfo, dom), -XEN_ESRCH);
    EXPECT_EQ(make_writable(window), 0);
    page_free(window);
}

TEST(dom_exc)
{
    long port;

    if (!create())
        return;
    port = port_bind_virq(VIRQ_DOM_EXC, 0);
    EXPECT_GE(port, 1);
    port_mask((evtchn_port_t)port);
    port_clear((evtchn_port_t)port);
    domain_destroy(dom);
    EXPECT(port_pending((evtchn_port_t)port));
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}
