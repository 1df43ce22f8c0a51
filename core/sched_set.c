/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tools and guests set and read of the scheduler: affinity, weights, caps, runstates. */
#include "core/sched.h"

#include "core/cpumask.h"
#include "core/domain.h"
#include "core/node_affinity.h"
#include "core/pcpu.h"
#include "core/pool.h"
#include "core/runq.h"
#include "core/vcpu_area.h"
#include "lib/errno.h"

#include <stdatomic.h>

/* ---- Settings ---- */

/* One that does not run: the CPU it is said to be on is one that it may have. */
static void move_idle(struct vcpu *v)
{
    struct runq *from = runq_of(runq_cpu(v)), *to = runq_of(cpumask_first(sched_cpus(v)));

    if (cpumask_has(sched_cpus(v), from->cpu))
        return;
    runq_lock_two(from, to);
    if (runq_cpu(v) == from->cpu && (v->sched->state == SV_OFF || v->sched->state == SV_PARKED) &&
        atomic_load(&v->running_on) == -1)
        __atomic_store_n(&v->cpu, to->cpu, __ATOMIC_RELAXED);
    runq_unlock_two(from, to);
}

void sched_replace(struct vcpu *v)
{
    struct runq *q = runq_lock_of(v);
    struct sched_vcpu *s = v->sched;
    bool waits = s->state == SV_QUEUED, moves = waits && atomic_load(&v->running_on) == -1;

    if (moves)
        runq_remove(q, s, SV_OFF);
    else if (waits || s->state == SV_RUNNING)
        pcpu_raise(q->cpu, WORK_SCHED);
    unlock(&q->lock);
    if (moves)
        sched_wake(v);
    else
        move_idle(v);
}

int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
    if (hard && !(*hard & pool_cpus(v->domain->sched.pool)))
        return -EINVAL;
    if (soft)
        __atomic_store_n(&v->soft, *soft & pcpu_online, __ATOMIC_RELAXED);
    if (hard && v->sched->overridden)
        v->sched->kept = *hard & pcpu_online;
    else if (hard)
        __atomic_store_n(&v->hard, *hard & pcpu_online, __ATOMIC_RELAXED);
    sched_replace(v);
    node_affinity_update(v->domain);
    return 0;
}

int sched_pin_override(struct vcpu *v, int cpu)
{
    struct sched_vcpu *s = v->sched;

    if (cpu < 0) {
        if (!s->overridden)
            return -EINVAL;
        s->overridden = false;
        return sched_set_affinity(v, &s->kept, NULL);
    }
    if (cpu >= MAX_CPUS || !cpumask_has(pool_cpus(v->domain->sched.pool), (unsigned)cpu))
        return -EINVAL;
    if (s->overridden)
        return -EBUSY;
    s->kept = v->hard;
    __atomic_store_n(&v->hard, cpumask_of((unsigned)cpu), __ATOMIC_RELAXED);
    s->overridden = true;
    sched_replace(v);
    return 0;
}

bool sched_is_overridden(const struct vcpu *v, unsigned cpu)
{
    return v->sched->overridden && v->hard == cpumask_of(cpu);
}

int sched_set_domain(struct domain *d, uint16_t weight, uint16_t cap)
{
    if (!weight)
        return -EINVAL;
    __atomic_store_n(&d->sched.weight, weight, __ATOMIC_RELAXED);
    if (cap == d->sched.cap)
        return 0;
    cap_set(d, cap);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] && d->vcpu[i]->sched)
            sched_replace(d->vcpu[i]);
    return 0;
}

/* ---- What was accounted ---- */

void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct runq *q = runq_lock_of(v);
    uint64_t now = now_ns();

    *out = v->runstate;
    if (now > out->state_entry_time)
        out->time[out->state] += now - out->state_entry_time;
    unlock(&q->lock);
}

uint64_t sched_domain_time(struct domain *d)
{
    struct vcpu_runstate_info r;
    uint64_t sum = 0;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (!d->vcpu[i] || !d->vcpu[i]->sched)
            continue;
        sched_runstate(d->vcpu[i], &r);
        sum += r.time[RUNSTATE_running];
    }
    return sum;
}

/* Other vCPUs read it too: with the update flag they see that it changes under them. */
static void put_runstate(area_word_t *const *to, const struct vcpu_runstate_info *r, bool flag)
{
    if (flag)
        area_store(to, 1, r->state_entry_time | XEN_RUNSTATE_UPDATE);
    area_store(to, 0, (uint32_t)r->state);
    for (unsigned i = 0; i < 4; i++)
        area_store(to, 2 + i, r->time[i]);
    area_store(to, 1, r->state_entry_time);
}
_Static_assert(sizeof(struct vcpu_runstate_info) == AREA_WORDS * 8 &&
               offsetof(struct vcpu_runstate_info, state_entry_time) == 8 &&
               offsetof(struct vcpu_runstate_info, time) == 16,
               "put_runstate writes it by words");

void sched_update_runstate_area(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    uint64_t now;

    lock(&v->area_lock);
    if (area_registered(&v->runstate_area)) {
        struct runq *q = runq_lock_of(v);

        r = v->runstate;
        unlock(&q->lock);
        /* Up to now: who registers the area while it runs does not read zeros. */
        now = now_ns();
        if (now > r.state_entry_time) {
            r.time[r.state] += now - r.state_entry_time;
            r.state_entry_time = now;
        }
        put_runstate(v->runstate_area.w, &r, v->domain->vm_assist >> VMASST_TYPE_runstate_update_flag & 1);
    }
    unlock(&v->area_lock);
}
