/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest asks of the scheduler: <xen/sched.h>, and its one-shot timer by the old hypercall. */
#include "abi/hypercall.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/watchdog.h"

#include <stdatomic.h>
#include <xen/sched.h>

#define POLL_MAX_PORTS 128
#define REASON_MAX 255u /* as much as the tools can be told: XEN_DOMINF_shutdownmask */

static long yield(struct hypercall *hc, void *arg)
{
    sched_give_way();
    return 0;
}

static long block(struct hypercall *hc, void *arg)
{
    vcpu_block(hc->v);
    return 0;
}

/* What the tools are told: the code that the domain latched before, if it did. */
static int final_code(struct domain *d, unsigned reason)
{
    uint32_t latched = atomic_load(&d->latched_code);

    return latched ? (int)latched - 1 : (int)reason;
}

/* RDX has, for a suspend, the frame of the start info page: the tools find it in the registers. */
static long shut_down(struct hypercall *hc, void *arg)
{
    const struct sched_shutdown *a = arg;

    if (a->reason > REASON_MAX)
        return refuse(hc->v, -EINVAL, "shutdown reason %u", a->reason);
    domain_shutdown(hc->d, final_code(hc->d, a->reason));
    return 0;
}

static long poll(struct hypercall *hc, void *arg)
{
    const struct sched_poll *a = arg;
    evtchn_port_t ports[POLL_MAX_PORTS];
    long err;

    if (a->nr_ports > POLL_MAX_PORTS)
        return refuse(hc->v, -EINVAL, "poll of %u ports, at most %u", a->nr_ports, POLL_MAX_PORTS);
    if (a->nr_ports && guest_read(ports, handle_ptr(a->ports), a->nr_ports * sizeof(ports[0])))
        return -EFAULT;
    err = vcpu_poll(hc->v, ports, a->nr_ports, a->timeout);
    return err ? refuse(hc->v, err, "poll: one of %u ports is not valid", a->nr_ports) : 0;
}

static long remote_shutdown(struct hypercall *hc, void *arg)
{
    const struct sched_remote_shutdown *a = arg;
    struct domain *d;
    int err;

    if (a->reason > REASON_MAX)
        return refuse(hc->v, -EINVAL, "shutdown reason %u for d%u", a->reason, a->domain_id);
    d = domain_target(hc->d, a->domain_id, &err);
    if (!d)
        return refuse(hc->v, err, "shutdown of d%u", a->domain_id);
    domain_shutdown(d, final_code(d, a->reason));
    domain_put(d);
    return 0;
}

static long shutdown_code(struct hypercall *hc, void *arg)
{
    const struct sched_shutdown *a = arg;

    if (a->reason > REASON_MAX)
        return refuse(hc->v, -EINVAL, "shutdown code %u", a->reason);
    atomic_store(&hc->d->latched_code, a->reason + 1);
    return 0;
}

static long watchdog(struct hypercall *hc, void *arg)
{
    const struct sched_watchdog *a = arg;
    int rc;

    if (!a->id)
        rc = a->timeout ? watchdog_start(hc->d, a->timeout) : -EINVAL;
    else if (a->timeout)
        rc = watchdog_poke(hc->d, a->id, a->timeout);
    else
        rc = watchdog_stop(hc->d, a->id);
    return rc < 0 ? refuse(hc->v, rc, "watchdog %u, %u s", a->id, a->timeout) : rc;
}

static long pin_override(struct hypercall *hc, void *arg)
{
    const struct sched_pin_override *a = arg;
    int err = sched_pin_override(hc->v, a->pcpu);

    return err ? refuse(hc->v, err, "pin to CPU %d", a->pcpu) : 0;
}

static const struct subop rows[] = {
#define ROW  SUBOP_ROW
#define ROW0 SUBOP_ROW0
#include "abi/table/sched_op.def"
#undef ROW
#undef ROW0
};

long do_sched_op(struct hypercall *hc)
{
    return subop_run(hc, rows, ARRAY_SIZE(rows), (uint32_t)hc->arg[0], gptr(hc->arg[1]));
}

/* The interface of before 2006, without structures: no guest that we run uses it. */
long do_sched_op_compat(struct hypercall *hc)
{
    return -ENOSYS;
}

/* The caller's singleshot timer at an absolute system time; 0 stops it. */
long do_set_timer_op(struct hypercall *hc)
{
    struct vcpu *v = hc->v;

    if (!hc->arg[0]) {
        timer_stop(&v->singleshot);
        return 0;
    }
    timer_set_here(&v->singleshot, hc->arg[0]);
    return 0;
}
