/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: one heap a CPU, under that CPU's TIMER lock. Only the owner CPU runs what is due and arms the
 * machine's timer; another CPU that puts something first into the heap asks the owner to look. The machine's
 * timer is left alone where it goes off early enough: what it was armed for may have been stopped or put off
 * since, then it finds nothing due and is armed anew.
 *
 *   T1  t->node is in the heap of t->cpu, or in none; both change only under that CPU's lock
 *   T2  each heap has room for every timer that exists (timers_reserve), so setting one never fails
 */
#include "core/timer.h"

#include "core/frame.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "lib/errno.h"

#include <stdatomic.h>

struct timer_queue {
    struct lock lock;
    struct heap heap;
    uint64_t armed; /* the machine's timer goes off by then (ns), or has gone off and was not served yet; ~0: it is off.
                       Changed by the owner alone, under the lock */
};

/* Room for the timers nobody reserves (slices, log, watchdog of the machine), then for those that were. */
enum { TIMERS_OWN = 4 * MAX_CPUS };
static size_t wanted = TIMERS_OWN;

/* Larger slots for q, if it needs them; in steps of a page. */
static int grow(struct timer_queue *q, size_t need)
{
    size_t old = q->heap.capacity, size = ROUNDUP(need * sizeof(void *), PAGE_SIZE);
    struct heap_node **slot;

    if (need <= old)
        return 0;
    slot = hv_alloc(size);
    if (!slot)
        return -ENOMEM;
    lock(&q->lock);
    slot = heap_move(&q->heap, slot, size / sizeof(void *));
    unlock(&q->lock);
    if (slot)
        hv_free(slot, old * sizeof(void *));
    return 0;
}

int timers_init_cpu(unsigned cpu)
{
    struct timer_queue *q = hv_alloc(sizeof(*q));
    int err;

    if (!q)
        return -ENOMEM;
    lock_init(&q->lock, LOCK_TIMER);
    q->armed = ~0ull;
    err = grow(q, wanted);
    if (err) {
        hv_free(q, sizeof(*q));
        return err;
    }
    pcpus[cpu]->timers = q;
    return 0;
}

int timers_reserve(unsigned n)
{
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        struct timer_queue *q = pcpus[cpu] ? pcpus[cpu]->timers : NULL;
        int err = q ? grow(q, wanted + n) : 0;

        if (err)
            return err;
    }
    wanted += n;
    return 0;
}

void timers_release(unsigned n)
{
    wanted -= n;
}

void timer_init(struct timer *t, void (*run)(void *), void *data, unsigned cpu)
{
    *t = (struct timer){ .run = run, .data = data, .cpu = cpu };
}

/* Locks the queue that t belongs to: another CPU may be moving it. */
static struct timer_queue *lock_queue(struct timer *t)
{
    for (;;) {
        unsigned cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
        struct timer_queue *q = pcpus[cpu]->timers;

        lock(&q->lock);
        if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == cpu)
            return q;
        unlock(&q->lock);
    }
}

/* Puts t into the locked q; true if it became the first. */
static bool insert(struct timer_queue *q, struct timer *t, uint64_t at_ns)
{
    __atomic_store_n(&t->was_set, true, __ATOMIC_RELAXED);
    if (heap_holds(&t->node))
        heap_rekey(&q->heap, &t->node, at_ns);
    else if (heap_insert(&q->heap, &t->node, at_ns))
        panic("more timers than room was reserved for");
    return heap_min(&q->heap) == &t->node;
}

/*
 * insert() on the queue of `cpu`, which is unlocked; the machine's timer will go off in time. It is armed here if a guest asked:
 * else there may be none yet, or the way out is near.
 */
static inline __attribute__((always_inline)) void insert_unlock(struct timer_queue *q, unsigned cpu, struct timer *t, uint64_t at_ns)
{
    const struct pcpu *c = this_pcpu();
    bool sooner = insert(q, t, at_ns) && at_ns < q->armed, here = cpu == c->id && c->current;

    if (sooner && here)
        q->armed = at_ns;
    unlock(&q->lock);
    if (sooner && here)
        machine_timer(ns_to_tsc(at_ns));
    else if (sooner)
        pcpu_raise(cpu, WORK_TIMER);
}

