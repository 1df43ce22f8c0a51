/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the ports: what core/port.c, virq.c, evtchn_2l.c and fifo.c share. Nobody else includes this.
 *
 * A domain's ports are structures in pages that are added as numbers get used and stay for the domain's
 * life. A port's binding is one word, its life in the state of that word:
 *
 *   closed -> unbound | interdomain | pirq | virq | ipi -> closed;  unbound <-> interdomain
 *
 * Who may touch a field: [p] written under the owning domain's PORT lock (an interdomain pair: both
 * domains' locks, lower address first), read by any CPU; [a] atomic, any CPU; [I] set before the domain is
 * published.
 *
 * While no PORT lock is held:
 *   P1  a closed port has no users to come, no peer, and is not pending unless its guest wrote so itself
 *   P2  an interdomain port's peer is interdomain too and names this port; each holds a reference on the
 *       other's domain
 *   P3  chunk->used counts the ports of the chunk that are not closed (and port 0, which is never used);
 *       in_use all
 *
 * Sending takes no lock. Who sends on, raises or looks at a port is one of its users for that moment:
 *
 *   sender:  users += 1; read bind; act by what it says;       users -= 1
 *   closer:  write bind (to closed or unbound); wait until users is 0; then drop the peer's reference,
 *            clear, reuse
 *
 * All four accesses are sequentially consistent, so either the sender reads the new binding, or the closer
 * sees the user and waits. Hence `peer`, the peer's domain, and the pages of event words stay valid for as
 * long as a user acts on them. The wait is short: a user takes no PORT lock and waits for nothing that a
 * holder of one keeps from it.
 */
#ifndef CORE_PORT_TABLE_H
#define CORE_PORT_TABLE_H

#include "core/domain.h"
#include "core/port.h"
#include "core/vcpu.h"

#include <stdatomic.h>

/* The binding: EVTCHNSTAT_* | domain << 16 | number << 32. */
typedef uint64_t binding_t;

#define BINDING(state, dom, number) ((binding_t)(state) | (binding_t)(dom) << 16 | (binding_t)(number) << 32)

static inline unsigned binding_state(binding_t b)  { return b & 0xffff; }
static inline domid_t binding_dom(binding_t b)     { return (domid_t)(b >> 16); }
/* The peer's port, the virq or the pirq. */
static inline uint32_t binding_number(binding_t b) { return (uint32_t)(b >> 32); }

struct port {
    _Atomic binding_t bind;     /* [p] */
    struct domain *peer;        /* [p] while interdomain; read by users only */
    _Atomic uint32_t users;     /* [a] */
    _Atomic uint16_t vcpu;      /* [p] who is notified */
    _Atomic uint16_t queue;     /* [a] FIFO: where it was linked last: vCPU << 4 | priority */
    _Atomic uint8_t priority;   /* [p] FIFO */
    _Atomic uint8_t parked;     /* [a] FIFO: pending, but its event word does not exist yet */
};
_Static_assert(sizeof(struct port) == 32, "128 to a page");

enum { PORTS_PER_CHUNK = PAGE_SIZE / sizeof(struct port), NR_PIRQS = 4096 };

struct port_chunk {
    struct port *ports;         /* [p] valid for numbers below ports->allocated */
    unsigned used;              /* [p] */
};

struct fifo;

/*
 * How pending events show in the guest's memory. Each is called by a user of the port or with the PORT lock
 * held.
 */
struct port_ops {
    unsigned max_ports;
    /* Marks it pending; gives the vCPU that now has something new to look at, or NULL. */
    struct vcpu *(*raise)(struct domain *d, struct port *p, evtchn_port_t nr);
    /* Unmasks it; as above if it was pending. */
    struct vcpu *(*unmask)(struct domain *d, struct port *p, evtchn_port_t nr);
    void (*clear)(struct domain *d, struct port *p, evtchn_port_t nr);
    bool (*is_pending)(struct domain *d, struct port *p, evtchn_port_t nr);
    bool (*is_masked)(struct domain *d, struct port *p, evtchn_port_t nr);
};

