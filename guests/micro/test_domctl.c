/* SPDX-License-Identifier: BSD-2-Clause */
/* domctl: the life of another domain from outside, with the errors that the tools rely on. */

#include "domctl.h"

static long info(domid_t dom)
{
    domctl_clear();
    return domctl(XEN_DOMCTL_getdomaininfo, dom);
}

TEST(handshake)
{
    domctl_clear();
    if (!is_dom0()) {
        obs("domu", domctl(XEN_DOMCTL_getdomaininfo, 0));
        return;
    }
    dc.cmd = XEN_DOMCTL_getdomaininfo;
    dc.interface_version = 0x99;
    EXPECT_EQ(hypercall(__HYPERVISOR_domctl, &dc), -XEN_EACCES);
    EXPECT_EQ(hypercall(__HYPERVISOR_domctl, 8), -XEN_EFAULT);
    EXPECT_EQ(domctl(9999, 0), -XEN_ENOSYS);
    EXPECT_EQ(domctl(9999, 77), -XEN_ESRCH);
    EXPECT_EQ(domctl(0, 0), -XEN_ENOSYS);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, 77), -XEN_ESRCH);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, 0), -XEN_EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, 0), -XEN_EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, DOMID_SELF), -XEN_ESRCH);
}

TEST(dom0_info)
{
    if (!is_dom0())
        return;
    EXPECT_EQ(info(0), 0);
    EXPECT_EQ(dc.u.getdomaininfo.domain, 0);
    EXPECT_EQ(dc.u.getdomaininfo.flags & 0xff, XEN_DOMINF_running);
    EXPECT_GE(dc.u.getdomaininfo.tot_pages, start_info->nr_pages);
    EXPECT_NE(dc.u.getdomaininfo.cpu_time, 0);
    EXPECT_EQ(dc.u.getdomaininfo.shared_info_frame, start_info->shared_info >> 12);
    obs("flags", dc.u.getdomaininfo.flags);
    obs("emulation_flags", dc.u.getdomaininfo.arch_config.emulation_flags);
    obs("gpaddr_bits", dc.u.getdomaininfo.gpaddr_bits);
    EXPECT_EQ(info(1), -XEN_ESRCH);
}

TEST(create_and_destroy)
{
    long dom, next;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    if (!EXPECT_GE(dom, 1))
        return;
    EXPECT_EQ(info((domid_t)dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.domain, dom);
    EXPECT_EQ(dc.u.getdomaininfo.flags & 0xff, XEN_DOMINF_paused);
    EXPECT_EQ(dc.u.getdomaininfo.flags >> 16, 0xffff);
    EXPECT_EQ(dc.u.getdomaininfo.tot_pages, 0);
    EXPECT_EQ(dc.u.getdomaininfo.max_pages, 1024);
    EXPECT_EQ(dc.u.getdomaininfo.nr_online_vcpus, 0);
    EXPECT_EQ(dc.u.getdomaininfo.max_vcpu_id, 0);
    EXPECT_EQ(dc.u.getdomaininfo.ssidref, 0);            /* no security module: nothing is remembered */
    EXPECT_NE(dc.u.getdomaininfo.shared_info_frame, 0);
    /* asked for the first one from an id on */
    EXPECT_EQ(info(1), 0);
    EXPECT_EQ(dc.domain, dom);

    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, (domid_t)dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, (domid_t)dom), 0);
    EXPECT_EQ(info((domid_t)dom), 0);
    /* pauses are counted */
    EXPECT_EQ(dc.u.getdomaininfo.flags & XEN_DOMINF_paused, XEN_DOMINF_paused);
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, (domid_t)dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, (domid_t)dom), -XEN_EINVAL);
    domain_destroy((domid_t)dom);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, (domid_t)dom), -XEN_ESRCH);
    EXPECT_EQ(info((domid_t)dom), -XEN_ESRCH);
    next = domain_create(4096, 1);
    EXPECT_EQ(next, dom + 1);
    domain_destroy((domid_t)next);
}

static long create_with(void (*change)(struct xen_domctl_createdomain *), domid_t id)
{
    long rc;

    domctl_clear();
    dc.u.createdomain.max_vcpus = 1;
    dc.u.createdomain.max_evtchn_port = 1023;
    dc.u.createdomain.max_grant_frames = -1;
    dc.u.createdomain.max_maptrack_frames = -1;
    dc.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    if (change)
        change(&dc.u.createdomain);
    rc = domctl(XEN_DOMCTL_createdomain, id);
    if (rc == 0)
        domain_destroy(dc.domain);
    return rc;
}

