/* SPDX-License-Identifier: BSD-2-Clause */
/* Events that the guest sends to itself: left pending, delivered by an upcall, unmasked. */

#include "bench.h"

#include "mm.h"
#include "trap.h"

#include <xen/callback.h>

static long set_upcall(void *entry)
{
    struct callback_register cb = { .type = CALLBACKTYPE_event, .flags = CALLBACKF_mask_events, .address = U(entry) };

    return hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb);
}

/* Nothing is pending and the port is open. */
static void quiet(evtchn_port_t port)
{
    port_clear(port);
    vcpu_info()->evtchn_pending_sel = 0;
    vcpu_info()->evtchn_upcall_pending = 0;
}

BENCH(events)
{
    struct evtchn_send send;
    struct evtchn_unmask unmask;
    long port = port_bind_ipi(0);

    bench_need("bind_ipi", port);
    send.port = unmask.port = (evtchn_port_t)port;
    port_unmask(send.port);
    MEASURE_AFTER("send_no_upcall", 1, quiet(send.port), evtchn(EVTCHNOP_send, &send));
    MEASURE("send_pending_already", 1, evtchn(EVTCHNOP_send, &send));
    quiet(send.port);
    MEASURE("unmask", 1, evtchn(EVTCHNOP_unmask, &unmask));

    bench_port = send.port;
    bench_info = vcpu_info();
    bench_pending = shared_info->evtchn_pending;
    bench_need("callback", set_upcall(bench_upcall));
    events_on();
    MEASURE("send_upcall_iret", 1, evtchn(EVTCHNOP_send, &send));
    events_off();
    set_upcall(trap_stub(TRAP_EVENT));
    port_close(send.port);
}
