/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/port.c, virq.c and evtchn_2l.c: who may bind what, what a send does, what is left after a close, and
 * that neither a port nor a domain is used after its end, whoever sends at that moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/fake_core.h"

#include "tests/unit/fake_domain.h"

#include "core/evtchn_2l.c"
#include "core/lock.c"
#include "core/port.c"
#include "core/virq.c"

/* core/fifo.c has its own test. */
const struct port_ops fifo_ops = { .max_ports = EVTCHN_FIFO_NR_CHANNELS };
struct fifo *fifo_detach(struct domain *d) { (void)d; return NULL; }
void fifo_free(struct domain *d, struct fifo *f) { (void)d; (void)f; }

/* Lines 0..63, of which 63 is nobody's. */
unsigned irqs_count(void) { return 64; }
bool irqs_is_mapped(const struct domain *d, unsigned pirq) { return d && pirq != 63; }

static int pirq_bind_answer;
static _Atomic int pirqs_bound;

int machine_pirq_bind(struct domain *d, unsigned pirq, bool share)
{
    (void)d;
    (void)pirq;
    (void)share;
    pirqs_bound += !pirq_bind_answer;
    return pirq_bind_answer;
}

void machine_pirq_unbind(struct domain *d, unsigned pirq)
{
    (void)d;
    (void)pirq;
    pirqs_bound--;
}

static struct domain *a, *b;

static int setup(void **state)
{
    (void)state;
    fake_machine(64);
    memset(fake_notified, 0, sizeof(fake_notified));
    memset(fake_woken, 0, sizeof(fake_woken));
    a = fake_domain(1, 2, ~0u);
    a->privileges = PRIV_ALL;
    b = fake_domain(2, 2, 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_domain_kill(a);
    fake_domain_kill(b);
    assert_int_equal(fake_memory, 0);
    assert_int_equal(pirqs_bound, 0);
    assert_int_equal(fake_pcpu[0].locks_held, 0);
    return 0;
}

static bool pending(struct domain *d, evtchn_port_t nr)
{
    return d->shared->evtchn_pending[nr / 64] >> (nr % 64) & 1;
}

/* What the guest does with an event: true if there was one. */
static bool take_event(struct domain *d, evtchn_port_t nr)
{
    bool was = pending(d, nr);

    d->shared->evtchn_pending[nr / 64] &= ~(1ull << (nr % 64));
    d->vcpu[0]->info->evtchn_pending_sel = d->vcpu[1]->info->evtchn_pending_sel = 0;
    return was;
}

static struct evtchn_status status_of(struct domain *d, evtchn_port_t nr)
{
    struct evtchn_status s = { .dom = d->id, .port = nr };

    assert_int_equal(port_status(d, &s), 0);
    return s;
}

/* A channel: its ends, no event pending. */
static void channel(struct domain *d, struct domain *r, evtchn_port_t *dp, evtchn_port_t *rp)
{
    assert_int_equal(port_alloc_unbound(r, d->id, rp), 0);
    assert_int_equal(port_bind_interdomain(d, r->id, *rp, dp), 0);
    assert_true(take_event(d, *dp));
}

static void the_lowest_number_is_given_first(void **state)
{
    evtchn_port_t nr;

    (void)state;
    for (unsigned i = 1; i < 1024; i++) {
        assert_int_equal(port_alloc_unbound(b, 0, &nr), 0);
        assert_int_equal(nr, i);
    }
    assert_int_equal(port_alloc_unbound(b, 0, &nr), -ENOSPC);
    assert_int_equal(port_close(b, 500), 0);
    assert_int_equal(port_close(b, 3), 0);
    assert_int_equal(ports_in_use(b), 1021);
    assert_int_equal(port_alloc_unbound(b, 0, &nr), 0);
    assert_int_equal(nr, 3);
    assert_int_equal(port_alloc_unbound(b, 0, &nr), 0);
    assert_int_equal(nr, 500);
    for (unsigned i = 1; i < 4096; i++)
        assert_int_equal(port_alloc_unbound(a, 0, &nr), 0);
    assert_int_equal(port_alloc_unbound(a, 0, &nr), -ENOSPC); /* 2-level has no more */
}

static void numbers_out_of_range_are_refused(void **state)
{
    struct evtchn_status s = { .port = 0 };
    evtchn_port_t nr;

    (void)state;
    s.port = 1;
    assert_int_equal(port_status(a, &s), -EINVAL); /* nothing allocated yet */
    assert_int_equal(port_alloc_unbound(a, 2, &nr), 0);
    for (unsigned i = 0; i < 2; i++) {
        evtchn_port_t bad[] = { 0, 2, 127, 128, 4096, ~0u };

        for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
            assert_int_equal(port_send(a, bad[k]), -EINVAL);
            assert_int_equal(port_close(a, bad[k]), -EINVAL);
            assert_int_equal(port_unmask(a, bad[k]), bad[k] < 128 ? 0 : -EINVAL);
            assert_int_equal(port_bind_vcpu(a, bad[k], 0), -EINVAL);
            s.port = bad[k];
            assert_int_equal(port_status(a, &s), bad[k] < 128 ? 0 : -EINVAL);
            assert_true(bad[k] >= 128 || s.status == EVTCHNSTAT_closed);
            assert_int_equal(port_is_pending(a, bad[k]), bad[k] < 128 ? 0 : -EINVAL);
        }
    }
}

