/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FIFO form of pending events: a word for each port in pages of the guest, and for each vCPU 16 queues,
 * by priority, linked through these words. <xen/event_channel.h>, "FIFO ABI"; the guest is the consumer, we
 * are the producer.
 *
 * A guest may write anything there at any time: each word is changed by one atomic operation, whose result
 * is all that we believe; nothing we do follows a link, and no step is repeated because of what a word
 * says.
 *
 *   raise    set PENDING. If it was MASKED or LINKED we are done: who unmasks it links it; who consumes it
 *            clears LINKED first and looks at PENDING then.
 *   link     set LINKED; or our number into the LINK field of the queue's old tail; become the tail. If the
 *            old tail was still LINKED, the guest is not through with the queue and will come to us. If
 *            not, the guest has consumed it and the queue is empty: what we wrote there means nothing (the
 *            guest looks at LINK only in the moment in which it clears LINKED) and we take it out again; we
 *            are the new head, in the control block, and only then is the ready bit set. So a ready bit
 *            always comes with a head that was not read yet: the guest never goes back to a port that it
 *            consumed and that may be in another queue by now.
 *
 * The tails and the control block of a vCPU are under a spin bit of its own: it is the innermost of all
 * locks, whoever holds it takes nothing else, so events can be raised with any lock held. port->queue is
 * where the port was linked last; it changes under the spin bit of the old queue, right after LINKED was
 * set there. That keeps the old queue from taking us for its tail when we are linked in another one.
 */
#include "core/frame.h"
#include "core/port_table.h"
#include "lib/errno.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)

enum {
    WORDS_PER_PAGE = PAGE_SIZE / sizeof(event_word_t),
    MAX_PAGES = EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE,
    QUEUE_NONE = UINT16_MAX, /* port->queue: not linked yet */
};

typedef _Atomic event_word_t word_t; /* in the guest's memory */

/* v->fifo */
struct fifo_vcpu {
    _Atomic bool busy;                         /* the spin bit */
    struct evtchn_fifo_control_block *control; /* the guest's, or `own` until it has given one */
    mfn_t control_mfn;                         /* referenced; MFN_NONE: none yet */
    evtchn_port_t tail[EVTCHN_FIFO_MAX_QUEUES];
    struct evtchn_fifo_control_block own;
};

/* ports->fifo */
struct fifo {
    unsigned pages;                            /* under the PORT lock */
    word_t *_Atomic page[MAX_PAGES];           /* each holds a reference */
    struct fifo_vcpu *vcpu[MAX_VCPUS];         /* once detached: what fifo_free() has to free */
};

static struct fifo *fifo_of(struct domain *d)
{
    return atomic_load_explicit(&d->ports->fifo, memory_order_acquire);
}

static word_t *word_of(struct fifo *f, evtchn_port_t nr)
{
    word_t *page = atomic_load(&f->page[nr / WORDS_PER_PAGE]);

    return page ? &page[nr % WORDS_PER_PAGE] : NULL;
}

static void spin_take(struct fifo_vcpu *fv)
{
    while (atomic_exchange_explicit(&fv->busy, true, memory_order_acquire))
        machine_relax();
}

static void spin_give(struct fifo_vcpu *fv)
{
    atomic_store_explicit(&fv->busy, false, memory_order_release);
}

/* ---- Queues ---- */

/* Takes the spin bit of the vCPU in whose queue the port was last; vCPU 0 stands in for none. */
static struct fifo_vcpu *take_queue(struct domain *d, struct port *p, unsigned *queue)
{
    for (;;) { /* again only if another CPU linked the port elsewhere meanwhile */
        unsigned q = p->queue;
        struct fifo_vcpu *fv = d->vcpu[q == QUEUE_NONE ? 0 : q >> 4]->fifo;

        spin_take(fv);
        if (q == p->queue) {
            *queue = q;
            return fv;
        }
        spin_give(fv);
    }
}

/* Appends the port, whose LINKED is set. True if the guest must be told: the queue has a new head. */
static bool append(struct fifo *f, struct fifo_vcpu *fv, unsigned priority, evtchn_port_t nr)
{
    evtchn_port_t tail = fv->tail[priority];

    fv->tail[priority] = nr;
    if (tail && tail != nr) {
        word_t *w = word_of(f, tail);

        if (atomic_fetch_or(w, nr) & LINKED)
            return false;
        atomic_fetch_and(w, ~(event_word_t)EVTCHN_FIFO_LINK_MASK);
    }
    __atomic_store_n(&fv->control->head[priority], nr, __ATOMIC_SEQ_CST);
    return !(__atomic_fetch_or(&fv->control->ready, 1u << priority, __ATOMIC_SEQ_CST) & 1u << priority);
}

static struct vcpu *link_port(struct domain *d, struct fifo *f, struct port *p, evtchn_port_t nr, word_t *w)
{
    struct vcpu *v = d->vcpu[p->vcpu];
    unsigned priority = p->priority, want, queue;
    struct fifo_vcpu *fv;
    bool tell;