void timer_set(struct timer *t, uint64_t at_ns)
{
    struct timer_queue *q = lock_queue(t);

    insert_unlock(q, t->cpu, t, at_ns);
}

void timer_stop(struct timer *t)
{
    struct timer_queue *q = lock_queue(t);

    heap_remove(&q->heap, &t->node);
    unlock(&q->lock);
}

void timer_kill(struct timer *t)
{
    uint32_t running;

    /* Nobody sets it any more, so one that was never set never will be. */
    if (!__atomic_load_n(&t->was_set, __ATOMIC_RELAXED))
        return;
    /* `running` rises under the lock. So if it is zero here, no function is there to set t again. */
    do {
        struct timer_queue *q = lock_queue(t);

        heap_remove(&q->heap, &t->node);
        running = atomic_load_explicit(&t->running, memory_order_acquire);
        unlock(&q->lock);
        if (running)
            machine_relax();
    } while (running);
}

/* Locks the queues of two CPUs, lower id first. */
static void lock_two(unsigned a, unsigned b)
{
    lock(&pcpus[MIN(a, b)]->timers->lock);
    lock_second(&pcpus[MAX(a, b)]->timers->lock);
}

void timer_move(struct timer *t, unsigned to)
{
    unsigned from;

    while ((from = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED)) != to) {
        struct timer_queue *q = pcpus[from]->timers, *q_to = pcpus[to]->timers;
        bool set = false;

        lock_two(from, to);
        if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == from) {
            set = heap_holds(&t->node);
            heap_remove(&q->heap, &t->node);
            __atomic_store_n(&t->cpu, to, __ATOMIC_RELAXED);
        }
        unlock(&q->lock);
        if (set)
            insert_unlock(q_to, to, t, t->node.key);
        else
            unlock(&q_to->lock);
    }
}

void timer_set_here(struct timer *t, uint64_t at_ns)
{
    const struct pcpu *c = this_pcpu();
    struct timer_queue *q = c->timers;

    for (;;) {
        lock(&q->lock);
        if (likely(__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == c->id))
            break;
        unlock(&q->lock);
        timer_move(t, c->id);
    }
    insert_unlock(q, c->id, t, at_ns);
}

uint64_t timers_armed(void)
{
    return this_pcpu()->timers->armed;
}

unsigned timers_count(unsigned cpu, uint64_t *first)
{
    struct timer_queue *q = pcpus[cpu]->timers;
    size_t n;

    lock(&q->lock);
    n = q->heap.count;
    *first = n ? heap_min(&q->heap)->key : 0;
    unlock(&q->lock);
    return (unsigned)n;
}

/*
 * Takes the first timer due at `now` out of q and runs it. False, and when the next is due, if there is none: the machine's
 * timer is to be armed for that.
 */
static bool run_one(struct timer_queue *q, uint64_t now, uint64_t *next)
{
    struct heap_node *n;
    struct timer *t;

    lock(&q->lock);
    n = heap_min(&q->heap);
    if (!n || n->key > now) {
        q->armed = *next = n ? n->key : ~0ull;
        unlock(&q->lock);
        return false;
    }
    t = container_of(n, struct timer, node);
    heap_remove(&q->heap, n);
    atomic_fetch_add_explicit(&t->running, 1, memory_order_relaxed);
    unlock(&q->lock);
    perf_count(PERF_TIMERS);
    t->run(t->data);
    atomic_fetch_sub_explicit(&t->running, 1, memory_order_release);
    return true;
}

void timers_run(void)
{
    struct timer_queue *q = this_pcpu()->timers;
    uint64_t now = now_ns(), next;

    /* A function that sets its timer again does so for later than `now`, so this ends. */
    while (run_one(q, now, &next))
        ;
    machine_timer(next == ~0ull ? ~0ull : ns_to_tsc(next));
}