static void a_channel_carries_events_both_ways(void **state)
{
    evtchn_port_t ap, bp;
    struct evtchn_status s;

    (void)state;
    assert_int_equal(port_alloc_unbound(b, 1, &bp), 0);
    s = status_of(b, bp);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 1);
    assert_int_equal(port_send(b, bp), 0); /* nobody there: no error, no event */
    assert_int_equal(port_bind_interdomain(a, 2, bp, &ap), 0);
    assert_true(pending(a, ap)); /* at once */
    assert_false(pending(b, bp));
    assert_int_equal(fake_notified[0], 1);
    assert_int_equal(a->vcpu[0]->info->evtchn_pending_sel, 1);
    assert_int_equal(port_send(a, ap), 0);
    assert_true(take_event(b, bp));
    assert_true(take_event(a, ap));
    assert_int_equal(port_send(b, bp), 0);
    assert_int_equal(port_send(b, bp), 0); /* they merge */
    assert_true(take_event(a, ap));
    assert_false(take_event(a, ap));
    s = status_of(a, ap);
    assert_int_equal(s.status, EVTCHNSTAT_interdomain);
    assert_int_equal(s.u.interdomain.dom, 2);
    assert_int_equal(s.u.interdomain.port, bp);
    assert_int_equal(status_of(b, bp).u.interdomain.dom, 1);
    assert_int_equal(a->refs, 2);
    assert_int_equal(b->refs, 2);
}

static void only_the_one_named_may_bind_and_once(void **state)
{
    evtchn_port_t bp, nr;

    (void)state;
    assert_int_equal(port_alloc_unbound(b, 7, &bp), 0);
    assert_int_equal(port_bind_interdomain(a, 2, bp, &nr), -EINVAL);
    assert_int_equal(port_bind_interdomain(a, 2, bp + 1, &nr), -EINVAL);
    assert_int_equal(port_bind_interdomain(a, 2, 0, &nr), -EINVAL);
    assert_int_equal(port_bind_interdomain(a, 2, ~0u, &nr), -EINVAL);
    assert_int_equal(port_bind_interdomain(a, 6, 1, &nr), -ESRCH);
    assert_int_equal(port_alloc_unbound(b, 1, &bp), 0);
    assert_int_equal(port_bind_interdomain(a, 2, bp, &nr), 0);
    assert_int_equal(port_bind_interdomain(a, 2, bp, &nr), -EINVAL);
    assert_int_equal(ports_in_use(a), 1);
}

