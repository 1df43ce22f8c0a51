/* SPDX-License-Identifier: BSD-2-Clause */
/* HYPERVISOR_mca: machine checks, for dom0. */
#ifndef MICRO_MCA_H
#define MICRO_MCA_H

#include "micro.h"

#include <xen/arch-x86/xen-mca.h>

/* In `mc`, of which all but the command is filled in. */
static inline long mca(struct xen_mc *mc, uint32_t cmd)
{
    mc->cmd = cmd;
    mc->interface_version = XEN_MCA_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_mca, mc);
}

#endif
