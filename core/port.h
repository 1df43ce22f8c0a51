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

/* Life. ports_init: 0 or -ENOMEM. ports_kill closes all (budgeted: -ERESTART), both ends; ports_free frees the memory. */
int ports_init(struct domain *d, unsigned max_ports);
__must_check int ports_kill(struct domain *d);
void ports_free(struct domain *d);
/* A vCPU is built / goes: FIFO control blocks, virqs. */
int ports_init_vcpu(struct vcpu *v);
void ports_fini_vcpu(struct vcpu *v);

/* Raises a virq: per-vCPU ones on v; global ones on whoever bound them (dom0 by default). Lock-free; any CPU, any lock. */
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

/* For debug key 'e' and the audit. */
void ports_dump(struct domain *d);
unsigned ports_in_use(struct domain *d);
unsigned ports_max(struct domain *d);

/* ---- Interrupt lines, made by x86/irq.c; called with the PORT lock held ---- */

/* d binds / releases the pirq: unmask or mask the line. 0 or errno (-EBUSY, -EINVAL). */
int machine_pirq_bind(struct domain *d, unsigned pirq, bool share);
void machine_pirq_unbind(struct domain *d, unsigned pirq);

#endif
