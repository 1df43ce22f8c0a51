/* SPDX-License-Identifier: BSD-2-Clause */
/* Event channels, two-level: every operation, both ends of a loop-back channel, and what is refused. */

#include "event.h"

#include <xen/sched.h>

#include "trap.h"

static long status(evtchn_port_t port, struct evtchn_status *s)
{
    memset(s, 0, sizeof(*s));
    s->dom = DOMID_SELF;
    s->port = port;
    return evtchn(EVTCHNOP_status, s);
}

TEST(alloc_unbound)
{
    struct evtchn_status s;
    long port = port_alloc(DOMID_SELF, 5);

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(status((evtchn_port_t)port, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_unbound);
    EXPECT_EQ(s.u.unbound.dom, 5);
    EXPECT_EQ(s.vcpu, 0);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);               /* no peer: silently nothing */
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    EXPECT_EQ(status((evtchn_port_t)port, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_closed);
    EXPECT_EQ(port_alloc(77, 0), -XEN_ESRCH);
    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, (void *)8), -XEN_EFAULT);
}

TEST(interdomain_loopback)
{
    struct evtchn_status s;
    long a = port_alloc(DOMID_SELF, DOMID_SELF), b;

    if (!EXPECT_GE(a, 1))
        return;
    b = port_bind(DOMID_SELF, (evtchn_port_t)a);
    if (!EXPECT_GE(b, 1))
        return;
    EXPECT(port_pending((evtchn_port_t)b));                     /* a fresh channel rings once */
    EXPECT_EQ(status((evtchn_port_t)a, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(s.u.interdomain.port, b);
    obs("own_id", s.u.interdomain.dom);
    port_clear((evtchn_port_t)a);
    port_clear((evtchn_port_t)b);

    EXPECT_EQ(port_send((evtchn_port_t)a), 0);
    EXPECT(port_pending((evtchn_port_t)b));
    EXPECT(!port_pending((evtchn_port_t)a));
    EXPECT_EQ(port_send((evtchn_port_t)b), 0);
    EXPECT(port_pending((evtchn_port_t)a));

    /* somebody else may not take a bound port; the other end stays when one closes */
    EXPECT_EQ(port_bind(DOMID_SELF, (evtchn_port_t)a), -XEN_EINVAL);
    EXPECT_EQ(port_close((evtchn_port_t)b), 0);
    EXPECT_EQ(status((evtchn_port_t)a, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_unbound);
    EXPECT_EQ(port_close((evtchn_port_t)a), 0);
    EXPECT_EQ(port_close((evtchn_port_t)a), -XEN_EINVAL);
}

TEST(bind_interdomain_errors)
{
    long a = port_alloc(DOMID_SELF, 9);

    EXPECT_EQ(port_bind(DOMID_SELF, (evtchn_port_t)a), -XEN_EINVAL);    /* meant for another domain */
    EXPECT_EQ(port_bind(77, 1), -XEN_ESRCH);
    EXPECT_EQ(port_bind(DOMID_SELF, 0), -XEN_EINVAL);
    EXPECT_EQ(port_bind(DOMID_SELF, 100000), -XEN_EINVAL);
    EXPECT_EQ(port_bind(DOMID_SELF, ~0u), -XEN_EINVAL);
    EXPECT_EQ(port_close((evtchn_port_t)a), 0);
    EXPECT_EQ(port_close(0), -XEN_EINVAL);
    EXPECT_EQ(port_close(100000), -XEN_EINVAL);
    EXPECT_EQ(port_send(0), -XEN_EINVAL);
    EXPECT_EQ(port_send(100000), -XEN_EINVAL);
    EXPECT_EQ(port_send(~0u), -XEN_EINVAL);
    EXPECT_EQ(port_unmask(0), 0);
    EXPECT_EQ(port_unmask(100000), -XEN_EINVAL);
}

TEST(virq)
{
    struct evtchn_status s;
    long port = port_bind_virq(VIRQ_DEBUG, 0);

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(status((evtchn_port_t)port, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_virq);
    EXPECT_EQ(s.u.virq, VIRQ_DEBUG);
    EXPECT_EQ(port_bind_virq(VIRQ_DEBUG, 0), -XEN_EEXIST);
    EXPECT_EQ(port_send((evtchn_port_t)port), -XEN_EINVAL);     /* not a port to send by */
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    EXPECT_EQ(port_bind_virq(99, 0), -XEN_EINVAL);
    EXPECT_EQ(port_bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
    EXPECT_EQ(port_bind_virq(VIRQ_DEBUG, 9999), -XEN_ENOENT);
}

/* Global ones: once per domain, on vCPU 0, and for dom0 only once in the machine. */
TEST(global_virq)
{
    long port = port_bind_virq(VIRQ_DOM_EXC, 0);

    if (!is_dom0()) {
        obs("domu", port);
        return;
    }
    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(port_bind_virq(VIRQ_DOM_EXC, 0), -XEN_EEXIST);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    EXPECT_EQ(port_bind_virq(VIRQ_DOM_EXC, 1), -XEN_EINVAL);
    port = port_bind_virq(VIRQ_DOM_EXC, 0);
    EXPECT_GE(port, 1);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

TEST(ipi)
{
    struct evtchn_status s;
    long port = port_bind_ipi(0);

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(status((evtchn_port_t)port, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_ipi);
    EXPECT_EQ(s.vcpu, 0);
    port_count[port] = upcalls = 0;
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT(port_pending((evtchn_port_t)port));
    EXPECT_EQ(vcpu_info()->evtchn_upcall_pending, 1);
    EXPECT_EQ(upcalls, 0);                                      /* upcalls are masked */
    events_on();
    EXPECT_EQ(upcalls, 1);
    EXPECT_EQ(port_count[port], 1);
    /* unmasked: the upcall comes on the way out of the send */
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT_EQ(port_count[port], 2);
    EXPECT_EQ(upcall_regs.cs & 3, 0);
    EXPECT_EQ(upcall_regs.rflags & 0x200, 0x200);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    events_off();
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    EXPECT_EQ(port_bind_ipi(9999), -XEN_ENOENT);
}

/* Two sends before anybody looks are one event; a masked port rings when it is unmasked. */
TEST(mask_and_unmask)
{
    long port = port_bind_ipi(0);

    port_count[port] = upcalls = 0;
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    port_mask((evtchn_port_t)port);
    events_on();
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT_EQ(upcalls, 0);
    EXPECT(port_pending((evtchn_port_t)port));
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    EXPECT(!port_masked((evtchn_port_t)port));
    EXPECT_EQ(upcalls, 1);
    EXPECT_EQ(port_count[port], 1);
    events_off();
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

TEST(close_clears)
{
    long port = port_bind_ipi(0);

    port_mask((evtchn_port_t)port);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT(port_pending((evtchn_port_t)port));
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    EXPECT(!port_pending((evtchn_port_t)port));
}

TEST(bind_vcpu)
{
    struct evtchn_bind_vcpu bind = { .vcpu = 0 };
    long a = port_alloc(DOMID_SELF, DOMID_SELF), b = port_bind(DOMID_SELF,
                                                               (evtchn_port_t)a), ipi = port_bind_ipi(0);

    bind.port = (evtchn_port_t)b;
    EXPECT_EQ(evtchn(EVTCHNOP_bind_vcpu, &bind), 0);
    bind.vcpu = 9999;
    EXPECT_EQ(evtchn(EVTCHNOP_bind_vcpu, &bind), -XEN_ENOENT);
    bind.vcpu = 0;
    bind.port = (evtchn_port_t)ipi;
    EXPECT_EQ(evtchn(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL);
    bind.port = 100000;
    EXPECT_EQ(evtchn(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL);
    bind.port = 0;
    EXPECT_EQ(evtchn(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL);
    EXPECT_EQ(port_close((evtchn_port_t)a), 0);
    EXPECT_EQ(port_close((evtchn_port_t)b), 0);
    EXPECT_EQ(port_close((evtchn_port_t)ipi), 0);
}

TEST(status_errors)
{
    struct evtchn_status s = { .dom = 77, .port = 1 };

    EXPECT_EQ(evtchn(EVTCHNOP_status, &s), -XEN_ESRCH);
    EXPECT_EQ(status(0, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_closed);
    EXPECT_EQ(status(100000, &s), -XEN_EINVAL);
    EXPECT_EQ(evtchn(EVTCHNOP_status, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(evtchn(99, NULL), -XEN_ENOSYS);
    EXPECT_EQ(evtchn(EVTCHNOP_send, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(evtchn(EVTCHNOP_close, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(evtchn(EVTCHNOP_bind_virq, (void *)8), -XEN_EFAULT);
}

/* Allocation order, and the highest port. */
TEST(many_ports)
{
    static evtchn_port_t ports[200];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(ports); i++) {
        long p = port_alloc(DOMID_SELF, DOMID_SELF);

        if (!EXPECT_GE(p, 1))
            return;
        ports[i] = (evtchn_port_t)p;
    }
    obs("first", ports[0]);
    obs("last", ports[i - 1]);
    EXPECT_EQ(port_close(ports[50]), 0);
    EXPECT_EQ(port_alloc(DOMID_SELF, DOMID_SELF), ports[50]);   /* lowest free first */
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        EXPECT_EQ(port_close(ports[i]), 0);
}

TEST(pirq)
{
    struct evtchn_bind_pirq bind = { .pirq = 1 << 20 };

    EXPECT_EQ(evtchn(EVTCHNOP_bind_pirq, &bind), -XEN_EINVAL);
    bind.pirq = 9;
    obs("unmapped", evtchn(EVTCHNOP_bind_pirq, &bind));
    if (bind.port)
        port_close(bind.port);
}

TEST(reset)
{
    struct evtchn_reset r = { .dom = DOMID_SELF };
    struct evtchn_status s;
    long port = port_alloc(DOMID_SELF, DOMID_SELF);

    EXPECT_EQ(evtchn(EVTCHNOP_reset, &r), 0);
    EXPECT_EQ(status((evtchn_port_t)port, &s), 0);
    EXPECT_EQ(s.status, EVTCHNSTAT_closed);
    r.dom = 77;
    EXPECT_EQ(evtchn(EVTCHNOP_reset, &r), -XEN_ESRCH);
    EXPECT_EQ(evtchn(EVTCHNOP_reset, (void *)8), -XEN_EFAULT);
}

TEST(set_priority_needs_fifo)
{
    struct evtchn_set_priority p = { .port = 1, .priority = 0 };

    EXPECT_EQ(evtchn(EVTCHNOP_set_priority, &p), -XEN_ENOSYS);
}
