/* SPDX-License-Identifier: BSD-2-Clause */
/* Two domains on one CPU that wake each other: an event there and one back, and so two changes of domain. */

#include "bench.h"

#include "child.h"
#include "domctl.h"

#include <xen/sched.h>

#define ECHO_PORT 3             /* of the child: its builder made one for xenstore and one for the console */

static void wait_event(evtchn_port_t *port)
{
    struct sched_poll poll = { .nr_ports = 1 };

    set_xen_guest_handle(poll.ports, port);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    port_clear(*port);
}

/* What the child does. */
TEST_DESTRUCTIVE(echo)
{
    evtchn_port_t port = (evtchn_port_t)port_alloc(DOMID_SELF, 0);

    port_mask(port);
    for (;;) {
        wait_event(&port);
        port_send(port);
    }
}

/* The child is not as far at first. To bind may raise both ports: nothing is under way any more on return. */
static long bind_to_echo(domid_t dom)
{
    long port = -1;
    unsigned int i;

    for (i = 0; i < 1000 && port < 0; i++) {
        let_others_run();
        port = port_bind(dom, ECHO_PORT);
    }
    let_others_run();
    if (port >= 0)
        port_clear((evtchn_port_t)port);
    return port;
}

BENCH(echo)
{
    long dom, bound;
    evtchn_port_t port;

    if (!is_dom0())
        return;
    dom = child_build("destructive=echo");
    bench_need("child", dom);
    domctl_clear();
    bench_need("unpause", domctl(XEN_DOMCTL_unpausedomain, (domid_t)dom));
    bound = bind_to_echo((domid_t)dom);
    bench_need("bind", bound);
    port = (evtchn_port_t)bound;
    port_mask(port);
    MEASURE("ping_pong", 1, port_send(port); wait_event(&port));
    port_close(port);
    domain_destroy((domid_t)dom);
}
