/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports whose sender is the hypervisor: virtual interrupts (virqs) and the interrupt lines of devices
 * (pirqs).
 *
 * A virq of a vCPU is bound once per vCPU; a global one has one binder in the machine, on its vCPU 0.
 * v->virq_port[] says which port it goes to (written under the PORT lock, read by anyone). Raising takes no
 * lock: it becomes a user of the port and looks again whether the port is still that virq's, see
 * core/port_table.h; and a user of the global virq's slot, in the same way, to keep the binder.
 */
#include "core/frame.h"
#include "core/irqs.h"
#include "core/log.h"
#include "core/port_table.h"
#include "lib/errno.h"

/* Which virqs there are, from the list in <xen/xen.h>; global ones need a privilege. */
static const struct virq_kind {
    bool exists, per_vcpu;
    uint8_t needs; /* enum privilege */
} kinds[NR_VIRQS] = {
    [VIRQ_TIMER]      = { true, true, PRIV_NONE },
    [VIRQ_DEBUG]      = { true, true, PRIV_NONE },
    [VIRQ_CONSOLE]    = { true, false, PRIV_CONSOLE },
    [VIRQ_DOM_EXC]    = { true, false, PRIV_CONTROL },
    [VIRQ_TBUF]       = { true, false, PRIV_SYSTEM },
    [VIRQ_DEBUGGER]   = { true, false, PRIV_CONTROL },
    [VIRQ_XENOPROF]   = { true, true, PRIV_NONE },
    [VIRQ_CON_RING]   = { true, false, PRIV_CONSOLE },
    [VIRQ_PCPU_STATE] = { true, false, PRIV_SYSTEM },
    [VIRQ_MEM_EVENT]  = { true, false, PRIV_CONTROL },
    [VIRQ_ARGO]       = { true, false, PRIV_CONTROL },
    [VIRQ_ENOMEM]     = { true, false, PRIV_CONTROL },
    [VIRQ_XENPMU]     = { true, true, PRIV_NONE },
    [VIRQ_ARCH_0 ... VIRQ_ARCH_7] = { true, false, PRIV_SYSTEM },
};

/* Who has bound a global virq. */
static struct virq_slot {
    struct domain *_Atomic binder;
    _Atomic uint32_t users;
} slots[NR_VIRQS];

_Static_assert(ARRAY_SIZE(((struct vcpu *)0)->virq_port) == NR_VIRQS, "one port for each");

bool virq_is_per_vcpu(unsigned virq)
{
    return kinds[virq].per_vcpu;
}

/* ---- Binding: the PORT lock is held ---- */

static int open_virq(struct domain *d, struct vcpu *v, unsigned virq, evtchn_port_t *out)
{
    struct domain *nobody = NULL;
    struct port *p;
    int err;

    if (v->virq_port[virq])
        return -EEXIST;
    err = port_find_closed(d, out, &p);
    if (err)
        return err;
    if (!kinds[virq].per_vcpu && !atomic_compare_exchange_strong(&slots[virq].binder, &nobody, d))
        return -EEXIST;
    port_open(d, p, *out, BINDING(EVTCHNSTAT_virq, 0, virq), v->id);
    __atomic_store_n(&v->virq_port[virq], *out, __ATOMIC_RELEASE);
    return 0;
}

int port_bind_virq(struct domain *d, unsigned virq, uint32_t vcpu, evtchn_port_t *out)
{
    struct vcpu *v = port_vcpu_at(d, vcpu);
    int err;

    if (virq >= NR_VIRQS)
        return -EINVAL;
    virq = (unsigned)clamp_index(virq, NR_VIRQS);
    if (!kinds[virq].exists || (!kinds[virq].per_vcpu && vcpu != 0))
        return -EINVAL;
    if (!domain_may(d, kinds[virq].needs))
        return -EPERM;
    if (!v)
        return -ENOENT;
    lock(&d->ports->lock);
    err = open_virq(d, v, virq, out);
    unlock(&d->ports->lock);
    return err;
}

void virq_unbind(struct domain *d, unsigned virq, unsigned vcpu)
{
    struct virq_slot *s = &slots[virq];

    if (kinds[virq].per_vcpu) {
        __atomic_store_n(&d->vcpu[vcpu]->virq_port[virq], 0, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&d->vcpu[0]->virq_port[virq], 0, __ATOMIC_RELEASE);
    atomic_store(&s->binder, NULL);
    while (atomic_load(&s->users))
        machine_relax();
}

/* ---- Raising: no lock ---- */

void virq_raise(struct vcpu *v, unsigned virq)
{
    uint32_t nr = __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE);

    if (nr)
        (void)port_raise_if(v->domain, nr, BINDING(EVTCHNSTAT_virq, 0, virq));
}

void virq_raise_global(unsigned virq)
{
    struct virq_slot *s = &slots[virq];
    struct domain *d;

    atomic_fetch_add(&s->users, 1);
    d = atomic_load(&s->binder);
    if (d)
        virq_raise(d->vcpu[0], virq);
    atomic_fetch_sub(&s->users, 1);
}

void ports_fini_vcpu(struct vcpu *v)
{
    for (unsigned i = 0; i < NR_VIRQS; i++)
        ASSERT(!v->virq_port[i]); /* ports_kill() came before */
}

/* ---- Interrupt lines ---- */

/* The domain's table of ports by pirq, made at the first use. Lock held. */
static _Atomic uint32_t *pirq_table(struct ports *ps)
{
    if (!ps->pirq_port)
        atomic_store(&ps->pirq_port, (_Atomic uint32_t *)hv_alloc(NR_PIRQS * sizeof(uint32_t)));
    return ps->pirq_port;
}

static int open_pirq(struct domain *d, unsigned pirq, bool share, evtchn_port_t *out)
{
    _Atomic uint32_t *table = pirq_table(d->ports);
    struct port *p;
    int err;

    if (!table)
        return -ENOMEM;
    if (table[pirq])
        return -EEXIST;
    err = port_find_closed(d, out, &p);
    if (err)
        return err;
    /* Open before the line is: its first interrupt may come at once. */
    port_open(d, p, *out, BINDING(EVTCHNSTAT_pirq, 0, pirq), 0);
    atomic_store(&table[pirq], *out);
    err = machine_pirq_bind(d, pirq, share);
    if (err) {
        atomic_store(&table[pirq], 0);
        port_abandon(d, p, *out);
    }
    return err;
}

int port_bind_pirq(struct domain *d, unsigned pirq, bool share, evtchn_port_t *out)
{
    int err;

    if (pirq >= NR_PIRQS || pirq >= irqs_count())
        return -EINVAL;
    if (!irqs_is_mapped(d, pirq))
        return -EPERM;
    pirq = (unsigned)clamp_index(pirq, NR_PIRQS);
    lock(&d->ports->lock);
    err = open_pirq(d, pirq, share, out);
    unlock(&d->ports->lock);
    return err;
}

void pirq_unbind(struct domain *d, unsigned pirq)
{
    machine_pirq_unbind(d, pirq);
    atomic_store(&d->ports->pirq_port[pirq], 0);
}

bool pirq_raise(struct domain *d, unsigned pirq)
{
    _Atomic uint32_t *table = atomic_load(&d->ports->pirq_port);
    uint32_t nr = table && pirq < NR_PIRQS ? atomic_load(&table[pirq]) : 0;

    return nr && port_raise_if(d, nr, BINDING(EVTCHNSTAT_pirq, 0, pirq));
}
