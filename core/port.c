/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: one-bit messages between domains. Binding two ports makes a channel; sending on one raises the
 * other and wakes a vCPU. Bits merge: ten sends before the reader looks are one.
 *
 * Numbers are given out lowest first. Sending, unmasking and raising take no lock; why that is safe stands in
 * core/port_table.h.
 */
#include "core/port.h"

#include "core/budget.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/port_table.h"
#include "core/trace_inline.h"
#include "lib/errno.h"

/* ---- The table ---- */

/* Of a table for so many ports. */
static size_t bytes_for(unsigned max)
{
    return sizeof(struct ports) + DIV_ROUNDUP(max, (unsigned)PORTS_PER_CHUNK) * sizeof(struct port_chunk);
}

int ports_init(struct domain *d, unsigned max_ports)
{
    unsigned max = MIN(MAX(max_ports, 2u), fifo_ops.max_ports);
    struct ports *ps = hv_alloc(bytes_for(max));

    if (!ps)
        return -ENOMEM;
    lock_init(&ps->lock, LOCK_PORT);
    ps->max = max;
    ps->ops = &evtchn_2l_ops;
    d->ports = ps;
    return 0;
}

void ports_free(struct domain *d)
{
    struct ports *ps = d->ports;

    if (!ps)
        return;
    for (unsigned i = 0; i < ps->allocated / PORTS_PER_CHUNK; i++)
        hv_pages_free(ps->chunk[i].ports, 0);
    if (ps->pirq_port)
        hv_free((void *)ps->pirq_port, NR_PIRQS * sizeof(uint32_t));
    hv_free(ps, bytes_for(ps->max));
    d->ports = NULL;
}

static int chunk_add(struct ports *ps)
{
    unsigned i = ps->allocated / PORTS_PER_CHUNK;
    struct port *ports = hv_pages(0);

    if (!ports)
        return -ENOMEM;
    for (unsigned k = 0; k < PORTS_PER_CHUNK; k++)
        ports[k].queue = UINT16_MAX;
    ps->chunk[i].ports = ports;
    ps->chunk[i].used = i == 0; /* port 0 is nobody's */
    atomic_store_explicit(&ps->allocated, (i + 1) * PORTS_PER_CHUNK, memory_order_release);
    return 0;
}

int port_find_closed(struct domain *d, evtchn_port_t *nr, struct port **out)
{
    struct ports *ps = d->ports;
    unsigned limit = MIN(ps->max, ps->ops->max_ports);

    if (ps->dying)
        return -ESRCH;
    for (unsigned i = 0; i * PORTS_PER_CHUNK < limit; i++) {
        unsigned first = i * PORTS_PER_CHUNK;

        if (first >= ps->allocated && chunk_add(ps))
            return -ENOMEM;
        if (ps->chunk[i].used == PORTS_PER_CHUNK)
            continue;
        for (unsigned k = i == 0; k < PORTS_PER_CHUNK && first + k < limit; k++) {
            if (binding_state(ps->chunk[i].ports[k].bind) == EVTCHNSTAT_closed) {
                *nr = first + k;
                *out = &ps->chunk[i].ports[k];
                return 0;
            }
        }
    }
    return -ENOSPC;
}

void port_open(struct domain *d, struct port *p, evtchn_port_t nr, binding_t to, unsigned vcpu)
{
    struct ports *ps = d->ports;

    p->vcpu = (uint16_t)vcpu;
    p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    ps->ops->clear(d, p, nr);
    ps->chunk[nr / PORTS_PER_CHUNK].used++;
    ps->in_use++;
    atomic_store(&p->bind, to);
}

/* ---- Two domains at once ---- */

static void lock_both(struct domain *a, struct domain *b)
{
    lock(a < b ? &a->ports->lock : &b->ports->lock);
    if (a != b)
        lock_second(a < b ? &b->ports->lock : &a->ports->lock);
}

static void unlock_both(struct domain *a, struct domain *b)
{
    if (a != b)
        unlock(&b->ports->lock);
    unlock(&a->ports->lock);
}

/* ---- Raising: no lock ---- */

static __attribute__((noinline)) void wake_pollers(struct domain *d, evtchn_port_t nr)
{
    _Atomic uint64_t (*poll_of)[MAX_VCPUS / 64] = d->ports->poll_of;

    for (unsigned i = 0; i < MAX_VCPUS / 64; i++) {
        uint64_t polling = atomic_load(&poll_of[poll_bucket(nr)][i]) | atomic_load(&poll_of[POLL_BUCKETS][i]);

        for (; polling; polling &= polling - 1) {
            struct vcpu *v = d->vcpu[i * 64 + (unsigned)__builtin_ctzll(polling)];
            uint32_t what = atomic_load(&v->poll_port);

            if (what == nr || what == POLL_SEVERAL)
                port_poll_wake(v);
        }
    }
}

