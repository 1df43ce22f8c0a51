/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug key 'r': a CPU's run queue. It is copied under its lock and printed without, as printing takes long. */
#include "core/domain.h"
#include "core/log.h"
#include "core/runq.h"

#define SHOWN 8u /* of those that run or wait, the first ones */

struct entry {
    domid_t dom;
    uint16_t weight, cap;
    unsigned vcpu;
    int64_t vtime; /* of the queue's clock */
    cpumask_t hard, soft;
};

static void copy(struct entry *e, const struct vcpu *v, const struct runq *q)
{
    *e = (struct entry){ .dom = v->domain->id, .weight = v->domain->sched.weight, .cap = v->domain->sched.cap, .vcpu = v->id,
                         .vtime = (int64_t)(v->sched->vtime - q->clock), .hard = v->hard, .soft = v->soft };
}

static void show(const struct entry *e, const char *what)
{
    hv_log(LOG_ERR, "    %s: d%uv%u vtime %+ld weight %u cap %u hard %#lx soft %#lx", what, e->dom, e->vcpu, e->vtime,
           e->weight, e->cap, e->hard, e->soft);
}

void sched_show(unsigned cpu)
{
    struct entry e[SHOWN];
    struct runq *q = runq_of(cpu);
    const struct sched_vcpu *s;
    uint64_t clock, skew;
    unsigned n = 0, waiting;
    bool busy, timed;

    lock(&q->lock);
    busy = q->curr;
    timed = q->timed;
    waiting = q->nr;
    clock = q->clock;
    skew = q->skew;
    if (busy)
        copy(&e[n++], q->curr, q);
    list_for_each_entry(s, &q->waiting, link)
        if (n < SHOWN)
            copy(&e[n++], s->v, q);
    unlock(&q->lock);

    hv_log(LOG_ERR, "CPU[%02u] %s, %u waiting, clock %lu skew %lu%s", cpu, busy ? "busy" : "idle", waiting, clock, skew,
           timed ? ", slice timer set" : "");
    for (unsigned i = 0; i < n; i++)
        show(&e[i], i == 0 && busy ? "run" : "waits");
}