static void loopback(void **state)
{
    evtchn_port_t p, q;

    (void)state;
    assert_int_equal(port_alloc_unbound(a, 1, &p), 0);
    assert_int_equal(port_bind_interdomain(a, DOMID_SELF, p, &q), 0);
    assert_true(take_event(a, q));
    assert_int_equal(port_send(a, q), 0);
    assert_true(take_event(a, p));
    assert_int_equal(port_send(a, p), 0);
    assert_true(take_event(a, q));
    assert_int_equal(port_close(a, p), 0);
    assert_int_equal(status_of(a, q).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(a, q).u.unbound.dom, 1);
    assert_int_equal(a->refs, 1);
}

static void closing_one_end_frees_the_other(void **state)
{
    evtchn_port_t ap, bp, nr;

    (void)state;
    channel(a, b, &ap, &bp);
    assert_int_equal(port_send(b, bp), 0);
    assert_int_equal(port_close(a, ap), 0);
    assert_false(pending(a, ap));
    assert_int_equal(port_close(a, ap), -EINVAL);
    assert_int_equal(port_send(a, ap), -EINVAL);
    assert_int_equal(port_send(b, bp), 0);
    assert_int_equal(status_of(a, ap).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(b, bp).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(b, bp).u.unbound.dom, 1);
    assert_int_equal(a->refs, 1);
    assert_int_equal(b->refs, 1);
    assert_int_equal(port_bind_interdomain(a, 2, bp, &nr), 0);
    assert_int_equal(nr, ap);
    assert_int_equal(port_close(b, bp), 0); /* the other way round: the peer's lock comes first */
    assert_int_equal(status_of(a, nr).status, EVTCHNSTAT_unbound);
}

static void virqs_of_a_vcpu(void **state)
{
    evtchn_port_t p, q, nr;

    (void)state;
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, 0, &p), 0);
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, 0, &nr), -EEXIST);
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, 1, &q), 0);
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, 2, &nr), -ENOENT);
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, ~0u, &nr), -ENOENT);
    assert_int_equal(port_bind_virq(b, 99, 0, &nr), -EINVAL);
    assert_int_equal(port_bind_virq(b, NR_VIRQS, 0, &nr), -EINVAL);
    assert_int_equal(status_of(b, q).status, EVTCHNSTAT_virq);
    assert_int_equal(status_of(b, q).u.virq, VIRQ_TIMER);
    assert_int_equal(status_of(b, q).vcpu, 1);
    assert_int_equal(port_bind_vcpu(b, q, 0), -EINVAL);
    assert_int_equal(port_send(b, q), -EINVAL);
    virq_raise(b->vcpu[1], VIRQ_TIMER);
    assert_false(pending(b, p));
    assert_true(take_event(b, q));
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(port_close(b, q), 0);
    virq_raise(b->vcpu[1], VIRQ_TIMER);
    assert_false(pending(b, q));
    assert_int_equal(port_bind_virq(b, VIRQ_TIMER, 1, &q), 0);
}

static void a_global_virq_has_one_binder(void **state)
{
    evtchn_port_t p, nr;

    (void)state;
    virq_raise_global(VIRQ_DOM_EXC); /* nobody listens */
    assert_int_equal(port_bind_virq(b, VIRQ_DOM_EXC, 0, &nr), -EPERM);
    assert_int_equal(port_bind_virq(a, VIRQ_DOM_EXC, 1, &nr), -EINVAL);
    assert_int_equal(port_bind_virq(a, VIRQ_DOM_EXC, 0, &p), 0);
    assert_int_equal(port_bind_virq(a, VIRQ_DOM_EXC, 0, &nr), -EEXIST);
    b->privileges = PRIV_ALL;
    assert_int_equal(port_bind_virq(b, VIRQ_DOM_EXC, 0, &nr), -EEXIST);
    assert_int_equal(ports_in_use(b), 0);
    a->shared->evtchn_mask[0] = ~0ull;
    virq_raise_global(VIRQ_DOM_EXC);
    assert_int_equal(fake_notified[0], 0);
    assert_int_equal(port_unmask(a, p), 0); /* latched while it was masked */
    assert_int_equal(fake_notified[0], 1);
    assert_true(take_event(a, p));
    assert_int_equal(port_bind_vcpu(a, p, 1), 0);
    virq_raise_global(VIRQ_DOM_EXC);
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(port_close(a, p), 0);
    virq_raise_global(VIRQ_DOM_EXC);
    assert_int_equal(port_bind_virq(b, VIRQ_DOM_EXC, 0, &nr), 0);
}

