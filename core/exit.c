/* SPDX-License-Identifier: BSD-2-Clause */
/* The way out of the hypervisor, taken once an entry; see core/exit.h. */
#include "core/exit.h"

#include "core/bounce.h"
#include "core/budget.h"
#include "core/debug.h"
#include "core/frame.h"
#include "core/idle.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/tbuf.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/vcpu.h"

#include <stdatomic.h>

/* Gives the CPU to whom the scheduler chooses. */
static void reschedule(struct pcpu *c)
{
    struct vcpu *prev = c->current, *next = sched_pick(prev);

    if (next == prev)
        return;
    if (prev)
        sched_update_runstate_area(prev); /* while it is still ours: the next CPU's update comes later */
    perf_count(PERF_SWITCHES);
    c->current = next;
    machine_switch(prev, next);
    if (prev)
        sched_switched(prev);
    if (next) {
        sched_update_runstate_area(next);
        time_update_vcpu(next);
    }
}

/* Clears free pages, one at a time, until there is work, or none left to clear. */
static void clear_pages(const struct pcpu *c)
{
    struct frames_scrub scrub = { 0 };

    while (!atomic_load(&c->work) && frames_scrub(&scrub))
        machine_interrupts();
    frames_scrub_end(&scrub);
}

/*
 * Sleeps until there is work. Interrupts are off from the look at `work` on, so the kick of who gives work after it is pending and
 * ends machine_idle().
 */
static void idle(struct pcpu *c)
{
    uint64_t began = now_ns(), slept;
    struct idle_state s;

    clear_pages(c);
    slept = now_ns();
    s = idle_choose(slept);
    if (!atomic_load(&c->work)) {
        machine_idle(&s);
        idle_left(now_ns() - slept);
    }
    atomic_store_explicit(&c->idle_ns, c->idle_ns + now_ns() - began, memory_order_relaxed); /* nobody else does */
}

/* Readies v to be entered; false if something else has to be done first. */
static bool ready(struct pcpu *c, struct vcpu *v)
{
    if (!type_drain(v)) {
        machine_interrupts(); /* it goes on below, but there is no end to it: others have their turn */
        return false;
    }
    bounce_pending(v);
    return !atomic_load(&c->work) && !atomic_load(&v->pause);
}

void core_exit(void)
{
    struct pcpu *c = this_pcpu();

    ASSERT(!c->locks_held);
    for (;;) {
        uint32_t work = atomic_exchange(&c->work, 0);

        budget_reset();
        if (work & WORK_TIMER)
            timers_run();
        if (unlikely(work & WORK_ASKED))
            debug_cpu_answer();
        if (unlikely(work & WORK_TBUF))
            tbuf_tell();
        if (work & WORK_SCHED || !c->current || atomic_load(&c->current->pause))
            reschedule(c);
        if (!c->current)
            idle(c);
        else if (ready(c, c->current))
            break;
    }
    budget_reset();
}
