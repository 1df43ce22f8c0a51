/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels: one-bit messages between domains, from the hypervisor (virqs), and from devices (pirqs).
 * This is what the rest of the hypervisor may ask of them; core/port.c, evtchn_2l.c and fifo.c make it.
 */
#ifndef CORE_PORT_H
#define CORE_PORT_H

#include "core/ids.h"

#include <xen/event_channel.h>

struct vcpu;
struct domain;

/*
 * Life. ports_init: 0 or -ENOMEM. ports_kill closes all (budgeted: -ERESTART), both ends; ports_free frees
 * the memory.
 */
int ports_init(struct domain *d, unsigned max_ports);
__must_check int ports_kill(struct domain *d);
void ports_free(struct domain *d);
/* A vCPU is built / goes: FIFO control blocks, virqs. */
int ports_init_vcpu(struct vcpu *v);
void ports_fini_vcpu(struct vcpu *v);

/*
 * Raises a virq: per-vCPU ones on v; global ones on whoever bound them (dom0 by default). Lock-free; any
 * CPU, any lock.
 */
void virq_raise(struct vcpu *v, unsigned virq);
void virq_raise_global(unsigned virq);

/* An interrupt line bound by d as `pirq` came in. True if it went to a port. Lock-free. */
bool pirq_raise(struct domain *d, unsigned pirq);

/* Send on a local port of d, as EVTCHNOP_send. 0, -EINVAL. */
int port_send(struct domain *d, evtchn_port_t port);
/* True if the port exists and is pending (for SCHEDOP_poll). -EINVAL if out of range. */
int port_is_pending(struct domain *d, evtchn_port_t port);

/* For the builder of dom0 and for domctl: an unbound port of d for `remote`. 0 or errno. */
int port_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *out);

/* ---- The sub-operations of <xen/event_channel.h>; each takes the PORT lock unless it says otherwise ---- */

/* d is the caller; the new local port is pending at once. -ESRCH, -EINVAL, -ENOSPC, -ENOMEM. */
int port_bind_interdomain(struct domain *d, domid_t remote, evtchn_port_t remote_port, evtchn_port_t *out);
/*
 * -EINVAL (no such virq; a global one not on vCPU 0), -EPERM, -ENOENT (no such vCPU), -EEXIST, -ENOSPC,
 * -ENOMEM.
 */
int port_bind_virq(struct domain *d, unsigned virq, uint32_t vcpu, evtchn_port_t *out);
int port_bind_ipi(struct domain *d, uint32_t vcpu, evtchn_port_t *out);
/*
 * -EINVAL (no such line), -EPERM (not mapped by d), -EEXIST, -ENOSPC, -ENOMEM, or what machine_pirq_bind()
 * says.
 */
int port_bind_pirq(struct domain *d, unsigned pirq, bool share, evtchn_port_t *out);
/* -EINVAL: not open. -ERESTART: its peer changed meanwhile, try again. */
int port_close(struct domain *d, evtchn_port_t port);
/* Fills all but dom and port. -EINVAL: beyond those that exist. */
int port_status(struct domain *d, struct evtchn_status *s);
int port_bind_vcpu(struct domain *d, evtchn_port_t port, uint32_t vcpu);
/* No lock. -EINVAL: beyond those that exist; a closed one is left alone. */
int port_unmask(struct domain *d, evtchn_port_t port);
/* Closes all; by_self: and back to 2-level. -ERESTART. */
__must_check int ports_reset(struct domain *d, bool by_self);

/* FIFO. -ENOENT (no such vCPU), -EINVAL, -ENOMEM, -ENOSPC, -ERESTART; the domain is 2-level: -EOPNOTSUPP
 * (expand_array), -ENOSYS (set_priority). */
int fifo_init_control(struct domain *d, uint32_t vcpu, mfn_t control, uint32_t offset);
int fifo_expand_array(struct domain *d, mfn_t page);
int fifo_set_priority(struct domain *d, evtchn_port_t port, uint32_t priority);

/* ---- SCHEDOP_poll ----
 *
 * The poller sets PAUSE_BLOCKED, calls port_poll_begin(), looks with port_is_pending(), and calls
 * port_poll_wake() if something is pending already. Who raises a port marks it first and looks for pollers
 * then: one of the two sees the other. port_poll_wake() is also what the timeout calls.
 */
void port_poll_begin(struct vcpu *v, uint32_t port); /* the port, or ~0u for any */
bool port_poll_end(struct vcpu *v);                  /* true if it was still polling */
void port_poll_wake(struct vcpu *v);                 /* port_poll_end(), and clears PAUSE_BLOCKED if it was */

/* Debug key 'e': says a few ports from `from` on, 0: the beginning; gives where to go on, 0: that was all. */
evtchn_port_t ports_dump(struct domain *d, evtchn_port_t from);
/* For the audit. */
unsigned ports_in_use(struct domain *d);
/* Each frame of d's that its event queues hold a WRITABLE reference to; `each` is called with the PORT lock held. */
void ports_each_frame(struct domain *d, void (*each)(void *data, mfn_t m, bool writable), void *data);
unsigned ports_max(struct domain *d);

/* ---- Interrupt lines, made by x86/irq.c; called with the PORT lock held ---- */

/* d binds / releases the pirq: unmask or mask the line. 0 or errno (-EBUSY, -EINVAL). */
int machine_pirq_bind(struct domain *d, unsigned pirq, bool share);
void machine_pirq_unbind(struct domain *d, unsigned pirq);

#endif