static void no_vcpus(struct xen_domctl_createdomain *c) { c->max_vcpus = 0; }
static void many_vcpus(struct xen_domctl_createdomain *c) { c->max_vcpus = 100000; }
static void unknown_flag(struct xen_domctl_createdomain *c) { c->flags = 1u << 30; }
static void hap_only(struct xen_domctl_createdomain *c) { c->flags = XEN_DOMCTL_CDF_hap; }
static void emulation(struct xen_domctl_createdomain *c) { c->arch.emulation_flags = XEN_X86_EMU_LAPIC; }
static void misc_flags(struct xen_domctl_createdomain *c) { c->arch.misc_flags = 0x80; }
static void grant_version(struct xen_domctl_createdomain *c) { c->grant_opts = 7; }
static void no_grants(struct xen_domctl_createdomain *c) { c->grant_opts = 0; }
static void iommu(struct xen_domctl_createdomain *c) { c->flags = XEN_DOMCTL_CDF_iommu; }
static void pool(struct xen_domctl_createdomain *c) { c->cpupool_id = 9; }

TEST(create_errors)
{
    if (!is_dom0())
        return;
    EXPECT_EQ(create_with(NULL, 0xffff), 0);
    EXPECT_EQ(create_with(NULL, 500), 0);               /* an id of choice */
    EXPECT_EQ(create_with(NULL, 0), 0);                 /* 0: any, as libvirt says it */
    EXPECT_EQ(create_with(no_vcpus, 0xffff), -XEN_EINVAL);
    EXPECT_EQ(create_with(many_vcpus, 0xffff), -XEN_EINVAL);
    EXPECT_EQ(create_with(unknown_flag, 0xffff), -XEN_EINVAL);
    EXPECT_EQ(create_with(hap_only, 0xffff), -XEN_EINVAL);
    EXPECT_EQ(create_with(emulation, 0xffff), -XEN_EOPNOTSUPP);
    obs("misc_flags", create_with(misc_flags, 0xffff));
    obs("grant_version", create_with(grant_version, 0xffff));
    obs("no_grants", create_with(no_grants, 0xffff));
    obs("iommu", create_with(iommu, 0xffff));
    obs("pool", create_with(pool, 0xffff));
}

TEST(id_in_use)
{
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.createdomain.max_vcpus = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_createdomain, (domid_t)dom), -XEN_EEXIST);
    domain_destroy((domid_t)dom);
}

TEST(vcpus)
{
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.max_vcpus.max = 2;
    EXPECT_EQ(domctl(XEN_DOMCTL_max_vcpus, (domid_t)dom), -XEN_EINVAL);
    dc.u.max_vcpus.max = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_max_vcpus, (domid_t)dom), 0);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpuinfo, (domid_t)dom), 0);
    EXPECT_EQ(dc.u.getvcpuinfo.online, 0);
    EXPECT_EQ(dc.u.getvcpuinfo.cpu_time, 0);
    dc.u.getvcpuinfo.vcpu = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpuinfo, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpuinfo, 0), 0);
    EXPECT_EQ(dc.u.getvcpuinfo.online, 1);
    EXPECT_EQ(dc.u.getvcpuinfo.running, 1);
    EXPECT_NE(dc.u.getvcpuinfo.cpu_time, 0);
    domain_destroy((domid_t)dom);
}

TEST(affinity)
{
    uint8_t hard[1] = { 0xff }, soft[1] = { 0 };
    uint64_t nodes = 0;
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    dc.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(dc.u.vcpuaffinity.cpumap_hard.bitmap, hard);
    dc.u.vcpuaffinity.cpumap_soft.nr_bits = 8;
    set_xen_guest_handle(dc.u.vcpuaffinity.cpumap_soft.bitmap, soft);
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpuaffinity, (domid_t)dom), 0);
    obs("hard", hard[0]);
    obs("soft", soft[0]);
    hard[0] = 1;
    soft[0] = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpuaffinity, (domid_t)dom), 0);
    hard[0] = 0;
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpuaffinity, (domid_t)dom), -XEN_EINVAL);           /* nowhere to run */
    dc.u.vcpuaffinity.vcpu = 9;
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpuaffinity, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    dc.u.nodeaffinity.nodemap.nr_bits = 64;
    set_xen_guest_handle(dc.u.nodeaffinity.nodemap.bitmap, (uint8_t *)&nodes);
    EXPECT_EQ(domctl(XEN_DOMCTL_getnodeaffinity, (domid_t)dom), 0);
    obs("nodes", (long)nodes);
    nodes = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_setnodeaffinity, (domid_t)dom), 0);
    domain_destroy((domid_t)dom);
}

