/* SPDX-License-Identifier: BSD-2-Clause */
/* sched_op: giving up the processor, sleeping, polling, watchdogs; and the ends of a domain, one per boot. */

#include "event.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#include "trap.h"

static long sched_op(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_sched_op, cmd, arg);
}

static void timer_in(uint64_t ns)
{
    struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = now() + ns };

    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &t), 0);
}

TEST(yield)
{
    EXPECT_EQ(sched_op(SCHEDOP_yield, NULL), 0);
    EXPECT_EQ(sched_op(SCHEDOP_yield, (void *)8), 0);
}

/* block unmasks upcalls and comes back when one was there. */
TEST(block)
{
    long port = port_bind_virq(VIRQ_TIMER, 0);
    uint64_t start;

    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    port_count[port] = 0;
    start = now();
    timer_in(10000000);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    EXPECT_EQ(sched_op(SCHEDOP_block, NULL), 0);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    EXPECT_EQ(port_count[port], 1);
    EXPECT(now() >= start + 10000000);
    events_off();
    /* already pending: no sleep */
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    port = port_bind_ipi(0);
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    port_count[port] = 0;
    EXPECT_EQ(sched_op(SCHEDOP_block, NULL), 0);
    EXPECT_EQ(port_count[port], 1);
    events_off();
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

/* The instruction is no way to sleep. */
TEST(hlt)
{
    TRY("hlt", : :);
    EXPECT_EQ(trap_vector(), 13);
}

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
    struct sched_poll p = { .nr_ports = n, .timeout = timeout };

    set_xen_guest_handle(p.ports, ports);
    return sched_op(SCHEDOP_poll, &p);
}

TEST(poll)
{
    evtchn_port_t port = (evtchn_port_t)port_bind_ipi(0), timer = (evtchn_port_t)port_bind_virq(VIRQ_TIMER,
            0), bad = 1 << 20;
    uint64_t start = now();

    port_mask(port);
    port_mask(timer);
    EXPECT_EQ(poll(&port, 1, start + 10000000), 0);             /* until the time is up */
    EXPECT(now() >= start + 10000000);
    EXPECT_EQ(port_send(port), 0);
    EXPECT_EQ(poll(&port, 1, 0), 0);                            /* pending, though masked: at once */
    port_clear(port);
    port_clear(timer);
    timer_in(5000000);
    EXPECT_EQ(poll(&timer, 1, 0), 0);                           /* woken by the port itself */
    EXPECT(port_pending(timer));
    EXPECT_EQ(poll(&port, 0, now() + 1000000), 0);
    EXPECT_EQ(poll(&port, 129, 1), -XEN_EINVAL);
    EXPECT_EQ(poll(&bad, 1, 1), -XEN_EINVAL);
    EXPECT_EQ(poll((void *)8, 1, 1), -XEN_EFAULT);
    EXPECT_EQ(poll(&port, 1, 1), 0);                            /* long past */
    EXPECT_EQ(sched_op(SCHEDOP_poll, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(port_close(port), 0);
    EXPECT_EQ(port_close(timer), 0);
}

TEST(watchdog)
{
    struct sched_watchdog w = { .id = ~0u, .timeout = 0 };
    long id;

    EXPECT_EQ(sched_op(SCHEDOP_watchdog, &w), -XEN_EINVAL);
    w = (struct sched_watchdog){ .id = 0, .timeout = 100 };
    id = sched_op(SCHEDOP_watchdog, &w);
    EXPECT_GE(id, 1);
    w.id = (uint32_t)id;
    EXPECT_EQ(sched_op(SCHEDOP_watchdog, &w), 0);
    w.timeout = 0;
    EXPECT_EQ(sched_op(SCHEDOP_watchdog, &w), 0);
    EXPECT_EQ(sched_op(SCHEDOP_watchdog, &w), -XEN_EINVAL);     /* no longer there */
    EXPECT_EQ(sched_op(SCHEDOP_watchdog, (void *)8), -XEN_EFAULT);
}

TEST(errors)
{
    struct sched_remote_shutdown r = { .domain_id = 77, .reason = SHUTDOWN_crash };
    struct sched_pin_override pin = { .pcpu = 0 };

    EXPECT_EQ(sched_op(99, NULL), -XEN_ENOSYS);
    EXPECT_EQ(sched_op(SCHEDOP_shutdown, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(sched_op(SCHEDOP_remote_shutdown, &r), -XEN_ESRCH);
    EXPECT_EQ(sched_op(SCHEDOP_remote_shutdown, (void *)8), -XEN_EFAULT);
    obs("pin_override", sched_op(SCHEDOP_pin_override, &pin));
    pin.pcpu = -1;
    obs("pin_back", sched_op(SCHEDOP_pin_override, &pin));
    pin.pcpu = 4000;
    obs("pin_nowhere", sched_op(SCHEDOP_pin_override, &pin));
    EXPECT_EQ(sched_op(SCHEDOP_pin_override, (void *)8), is_dom0() ? -XEN_EFAULT : -XEN_EPERM);
}

TEST(shutdown_code)
{
    EXPECT_EQ(sched_op(SCHEDOP_shutdown_code, (void *)8), -XEN_EFAULT);
}

TEST_DESTRUCTIVE(poweroff) { shutdown(SHUTDOWN_poweroff); }
TEST_DESTRUCTIVE(reboot)   { shutdown(SHUTDOWN_reboot); }
TEST_DESTRUCTIVE(crash)    { shutdown(SHUTDOWN_crash); }
TEST_DESTRUCTIVE(watchdog_reason) { shutdown(SHUTDOWN_watchdog); }
TEST_DESTRUCTIVE(unknown_reason)  { shutdown(99); }

/* A watchdog that nobody feeds: the machine goes down by itself. */
TEST_DESTRUCTIVE(watchdog_expires)
{
    struct sched_watchdog w = { .id = 0, .timeout = 1 };

    EXPECT_GE(sched_op(SCHEDOP_watchdog, &w), 1);
    for (;;)
        sched_op(SCHEDOP_yield, NULL);
}
