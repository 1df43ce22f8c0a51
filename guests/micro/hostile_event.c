/* SPDX-License-Identifier: BSD-2-Clause */
/* Wild ports, vCPUs and interrupt numbers at every event-channel operation; wild vCPUs at every vcpu_op. */

#include "hostile.h"

#include <xen/vcpu.h>

static const struct {
    const char *name;
    evtchn_port_t port;
} ports[] = {
    { "zero", 0 }, { "closed", 1000 }, { "last_two_level", 4095 }, { "behind_two_level", 4096 },
    { "last_fifo", 131071 }, { "behind_fifo", 131072 }, { "int_max", 0x7fffffff }, { "int_min", 0x80000000 },
    { "minus_one", ~0u },
};

static long at_status(unsigned int p)
{
    return evtchn(EVTCHNOP_status, &(struct evtchn_status){ .dom = DOMID_SELF, .port = p });
}
static long at_vcpu(unsigned int p)      { return evtchn(EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ .port = p }); }
static long at_priority(unsigned int p)  { return evtchn(EVTCHNOP_set_priority, &(struct evtchn_set_priority){ .port = p }); }
static long at_peer(unsigned int p)      { return port_bind(DOMID_SELF, p); }
static long at_close(unsigned int p)     { return port_close(p); }
static long at_send(unsigned int p)      { return port_send(p); }
static long at_unmask(unsigned int p)    { return port_unmask(p); }
static long at_peer_dom0(unsigned int p) { return is_dom0() ? -XEN_EINVAL : port_bind(0, p); }
static long at_expand(unsigned int p)
{
    return evtchn(EVTCHNOP_expand_array, &(struct evtchn_expand_array){ .array_gfn = p | 1UL << 40 });
}
static long at_control(unsigned int p)
{
    return evtchn(EVTCHNOP_init_control, &(struct evtchn_init_control){ .control_gfn = p | 1UL << 40 });
}
static long at_offset(unsigned int p)
{
    return evtchn(EVTCHNOP_init_control, &(struct evtchn_init_control){ .control_gfn = 1UL << 40, .offset = p | 1 });
}

TEST(ports)
{
    static const struct { const char *name; long (*run)(unsigned int port); long want; } attacks[] = {
        { "close", at_close, REFUSED }, { "send", at_send, REFUSED }, { "status", at_status, NO_GAIN },
        { "bind_vcpu", at_vcpu, REFUSED }, { "unmask", at_unmask, NO_GAIN }, { "set_priority", at_priority, REFUSED },
        { "bind_interdomain", at_peer, REFUSED }, { "bind_to_dom0", at_peer_dom0, REFUSED },
        { "expand_array", at_expand, REFUSED }, { "init_control", at_control, REFUSED },
        { "control_offset", at_offset, REFUSED },
    };
    unsigned int a, i;

    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(ports); i++)
            verdict(attacks[a].name, ports[i].name, attacks[a].run(ports[i].port), attacks[a].want);
}

static const struct {
    const char *name;
    unsigned int n;
} numbers[] = {
    { "behind_guest", 64 }, { "n8191", 8191 }, { "n8192", 8192 }, { "int_max", 0x7fffffff }, { "int_min", 0x80000000 },
    { "minus_one", ~0u },
};

static long ipi(unsigned int n)       { return port_bind_ipi(n); }
static long virq(unsigned int n)      { return port_bind_virq(n, 0); }
static long virq_vcpu(unsigned int n) { return port_bind_virq(VIRQ_TIMER, n); }
static long pirq(unsigned int n)      { return evtchn(EVTCHNOP_bind_pirq, &(struct evtchn_bind_pirq){ .pirq = n | 0x10000 }); }
static long move(unsigned int n)
{
    long port = port_bind_ipi(0), rc = evtchn(EVTCHNOP_bind_vcpu,
            &(struct evtchn_bind_vcpu){ .port = (evtchn_port_t)port, .vcpu = n });

    port_close((evtchn_port_t)port);
    return rc;
}
static long priority(unsigned int n)
{
    long port = port_bind_ipi(0), rc = evtchn(EVTCHNOP_set_priority,
            &(struct evtchn_set_priority){ .port = (evtchn_port_t)port, .priority = n });

    port_close((evtchn_port_t)port);
    return rc;
}
static long control_vcpu(unsigned int n)
{
    return evtchn(EVTCHNOP_init_control, &(struct evtchn_init_control){ .control_gfn = 1UL << 40, .vcpu = n });
}

static char argument[PAGE_SIZE] __attribute__((aligned(4096)));

static long vcpu_op(unsigned int cmd, unsigned int n)
{
    memset(argument, 0, 256);
    return hypercall(__HYPERVISOR_vcpu_op, cmd, n, argument);
}

TEST(numbers)
{
    static const struct { const char *name; long (*run)(unsigned int n); } attacks[] = {
        { "bind_ipi", ipi }, { "bind_virq", virq }, { "bind_virq_vcpu", virq_vcpu }, { "bind_pirq", pirq },
        { "bind_vcpu_to", move }, { "priority", priority }, { "control_vcpu", control_vcpu },
    };
    static const char *const ops[] = {
        "initialise", "up", "down", "is_up", "get_runstate", "register_runstate", "set_periodic", "stop_periodic",
        "set_singleshot", "stop_singleshot", "register_info", "send_nmi", "get_physid", "register_time",
    };
    unsigned int a, i;

    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(numbers); i++)
            verdict(attacks[a].name, numbers[i].name, attacks[a].run(numbers[i].n), REFUSED);
    for (a = 0; a < ARRAY_SIZE(ops); a++)
        for (i = 0; i < ARRAY_SIZE(numbers); i++)
            verdict(ops[a], numbers[i].name, vcpu_op(a, numbers[i].n), -XEN_ENOENT);
}
