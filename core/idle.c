/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See core/idle.h. A deep state takes long to leave, so it is entered only if the CPU will probably stay twice that long: until its
 * timer goes off, or as long as it did lately, whichever is less.
 */
#include "core/idle.h"

#include "core/cpumask.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/timer.h"

#include <stdatomic.h>

#define PAYS      2u /* times its latency */
#define OF_LATELY 8u /* the last stay's part in the average is one of so many */

#define MWAIT_STATE(hint)    ((((hint) >> 4) + 1) & 0xf)
#define MWAIT_SUBSTATE(hint) ((hint) & 0xf)

#define STATE_C0 { .way = IDLE_RUN }
#define STATE_C1 { .way = IDLE_HALT, .type = 1 }

/*
 * Under its lock, but for `lately`, which is its own CPU's.
 *   I1  state[0] is C0, there is one of type 1, and no latency is less than the one before it
 *   I2  chosen < count; 0: what the CPU is in, if it is, does not count
 */
static struct idle_cpu {
    struct lock lock;
    unsigned count, chosen, last;
    struct idle_state state[IDLE_STATES];
    uint64_t entered[IDLE_STATES], ns[IDLE_STATES], since;
    uint64_t lately; /* ns that it was idle, on average */
} idle_of[MAX_CPUS] = {
    [0 ... MAX_CPUS - 1] = { .lock = LOCK_INIT(IDLE), .count = 2, .state = { STATE_C0, STATE_C1 } },
};

static bool used;
static _Atomic uint32_t max_type = UINT32_MAX, max_substate = UINT32_MAX;

const char *idle_cannot(const struct idle_means *m, const struct idle_state *s)
{
    if (s->way == IDLE_MWAIT && !m->mwait)
        return "MWAIT has no hints, or a masked interrupt does not end it";
    if (s->way == IDLE_MWAIT && MWAIT_SUBSTATE(s->at) >= (m->substates >> 4 * MWAIT_STATE(s->at) & 0xf))
        return "MWAIT has no such state";
    if (s->way == IDLE_PORT && s->type > 2)
        return "it wants caches written back or devices watched";
    if (s->type > 1 && !m->timer)
        return "the CPU's timer stops in it";
    if (s->type > 2 && !m->clock)
        return "the TSC stops in it";
    return NULL;
}

void idle_init(bool use, uint32_t type, uint32_t substate)
{
    used = use;
    atomic_store(&max_type, type);
    atomic_store(&max_substate, substate);
}

bool idle_is_used(void)
{
    return used;
}

/* ---- What others say ---- */

static void begin_anew(struct idle_cpu *i)
{
    for (unsigned n = 0; n < IDLE_STATES; n++)
        i->entered[n] = i->ns[n] = 0;
    i->chosen = i->last = 0;
    i->since = now_ns();
}

void idle_set(unsigned cpu, const struct idle_state *states, unsigned n)
{
    struct idle_cpu *i = &idle_of[cpu];
    bool has_c1 = false;

    ASSERT(n < IDLE_STATES - 1);
    for (unsigned k = 0; k < n; k++)
        has_c1 |= states[k].type == 1;
    lock(&i->lock);
    i->count = 1;
    if (!has_c1)
        i->state[i->count++] = (struct idle_state)STATE_C1;
    for (unsigned k = 0; k < n; k++)
        i->state[i->count++] = states[k];
    begin_anew(i);
    unlock(&i->lock);
}

void idle_forget(unsigned cpu)
{
    struct idle_cpu *i = &idle_of[cpu];

    lock(&i->lock);
    begin_anew(i);
    unlock(&i->lock);
}

void idle_limit(uint32_t type, uint32_t substate)
{
    unsigned cpu;

    atomic_store(&max_type, type);
    atomic_store(&max_substate, substate);
    for_each_cpu (cpu, pcpu_online)
        pcpu_raise(cpu, WORK_IRQ);
}

void idle_get_limit(uint32_t *type, uint32_t *substate)
{
    *type = atomic_load(&max_type);
    *substate = atomic_load(&max_substate);
}

/* ---- What the CPU does ---- */

static bool is_allowed(const struct idle_state *s)
{
    uint32_t type = atomic_load_explicit(&max_type, memory_order_relaxed);

    return s->type < type ||
           (s->type == type && (s->way != IDLE_MWAIT ||
                                MWAIT_SUBSTATE(s->at) <= atomic_load_explicit(&max_substate, memory_order_relaxed)));
}

/* The deepest that pays; the first that is allowed, which is left fastest, always does; C0 if none is. */
static unsigned best(const struct idle_cpu *i, uint64_t expected)
{
    unsigned best = 0;

    for (unsigned n = 1; n < i->count; n++) {
        const struct idle_state *s = &i->state[n];

        if (is_allowed(s) && (!best || US((uint64_t)s->latency_us) * PAYS <= expected))
            best = n;
    }
    return best;
}

struct idle_state idle_choose(uint64_t now)
{
    struct idle_cpu *i = &idle_of[this_pcpu()->id];
    uint64_t due = timers_armed(), expected = MIN(i->lately, due > now ? due - now : 0);
    struct idle_state s;

    lock(&i->lock);
    i->chosen = best(i, expected);
    s = i->state[i->chosen];
    unlock(&i->lock);
    return s;
}

void idle_left(uint64_t ns)
{
    struct idle_cpu *i = &idle_of[this_pcpu()->id];

    i->lately = (i->lately * (OF_LATELY - 1) + ns) / OF_LATELY;
    lock(&i->lock);
    if (i->chosen) {
        i->entered[i->chosen]++;
        i->ns[i->chosen] += ns;
        i->last = i->chosen;
    }
    unlock(&i->lock);
}

/* It comes back to C0 as often as it left it, and is in it the rest of the time. */
void idle_report(unsigned cpu, struct idle_report *r)
{
    struct idle_cpu *i = &idle_of[cpu];
    uint64_t idle_ns = 0, all;

    *r = (struct idle_report){ 0 };
    lock(&i->lock);
    r->count = i->count;
    r->last = i->last;
    all = now_ns() - i->since;
    for (unsigned n = 1; n < i->count; n++) {
        r->entered[n] = i->entered[n];
        r->ns[n] = i->ns[n];
        r->entered[0] += i->entered[n];
        idle_ns += i->ns[n];
    }
    unlock(&i->lock);
    r->ns[0] = all > idle_ns ? all - idle_ns : 0;
}
