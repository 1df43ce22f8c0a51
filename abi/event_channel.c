/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event channel hypercalls: <xen/event_channel.h>, from the guest's structures to core/port.h and back.
 */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "core/port.h"

static long bind_interdomain(struct hypercall *hc, void *arg)
{
    struct evtchn_bind_interdomain *a = arg;
    int err = port_bind_interdomain(hc->d, a->remote_dom, a->remote_port, &a->local_port);

    return err ? refuse(hc->v, err, "bind to d%u port %u", a->remote_dom, a->remote_port) : 0;
}

static long bind_virq(struct hypercall *hc, void *arg)
{
    struct evtchn_bind_virq *a = arg;
    int err = port_bind_virq(hc->d, a->virq, a->vcpu, &a->port);

    return err ? refuse(hc->v, err, "bind virq %u on vCPU %u", a->virq, a->vcpu) : 0;
}

static long bind_pirq(struct hypercall *hc, void *arg)
{
    struct evtchn_bind_pirq *a = arg;
    int err;

    if (a->flags & ~(uint32_t)BIND_PIRQ__WILL_SHARE)
        return refuse(hc->v, -EINVAL, "bind pirq %u: flags %#x", a->pirq, a->flags);
    err = port_bind_pirq(hc->d, a->pirq, a->flags & BIND_PIRQ__WILL_SHARE, &a->port);
    return err ? refuse(hc->v, err, "bind pirq %u", a->pirq) : 0;
}

static long bind_ipi(struct hypercall *hc, void *arg)
{
    struct evtchn_bind_ipi *a = arg;
    int err = port_bind_ipi(hc->d, a->vcpu, &a->port);

    return err ? refuse(hc->v, err, "bind an IPI to vCPU %u", a->vcpu) : 0;
}

static long close_port(struct hypercall *hc, void *arg)
{
    const struct evtchn_close *a = arg;
    int err = port_close(hc->d, a->port);

    return err == -EINVAL ? refuse(hc->v, err, "close port %u: not open", a->port) : err;
}

static long send(struct hypercall *hc, void *arg)
{
    const struct evtchn_send *a = arg;
    int err = port_send(hc->d, a->port);

    return err ? refuse(hc->v, err, "send on port %u", a->port) : 0;
}

static long alloc_unbound(struct hypercall *hc, void *arg)
{
    struct evtchn_alloc_unbound *a = arg;
    domid_t remote = a->remote_dom == DOMID_SELF ? hc->d->id : a->remote_dom;
    int err = 0;
    struct domain *d = domain_target(hc->d, a->dom, &err);

    if (!d)
        return refuse(hc->v, err, "alloc_unbound for d%u", a->dom);
    err = port_alloc_unbound(d, remote, &a->port);
    domain_put(d);
    return err ? refuse(hc->v, err, "alloc_unbound for d%u", a->dom) : 0;
}

static long status(struct hypercall *hc, void *arg)
{
    struct evtchn_status *a = arg;
    int err = 0;
    struct domain *d = domain_target(hc->d, a->dom, &err);

    if (!d)
        return refuse(hc->v, err, "status of ports of d%u", a->dom);
    err = port_status(d, a);
    domain_put(d);
    return err; /* the tools find the end of the ports by it: no refusal to explain */
}

static long bind_vcpu(struct hypercall *hc, void *arg)
{
    const struct evtchn_bind_vcpu *a = arg;
    int err = port_bind_vcpu(hc->d, a->port, a->vcpu);

    return err ? refuse(hc->v, err, "bind port %u to vCPU %u", a->port, a->vcpu) : 0;
}

static long unmask(struct hypercall *hc, void *arg)
{
    const struct evtchn_unmask *a = arg;
    int err = port_unmask(hc->d, a->port);

    return err ? refuse(hc->v, err, "unmask port %u", a->port) : 0;
}

static long reset(struct hypercall *hc, void *arg)
{
    const struct evtchn_reset *a = arg;
    int err = 0;
    struct domain *d = domain_target(hc->d, a->dom, &err);

    if (!d)
        return refuse(hc->v, err, "reset of d%u", a->dom);
    err = ports_reset(d, d == hc->d);
    domain_put(d);
    return err;
}

static long init_control(struct hypercall *hc, void *arg)
{
    struct evtchn_init_control *a = arg;
    int err = fifo_init_control(hc->d, a->vcpu, mfn(a->control_gfn), a->offset);

    if (err == -ERESTART)
        return err;
    if (err)
        return refuse(hc->v, err, "FIFO control block of vCPU %u in frame %#lx + %u", a->vcpu,
                      (unsigned long)a->control_gfn, a->offset);
    a->link_bits = EVTCHN_FIFO_LINK_BITS;
    return 0;
}

static long expand_array(struct hypercall *hc, void *arg)
{
    const struct evtchn_expand_array *a = arg;
    int err = fifo_expand_array(hc->d, mfn(a->array_gfn));

    if (err == -ERESTART)
        return err;
    return err ? refuse(hc->v, err, "FIFO array page in frame %#lx", (unsigned long)a->array_gfn) : 0;
}

static long set_priority(struct hypercall *hc, void *arg)
{
    const struct evtchn_set_priority *a = arg;
    int err = fifo_set_priority(hc->d, a->port, a->priority);

    return err ? refuse(hc->v, err, "priority %u of port %u", a->priority, a->port) : 0;
}

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#define ROW0 SUBOP_ROW0
#include "abi/table/event_channel.def"
#undef ROW
#undef ROW0
};

/* What guests do all the time, as its row says, but not by way of it. */
static long send_at(struct hypercall *hc, guest_ptr_t arg)
{
    struct evtchn_send a;

    return guest_read(&a, arg, sizeof(a)) ? -EFAULT : send(hc, &a);
}

static long unmask_at(struct hypercall *hc, guest_ptr_t arg)
{
    struct evtchn_unmask a;

    return guest_read(&a, arg, sizeof(a)) ? -EFAULT : unmask(hc, &a);
}

long do_event_channel_op(struct hypercall *hc)
{
    if (likely(hc->arg[0] == EVTCHNOP_send))
        return send_at(hc, gptr(hc->arg[1]));
    if (hc->arg[0] == EVTCHNOP_unmask)
        return unmask_at(hc, gptr(hc->arg[1]));
    return subop_run(hc, rows, ARRAY_SIZE(rows), hc->arg[0], gptr(hc->arg[1]));
}

/* The form before 0x00030202: command and argument in one structure, for the commands of that time. */
long do_event_channel_op_compat(struct hypercall *hc)
{
    guest_ptr_t op = gptr(hc->arg[0]);
    uint32_t cmd;

    if (guest_read(&cmd, op, sizeof(cmd)))
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return subop_run(hc, rows, ARRAY_SIZE(rows), cmd, gptr_plus(op, offsetof(struct evtchn_op, u)));
}