static inline __attribute__((always_inline)) void raise(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct vcpu *v = d->ports->ops->raise(d, p, nr);

    perf_count(PERF_EVENTS);
    trace_inline(TRACE_EVENT, 2, TRACE_PAIR(d->id, nr), 0, 0, 0);
    if (v)
        vcpu_notify(v);
    for (unsigned i = 0; i < MAX_VCPUS / 64; i++)
        if (unlikely(atomic_load(&d->ports->polling[i])))
            wake_pollers(d, nr);
}

void port_raise(struct domain *d, struct port *p, evtchn_port_t nr)
{
    raise(d, p, nr);
}

bool port_raise_if(struct domain *d, evtchn_port_t nr, binding_t expected)
{
    struct port *p = port_at(d->ports, nr);
    bool hit;

    if (!p)
        return false;
    hit = port_enter(p) == expected;
    if (hit)
        port_raise(d, p, nr);
    port_leave(p);
    return hit;
}

int port_send(struct domain *d, evtchn_port_t nr)
{
    struct port *p = port_at(d->ports, nr), *to = p;
    binding_t b;
    int err = 0;

    if (!p)
        return -EINVAL;
    b = port_enter(p);
    switch (binding_state(b)) {
    case EVTCHNSTAT_interdomain:
        d = p->peer;
        nr = binding_number(b);
        to = port_at(d->ports, nr);
        /* fall through */
    case EVTCHNSTAT_ipi:
        raise(d, to, nr);
        break;
    case EVTCHNSTAT_unbound:
        break; /* nobody there yet; who comes finds its port pending */
    default:
        err = -EINVAL;
    }
    port_leave(p);
    return err;
}

int port_unmask(struct domain *d, evtchn_port_t nr)
{
    struct port *p = port_at(d->ports, nr);
    struct vcpu *v = NULL;

    if (!p)
        return -EINVAL;
    if (binding_state(port_enter(p)) != EVTCHNSTAT_closed)
        v = d->ports->ops->unmask(d, p, nr);
    if (v)
        vcpu_notify(v);
    port_leave(p);
    return 0;
}

int port_is_pending(struct domain *d, evtchn_port_t nr)
{
    struct port *p = port_at(d->ports, nr);
    int pending;

    if (!p)
        return -EINVAL;
    pending = binding_state(port_enter(p)) != EVTCHNSTAT_closed && d->ports->ops->is_pending(d, p, nr);
    port_leave(p);
    return pending;
}

/* ---- Polling ---- */

void port_poll_begin(struct vcpu *v, uint32_t port)
{
    struct ports *ps = v->domain->ports;

    atomic_store(&v->poll_port, port);
    atomic_fetch_or(&ps->poll_of[poll_bucket(port)][v->id / 64], BIT(v->id % 64));
    atomic_fetch_or(&ps->polling[v->id / 64], BIT(v->id % 64));
}

bool port_poll_end(struct vcpu *v)
{
    struct ports *ps = v->domain->ports;

    atomic_fetch_and(&ps->polling[v->id / 64], ~BIT(v->id % 64));
    atomic_fetch_and(&ps->poll_of[poll_bucket(atomic_load(&v->poll_port))][v->id / 64], ~BIT(v->id % 64));
    return atomic_exchange(&v->poll_port, 0) != 0;
}

void port_poll_wake(struct vcpu *v)
{
    if (port_poll_end(v))
        vcpu_pause_clear(v, PAUSE_BLOCKED);
}

/* ---- Binding ---- */

int port_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *out)
{
    struct port *p;
    int err;

    lock(&d->ports->lock);
    err = port_find_closed(d, out, &p);
    if (!err)
        port_open(d, p, *out, BINDING(EVTCHNSTAT_unbound, remote, 0), 0);
    unlock(&d->ports->lock);
    return err;
}

/* Both domains' locks held. */
static int connect(struct domain *d, struct domain *r, evtchn_port_t remote_port, evtchn_port_t *out)
{
    struct port *p, *q = port_at(r->ports, remote_port);
    int err;

    if (!q || q->bind != BINDING(EVTCHNSTAT_unbound, d->id, 0) || r->ports->dying)
        return -EINVAL;
    err = port_find_closed(d, out, &p);
    if (err)
        return err;
    domain_ref(r);
    domain_ref(d);
    p->peer = r;
    q->peer = d;
    port_open(d, p, *out, BINDING(EVTCHNSTAT_interdomain, r->id, remote_port), 0);
    /* From here on they may send to p. */
    atomic_store(&q->bind, BINDING(EVTCHNSTAT_interdomain, d->id, *out));
    port_raise(d, p, *out);
    return 0;
}