    if (!v || !v->fifo)
        return NULL;
    want = v->id << 4 | priority;
    fv = take_queue(d, p, &queue);
    if (atomic_fetch_or(w, LINKED) & LINKED) {
        spin_give(fv);
        return NULL;
    }
    if (queue != want) {
        if (queue != QUEUE_NONE && fv->tail[queue & 15] == nr)
            fv->tail[queue & 15] = 0;
        p->queue = (uint16_t)want;
        if (fv != v->fifo) {
            spin_give(fv);
            fv = v->fifo;
            spin_take(fv);
        }
    }
    tell = append(f, fv, priority, nr);
    spin_give(fv);
    return tell ? v : NULL;
}

/* ---- Operations ---- */

static struct vcpu *raise_fifo(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct fifo *f = fifo_of(d);
    word_t *w = word_of(f, nr);

    if (!w) {
        /* fifo_expand_array() shows the page before it looks for parked ports: one of us sees the other. */
        atomic_store(&p->parked, 1);
        w = word_of(f, nr);
        if (!w || !atomic_exchange(&p->parked, 0))
            return NULL;
    }
    if (atomic_fetch_or(w, PENDING) & (MASKED | LINKED))
        return NULL;
    return link_port(d, f, p, nr, w);
}

static struct vcpu *unmask_fifo(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct fifo *f = fifo_of(d);
    word_t *w = word_of(f, nr);

    if (!w || (atomic_fetch_and(w, ~MASKED) & (PENDING | LINKED)) != PENDING)
        return NULL;
    return link_port(d, f, p, nr, w);
}

static void clear_fifo(struct domain *d, struct port *p, evtchn_port_t nr)
{
    word_t *w = word_of(fifo_of(d), nr);

    p->parked = 0;
    if (w)
        atomic_fetch_and(w, ~PENDING);
}

static bool is_pending_fifo(struct domain *d, struct port *p, evtchn_port_t nr)
{
    word_t *w = word_of(fifo_of(d), nr);

    return p->parked || (w && atomic_load(w) & PENDING);
}

static bool is_masked_fifo(struct domain *d, struct port *p, evtchn_port_t nr)
{
    word_t *w = word_of(fifo_of(d), nr);

    (void)p;
    return !w || atomic_load(w) & MASKED;
}

const struct port_ops fifo_ops = {
    .max_ports = EVTCHN_FIFO_NR_CHANNELS,
    .raise = raise_fifo,
    .unmask = unmask_fifo,
    .clear = clear_fifo,
    .is_pending = is_pending_fifo,
    .is_masked = is_masked_fifo,
};

int fifo_set_priority(struct domain *d, evtchn_port_t nr, uint32_t priority)
{
    struct port *p = port_at(d->ports, nr);
    int err = 0;

    if (!p || priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    lock(&d->ports->lock);
    if (d->ports->ops != &fifo_ops)
        err = -ENOSYS;
    else if (binding_state(p->bind) == EVTCHNSTAT_closed)
        err = -EINVAL;
    else
        p->priority = (uint8_t)priority; /* where it is linked now it stays until it is consumed */
    unlock(&d->ports->lock);
    return err;
}

void ports_each_frame(struct domain *d, void (*each)(void *data, mfn_t m, bool writable), void *data)
{
    struct fifo *f;

    if (!d->ports)
        return;
    lock(&d->ports->lock);
    f = fifo_of(d);
    for (unsigned i = 0; f && i < f->pages; i++)
        each(data, machine_frame_mfn((void *)f->page[i]), true);
    for (unsigned i = 0; f && i < d->max_vcpus; i++) {
        const struct fifo_vcpu *fv = d->vcpu[i] ? d->vcpu[i]->fifo : NULL;

        if (fv && !mfn_same(fv->control_mfn, MFN_NONE))
            each(data, fv->control_mfn, true);
    }
    unlock(&d->ports->lock);
}

/* ---- From 2-level to FIFO and back ---- */

void fifo_free(struct domain *d, struct fifo *f)
{
    (void)d;
    if (!f)
        return;
    for (unsigned i = 0; i < f->pages; i++)
        frame_put_type(machine_frame_mfn((void *)f->page[i]));
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        struct fifo_vcpu *fv = f->vcpu[i];

        if (!fv)
            continue;
        if (!mfn_same(fv->control_mfn, MFN_NONE))
            frame_put_type(fv->control_mfn);
        hv_free(fv, sizeof(*fv));
    }
    hv_free(f, sizeof(*f));
}

static struct fifo *fifo_new(struct domain *d)
{
    struct fifo *f = hv_alloc(sizeof(*f));

    for (unsigned i = 0; f && i < d->max_vcpus; i++) {
        struct fifo_vcpu *fv;

        if (!d->vcpu[i])
            continue;
        fv = f->vcpu[i] = hv_alloc(sizeof(*fv));
        if (!fv) {
            fifo_free(d, f);
            return NULL;
        }
        fv->control = &fv->own;
        fv->control_mfn = MFN_NONE;
    }
    return f;
}