TEST(context)
{
    static vcpu_guest_context_t ctx;
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, (domid_t)dom), -XEN_ENODATA);
    memset(&ctx, 0, sizeof(ctx));
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, (domid_t)dom), -XEN_EINVAL);
    dc.u.vcpucontext.vcpu = 9;
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, (domid_t)dom), -XEN_EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_setvcpucontext, (domid_t)dom), 0);      /* NULL: reset */
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    obs("own", domctl(XEN_DOMCTL_getvcpucontext, 0));
    domain_destroy((domid_t)dom);
}

TEST(settings)
{
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.address_size.size = 64;
    EXPECT_EQ(domctl(XEN_DOMCTL_set_address_size, (domid_t)dom), 0);
    dc.u.address_size.size = 32;
    EXPECT_EQ(domctl(XEN_DOMCTL_set_address_size, (domid_t)dom), -XEN_EOPNOTSUPP);
    dc.u.address_size.size = 48;
    EXPECT_EQ(domctl(XEN_DOMCTL_set_address_size, (domid_t)dom), -XEN_EINVAL);
    EXPECT_EQ(domctl(XEN_DOMCTL_get_address_size, (domid_t)dom), 0);
    EXPECT_EQ(dc.u.address_size.size, 64);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_settscinfo, (domid_t)dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_gettscinfo, (domid_t)dom), 0);
    obs("tsc_mode", dc.u.tsc_info.tsc_mode);
    domctl_clear();
    dc.u.tsc_info.tsc_mode = 99;
    EXPECT_EQ(domctl(XEN_DOMCTL_settscinfo, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    dc.u.settimeoffset.time_offset_seconds = 10;
    EXPECT_EQ(domctl(XEN_DOMCTL_settimeoffset, (domid_t)dom), 0);
    domctl_clear();
    memset(dc.u.setdomainhandle.handle, 0x77, 16);
    EXPECT_EQ(domctl(XEN_DOMCTL_setdomainhandle, (domid_t)dom), 0);
    EXPECT_EQ(info((domid_t)dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.handle[15], 0x77);
    domctl_clear();
    dc.u.setdebugging.enable = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_setdebugging, (domid_t)dom), 0);
    EXPECT_EQ(info((domid_t)dom), 0);
    EXPECT_EQ(dc.u.getdomaininfo.flags & XEN_DOMINF_debugged, XEN_DOMINF_debugged);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_set_virq_handler, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    dc.u.ioport_permission.first_port = 0x60;
    dc.u.ioport_permission.nr_ports = 1;
    dc.u.ioport_permission.allow_access = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_ioport_permission, (domid_t)dom), 0);
    domctl_clear();
    dc.u.iomem_permission.first_mfn = 0xb8;
    dc.u.iomem_permission.nr_mfns = 1;
    dc.u.iomem_permission.allow_access = 1;
    EXPECT_EQ(domctl(XEN_DOMCTL_iomem_permission, (domid_t)dom), 0);
    domctl_clear();
    dc.u.irq_permission.pirq = 5000;
    EXPECT_EQ(domctl(XEN_DOMCTL_irq_permission, (domid_t)dom), -XEN_EINVAL);
    domain_destroy((domid_t)dom);
}

TEST(scheduler)
{
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    EXPECT_EQ(domctl(XEN_DOMCTL_scheduler_op, (domid_t)dom), 0);
    EXPECT_EQ(dc.u.scheduler_op.u.credit2.weight, 256);
    EXPECT_EQ(dc.u.scheduler_op.u.credit2.cap, 0);
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    dc.u.scheduler_op.u.credit2.weight = 512;
    dc.u.scheduler_op.u.credit2.cap = 50;
    EXPECT_EQ(domctl(XEN_DOMCTL_scheduler_op, (domid_t)dom), 0);
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    dc.u.scheduler_op.u.credit2.weight = 0;
    EXPECT_EQ(domctl(XEN_DOMCTL_scheduler_op, (domid_t)dom), 0);
    EXPECT_EQ(dc.u.scheduler_op.u.credit2.weight, 512);
    EXPECT_EQ(dc.u.scheduler_op.u.credit2.cap, 50);
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    EXPECT_EQ(domctl(XEN_DOMCTL_scheduler_op, (domid_t)dom), -XEN_EINVAL);
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    dc.u.scheduler_op.cmd = 99;
    EXPECT_EQ(domctl(XEN_DOMCTL_scheduler_op, (domid_t)dom), -XEN_EINVAL);
    domain_destroy((domid_t)dom);
}

