/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs where: weighted fair scheduling over one queue a CPU (core/runq.h).
 *
 * At each choice a CPU compares its own first vCPU with the first ones that wait elsewhere, and pulls one
 * that is well behind; an idle CPU pulls any. One that leaves somebody waiting who is well behind what runs on
 * another CPU makes that one choose. This is what one common queue would do, a slice late and
 * without its lock. A CPU with a single vCPU has no slice timer unless somebody waits somewhere; then whoever
 * queues him tells such a CPU.
 */
#include "core/sched.h"

#include "core/cpumask.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pool.h"
#include "core/runq.h"
#include "core/trace.h"
#include "lib/errno.h"

#include <stdatomic.h>

static _Atomic cpumask_t idle_cpus;    /* run nobody                           */
static _Atomic cpumask_t untimed_cpus; /* run somebody, without a slice timer  */

static cpumask_t soft_of(const struct vcpu *v) { return __atomic_load_n(&v->soft, __ATOMIC_RELAXED); }

/* A pool seen empty is one that v just left: whoever acts by that finds its CPUs wrong, and asks again. */
cpumask_t sched_cpus(const struct vcpu *v)
{
    cpumask_t pool = pool_cpus(__atomic_load_n(&v->domain->sched.pool, __ATOMIC_RELAXED));
    cpumask_t hard = __atomic_load_n(&v->hard, __ATOMIC_RELAXED) & pool;

    return hard ? hard : pool ? pool : pcpu_online;
}

static uint64_t ratelimit_ns(const struct runq *q)
{
    return US(pool_ratelimit_us_at(q->cpu));
}

/* ---- Slices ---- */

static void slice_due(void *data)
{
    struct runq *q = data;

    pcpu_raise(q->cpu, WORK_SCHED);
}

/* Many waiting: shorter slices, so that the last of them need not wait long. */
static uint64_t slice_ns(const struct runq *q)
{
    uint64_t ns = MIN(SLICE, 2 * SLICE / (q->nr + 1));

    return cap_slice(q->curr->domain, MAX(ns, MAX(SLICE_MIN, ratelimit_ns(q))));
}

static void set_slice(struct runq *q, uint64_t at)
{
    atomic_fetch_and(&untimed_cpus, ~cpumask_of(q->cpu));
    q->timed = true;
    timer_set(&q->slice, at);
}

/* Sets q's slice timer for curr, or stops it if nobody waits who could run instead. q locked. */
static void arm_slice(struct runq *q)
{
    cpumask_t bit = cpumask_of(q->cpu);

    /* First the bit by which we are told, then the question whether anybody is there already. */
    if (q->curr)
        atomic_fetch_or(&untimed_cpus, bit);
    if (q->curr && (atomic_load(&runq_waiting) || cap_limits(q->curr->domain))) {
        set_slice(q, q->began + slice_ns(q));
        return;
    }
    if (!q->curr)
        atomic_fetch_and(&untimed_cpus, ~bit);
    if (q->timed)
        timer_stop(&q->slice);
    q->timed = false;
}

/*
 * Somebody waits: a CPU that expects nobody takes part from now on, if he may run there. One at a time: as
 * long as he waits more will be told, and a short wait does not disturb them all.
 */
static void tell_untimed(cpumask_t hard)
{
    cpumask_t told = atomic_load(&untimed_cpus) & hard;

    if (told)
        pcpu_raise(cpumask_first(told), WORK_SCHED);
}

/* ---- Waking ---- */

/* Where v should run next: where it may; best where it likes to, idle, and where it was. A hint. */
static unsigned place(const struct vcpu *v)
{
    cpumask_t hard = sched_cpus(v), soft = hard & soft_of(v), idle = atomic_load(&idle_cpus);
    unsigned was = runq_cpu(v), best, cpu;

    if (!soft)
        soft = hard;
    idle &= soft & idle ? soft : hard;
    if (idle)
        return cpumask_has(idle, was) ? was : cpumask_first(idle);
    if (cpumask_has(soft, was))
        return was;
    best = cpumask_first(soft);
    for_each_cpu (cpu, soft)
        if (atomic_load_explicit(&runq_of(cpu)->load, memory_order_relaxed) <
            atomic_load_explicit(&runq_of(best)->load, memory_order_relaxed))
            best = cpu;
    return best;
}