/* References on a page of d's that we write. -ERESTART or -EINVAL. */
static int get_page(struct domain *d, mfn_t m)
{
    int err = frame_get_type(d, m, TYPE_WRITABLE);

    return err && err != -ERESTART ? -EINVAL : err;
}

/* What is pending in the bitmaps waits for its word. Lock held. */
static void park_pending(struct domain *d)
{
    struct ports *ps = d->ports;

    for (evtchn_port_t nr = 1; nr < evtchn_2l_ops.max_ports; nr++) {
        struct port *p = port_at(ps, nr);

        if (!p)
            break;
        if (binding_state(p->bind) != EVTCHNSTAT_closed && evtchn_2l_ops.is_pending(d, p, nr)) {
            evtchn_2l_ops.clear(d, p, nr);
            p->parked = 1;
        }
    }
}

/*
 * The queues are there before events go to them; events that are being raised in this moment may be lost,
 * as the ABI says.
 */
static void attach(struct domain *d, struct fifo *f)
{
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            __atomic_store_n(&d->vcpu[i]->fifo, f->vcpu[i], __ATOMIC_RELEASE);
    atomic_store(&d->ports->fifo, f);
    atomic_store(&d->ports->ops, &fifo_ops);
    park_pending(d);
}

struct fifo *fifo_detach(struct domain *d)
{
    struct ports *ps = d->ports;
    struct fifo *f = ps->fifo;

    if (!f)
        return NULL;
    atomic_store(&ps->ops, &evtchn_2l_ops);
    atomic_store(&ps->fifo, NULL);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            d->vcpu[i]->fifo = NULL;
    return f; /* what port->queue says is stale now, but does no harm: the next tails begin at 0 */
}

/* The guest's block takes the place of our own; what waited there already goes along. Lock held. */
static int give_control(struct vcpu *v, mfn_t m, uint32_t offset)
{
    struct fifo_vcpu *fv = v->fifo;
    struct evtchn_fifo_control_block *c = (void *)((uint8_t *)machine_frame(m) + offset);
    uint32_t ready;

    if (!fv || !mfn_same(fv->control_mfn, MFN_NONE))
        return -EINVAL;
    spin_take(fv);
    for (unsigned i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++)
        __atomic_store_n(&c->head[i], fv->own.head[i], __ATOMIC_RELAXED);
    ready = fv->own.ready;
    __atomic_store_n(&c->ready, ready, __ATOMIC_RELEASE);
    fv->control = c;
    fv->control_mfn = m;
    spin_give(fv);
    if (ready)
        vcpu_notify(v);
    return 0;
}

int fifo_init_control(struct domain *d, uint32_t vcpu, mfn_t control, uint32_t offset)
{
    struct vcpu *v = port_vcpu_at(d, vcpu);
    struct fifo *fresh = NULL;
    int err;

    if (!v)
        return -ENOENT;
    if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || offset % 8)
        return -EINVAL;
    err = get_page(d, control);
    if (err)
        return err;
    if (!fifo_of(d)) {
        fresh = fifo_new(d);
        if (!fresh) {
            frame_put_type(control);
            return -ENOMEM;
        }
    }
    lock(&d->ports->lock);
    if (fresh && !d->ports->fifo && !d->ports->dying) {
        attach(d, fresh);
        fresh = NULL;
    }
    err = give_control(v, control, offset);
    unlock(&d->ports->lock);
    fifo_free(d, fresh);
    if (err)
        frame_put_type(control);
    return err;
}

/* The page's ports that are pending already get their words. Lock held. */
static void unpark(struct domain *d, unsigned page)
{
    struct ports *ps = d->ports;
    evtchn_port_t first = page * WORDS_PER_PAGE;

    for (evtchn_port_t nr = first; nr < first + WORDS_PER_PAGE; nr++) {
        struct port *p = port_at(ps, nr);

        if (!p)
            break;
        if (atomic_exchange(&p->parked, 0))
            port_raise(d, p, nr);
    }
}

static int add_page(struct domain *d, mfn_t m)
{
    struct ports *ps = d->ports;
    struct fifo *f = ps->fifo;

    if (!f)
        return -EOPNOTSUPP;
    if (f->pages == DIV_ROUNDUP(ps->max, (unsigned)WORDS_PER_PAGE))
        return -ENOSPC;
    atomic_store(&f->page[f->pages], machine_frame(m));
    f->pages++;
    unpark(d, f->pages - 1);
    return 0;
}

int fifo_expand_array(struct domain *d, mfn_t page)
{
    int err = get_page(d, page);

    if (err)
        return err;
    lock(&d->ports->lock);
    err = add_page(d, page);
    unlock(&d->ports->lock);
    if (err)
        frame_put_type(page);
    return err;
}
