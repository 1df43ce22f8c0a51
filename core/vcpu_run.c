/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a vCPU runs or does not: pausing it, waiting until it is off its CPU, blocking it, and waking it by
 * events.
 *
 * Memory order. Three pairs of CPUs must not both miss the other, and each is decided the same way: either
 * side makes its own store, then loads the other's, all sequentially consistent, so at least one of the two
 * loads sees the other's store.
 *
 *   SCHEDOP_block, _poll   stores PAUSE_BLOCKED, loads what is pending
 *   vcpu_notify, port.c    store what is pending, load v->pause, v->poll_port
 *
 *   vcpu_pause_set, _sync  store the reason, load v->running_on
 *   sched_pick             stores v->running_on, loads v->pause
 *
 *   vcpu_notify            stores what is pending, loads v->running_on
 *   sched_pick, core_exit  store v->running_on, load what is pending (bounce_pending)
 *
 * First pair: either the waiter sees the event and does not wait, or the sender sees it waiting and wakes it;
 * both at once is harmless. Second: either the scheduler sees the pause and does not run v, or the pauser
 * sees the CPU and waits for it. Third: either v's CPU finds the event on its way to the guest, or the sender
 * sees the CPU and kicks it.
 */
#include "core/domain.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vcpu_area.h"
#include "lib/errno.h"

#include <stdatomic.h>

#define HOLD_ONE (1u << PAUSE_HOLDS_SHIFT)

static void singleshot_due(void *data)
{
    virq_raise(data, VIRQ_TIMER);
}

/* Periods that were missed are not made up for. */
static void periodic_due(void *data)
{
    struct vcpu *v = data;
    uint64_t period = __atomic_load_n(&v->periodic_ns, __ATOMIC_RELAXED), now = now_ns();
    uint64_t due = __atomic_load_n(&v->periodic_due, __ATOMIC_RELAXED);

    if (!period || due > now) /* stopped or set again meanwhile */
        return;
    virq_raise(v, VIRQ_TIMER);
    due += ((now - due) / period + 1) * period;
    __atomic_store_n(&v->periodic_due, due, __ATOMIC_RELAXED);
    timer_set(&v->periodic, due);
}

void vcpu_set_periodic(struct vcpu *v, uint64_t ns)
{
    uint64_t due = now_ns() + ns;

    __atomic_store_n(&v->periodic_ns, ns, __ATOMIC_RELAXED);
    __atomic_store_n(&v->periodic_due, due, __ATOMIC_RELAXED);
    if (ns)
        timer_set(&v->periodic, due);
    else
        timer_stop(&v->periodic);
}

static void poll_due(void *data)
{
    port_poll_wake(data);
}

void vcpu_run_init(struct vcpu *v)
{
    unsigned cpu = this_pcpu()->id;

    lock_init(&v->area_lock, LOCK_AREA);
    v->runstate_area = v->time_area = (struct guest_area){ .mfn = { MFN_NONE, MFN_NONE } };
    v->info_mfn = MFN_NONE;
    v->no_info.evtchn_upcall_mask = 1;
    v->info = vcpu_info_home(v);
    timer_init(&v->singleshot, singleshot_due, v, cpu);
    timer_init(&v->periodic, periodic_due, v, cpu);
    timer_init(&v->poll, poll_due, v, cpu);
    atomic_store(&v->running_on, -1);
}

void vcpu_run_fini(struct vcpu *v)
{
    timer_kill(&v->singleshot);
    timer_kill(&v->periodic);
    timer_kill(&v->poll);
}

/* ---- Pausing ---- */

void vcpu_pause_set(struct vcpu *v, uint32_t why)
{
    if (!atomic_fetch_or(&v->pause, why))
        sched_sleep(v);
}

void vcpu_pause_clear(struct vcpu *v, uint32_t why)
{
    uint32_t old = atomic_fetch_and(&v->pause, ~why);

    if (old && !(old & ~why))
        sched_wake(v);
}

void vcpu_sync(struct vcpu *v)
{
    ASSERT(v != current_vcpu());
    while (atomic_load(&v->running_on) != -1) {
        ASSERT(atomic_load(&v->pause)); /* nobody takes the caller's own away, or this might not end */
        machine_relax();
    }
}