/* q's CPU chooses again, but not before curr had its minimum. */
static void choose_soon(struct runq *q, uint64_t now)
{
    uint64_t earliest = q->began + ratelimit_ns(q);

    if (q->curr && now < earliest)
        set_slice(q, earliest);
    else
        pcpu_raise(q->cpu, WORK_SCHED);
}

/* s came into q, whose curr is charged up to now: it makes way if s is clearly behind. */
static void preempt(struct runq *q, const struct sched_vcpu *s, uint64_t now)
{
    if (s->vtime + runq_vtime(s->v, PREEMPT_GRAIN) < q->curr->sched->vtime)
        choose_soon(q, now);
    else if (!q->timed)
        arm_slice(q);
}

/* Puts s, which is OFF or PARKED, into q, and sees to it that somebody looks at it. q and its old queue locked. */
static void enqueue(struct runq *q, struct sched_vcpu *s, uint64_t now)
{
    cpumask_t others = sched_cpus(s->v) & ~cpumask_of(q->cpu), idle;

    runq_account(q, now); /* the clock that s has to respect is that of now */
    __atomic_store_n(&s->v->cpu, q->cpu, __ATOMIC_RELAXED);
    if (s->state == SV_PARKED)
        runq_take(q, s);
    else
        runq_join(q, s);
    if (!q->curr) {
        atomic_fetch_and(&idle_cpus, ~cpumask_of(q->cpu));
        pcpu_raise(q->cpu, WORK_SCHED);
        if (q->nr == 1)
            return;
    } else {
        preempt(q, s, now);
    }
    idle = atomic_load(&idle_cpus) & others;
    if (idle)
        pcpu_raise(cpumask_first(idle), WORK_SCHED);
    else
        tell_untimed(others);
}

void sched_wake(struct vcpu *v)
{
    struct sched_vcpu *s = v->sched;
    struct runq *from, *to;

    for (;;) {
        from = runq_of(runq_cpu(v));
        to = runq_of(place(v));
        runq_lock_two(from, to);
        if (runq_cpu(v) == from->cpu)
            break;
        runq_unlock_two(from, to);
    }
    if ((s->state == SV_OFF || s->state == SV_PARKED) && !atomic_load(&v->pause)) {
        uint64_t now = now_ns();

        perf_count(PERF_WAKES);
        trace2(TRC_SCHED_WAKE, v->domain->id, v->id);
        runq_set_state(v, RUNSTATE_runnable, now);
        /* While its state is on its way into memory only its own CPU can take it (S4). */
        enqueue(atomic_load(&v->running_on) == -1 ? to : from, s, now);
    }
    runq_unlock_two(from, to);
}

