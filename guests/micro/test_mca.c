/* SPDX-License-Identifier: BSD-2-Clause */
/* mca: what dom0's driver asks when it starts, and when there was no machine check. */

#include "mca.h"

static struct xen_mc mc;
static struct mcinfo_logical_cpu cpus[4];
static mc_info_t info;

TEST(handshake)
{
    memset(&mc, 0, sizeof(mc));
    if (!is_dom0()) {
        EXPECT_EQ(mca(&mc, XEN_MC_physcpuinfo), -XEN_EPERM);
        return;
    }
    mc.cmd = XEN_MC_physcpuinfo;
    mc.interface_version = 1;
    EXPECT_EQ(hypercall(__HYPERVISOR_mca, &mc), -XEN_EACCES);
    EXPECT_EQ(hypercall(__HYPERVISOR_mca, 8), -XEN_EFAULT);
    EXPECT_EQ(mca(&mc, 99), -XEN_EINVAL);
}

TEST(cpus)
{
    if (!is_dom0())
        return;
    memset(&mc, 0, sizeof(mc));
    EXPECT_EQ(mca(&mc, XEN_MC_physcpuinfo), 0);
    EXPECT(mc.u.mc_physcpuinfo.ncpus >= 1);
    if (mc.u.mc_physcpuinfo.ncpus > ARRAY_SIZE(cpus))
        mc.u.mc_physcpuinfo.ncpus = ARRAY_SIZE(cpus);
    memset(cpus, 0, sizeof(cpus));
    set_xen_guest_handle(mc.u.mc_physcpuinfo.info, cpus);
    EXPECT_EQ(mca(&mc, XEN_MC_physcpuinfo), 0);
    for (unsigned int i = 0; i < mc.u.mc_physcpuinfo.ncpus; i++)
        EXPECT_EQ(cpus[i].mc_cpunr, i);
    obs("family", cpus[0].mc_family);
    obs("vendor", cpus[0].mc_vendor);
    obs("ncores", cpus[0].mc_ncores);
    obs("nthreads", cpus[0].mc_nthreads);
    obs("nmsrvals", cpus[0].mc_nmsrvals);
    obs_str("vendorid", cpus[0].mc_vendorid);
}

TEST(nothing_to_fetch)
{
    static const uint32_t kinds[] = { XEN_MC_NONURGENT, XEN_MC_URGENT };

    if (!is_dom0())
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        memset(&mc, 0, sizeof(mc));
        mc.u.mc_fetch.flags = kinds[i];
        set_xen_guest_handle(mc.u.mc_fetch.data, &info);
        EXPECT_EQ(mca(&mc, XEN_MC_fetch), 0);
        EXPECT(mc.u.mc_fetch.flags & XEN_MC_NODATA);
    }
    mc.u.mc_fetch.flags = 0;
    EXPECT_EQ(mca(&mc, XEN_MC_fetch), -XEN_EINVAL);
}