static void ipis(void **state)
{
    evtchn_port_t p, nr;

    (void)state;
    assert_int_equal(port_bind_ipi(a, 2, &nr), -ENOENT);
    assert_int_equal(port_bind_ipi(a, 1, &p), 0);
    assert_int_equal(port_bind_vcpu(a, p, 0), -EINVAL);
    assert_int_equal(port_send(a, p), 0);
    assert_true(take_event(a, p));
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(status_of(a, p).status, EVTCHNSTAT_ipi);
    assert_int_equal(status_of(a, p).vcpu, 1);
}

static void pirqs(void **state)
{
    evtchn_port_t p, nr;

    (void)state;
    pirq_bind_answer = -EBUSY;
    assert_int_equal(port_bind_pirq(a, 9, true, &nr), -EBUSY);
    pirq_bind_answer = 0;
    assert_int_equal(ports_in_use(a), 0);
    assert_false(pirq_raise(a, 9));
    assert_int_equal(port_bind_pirq(a, NR_PIRQS, true, &nr), -EINVAL);
    assert_int_equal(port_bind_pirq(a, 64, true, &nr), -EINVAL);
    assert_int_equal(port_bind_pirq(a, 63, true, &nr), -EPERM);
    assert_int_equal(port_bind_pirq(a, 9, true, &p), 0);
    assert_int_equal(port_bind_pirq(a, 9, true, &nr), -EEXIST);
    assert_true(pirq_raise(a, 9));
    assert_true(take_event(a, p));
    assert_false(pirq_raise(a, 8));
    assert_false(pirq_raise(a, ~0u));
    assert_false(pirq_raise(b, 9));
    assert_int_equal(status_of(a, p).u.pirq, 9);
    assert_int_equal(port_bind_vcpu(a, p, 1), 0);
    assert_int_equal(port_close(a, p), 0);
    assert_int_equal(pirqs_bound, 0);
    assert_false(pirq_raise(a, 9));
    assert_int_equal(port_bind_pirq(a, 9, true, &nr), 0);
}

static void masked_events_wait(void **state)
{
    evtchn_port_t ap, bp;

    (void)state;
    channel(a, b, &ap, &bp);
    fake_notified[0] = 0;
    b->shared->evtchn_mask[0] |= 1ull << bp;
    assert_int_equal(port_send(a, ap), 0);
    assert_true(pending(b, bp));
    assert_int_equal(b->vcpu[0]->info->evtchn_pending_sel, 0);
    assert_int_equal(fake_notified[0], 0);
    assert_int_equal(port_bind_vcpu(b, bp, 1), 0);
    assert_int_equal(port_unmask(b, bp), 0);
    assert_int_equal(b->vcpu[1]->info->evtchn_pending_sel, 1);
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(port_unmask(b, bp), 0); /* was not masked: nothing new */
    assert_int_equal(fake_notified[1], 1);
}