TEST(cpu_policy)
{
    static xen_cpuid_leaf_t leaves[200];
    static xen_msr_entry_t msrs[8];
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_get_cpu_policy, (domid_t)dom), 0);
    obs("max_leaves", dc.u.cpu_policy.nr_leaves);
    obs("max_msrs", dc.u.cpu_policy.nr_msrs);
    dc.u.cpu_policy.nr_leaves = ARRAY_SIZE(leaves);
    dc.u.cpu_policy.nr_msrs = ARRAY_SIZE(msrs);
    set_xen_guest_handle(dc.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(dc.u.cpu_policy.msrs, msrs);
    EXPECT_EQ(domctl(XEN_DOMCTL_get_cpu_policy, (domid_t)dom), 0);
    EXPECT_GE(dc.u.cpu_policy.nr_leaves, 10);
    obs("leaves", dc.u.cpu_policy.nr_leaves);
    obs("msrs", dc.u.cpu_policy.nr_msrs);
    EXPECT_EQ(leaves[0].leaf, 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_set_cpu_policy, (domid_t)dom), 0);      /* its own back */
    leaves[1].c |= 1u << 5;                                             /* VMX in a PV guest */
    obs("set_bad", domctl(XEN_DOMCTL_set_cpu_policy, (domid_t)dom));
    obs("err_leaf", dc.u.cpu_policy.err_leaf);
    dc.u.cpu_policy.nr_leaves = 3;
    EXPECT_EQ(domctl(XEN_DOMCTL_get_cpu_policy, (domid_t)dom), -XEN_ENOBUFS);
    domain_destroy((domid_t)dom);
}

TEST(shadow_and_paging)
{
    long dom;

    if (!is_dom0())
        return;
    dom = domain_create(4096, 1);
    domctl_clear();
    dc.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_OFF;
    EXPECT_EQ(domctl(XEN_DOMCTL_shadow_op, (domid_t)dom), -XEN_EINVAL);
    domctl_clear();
    dc.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
    obs("enable_logdirty", domctl(XEN_DOMCTL_shadow_op, (domid_t)dom));
    domctl_clear();
    obs("set_paging_mempool", domctl(XEN_DOMCTL_set_paging_mempool_size, (domid_t)dom));
    domctl_clear();
    obs("get_paging_mempool", domctl(XEN_DOMCTL_get_paging_mempool_size, (domid_t)dom));
    domctl_clear();
    obs("gethvmcontext", domctl(XEN_DOMCTL_gethvmcontext, (domid_t)dom));
    domctl_clear();
    obs("sendtrigger", domctl(XEN_DOMCTL_sendtrigger, (domid_t)dom));
    domctl_clear();
    obs("assign_device", domctl(XEN_DOMCTL_assign_device, (domid_t)dom));
    domctl_clear();
    obs("test_assign_device", domctl(XEN_DOMCTL_test_assign_device, (domid_t)dom));
    domctl_clear();
    obs("resumedomain", domctl(XEN_DOMCTL_resumedomain, (domid_t)dom));
    domctl_clear();
    obs("subscribe", domctl(XEN_DOMCTL_subscribe, (domid_t)dom));
    domctl_clear();
    obs("get_vcpu_msrs", domctl(XEN_DOMCTL_get_vcpu_msrs, (domid_t)dom));
    obs("msr_count", dc.u.vcpu_msrs.msr_count);
    domctl_clear();
    obs("getvcpuextstate", domctl(XEN_DOMCTL_getvcpuextstate, (domid_t)dom));
    obs("xfeature_mask", (long)dc.u.vcpuextstate.xfeature_mask);
    obs("xsize", (long)dc.u.vcpuextstate.size);
    domctl_clear();
    obs("get_ext_vcpucontext", domctl(XEN_DOMCTL_get_ext_vcpucontext, (domid_t)dom));
    obs("ext_size", dc.u.ext_vcpucontext.size);
    domctl_clear();
    obs("vuart", domctl(XEN_DOMCTL_vuart_op, (domid_t)dom));
    domain_destroy((domid_t)dom);
}