int port_bind_interdomain(struct domain *d, domid_t remote, evtchn_port_t remote_port, evtchn_port_t *out)
{
    struct domain *r = domain_get(remote == DOMID_SELF ? d->id : remote);
    int err;

    if (!r)
        return -ESRCH;
    lock_both(d, r);
    err = connect(d, r, remote_port, out);
    unlock_both(d, r);
    domain_put(r);
    return err;
}

int port_bind_ipi(struct domain *d, uint32_t vcpu, evtchn_port_t *out)
{
    struct port *p;
    int err;

    if (!port_vcpu_at(d, vcpu))
        return -ENOENT;
    lock(&d->ports->lock);
    err = port_find_closed(d, out, &p);
    if (!err)
        port_open(d, p, *out, BINDING(EVTCHNSTAT_ipi, 0, 0), vcpu);
    unlock(&d->ports->lock);
    return err;
}

int port_bind_vcpu(struct domain *d, evtchn_port_t nr, uint32_t vcpu)
{
    struct port *p = port_at(d->ports, nr);
    binding_t b;
    int err = 0;

    if (!port_vcpu_at(d, vcpu))
        return -ENOENT;
    if (!p)
        return -EINVAL;
    lock(&d->ports->lock);
    b = p->bind;
    switch (binding_state(b)) {
    case EVTCHNSTAT_virq:
        if (virq_is_per_vcpu(binding_number(b)))
            err = -EINVAL;
        break;
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_interdomain:
    case EVTCHNSTAT_pirq:
        break;
    default:
        err = -EINVAL;
    }
    if (!err)
        p->vcpu = (uint16_t)vcpu;
    unlock(&d->ports->lock);
    return err;
}

int port_status(struct domain *d, struct evtchn_status *s)
{
    struct port *p = port_at(d->ports, s->port);
    binding_t b;

    if (!p)
        return -EINVAL;
    lock(&d->ports->lock);
    b = p->bind;
    s->vcpu = p->vcpu;
    unlock(&d->ports->lock);
    s->status = binding_state(b);
    s->u.interdomain.dom = 0;
    s->u.interdomain.port = 0;
    switch (s->status) {
    case EVTCHNSTAT_unbound:
        s->u.unbound.dom = binding_dom(b);
        break;
    case EVTCHNSTAT_interdomain:
        s->u.interdomain.dom = binding_dom(b);
        s->u.interdomain.port = binding_number(b);
        break;
    case EVTCHNSTAT_pirq:
        s->u.pirq = binding_number(b);
        break;
    case EVTCHNSTAT_virq:
        s->u.virq = binding_number(b);
        break;
    case EVTCHNSTAT_closed:
        s->vcpu = 0;
        break;
    }
    return 0;
}

/* ---- Closing ---- */

static void wait_for_users(struct port *p)
{
    while (atomic_load(&p->users))
        machine_relax();
}

/* The other end of p goes back to waiting for d. Both locks held. */
static void disconnect(struct domain *d, struct port *p, binding_t b)
{
    struct port *q = port_at(p->peer->ports, binding_number(b));

    ASSERT(q && q->peer == d && binding_state(q->bind) == EVTCHNSTAT_interdomain);
    atomic_store(&q->bind, BINDING(EVTCHNSTAT_unbound, d->id, 0));
    wait_for_users(q);
    q->peer = NULL;
}

/* p was just closed: nobody uses it any more, and it can be given out again. */
static void finish(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct ports *ps = d->ports;

    wait_for_users(p);
    p->peer = NULL;
    ps->ops->clear(d, p, nr);
    ps->chunk[nr / PORTS_PER_CHUNK].used--;
    ps->in_use--;
}

/*
 * p is open; d's lock and its peer's are held. The references on d and its peer are the caller's
 * afterwards.
 */
static void close_locked(struct domain *d, struct port *p, evtchn_port_t nr)
{
    binding_t b = p->bind;

    atomic_store(&p->bind, BINDING(EVTCHNSTAT_closed, 0, 0));
    switch (binding_state(b)) {
    case EVTCHNSTAT_interdomain:
        disconnect(d, p, b);
        break;
    case EVTCHNSTAT_virq:
        virq_unbind(d, binding_number(b), p->vcpu);
        break;
    case EVTCHNSTAT_pirq:
        pirq_unbind(d, binding_number(b));
        break;
    }
    finish(d, p, nr);
}

void port_abandon(struct domain *d, struct port *p, evtchn_port_t nr)
{
    atomic_store(&p->bind, BINDING(EVTCHNSTAT_closed, 0, 0));
    finish(d, p, nr);
}