static void pollers_wake_even_for_masked_ports(void **state)
{
    evtchn_port_t ap, bp, ap2, bp2;

    (void)state;
    channel(a, b, &ap, &bp);
    channel(a, b, &ap2, &bp2);
    b->shared->evtchn_mask[0] = ~0ull;
    port_poll_begin(b->vcpu[1], bp); /* a port that notifies vCPU 0 */
    assert_int_equal(port_is_pending(b, bp), 0);
    assert_int_equal(port_send(a, ap2), 0);
    assert_int_equal(fake_woken[1], 0);
    assert_int_equal(port_send(a, ap), 0);
    assert_int_equal(fake_woken[1], 1);
    assert_int_equal(fake_woken[0], 0);
    assert_int_equal(port_is_pending(b, bp), 1);
    assert_false(port_poll_end(b->vcpu[1]));
    take_event(b, bp2);
    port_poll_begin(b->vcpu[0], ~0u);
    assert_int_equal(port_send(a, ap2), 0);
    assert_int_equal(fake_woken[0], 1);
    port_poll_begin(b->vcpu[0], bp);
    assert_true(port_poll_end(b->vcpu[0]));
    take_event(b, bp);
    assert_int_equal(port_send(a, ap), 0);
    assert_int_equal(fake_woken[0], 1);
    take_event(b, bp);
    take_event(b, bp2);
    port_poll_begin(b->vcpu[1], bp);
    port_poll_begin(b->vcpu[1], bp2); /* as if who ended the first had still to take its mark away */
    assert_int_equal(port_send(a, ap), 0);
    assert_int_equal(fake_woken[1], 1);
    assert_int_equal(port_send(a, ap2), 0);
    assert_int_equal(fake_woken[1], 2);
}

static void a_dying_domain_closes_both_ends_in_pieces(void **state)
{
    struct domain *c = fake_domain(3, 1, ~0u);
    evtchn_port_t ap, cp, nr;
    unsigned rounds = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        channel(a, c, &ap, &cp);
    assert_int_equal(port_bind_virq(c, VIRQ_TIMER, 0, &nr), 0);
    assert_int_equal(a->refs, 1001);
    do {
        this_pcpu()->budget = 4096;
        rounds++;
        assert_true(rounds < 100);
    } while (ports_kill(c) == -ERESTART);
    assert_true(rounds > 2);
    assert_int_equal(ports_in_use(c), 0);
    assert_int_equal(ports_in_use(a), 1000);
    assert_int_equal(a->refs, 1);
    assert_int_equal(c->refs, 1);
    assert_int_equal(port_alloc_unbound(c, 1, &nr), -ESRCH);
    assert_int_equal(port_send(a, ap), 0);
    assert_int_equal(status_of(a, ap).status, EVTCHNSTAT_unbound);
    this_pcpu()->budget = ~0u;
    fake_domain_kill(c);
}

static void reset_closes_all(void **state)
{
    evtchn_port_t ap, bp, nr;

    (void)state;
    channel(a, b, &ap, &bp);
    assert_int_equal(port_bind_virq(a, VIRQ_CONSOLE, 0, &nr), 0);
    assert_int_equal(port_bind_pirq(a, 4, false, &nr), 0);
    assert_int_equal(ports_reset(a, true), 0);
    assert_int_equal(ports_in_use(a), 0);
    assert_int_equal(ports_reset(b, false), 0);
    assert_int_equal(ports_in_use(b), 0);
    assert_int_equal(port_alloc_unbound(a, 2, &nr), 0);
    assert_int_equal(nr, 1);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    evtchn_port_t nr, bp;
    struct domain *c = calloc(1, sizeof(*c));

    (void)state;
    fake_fail_alloc = 1;
    assert_int_equal(ports_init(c, ~0u), -ENOMEM);
    assert_null(c->ports);
    free(c);
    assert_int_equal(port_alloc_unbound(b, 1, &bp), 0);
    fake_fail_alloc = 1;
    assert_int_equal(port_bind_interdomain(a, 2, bp, &nr), -ENOMEM);
    assert_int_equal(b->refs, 1);
    assert_int_equal(status_of(b, bp).status, EVTCHNSTAT_unbound);
    fake_fail_alloc = 1;
    assert_int_equal(port_bind_pirq(a, 9, true, &nr), -ENOMEM);
    fake_fail_alloc = 2;
    assert_int_equal(port_bind_pirq(a, 9, true, &nr), -ENOMEM);
    fake_fail_alloc = 1;
    assert_int_equal(port_bind_virq(a, VIRQ_CONSOLE, 0, &nr), -ENOMEM);
    assert_int_equal(port_bind_virq(a, VIRQ_CONSOLE, 0, &nr), 0); /* the slot is not taken */
}

