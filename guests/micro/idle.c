/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dom0 tells of idle states, as its kernel does, and sleeps, from CPU to CPU: each is woken by its timer, and by who comes to it.
 * states=mwait or port; the counters are judged by who reads them (tests/guest/test_idle.py).
 */

#include "domctl.h"
#include "event.h"

#include <xen/platform.h>
#include <xen/sched.h>

#define ROUNDS 100

/* As Linux uploads them: by MWAIT with the vendor's class and hint, by port with its width. */
#define HALT              { .reg = { .space_id = 0x7f }, .type = 1, .latency = 0 }
#define MWAIT(c, hint)    { .reg = { .space_id = 0x7f, .bit_width = 1, .bit_offset = 2, .address = (hint) }, .type = (c), \
                            .latency = (c) }
#define PORT(c, port)     { .reg = { .space_id = 1, .bit_width = 8, .access_size = 1, .address = (port) }, .type = (c), \
                            .latency = (c) }

static struct xen_processor_cx by_mwait[] = { MWAIT(1, 0x00), MWAIT(2, 0x10), MWAIT(3, 0x20) };
static struct xen_processor_cx by_port[] = { HALT, PORT(2, 0x80) };
static struct xen_platform_op op;
static uint64_t entered[16], resided[16];

static void upload(unsigned int cpu, struct xen_processor_cx *states, unsigned int n)
{
    memset(&op, 0, sizeof(op));
    op.cmd = XENPF_set_processor_pminfo;
    op.interface_version = XENPF_INTERFACE_VERSION;
    op.u.set_pminfo.id = cpu;
    op.u.set_pminfo.type = XEN_PM_CX;
    op.u.set_pminfo.u.power.count = n;
    set_xen_guest_handle(op.u.set_pminfo.u.power.states, states);
    print("upload %u: %ld\n", cpu, hypercall(__HYPERVISOR_platform_op, &op));
}

static void report(const char *when, unsigned int cpu)
{
    struct pm_cx_stat *s = &sc.u.get_pmstat.u.getcx;

    sysctl_clear();
    sc.u.get_pmstat.type = PMSTAT_get_cxstat;
    sc.u.get_pmstat.cpuid = cpu;
    s->nr = ARRAY_SIZE(entered);
    set_xen_guest_handle(s->triggers, entered);
    set_xen_guest_handle(s->residencies, resided);
    EXPECT_EQ(sysctl(XEN_SYSCTL_get_pmstat), 0);
    print("%s CPU %u: ", when, cpu);
    for (unsigned int i = 0; i < s->nr; i++)
        print("C%u %lu times %lu us, ", i, entered[i], resided[i] / 1000);
    print("last C%u\n", s->last);
}

static void limit(uint32_t type)
{
    sysctl_clear();
    sc.u.pm_op.cmd = XEN_SYSCTL_pm_op_set_max_cstate;
    sc.u.pm_op.u.set_max_cstate = type;
    EXPECT_EQ(sysctl(XEN_SYSCTL_pm_op), 0);
}

static void pin(int32_t cpu)
{
    struct sched_pin_override p = { .pcpu = cpu };

    EXPECT_EQ(hypercall(__HYPERVISOR_sched_op, SCHEDOP_pin_override, &p), 0);
}

static void sleep_on_each(unsigned int cpus)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        pin((int32_t)(i % cpus));
        let_others_run();
        let_others_run();
        pin(-1);
    }
}

TEST_DESTRUCTIVE(idle_states)
{
    static const uint32_t limits[] = { 1, XEN_SYSCTL_CX_UNLIMITED, 0 };
    static const char *const names[] = { "C1", "all", "C0" };
    const char *states = option("states");
    unsigned int cpus;

    sysctl_clear();
    EXPECT_EQ(sysctl(XEN_SYSCTL_physinfo), 0);
    cpus = sc.u.physinfo.nr_cpus;
    for (unsigned int i = 0; i < cpus; i++)
        upload(i, *states == 'm' ? by_mwait : by_port, *states == 'm' ? ARRAY_SIZE(by_mwait) : ARRAY_SIZE(by_port));
    for (unsigned int k = 0; k < ARRAY_SIZE(limits); k++) {
        limit(limits[k]);
        sleep_on_each(cpus);
        for (unsigned int i = 0; i < cpus; i++)
            report(names[k], i);
    }
}
