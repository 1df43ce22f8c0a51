/* SPDX-License-Identifier: BSD-2-Clause */
/* Run queues and the accounting of time; see core/runq.h. */
#include "core/runq.h"

#include "core/domain.h"
#include "core/pcpu.h"
#include "core/trace.h"

#include <stdatomic.h>

_Atomic uint32_t runq_waiting;
static _Atomic uint64_t lead; /* the farthest clock + skew */

struct runq *runq_of(unsigned cpu)
{
    return pcpus[cpu]->runq;
}

unsigned runq_cpu(const struct vcpu *v)
{
    return __atomic_load_n(&v->cpu, __ATOMIC_RELAXED);
}

struct runq *runq_lock_of(const struct vcpu *v)
{
    for (;;) {
        struct runq *q = runq_of(runq_cpu(v));

        lock(&q->lock);
        if (runq_cpu(v) == q->cpu)
            return q;
        unlock(&q->lock);
    }
}

void runq_lock_two(struct runq *a, struct runq *b)
{
    lock(a->cpu < b->cpu ? &a->lock : &b->lock);
    if (a != b)
        lock_second(a->cpu < b->cpu ? &b->lock : &a->lock);
}

void runq_unlock_two(struct runq *a, struct runq *b)
{
    if (a != b)
        unlock(&b->lock);
    unlock(&a->lock);
}

struct sched_vcpu *runq_first(const struct runq *q)
{
    return list_first_entry(&q->waiting, struct sched_vcpu, link);
}

void runq_publish(struct runq *q)
{
    struct sched_vcpu *s = runq_first(q);

    atomic_store_explicit(&q->head, s ? s->vtime + q->skew : HEAD_NONE, memory_order_relaxed);
    atomic_store_explicit(&q->load, q->nr + (q->curr != NULL), memory_order_relaxed);
}

void runq_insert(struct runq *q, struct sched_vcpu *s)
{
    struct list_head *after = &q->waiting;
    struct sched_vcpu *at;

    /* From the end: who just ran is among the last. */
    list_for_each_entry_reverse(at, &q->waiting, link) {
        if (at->vtime <= s->vtime) {
            after = &at->link;
            break;
        }
    }
    list_add(&s->link, after);
    s->state = SV_QUEUED;
    q->nr++;
    atomic_fetch_add(&runq_waiting, 1);
    runq_publish(q);
}

void runq_remove(struct runq *q, struct sched_vcpu *s, enum sv_state state)
{
    list_del(&s->link);
    s->state = state;
    if (state != SV_RUNNING)
        s->vtime += q->skew;
    q->nr--;
    atomic_fetch_sub(&runq_waiting, 1);
    runq_publish(q);
}

void runq_leave(struct runq *q, struct sched_vcpu *s)
{
    s->state = SV_OFF;
    s->vtime += q->skew;
}

/* The least vtime there is; the clock, if there is nobody. */
static uint64_t least_vtime(const struct runq *q)
{
    const struct sched_vcpu *s = runq_first(q);
    uint64_t least = q->curr ? q->curr->sched->vtime : s ? s->vtime : q->clock;

    return s && s->vtime < least ? s->vtime : least;
}

/* The clock follows the least vtime there is; the skew keeps it within DRIFT of the farthest clock. */
static void advance_clock(struct runq *q)
{
    uint64_t least = least_vtime(q), here, farthest;

    if (least > q->clock)
        q->clock = least;
    here = q->clock + q->skew;
    farthest = atomic_load_explicit(&lead, memory_order_relaxed);
    while (here > farthest)
        if (atomic_compare_exchange_weak(&lead, &farthest, here))
            return;
    if (here + DRIFT < farthest)
        q->skew += farthest - DRIFT - here;
}

/* At its own vtime, but not more than `lag` below `from`. */
static void insert_near(struct runq *q, struct sched_vcpu *s, uint64_t from, uint64_t lag)
{
    uint64_t floor = from > lag ? from - lag : 0;

    s->vtime = s->vtime > q->skew + floor ? s->vtime - q->skew : floor;
    runq_insert(q, s);
}

void runq_join(struct runq *q, struct sched_vcpu *s)
{
    advance_clock(q);
    insert_near(q, s, least_vtime(q), runq_vtime(s->v, BONUS));
}

void runq_take(struct runq *q, struct sched_vcpu *s)
{
    advance_clock(q);
    insert_near(q, s, q->clock, DRIFT);
}

uint64_t runq_vtime(const struct vcpu *v, uint64_t ns)
{
    return ns * VTIME_SCALE / __atomic_load_n(&v->domain->sched.weight, __ATOMIC_RELAXED);
}

void runq_account(struct runq *q, uint64_t now)
{
    struct vcpu *v = q->curr;
    unsigned weight;
    uint64_t ran;

    if (!v || now <= q->since)
        return;
    ran = now - q->since;
    q->since = now;
    weight = __atomic_load_n(&v->domain->sched.weight, __ATOMIC_RELAXED);
    v->sched->rest += ran * VTIME_SCALE;
    v->sched->vtime += v->sched->rest / weight;
    v->sched->rest %= weight;
    cap_charge(v->domain, ran);
    advance_clock(q);
}

void runq_set_state(struct vcpu *v, int runstate, uint64_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (r->state == runstate)
        return;
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    /* Who gets or leaves a CPU is recorded where that is decided: it may be the same again. */
    if (r->state != RUNSTATE_running && runstate != RUNSTATE_running)
        trace1(TRACE_RUNSTATE(r->state, runstate), (uint32_t)v->domain->id << 16 | v->id);
    r->state = runstate;
}

bool runq_check(struct runq *q)
{
    struct sched_vcpu *s;
    uint64_t before = 0;
    unsigned nr = 0;
    bool good = true;

    lock(&q->lock);
    list_for_each_entry(s, &q->waiting, link) {
        good = good && s->state == SV_QUEUED && s->v->cpu == q->cpu && s->vtime >= before && !s->v->pause;
        before = s->vtime;
        nr++;
    }
    if (q->curr)
        good = good && q->curr->sched->state == SV_RUNNING && q->curr->cpu == q->cpu;
    good = good && nr == q->nr;
    unlock(&q->lock);
    return good;
}
