/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: what the tools ask about the whole machine. */

#include "domctl.h"

#define SKIP_UNLESS_DOM0 do { if (!is_dom0()) return; sysctl_clear(); } while (0)

TEST(handshake)
{
    if (!is_dom0()) {
        obs("domu", sysctl(XEN_SYSCTL_physinfo));
        return;
    }
    sysctl_clear();
    sc.cmd = XEN_SYSCTL_physinfo;
    sc.interface_version = 0x99;
    EXPECT_EQ(hypercall(__HYPERVISOR_sysctl, &sc), -XEN_EACCES);
    EXPECT_EQ(hypercall(__HYPERVISOR_sysctl, 8), -XEN_EFAULT);
    EXPECT_EQ(sysctl(9999), -XEN_ENOSYS);
    EXPECT_EQ(sysctl(0), -XEN_ENOSYS);
}

TEST(physinfo)
{
    struct xen_sysctl_physinfo *p = &sc.u.physinfo;

    SKIP_UNLESS_DOM0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_physinfo), 0);
    EXPECT_GE(p->threads_per_core, 1);
    EXPECT_GE(p->cores_per_socket, 1);
    EXPECT_GE(p->nr_cpus, 1);
    EXPECT_GE(p->nr_nodes, 1);
    EXPECT_NE(p->cpu_khz, 0);
    EXPECT_GE(p->total_pages, p->free_pages);
    EXPECT_NE(p->free_pages, 0);
    EXPECT_NE(p->hw_cap[0], 0);
    EXPECT(p->capabilities & XEN_SYSCTL_PHYSCAP_pv);
    obs("threads", p->threads_per_core);
    obs("cores", p->cores_per_socket);
    obs("max_cpu_id", p->max_cpu_id);
    obs("max_node_id", p->max_node_id);
    obs("capabilities", p->capabilities);
    obs("arch_capabilities", p->arch_capabilities);
    obs("max_mfn", (long)p->max_mfn);
    obs("outstanding", (long)p->outstanding_pages);
    obs("hw_cap0", p->hw_cap[0]);
    obs("hw_cap1", p->hw_cap[1]);
    obs("hw_cap2", p->hw_cap[2]);
}

/* Free memory falls by what a domain takes and comes back when it goes. */
TEST(free_pages)
{
    uint64_t before, with;
    long dom;

    SKIP_UNLESS_DOM0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_physinfo), 0);
    before = sc.u.physinfo.free_pages;
    dom = domain_create(4096, 1);
    sysctl_clear();
    EXPECT_EQ(sysctl(XEN_SYSCTL_physinfo), 0);
    with = sc.u.physinfo.free_pages;
    EXPECT(with < before);
    obs("overhead", (long)(before - with));
    domain_destroy((domid_t)dom);
    sysctl_clear();
    EXPECT_EQ(sysctl(XEN_SYSCTL_physinfo), 0);
    EXPECT_GE(sc.u.physinfo.free_pages, with);
    obs("not_back", (long)(before - sc.u.physinfo.free_pages));
}

