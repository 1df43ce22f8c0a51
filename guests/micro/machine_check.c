/* SPDX-License-Identifier: BSD-2-Clause */
/* dom0 waits for a machine check, of which somebody else takes care (tests/guest/test_machine_check.py), and fetches it. */

#include "event.h"
#include "mca.h"

#include <xen/sched.h>

static struct xen_mc mc;
static mc_info_t info;

static long fetch(uint32_t flags)
{
    mc.u.mc_fetch.flags = flags;
    set_xen_guest_handle(mc.u.mc_fetch.data, &info);
    return mca(&mc, XEN_MC_fetch);
}

TEST_DESTRUCTIVE(machine_check)
{
    evtchn_port_t port = (evtchn_port_t)port_bind_virq(VIRQ_MCA, 0);
    struct sched_poll poll = { .nr_ports = 1 };
    const struct mcinfo_global *g = (const void *)info.mi_data;
    const struct mcinfo_bank *b = (const void *)(g + 1);

    set_xen_guest_handle(poll.ports, &port);
    print("dom0 waits\n");
    while (!port_pending(port))
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    EXPECT_EQ(fetch(XEN_MC_NONURGENT), 0);
    print("flags %x entries %u global %x size %u apic %u bank %u status %lx address %lx\n", mc.u.mc_fetch.flags, info.mi_nentries,
          g->mc_flags, g->common.size, g->mc_apicid, b->mc_bank, b->mc_status, b->mc_addr);
    EXPECT_EQ(fetch(XEN_MC_NONURGENT | XEN_MC_ACK), 0);
    EXPECT_EQ(fetch(XEN_MC_NONURGENT), 0);
    print("then flags %x\n", mc.u.mc_fetch.flags);
    for (;;)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
}