static int stopped_state(const struct vcpu *v)
{
    return atomic_load(&v->pause) & PAUSE_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void sched_sleep(struct vcpu *v)
{
    struct runq *q = runq_lock_of(v);
    struct sched_vcpu *s = v->sched;

    if (atomic_load(&v->pause)) {
        trace2(TRC_SCHED_SLEEP, v->domain->id, v->id);
        if (s->state == SV_RUNNING)
            pcpu_raise(q->cpu, WORK_SCHED);
        else if (s->state == SV_QUEUED)
            runq_remove(q, s, SV_OFF);
        else
            s->state = SV_OFF;
        if (s->state == SV_OFF)
            runq_set_state(v, stopped_state(v), now_ns());
    }
    unlock(&q->lock);
}

void sched_give_way(void)
{
    struct pcpu *c = this_pcpu();

    trace2(TRC_SCHED_YIELD, c->current->domain->id, c->current->id);
    c->current->sched->gave_way = true;
    pcpu_raise(c->id, WORK_SCHED);
}

/* ---- Choosing ---- */

/* Ends curr's turn: it waits again, or is off. */
static void put_curr(struct runq *q, uint64_t now)
{
    struct vcpu *v = q->curr;

    if (!v)
        return;
    runq_account(q, now);
    q->curr = NULL;
    cap_end(v->domain);
    if (atomic_load(&v->pause)) {
        runq_leave(q, v->sched);
        runq_set_state(v, stopped_state(v), now);
        runq_publish(q);
    } else {
        runq_set_state(v, RUNSTATE_runnable, now);
        runq_insert(q, v->sched);
    }
}

/* Who can't run for want of budget is no reason to leave those alone that wait elsewhere. */
static void park_spent(struct runq *q)
{
    struct sched_vcpu *s;

    while ((s = runq_first(q)) != NULL && cap_spent(s->v->domain))
        runq_remove(q, s, SV_PARKED);
}

/*
 * The first of `from` that may run on q's CPU and is less far than `limit`; best one that likes it there.
 * Both locked.
 */
static struct sched_vcpu *find_movable(const struct runq *from, const struct runq *q, uint64_t limit)
{
    struct sched_vcpu *s, *second = NULL;

    list_for_each_entry(s, &from->waiting, link) {
        if (s->vtime + from->skew >= limit)
            break;
        if (!cpumask_has(sched_cpus(s->v), q->cpu) || atomic_load(&s->v->running_on) != -1 ||
            cap_spent(s->v->domain))
            continue;
        if (cpumask_has(soft_of(s->v), q->cpu))
            return s;
        if (!second)
            second = s;
    }
    return second;
}

static uint64_t pull_grain(void)
{
    return PULL_GRAIN * VTIME_SCALE / DEFAULT_WEIGHT;
}

static bool pull_from(struct runq *from, struct runq *q, uint64_t limit)
{
    struct sched_vcpu *s;

    runq_lock_two(from, q);
    /* A single one, with nobody before it, is about to run there. */
    s = from->curr || from->nr > 1 ? find_movable(from, q, limit) : NULL;
    if (s) {
        runq_remove(from, s, SV_OFF);
        __atomic_store_n(&s->v->cpu, q->cpu, __ATOMIC_RELAXED);
        runq_take(q, s);
    }
    runq_unlock_two(from, q);
    return s != NULL;
}

/*
 * Takes one vCPU over that waits elsewhere, if it should run before what q has. q not locked; only this CPU
 * empties it.
 */
static void pull(struct runq *q)
{
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed), limit = head;
    unsigned cpu;

    if (atomic_load(&runq_waiting) == (head != HEAD_NONE))
        return;
    if (head != HEAD_NONE) {
        limit = head > pull_grain() ? head - pull_grain() : 0;
    }
    for_each_cpu (cpu, pool_peers(q->cpu) & ~cpumask_of(q->cpu))
        if (atomic_load_explicit(&runq_of(cpu)->head, memory_order_relaxed) < limit &&
            pull_from(runq_of(cpu), q, limit))
            return;
}

/*
 * The CPU that is farthest ahead of s, which waits in q, if by enough that it would pull it; else q's own. Without
 * this, who is preempted for a short time each period might wait only while nobody looks. q locked.
 */
static unsigned find_puller(const struct runq *q, const struct sched_vcpu *s)
{
    uint64_t farthest = s->vtime + q->skew + pull_grain();
    unsigned cpu, puller = q->cpu;

    for_each_cpu (cpu, sched_cpus(s->v) & ~cpumask_of(q->cpu)) {
        const struct runq *other = runq_of(cpu);
        uint64_t at = atomic_load_explicit(&other->at, memory_order_relaxed);

        at = MIN(at, atomic_load_explicit(&other->head, memory_order_relaxed));
        if (at > farthest) {
            farthest = at;
            puller = cpu;
        }
    }
    return puller;
}

/*
 * v, taken from q, begins to run, unless it was paused meanwhile. Whoever paused it either is seen here, or
 * sees running_on (core/vcpu_run.c).
 */
static bool claim(struct runq *q, struct sched_vcpu *s, struct vcpu *prev, uint64_t now)
{
    struct vcpu *v = s->v;

    atomic_store(&v->running_on, (int)q->cpu);
    if (!atomic_load(&v->pause)) {
        runq_remove(q, s, SV_RUNNING);
        return true;
    }
    if (v != prev)
        atomic_store(&v->running_on, -1);
    runq_remove(q, s, SV_OFF);
    runq_set_state(v, stopped_state(v), now);
    return false;
}