/*
 * The peer's lock may come before ours: then ours is dropped and both are taken in order, and if the port
 * is bound otherwise by then the caller begins again. Only the peer can do that, with two hypercalls of its
 * own for each round.
 */
int port_close(struct domain *d, evtchn_port_t nr)
{
    struct port *p = port_at(d->ports, nr);
    struct domain *peer = NULL;
    binding_t b;

    if (!p)
        return -EINVAL;
    lock(&d->ports->lock);
    b = p->bind;
    if (binding_state(b) == EVTCHNSTAT_closed) {
        unlock(&d->ports->lock);
        return -EINVAL;
    }
    if (binding_state(b) != EVTCHNSTAT_interdomain) {
        close_locked(d, p, nr);
        unlock(&d->ports->lock);
        return 0;
    }
    peer = p->peer;
    domain_ref(peer);
    unlock(&d->ports->lock);
    lock_both(d, peer);
    if (p->bind != b || p->peer != peer) {
        unlock_both(d, peer);
        domain_put(peer);
        return -ERESTART;
    }
    close_locked(d, p, nr);
    unlock_both(d, peer);
    domain_put(peer);
    domain_put(peer); /* p's */
    domain_put(d);    /* its peer's */
    return 0;
}

/*
 * Closes every port from the cursor up, which ends at 0. The caller holds a reference on d. Two who do this
 * at once spoil only each other's cursor: they look at in_use afterwards.
 */
static int close_all(struct domain *d)
{
    struct ports *ps = d->ports;

    for (evtchn_port_t nr = ps->cursor; nr < ps->allocated; nr++) {
        struct port *p = port_at(ps, nr);

        ps->cursor = nr;
        while (binding_state(p->bind) != EVTCHNSTAT_closed) {
            (void)port_close(d, nr);
            if (!budget_take(16))
                return -ERESTART;
        }
        if (nr % PORTS_PER_CHUNK == 0 && !budget_take(16)) {
            ps->cursor = nr + 1;
            return -ERESTART;
        }
    }
    ps->cursor = 0;
    return ps->in_use ? -ERESTART : 0;
}

int ports_kill(struct domain *d)
{
    struct ports *ps = d->ports;
    struct fifo *f;
    int err;

    if (!ps)
        return 0;
    lock(&ps->lock);
    ps->dying = true;
    unlock(&ps->lock);
    err = close_all(d);
    if (err)
        return err;
    lock(&ps->lock);
    f = fifo_detach(d);
    unlock(&ps->lock);
    fifo_free(d, f);
    return 0;
}

int ports_reset(struct domain *d, bool by_self)
{
    struct ports *ps = d->ports;
    struct fifo *f = NULL;
    int err = close_all(d);

    if (err || !by_self)
        return err;
    lock(&ps->lock);
    if (ps->in_use)
        err = -ERESTART; /* another of its vCPUs binds ports meanwhile: its own time */
    else
        f = fifo_detach(d);
    unlock(&ps->lock);
    fifo_free(d, f);
    return err;
}

/* ---- For others ---- */

int ports_init_vcpu(struct vcpu *v)
{
    atomic_store(&v->poll_port, 0);
    return 0;
}

unsigned ports_in_use(struct domain *d) { return d->ports ? d->ports->in_use : 0; }
unsigned ports_max(struct domain *d) { return d->ports->max; }

static void dump_port(struct domain *d, struct port *p, evtchn_port_t nr)
{
    static const char *const states[] = { "closed", "unbound", "interdomain", "pirq", "virq", "ipi" };
    const struct port_ops *ops = d->ports->ops;
    binding_t b = p->bind;

    hv_log(LOG_ERR, "  port %u state %s dom %u number %u vcpu %u priority %u%s%s", nr,
           states[binding_state(b)], binding_dom(b), binding_number(b), p->vcpu, p->priority,
           ops->is_pending(d, p, nr) ? " pending" : "", ops->is_masked(d, p, nr) ? " masked" : "");
}

#define DUMP_PIECE 8u

evtchn_port_t ports_dump(struct domain *d, evtchn_port_t from)
{
    struct ports *ps = d->ports;
    evtchn_port_t nr = MAX(from, 1u);
    unsigned shown = 0;

    lock(&ps->lock);
    if (!from)
        hv_log(LOG_ERR, "d%u: %u ports in use of %u, %s", d->id, ps->in_use, ps->max,
               ps->ops == &fifo_ops ? "FIFO" : "2-level");
    for (; nr < ps->allocated && shown < DUMP_PIECE; nr++) {
        struct port *p = port_at(ps, nr);

        if (binding_state(p->bind) != EVTCHNSTAT_closed) {
            dump_port(d, p, nr);
            shown++;
        }
    }
    if (nr >= ps->allocated)
        nr = 0;
    unlock(&ps->lock);
    return nr;
}