extern const struct port_ops evtchn_2l_ops, fifo_ops;

/*
 * vCPUs that poll are found by their port, so that who raises one looks at few of them, however many poll others. v->poll_port says
 * what a vCPU polls; a bit may be left of an earlier poll, but who polls has his: who takes one away ends the poll next, whichever
 * it is by then.
 */
#define POLL_BUCKETS 64u

static inline unsigned poll_bucket(uint32_t what) { return what == POLL_SEVERAL ? POLL_BUCKETS : what % POLL_BUCKETS; }

struct ports {
    struct lock lock;                          /* class PORT */
    unsigned max;                              /* [I] numbers are below this */
    _Atomic unsigned allocated;                /* [p] only grows: numbers below it have a structure */
    _Atomic unsigned in_use;                   /* [p] */
    bool dying;                                /* [p] no new bindings */
    _Atomic evtchn_port_t cursor;              /* [a] how far closing all of them has come */
    _Atomic(const struct port_ops *) ops;      /* [p] */
    struct fifo *_Atomic fifo;                 /* [p] NULL while 2-level */
    _Atomic uint32_t *_Atomic pirq_port;       /* [p] NR_PIRQS ports by pirq; NULL until the first is bound */
    _Atomic uint64_t polling[MAX_VCPUS / 64];  /* [a] vCPUs in SCHEDOP_poll; and by poll_bucket() of what they poll: */
    _Atomic uint64_t poll_of[POLL_BUCKETS + 1][MAX_VCPUS / 64];
    struct port_chunk chunk[];                 /* for `max` ports */
};

/* The port, or NULL if the number has none. No lock. */
static inline struct port *port_at(struct ports *ps, evtchn_port_t nr)
{
    unsigned n = atomic_load_explicit(&ps->allocated, memory_order_acquire);

    if (nr >= n)
        return NULL;
    nr = (evtchn_port_t)clamp_index(nr, n);
    return &ps->chunk[nr / PORTS_PER_CHUNK].ports[nr % PORTS_PER_CHUNK];
}

/* Becomes a user; what the port is bound to now. */
static inline binding_t port_enter(struct port *p)
{
    atomic_fetch_add(&p->users, 1);
    return atomic_load(&p->bind);
}

static inline void port_leave(struct port *p)
{
    atomic_fetch_sub(&p->users, 1);
}

static inline struct vcpu *port_vcpu_at(const struct domain *d, uint32_t id)
{
    return id < d->max_vcpus && id < MAX_VCPUS ? d->vcpu[clamp_index(id, MAX_VCPUS)] : NULL;
}

/* Marks a port pending and tells its vCPU and pollers. By a user, or with the lock held. */
void port_raise(struct domain *d, struct port *p, evtchn_port_t nr);
/* port_raise() if the port is bound as `expected`. */
bool port_raise_if(struct domain *d, evtchn_port_t nr, binding_t expected);

/* A closed port to bind, for a domain that is not dying. Lock held. -ESRCH, -ENOSPC, -ENOMEM. */
__must_check int port_find_closed(struct domain *d, evtchn_port_t *nr, struct port **out);
/* Binds it; `p->peer` is set. Lock held. */
void port_open(struct domain *d, struct port *p, evtchn_port_t nr, binding_t to, unsigned vcpu);
/* Closes what was just opened and is known to nobody else. Lock held. */
void port_abandon(struct domain *d, struct port *p, evtchn_port_t nr);

/* core/virq.c: the interrupt's side of closing a virq or pirq port, lock held. */
void virq_unbind(struct domain *d, unsigned virq, unsigned vcpu);
void pirq_unbind(struct domain *d, unsigned pirq);
/* Whether its vCPU is fixed. */
bool virq_is_per_vcpu(unsigned virq);

/*
 * core/fifo.c: takes d back to 2-level. All ports closed, lock held; what it returns goes to fifo_free()
 * without the lock.
 */
__must_check struct fifo *fifo_detach(struct domain *d);
void fifo_free(struct domain *d, struct fifo *f);

#endif