TEST(getdomaininfolist)
{
    static xen_domctl_getdomaininfo_t list[8];
    long a, b;

    SKIP_UNLESS_DOM0;
    a = domain_create(4096, 1);
    b = domain_create(4096, 1);
    sc.u.getdomaininfolist.max_domains = 8;
    set_xen_guest_handle(sc.u.getdomaininfolist.buffer, list);
    EXPECT_EQ(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    EXPECT_EQ(sc.u.getdomaininfolist.num_domains, 3);
    EXPECT_EQ(list[0].domain, 0);
    EXPECT_EQ(list[1].domain, a);
    EXPECT_EQ(list[2].domain, b);
    sc.u.getdomaininfolist.first_domain = 1;
    sc.u.getdomaininfolist.max_domains = 1;
    EXPECT_EQ(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    EXPECT_EQ(sc.u.getdomaininfolist.num_domains, 1);
    EXPECT_EQ(list[0].domain, a);
    sc.u.getdomaininfolist.first_domain = (domid_t)(b + 1);
    sc.u.getdomaininfolist.max_domains = 8;
    EXPECT_EQ(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    EXPECT_EQ(sc.u.getdomaininfolist.num_domains, 0);
    sc.u.getdomaininfolist.first_domain = 0;
    set_xen_guest_handle(sc.u.getdomaininfolist.buffer, (void *)8);
    EXPECT_EQ(sysctl(XEN_SYSCTL_getdomaininfolist), -XEN_EFAULT);
    domain_destroy((domid_t)a);
    domain_destroy((domid_t)b);
}

TEST(readconsole)
{
    static char text[16385];
    unsigned int i, found = 0;
    uint32_t first;

    SKIP_UNLESS_DOM0;
    sc.u.readconsole.incremental = 1;
    sc.u.readconsole.count = 16384;
    set_xen_guest_handle(sc.u.readconsole.buffer, text);
    EXPECT_EQ(sysctl(XEN_SYSCTL_readconsole), 0);
    EXPECT_GE(sc.u.readconsole.count, 100);
    first = sc.u.readconsole.index;
    EXPECT_GE(first, 100);
    for (i = 0; i + 5 < sc.u.readconsole.count; i++)
        found += !strncmp(text + i, "(XEN)", 5);
    EXPECT_GE(found, 5);
    sc.u.readconsole.count = 16384;
    EXPECT_EQ(sysctl(XEN_SYSCTL_readconsole), 0);               /* the rest, then nothing */
    sc.u.readconsole.count = 16384;
    EXPECT_EQ(sysctl(XEN_SYSCTL_readconsole), 0);
    EXPECT_EQ(sc.u.readconsole.count, 0);
}

TEST(topology)
{
    static xen_sysctl_cputopo_t cpus[64];
    static xen_sysctl_meminfo_t nodes[64];
    static uint32_t distance[64 * 64];

    SKIP_UNLESS_DOM0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    obs("num_cpus", sc.u.cputopoinfo.num_cpus);
    EXPECT_GE(sc.u.cputopoinfo.num_cpus, 1);
    sc.u.cputopoinfo.num_cpus = 64;
    set_xen_guest_handle(sc.u.cputopoinfo.cputopo, cpus);
    EXPECT_EQ(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    obs("core", cpus[0].core);
    obs("socket", cpus[0].socket);
    obs("node", cpus[0].node);
    sysctl_clear();
    EXPECT_EQ(sysctl(XEN_SYSCTL_numainfo), 0);
    obs("num_nodes", sc.u.numainfo.num_nodes);
    EXPECT_GE(sc.u.numainfo.num_nodes, 1);
    sc.u.numainfo.num_nodes = 64;
    set_xen_guest_handle(sc.u.numainfo.meminfo, nodes);
    set_xen_guest_handle(sc.u.numainfo.distance, distance);
    EXPECT_EQ(sysctl(XEN_SYSCTL_numainfo), 0);
    EXPECT_NE(nodes[0].memsize, 0);
    EXPECT_GE(nodes[0].memsize, nodes[0].memfree);
    obs("distance", distance[0]);
}

TEST(cpupools)
{
    static uint8_t map[8];

    SKIP_UNLESS_DOM0;
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    sc.u.cpupool_op.cpumap.nr_bits = 64;
    set_xen_guest_handle(sc.u.cpupool_op.cpumap.bitmap, map);
    EXPECT_EQ(sysctl(XEN_SYSCTL_cpupool_op), 0);
    EXPECT_EQ(sc.u.cpupool_op.cpupool_id, 0);
    EXPECT_EQ(sc.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
    EXPECT_GE(sc.u.cpupool_op.n_dom, 1);
    EXPECT_EQ(map[0] & 1, 1);
    sc.u.cpupool_op.cpupool_id = 1;
    EXPECT_EQ(sysctl(XEN_SYSCTL_cpupool_op), -XEN_ENOENT);
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    EXPECT_EQ(sysctl(XEN_SYSCTL_cpupool_op), 0);
    EXPECT_EQ(map[0], 0);
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_DESTROY;
    sc.u.cpupool_op.cpupool_id = 0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_cpupool_op), -XEN_EBUSY);
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    sc.u.cpupool_op.cpu = 0;
    obs("remove_last_cpu", sysctl(XEN_SYSCTL_cpupool_op));
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    sc.u.cpupool_op.domid = 77;
    obs("move_nobody", sysctl(XEN_SYSCTL_cpupool_op));
    sc.u.cpupool_op.op = 99;
    EXPECT_EQ(sysctl(XEN_SYSCTL_cpupool_op), -XEN_ENOSYS);
}

TEST(scheduler)
{
    SKIP_UNLESS_DOM0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_sched_id), 0);
    EXPECT_EQ(sc.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    sysctl_clear();
    sc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    sc.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    EXPECT_EQ(sysctl(XEN_SYSCTL_scheduler_op), 0);
    EXPECT_EQ(sc.u.scheduler_op.u.sched_credit2.ratelimit_us, 1000);
    sc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    EXPECT(sysctl(XEN_SYSCTL_scheduler_op) < 0);
    obs("other_scheduler", sysctl(XEN_SYSCTL_scheduler_op));
    sc.u.scheduler_op.cpupool_id = 9;
    obs("other_pool", sysctl(XEN_SYSCTL_scheduler_op));
}

TEST(cpu_policy)
{
    static const char *const names[] = { "leaves_raw", "leaves_host", "leaves_pv_max", "leaves_hvm_max",
                                         "leaves_pv_default", "leaves_hvm_default" };
    static uint32_t features[32];
    static xen_cpuid_leaf_t leaves[200];
    static xen_msr_entry_t msrs[8];
    unsigned int i;

    SKIP_UNLESS_DOM0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
    obs("feature_words", sc.u.cpu_featureset.nr_features);
    sc.u.cpu_featureset.nr_features = 32;
    set_xen_guest_handle(sc.u.cpu_featureset.features, features);
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
    EXPECT_NE(features[0], 0);
    sc.u.cpu_featureset.nr_features = 1;
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_featureset), -XEN_ENOBUFS);
    sc.u.cpu_featureset.index = 99;
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_featureset), -XEN_EINVAL);
    for (i = 0; i < 6; i++) {
        sysctl_clear();
        sc.u.cpu_policy.index = i;
        EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_policy), 0);
        sc.u.cpu_policy.nr_leaves = ARRAY_SIZE(leaves);
        sc.u.cpu_policy.nr_msrs = ARRAY_SIZE(msrs);
        set_xen_guest_handle(sc.u.cpu_policy.leaves, leaves);
        set_xen_guest_handle(sc.u.cpu_policy.msrs, msrs);
        EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_policy), 0);
        obs(names[i], sc.u.cpu_policy.nr_leaves);
    }
    sc.u.cpu_policy.index = 9;
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_cpu_policy), -XEN_EINVAL);
}

