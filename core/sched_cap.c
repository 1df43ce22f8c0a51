/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caps: a domain may spend `cap` percent of one CPU. Each period it gets that much; what it overdrew it pays
 * back first, so the rate is exact in the long run. Who finds the budget spent is PARKED until the next
 * refill.
 *
 * The refill timer runs while a vCPU of the domain runs or the budget is not full, so an idle domain costs no
 * timer.
 */
#include "core/domain.h"
#include "core/pcpu.h"
#include "core/runq.h"

#include <stdatomic.h>

static unsigned cap_of(const struct domain *d)
{
    return __atomic_load_n(&d->sched.cap, __ATOMIC_RELAXED);
}

static int64_t quota(const struct domain *d)
{
    return (int64_t)(cap_of(d) * (CAP_PERIOD / 100));
}

bool cap_limits(const struct domain *d)
{
    return cap_of(d) != 0;
}

bool cap_spent(const struct domain *d)
{
    return cap_of(d) && atomic_load(&d->sched.budget) <= 0;
}

void cap_charge(struct domain *d, uint64_t ran)
{
    if (cap_of(d))
        atomic_fetch_sub(&d->sched.budget, (int64_t)ran);
}

uint64_t cap_slice(const struct domain *d, uint64_t ns)
{
    int64_t left;

    if (!cap_of(d))
        return ns;
    left = atomic_load(&d->sched.budget) / (int64_t)d->max_vcpus;
    return MIN(ns, (uint64_t)MAX(left, (int64_t)CAP_SLICE_MIN));
}

static void start(struct domain *d, uint64_t now)
{
    if (!cap_of(d) || !d->sched.refill.run) /* no cap; or no vCPU yet, which would bring the timer */
        return;
    if (atomic_exchange(&d->sched.refilling, true))
        return;
    d->sched.refill_due = now + CAP_PERIOD;
    timer_move(&d->sched.refill, this_pcpu()->id);
    timer_set(&d->sched.refill, d->sched.refill_due);
}

void cap_begin(struct domain *d, uint64_t now)
{
    atomic_fetch_add(&d->sched.active, 1);
    start(d, now);
}

void cap_end(struct domain *d)
{
    atomic_fetch_sub(&d->sched.active, 1);
}

/* Charges those who run for what they ran up to now: it belongs to the period that ends. */
static void charge_running(struct domain *d, uint64_t now)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v && v->sched && atomic_load(&v->running_on) != -1) {
            struct runq *q = runq_lock_of(v);

            if (q->curr == v)
                runq_account(q, now);
            unlock(&q->lock);
        }
    }
}

static void unpark(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        struct runq *q;
        bool parked;

        if (!v || !v->sched)
            continue;
        q = runq_lock_of(v);
        parked = v->sched->state == SV_PARKED;
        unlock(&q->lock);
        if (parked)
            sched_wake(v);
    }
}

static void refill(void *data)
{
    struct domain *d = data;
    uint64_t now = now_ns(), late = now > d->sched.refill_due ? now - d->sched.refill_due : 0;
    uint64_t periods = MIN(late / CAP_PERIOD + 1, (uint64_t)1000);
    int64_t full = quota(d), old, new;

    charge_running(d, now);
    old = atomic_load(&d->sched.budget);
    do {
        new = MIN(old + (int64_t)periods * full, full);
    } while (!atomic_compare_exchange_weak(&d->sched.budget, &old, new));
    unpark(d);
    if (cap_of(d) && (old < full || atomic_load(&d->sched.active))) {
        d->sched.refill_due += periods * CAP_PERIOD;
        timer_set(&d->sched.refill, d->sched.refill_due);
        return;
    }
    /*
     * Who begins to run counts itself in `active`, then looks at `refilling`: one of us sets the timer again.
     */
    atomic_store(&d->sched.refilling, false);
    if (atomic_load(&d->sched.active))
        start(d, now);
}

void cap_init(struct domain *d)
{
    timer_init(&d->sched.refill, refill, d, this_pcpu()->id);
}

void cap_set(struct domain *d, uint16_t percent)
{
    uint64_t now = now_ns();

    charge_running(d, now); /* what they ran before is not the new cap's */
    __atomic_store_n(&d->sched.cap, percent, __ATOMIC_SEQ_CST);
    atomic_store(&d->sched.budget, quota(d));
    unpark(d);
    start(d, now);
}
