/* SPDX-License-Identifier: BSD-2-Clause */
/* Control operations in short; see domctl.h. */

#include "domctl.h"

struct xen_domctl dc;
struct xen_sysctl sc;

void domctl_clear(void)
{
    memset(&dc, 0, sizeof(dc));
}

void sysctl_clear(void)
{
    memset(&sc, 0, sizeof(sc));
}

long domctl(uint32_t cmd, domid_t dom)
{
    dc.cmd = cmd;
    dc.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    dc.domain = dom;
    return hypercall(__HYPERVISOR_domctl, &dc);
}

long sysctl(uint32_t cmd)
{
    sc.cmd = cmd;
    sc.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_sysctl, &sc);
}

long domain_create(unsigned long kib, unsigned int vcpus)
{
    domid_t dom;
    long rc;

    domctl_clear();
    dc.u.createdomain.ssidref = 12;
    dc.u.createdomain.max_vcpus = vcpus;
    dc.u.createdomain.max_evtchn_port = 1023;
    dc.u.createdomain.max_grant_frames = -1;
    dc.u.createdomain.max_maptrack_frames = -1;
    dc.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    rc = domctl(XEN_DOMCTL_createdomain, 0xffff);
    if (rc)
        return rc;
    dom = dc.domain;
    domctl_clear();
    dc.u.max_vcpus.max = vcpus;
    rc = domctl(XEN_DOMCTL_max_vcpus, dom);
    dc.u.max_mem.max_memkb = kib;
    rc = rc ?: domctl(XEN_DOMCTL_max_mem, dom);
    return rc ?: dom;
}

void domain_destroy(domid_t dom)
{
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_pausedomain, dom), 0);
    EXPECT_EQ(domctl(XEN_DOMCTL_destroydomain, dom), 0);
}

long press_keys(const char *keys)
{
    static char copy[16];
    unsigned int n = 0;

    for (; n < sizeof(copy) && keys[n] && keys[n] != ' '; n++)
        copy[n] = keys[n];
    sysctl_clear();
    set_xen_guest_handle(sc.u.debug_keys.keys, copy);
    sc.u.debug_keys.nr_keys = n;
    return sysctl(XEN_SYSCTL_debug_keys);
}