/* ---- Sends while domains come and go ---- */

static _Atomic bool stop;

static void *sender(void *arg)
{
    fake_cpu = (unsigned)(uintptr_t)arg;
    while (!stop) {
        for (evtchn_port_t nr = 1; nr < 4; nr++)
            (void)port_send(a, nr);
        virq_raise_global(VIRQ_CONSOLE);
        virq_raise_global(VIRQ_DOM_EXC);
        (void)pirq_raise(a, 4);
    }
    return NULL;
}

/* One who binds and closes from a's side. */
static void *binder(void *arg)
{
    evtchn_port_t nr;

    fake_cpu = (unsigned)(uintptr_t)arg;
    while (!stop) {
        for (evtchn_port_t there = 1; there < 3; there++)
            if (port_bind_interdomain(a, 2, there, &nr) == 0 && there == 1)
                while (port_close(a, nr) == -ERESTART)
                    ;
        if (port_bind_virq(a, VIRQ_CONSOLE, 0, &nr) == 0)
            (void)port_close(a, nr);
        if (port_bind_pirq(a, 4, true, &nr) == 0)
            (void)port_close(a, nr);
        for (nr = 4; nr < 8; nr++)
            (void)port_close(a, nr);
    }
    return NULL;
}

static void nobody_uses_what_is_gone(void **state)
{
    pthread_t t[3];
    struct domain *c[2];
    evtchn_port_t nr;

    (void)state;
    stop = false;
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, sender, (void *)(i + 1));
    pthread_create(&t[2], NULL, binder, (void *)3);
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 2; i++) {
            c[i] = fake_domain((domid_t)(3 + i), 1, 1024);
            c[i]->privileges = PRIV_ALL;
            assert_int_equal(port_bind_virq(c[i], VIRQ_DOM_EXC, 0, &nr), i ? -EEXIST : 0);
            assert_int_equal(port_alloc_unbound(c[i], 1, &nr), 0);
            (void)port_bind_interdomain(a, c[i]->id, nr, &nr);
            assert_int_equal(port_alloc_unbound(b, 1, &nr), 0);
        }
        assert_int_equal(ports_reset(b, false), 0);
        fake_domain_kill(c[0]);
        fake_domain_kill(c[1]); /* freed with its last reference: the sanitizers watch the senders */
        if (round % 8 == 0) {
            int rc = ports_reset(a, false);

            assert_true(rc == 0 || rc == -ERESTART); /* the binder may close what it was about to */
        }
    }
    stop = true;
    for (unsigned i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    while (ports_reset(a, false))
        ;
    assert_int_equal(a->refs, 1);
    assert_int_equal(b->refs, 1);
    for (evtchn_port_t n = 0; n < a->ports->allocated; n++)
        assert_int_equal(port_at(a->ports, n)->users, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_lowest_number_is_given_first), T(numbers_out_of_range_are_refused),
        T(a_channel_carries_events_both_ways), T(only_the_one_named_may_bind_and_once), T(loopback),
        T(closing_one_end_frees_the_other), T(virqs_of_a_vcpu), T(a_global_virq_has_one_binder), T(ipis),
        T(pirqs), T(masked_events_wait), T(pollers_wake_even_for_masked_ports),
        T(a_dying_domain_closes_both_ends_in_pieces),
        T(reset_closes_all), T(no_memory_leaves_nothing_behind), T(nobody_uses_what_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