/*
 * Takes who runs next out of q; parks who spent the cap. prev is passed over once if it gave way and another
 * can run. *stray is one whose affinity changed while it was between CPUs, marked ours until send_away();
 * prev itself sched_switched() sends.
 */
static struct vcpu *take_next(struct runq *q, struct vcpu *prev, uint64_t now, struct vcpu **stray)
{
    struct sched_vcpu *s, *after, *polite = NULL;

    list_for_each_entry_safe(s, after, &q->waiting, link) {
        if (!cpumask_has(sched_cpus(s->v), q->cpu)) {
            if (s->v != prev && !*stray) {
                atomic_store(&s->v->running_on, (int)q->cpu);
                *stray = s->v;
            }
        } else if (cap_spent(s->v->domain)) {
            runq_remove(q, s, SV_PARKED);
        } else if (s->gave_way) {
            s->gave_way = false;
            polite = s;
        } else if (claim(q, s, prev, now)) {
            return s->v;
        }
    }
    return polite && claim(q, polite, prev, now) ? polite->v : NULL;
}

/* next is curr: its turn begins now. */
static void begin(struct runq *q, struct vcpu *next, uint64_t now)
{
    q->curr = next;
    q->began = q->since = now;
    if (next) {
        atomic_fetch_and(&idle_cpus, ~cpumask_of(q->cpu));
        cap_begin(next->domain, now);
        runq_set_state(next, RUNSTATE_running, now);
    } else {
        atomic_fetch_or(&idle_cpus, cpumask_of(q->cpu));
    }
    atomic_store_explicit(&q->at, next ? next->sched->vtime + q->skew : 0, memory_order_relaxed);
    runq_publish(q);
    arm_slice(q);
}

/* v waited or ran here, where its affinity does not allow it; its running_on is this CPU. Off to another queue. */
static void send_away(struct vcpu *v, struct runq *q)
{
    struct runq *to = runq_of(place(v));

    runq_lock_two(q, to);
    if (v->sched->state == SV_QUEUED) {
        runq_remove(q, v->sched, SV_OFF);
        enqueue(to, v->sched, now_ns());
    } else {
        __atomic_store_n(&v->cpu, to->cpu, __ATOMIC_RELAXED);
    }
    atomic_store(&v->running_on, -1);
    runq_unlock_two(q, to);
}

/*
 * What is recorded of a choice. Who goes on has not changed its runstate, whatever it is set to in between. NULL is the CPU's idle
 * vCPU, which is one to the tools.
 */
static void trace_switch(uint32_t event, const struct runq *q, const struct vcpu *v, uint64_t ns)
{
    uint64_t who = v ? TRACE_PAIR(v->domain->id, v->id) : TRACE_PAIR(TRACE_DOM_IDLE, q->cpu);

    trace(event, event == TRC_SCHED_SWITCH_INFPREV ? 3 : 4, who, TRACE_PAIR(ns, q->timed && q->curr ? slice_ns(q) : 0), 0, 0);
}

static void trace_runstate(const struct runq *q, const struct vcpu *v, int from, int to)
{
    trace1(TRACE_RUNSTATE(from, to), v ? (uint32_t)v->domain->id << 16 | v->id : TRACE_DOM_IDLE << 16 | q->cpu);
}

static void trace_leave(const struct runq *q, const struct vcpu *prev, int state, uint64_t ran)
{
    trace_switch(TRC_SCHED_SWITCH_INFPREV, q, prev, ran);
    trace_runstate(q, prev, RUNSTATE_running, state);
}

static void trace_enter(const struct runq *q, const struct vcpu *next, uint64_t waited)
{
    trace_switch(TRC_SCHED_SWITCH_INFNEXT, q, next, waited);
    trace_runstate(q, next, RUNSTATE_runnable, RUNSTATE_running);
}

struct vcpu *sched_pick(struct vcpu *prev)
{
    struct runq *q = this_pcpu()->runq;
    struct vcpu *next, *stray = NULL;
    unsigned puller = q->cpu;
    uint64_t now = now_ns(), ran, waited;
    struct sched_vcpu *s;
    int state;