TEST(debug_keys)
{
    static char keys[] = "h";

    SKIP_UNLESS_DOM0;
    set_xen_guest_handle(sc.u.debug_keys.keys, keys);
    sc.u.debug_keys.nr_keys = 0;
    EXPECT_EQ(sysctl(XEN_SYSCTL_debug_keys), 0);
    sc.u.debug_keys.nr_keys = 1;
    set_xen_guest_handle(sc.u.debug_keys.keys, (void *)8);
    EXPECT_EQ(sysctl(XEN_SYSCTL_debug_keys), -XEN_EFAULT);
}

/* Diagnostics: whether they are there is a matter of configuration. */
TEST(others)
{
    static const struct { uint32_t cmd; const char *name; } list[] = {
        { XEN_SYSCTL_tbuf_op, "tbuf_op" }, { XEN_SYSCTL_perfc_op, "perfc_op" }, { XEN_SYSCTL_getcpuinfo,
                "getcpuinfo" },
        { XEN_SYSCTL_availheap, "availheap" }, { XEN_SYSCTL_get_pmstat,
                                                 "get_pmstat" }, { XEN_SYSCTL_cpu_hotplug, "cpu_hotplug" },
        { XEN_SYSCTL_pm_op, "pm_op" }, { XEN_SYSCTL_page_offline_op,
                                         "page_offline_op" }, { XEN_SYSCTL_lockprof_op, "lockprof_op" },
        { XEN_SYSCTL_coverage_op, "coverage_op" }, { XEN_SYSCTL_psr_cmt_op,
                                                     "psr_cmt_op" }, { XEN_SYSCTL_pcitopoinfo,
                                                             "pcitopoinfo" },
        { XEN_SYSCTL_psr_alloc, "psr_alloc" }, { XEN_SYSCTL_livepatch_op, "livepatch_op" },
    };
    unsigned int i;

    SKIP_UNLESS_DOM0;
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        sysctl_clear();
        obs(list[i].name, sysctl(list[i].cmd));
    }
}