/* Count and bit change in one step, so that a release can't undo the hold that comes in between. */
void vcpu_hold(struct vcpu *v)
{
    uint32_t old = atomic_load(&v->pause);

    while (!atomic_compare_exchange_weak(&v->pause, &old, (old + HOLD_ONE) | PAUSE_VCPU))
        ;
    if (!old)
        sched_sleep(v);
    vcpu_sync(v);
}

void vcpu_release(struct vcpu *v)
{
    uint32_t old = atomic_load(&v->pause), new;

    do {
        ASSERT(old >= HOLD_ONE);
        new = old - HOLD_ONE;
        if (new < HOLD_ONE)
            new &= ~PAUSE_VCPU;
    } while (!atomic_compare_exchange_weak(&v->pause, &old, new));
    if (!new)
        sched_wake(v);
}

/* ---- Waking ---- */

static bool events_open(const struct vcpu *v)
{
    const struct vcpu_info *info = atomic_load_explicit(&v->info, memory_order_acquire);

    return !__atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_SEQ_CST);
}

bool vcpu_deliverable(const struct vcpu *v)
{
    const struct vcpu_info *info = atomic_load_explicit(&v->info, memory_order_acquire);

    return (__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_SEQ_CST) && events_open(v)) ||
           (atomic_load(&v->nmi_pending) && !v->nmi_masked);
}

/* Wakes v if it waits for an event of either kind. */
static void unblock(struct vcpu *v)
{
    if (atomic_load(&v->poll_port))
        port_poll_wake(v);
    vcpu_pause_clear(v, PAUSE_BLOCKED);
}

/* Another CPU that v runs on goes through its exit path. */
static void kick_running(struct vcpu *v)
{
    int cpu = atomic_load(&v->running_on);

    if (cpu != -1 && (unsigned)cpu != this_pcpu()->id)
        pcpu_raise((unsigned)cpu, WORK_IRQ);
}

void vcpu_kick(struct vcpu *v)
{
    if (atomic_load(&v->pause) & PAUSE_BLOCKED)
        unblock(v);
    else
        kick_running(v);
}

void vcpu_notify(struct vcpu *v)
{
    struct vcpu_info *info = atomic_load_explicit(&v->info, memory_order_acquire);

    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    /*
     * Who blocks has its events open; who polls with them masked waits for its ports only. A guest that unmasks looks next at
     * what is pending, but its CPU may look first: as long as it runs, a mask that is set says nothing.
     */
    if (events_open(v))
        vcpu_kick(v);
    else
        kick_running(v);
}

/* ---- Waiting ---- */

void vcpu_block(struct vcpu *v)
{
    /* Else it has no vcpu_info of its own, and no events. */
    if (v->id < XEN_LEGACY_MAX_VCPUS || !mfn_same(v->info_mfn, MFN_NONE))
        __atomic_store_n(&v->info->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    perf_count(PERF_BLOCKS);
    trace2(TRC_SCHED_BLOCK, v->domain->id, v->id);
    vcpu_pause_set(v, PAUSE_BLOCKED);
    if (vcpu_deliverable(v))
        vcpu_pause_clear(v, PAUSE_BLOCKED);
}

/* 1 if one of the ports is pending, 0 if none is; -EINVAL. */
static int any_pending(struct domain *d, const uint32_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int rc = port_is_pending(d, ports[i]);

        if (rc)
            return rc;
    }
    return 0;
}

int vcpu_poll(struct vcpu *v, const uint32_t *ports, unsigned n, uint64_t until)
{
    int rc;

    timer_stop(&v->poll);
    port_poll_begin(v, n == 1 ? ports[0] : n ? POLL_SEVERAL : POLL_NONE);
    vcpu_pause_set(v, PAUSE_BLOCKED);
    rc = any_pending(v->domain, ports, n);
    /* Somebody may have ended the poll before there was a PAUSE_BLOCKED to clear. */
    if (rc || vcpu_deliverable(v) || !atomic_load(&v->poll_port)) {
        port_poll_wake(v);
        vcpu_pause_clear(v, PAUSE_BLOCKED);
        return rc < 0 ? rc : 0;
    }
    if (until)
        timer_set_here(&v->poll, until);
    return 0;
}