    lock(&q->lock);
    ran = now - q->began;
    put_curr(q, now);
    state = prev ? prev->runstate.state : RUNSTATE_runnable;
    park_spent(q);
    unlock(&q->lock);
    pull(q);
    lock(&q->lock);
    next = take_next(q, prev, now, &stray);
    waited = next ? now - next->runstate.state_entry_time : 0;
    if (next != prev)
        trace_leave(q, prev, state, ran);
    begin(q, next, now);
    if (next != prev)
        trace_enter(q, next, waited);
    else if (next)
        trace_switch(TRC_SCHED_SWITCH_INFCONT, q, next, ran);
    s = runq_first(q);
    if (s) {
        tell_untimed(sched_cpus(s->v) & ~cpumask_of(q->cpu));
        puller = find_puller(q, s);
    }
    unlock(&q->lock);
    if (puller != q->cpu) {
        lock(&runq_of(puller)->lock);
        choose_soon(runq_of(puller), now);
        unlock(&runq_of(puller)->lock);
    }
    if (stray) {
        send_away(stray, q);
        pcpu_raise(q->cpu, WORK_SCHED); /* there may be another */
    }
    return next;
}

/* Once running_on is -1 prev belongs to others, who may even free it. */
void sched_switched(struct vcpu *prev)
{
    struct runq *q = this_pcpu()->runq;
    cpumask_t hard = sched_cpus(prev), idle;

    if (cpumask_has(hard, q->cpu)) {
        atomic_store(&prev->running_on, -1);
        /* If it waits here an idle CPU may have it now: one that looked before could not. */
        idle = atomic_load(&idle_cpus) & hard & ~cpumask_of(q->cpu);
        if (idle && atomic_load_explicit(&q->head, memory_order_relaxed) != HEAD_NONE)
            pcpu_raise(cpumask_first(idle), WORK_SCHED);
    } else {
        send_away(prev, q);
    }
}

/* ---- Life ---- */

int sched_init_cpu(unsigned cpu)
{
    struct runq *q = hv_alloc(sizeof(*q));

    if (!q)
        return -ENOMEM;
    lock_init(&q->lock, LOCK_RUNQ);
    q->cpu = cpu;
    list_init(&q->waiting);
    timer_init(&q->slice, slice_due, q, cpu);
    runq_publish(q);
    pcpus[cpu]->runq = q;
    pool_cpu_up(cpu);
    return 0;
}

bool sched_cpu_busy(unsigned cpu)
{
    struct runq *q = runq_of(cpu);
    bool busy;

    lock(&q->lock);
    busy = q->nr || q->curr;
    unlock(&q->lock);
    return busy;
}

/* A domain's first vCPU brings the domain's own timers: refill of the cap, two watchdogs. */
static unsigned timers_of(const struct vcpu *v)
{
    return v->id ? 3 : 6;
}

int sched_init_vcpu(struct vcpu *v)
{
    static _Atomic unsigned turn;
    struct domain *d = v->domain;
    int err;

    err = timers_reserve(timers_of(v));
    if (err)
        return err;
    v->sched = hv_alloc(sizeof(*v->sched));
    if (!v->sched) {
        timers_release(timers_of(v));
        return -ENOMEM;
    }
    if (!d->sched.weight)
        d->sched.weight = DEFAULT_WEIGHT;
    if (!d->sched.refill.run)
        cap_init(d);
    v->sched->v = v;
    list_init(&v->sched->link);
    v->hard = v->soft = pcpu_online;
    do {
        v->cpu = turn++ % MAX_CPUS;
    } while (!cpumask_has(sched_cpus(v), v->cpu));
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = now_ns();
    vcpu_run_init(v);
    return 0;
}

void sched_fini_vcpu(struct vcpu *v)
{
    struct runq *q;

    if (!v->sched)
        return;
    q = runq_lock_of(v); /* whoever saw it last is through with it then */
    ASSERT(v->sched->state == SV_OFF && atomic_load(&v->running_on) == -1);
    unlock(&q->lock);
    ASSERT(!heap_holds(&v->singleshot.node) && !heap_holds(&v->periodic.node) && !heap_holds(&v->poll.node));
    if (v->id == 0) /* as in timers_of() */
        timer_kill(&v->domain->sched.refill);
    hv_free(v->sched, sizeof(*v->sched));
    v->sched = NULL;
    timers_release(timers_of(v));
}
