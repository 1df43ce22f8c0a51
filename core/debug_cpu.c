/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys about CPUs. What a guest has in a CPU's registers only that CPU can tell, so it is asked: it answers on its next
 * passage through the exit path. A report waits for the answer from piece to piece, and gives up after a while.
 *
 * A position is 1 + 2 * (CPU or vCPU), + 1 while its answer is awaited. Positions come by way of a guest, and can be anything.
 */
#include "core/debug.h"

#include "core/domain.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/vcpu.h"

#include <stdatomic.h>

#define ANSWER_WITHIN MS(200)

/* What CPUs were asked. Two reports at once may take each other's answers: they are both of now. */
static struct question {
    _Atomic bool registers;  /* wants them in the log                    */
    _Atomic uint64_t answer; /* TSC of the answer; 0: not yet            */
    uint64_t asked;          /* TSC, of who asked                        */
} questions[MAX_CPUS];

static void show_this_cpu(void)
{
    const struct vcpu *v = current_vcpu();

    if (v)
        vcpu_show(v, v->regs);
    else
        hv_log(LOG_ERR, "CPU %u is idle", this_pcpu()->id);
}

void debug_cpu_answer(void)
{
    struct question *q = &questions[this_pcpu()->id];
    uint64_t now = machine_tsc();

    if (atomic_exchange(&q->registers, false))
        show_this_cpu();
    atomic_store(&q->answer, now);
}

static void ask(unsigned cpu, bool registers)
{
    struct question *q = &questions[cpu];

    q->asked = machine_tsc();
    atomic_store(&q->answer, 0);
    atomic_store(&q->registers, registers);
    if (cpu == this_pcpu()->id)
        debug_cpu_answer();
    else
        pcpu_raise(cpu, WORK_ASKED);
}

/* True once the CPU has answered, or is not going to. */
static bool answered(unsigned cpu)
{
    const struct question *q = &questions[cpu];

    if (atomic_load(&q->answer))
        return true;
    if (ticks_to_ns(machine_tsc() - q->asked) > ANSWER_WITHIN) {
        hv_log(LOG_ERR, "CPU %u does not answer", cpu);
        return true;
    }
    machine_relax(); /* it may wait for this CPU */
    return false;
}

/* The CPU or vCPU of a position. */
static uint64_t index_at(uint64_t at) { return at ? (at - 1) / 2 : 0; }
static bool waits_at(uint64_t at)     { return at && (at - 1) % 2; }

/* ---- Registers ---- */

static uint64_t show_registers(uint64_t at)
{
    unsigned cpu = (unsigned)clamp_index(index_at(at), pcpu_count);

    if (index_at(at) >= pcpu_count)
        return 0;
    if (!waits_at(at))
        ask(cpu, true);
    return answered(cpu) ? 3 + 2 * (uint64_t)cpu : 2 + 2 * (uint64_t)cpu;
}

/* dom0's: those that run are in a CPU. */
static uint64_t show_dom0(uint64_t at)
{
    uint64_t id = index_at(at), next = 3 + 2 * id;
    bool waits = waits_at(at);
    const struct vcpu *v;
    int cpu;

    if (!dom0 || id >= dom0->max_vcpus)
        return 0;
    v = dom0->vcpu[clamp_index(id, dom0->max_vcpus)];
    if (!v)
        return next;
    cpu = atomic_load(&v->running_on);
    if (cpu < 0) {
        if (!waits)
            vcpu_show(v, &v->saved);
        return next;
    }
    if (!waits)
        ask((unsigned)cpu, true);
    return answered((unsigned)cpu) ? next : next - 1;
}

/* ---- Queues ---- */

static uint64_t show_run_queues(uint64_t at)
{
    if (at >= pcpu_count)
        return 0;
    sched_show((unsigned)clamp_index(at, pcpu_count));
    return at + 1 < pcpu_count ? at + 1 : 0;
}

static uint64_t show_timers(uint64_t at)
{
    uint64_t first, now = now_ns();
    unsigned n;

    if (at >= pcpu_count)
        return 0;
    n = timers_count((unsigned)clamp_index(at, pcpu_count), &first);
    if (n)
        hv_log(LOG_ERR, "CPU %lu: %u timers, the first is due in %ld us", at, n, (int64_t)(first - now) / 1000);
    else
        hv_log(LOG_ERR, "CPU %lu: no timers", at);
    return at + 1 < pcpu_count ? at + 1 : 0;
}

/* ---- Time ---- */

/* How far the CPU's clock may be from this one: it answered between the question and now. */
static void show_skew(unsigned cpu)
{
    const struct question *q = &questions[cpu];
    uint64_t now = machine_tsc(), there = q->answer;

    if (there)
        hv_log(LOG_ERR, "CPU %u: its TSC is between %ld and %ld ticks ahead of CPU %u's; idle for %lu ms", cpu,
               (int64_t)(there - now), (int64_t)(there - q->asked), this_pcpu()->id, pcpus[cpu]->idle_ns / 1000000);
}

static uint64_t show_time(uint64_t at)
{
    unsigned cpu = (unsigned)clamp_index(index_at(at), pcpu_count);

    if (index_at(at) >= pcpu_count)
        return 0;
    if (!at)
        hv_log(LOG_ERR, "time: %lu ns since boot, TSC %lu kHz, %s, wall clock %lu s", now_ns(), time_tsc_khz(),
               time_stable() ? "stable" : "not known to be stable", time_wallclock_s());
    if (!waits_at(at))
        ask(cpu, false);
    if (!answered(cpu))
        return 2 + 2 * (uint64_t)cpu;
    show_skew(cpu);
    return 3 + 2 * (uint64_t)cpu;
}

void debug_cpu_keys_init(void)
{
    key_register('d', "dump registers", true, show_registers);
    key_register('0', "dump Dom0 registers", true, show_dom0);
    key_register('r', "dump run queues", true, show_run_queues);
    key_register('a', "dump timer queues", true, show_timers);
    key_register('t', "display multi-cpu clock info", true, show_time);
}
