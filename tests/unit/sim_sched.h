/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler simulated: one thread plays all CPUs, under a clock that goes from event to event, and guests that
 * run and sleep. Included once by a test, after cmocka.h, setjmp.h and unistd.h.
 */
#ifndef TESTS_UNIT_SIM_SCHED_H
#define TESTS_UNIT_SIM_SCHED_H

#include "tests/unit/fake_sched.h"

#include "core/exit.c"
#include "core/pool.c"
#include "core/runq.c"
#include "core/sched.c"
#include "core/sched_cap.c"
#include "core/sched_set.c"
#include "core/vcpu_run.c"
#include "core/watchdog.c"

enum { MAX_GUESTS = 40 };

/* What a vCPU does: for ever, run `run` ns, then sleep `sleep` ns (0: never). */
struct guest {
    struct domain d;
    struct vcpu v[4];
    unsigned vcpus;
    uint64_t run, sleep;
    struct { uint64_t left, wakes, woken, worst, ran; cpumask_t seen; } at[4];
};

static struct guest *guests[MAX_GUESTS];
static unsigned guest_count;
static _Thread_local jmp_buf leave; /* out of a CPU's last core_exit() */
static _Atomic bool stop;
static int shutdown_seen;

/* ---- The rest of the hypervisor ---- */

void machine_relax(void) { usleep(1); }
bool type_drain(struct vcpu *v) { return true; }
bool frames_scrub(struct frames_scrub *s) { return false; }
void frames_scrub_end(const struct frames_scrub *s) { }
int port_send(struct domain *d, evtchn_port_t port) { return 0; }
void domain_shutdown(struct domain *d, int code) { shutdown_seen = code; }

void machine_switch(struct vcpu *prev, struct vcpu *next)
{
    unsigned cpu = this_pcpu()->id;

    /* A vCPU's state is loaded on one CPU at a time. */
    if (prev)
        assert_int_equal(prev->running_on, (int)cpu);
    if (next)
        assert_int_equal(next->running_on, (int)cpu);
}

void virq_raise(struct vcpu *v, unsigned virq)
{
    fake_virqs++;
    vcpu_notify(v);
}

static _Atomic uint32_t port_pending; /* of the one domain that polls; bit i: port i */

int port_is_pending(struct domain *d, evtchn_port_t port)
{
    return port >= 32 || !port ? -EINVAL : (int)(port_pending >> port & 1);
}

void port_poll_begin(struct vcpu *v, uint32_t port) { atomic_store(&v->poll_port, port); }
bool port_poll_end(struct vcpu *v) { return atomic_exchange(&v->poll_port, 0) != 0; }

void port_poll_wake(struct vcpu *v)
{
    if (port_poll_end(v))
        vcpu_pause_clear(v, PAUSE_BLOCKED);
}

/* The guest's handler, as soon as it may: takes the events, and goes on with its events open. */
void bounce_pending(struct vcpu *v)
{
    if (vcpu_deliverable(v))
        __atomic_store_n(&v->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
}

void machine_interrupts(void) { }
void debug_cpu_answer(void) { }
void tbuf_tell(void) { }

void machine_idle(const struct idle_state *s)
{
    unsigned cpu = this_pcpu()->id;

    for (;;) {
        if (stop)
            longjmp(leave, 1);
        if (fake_deadline[cpu] <= fake_tsc) {
            fake_deadline[cpu] = ~0ull;
            atomic_fetch_or(&this_pcpu()->work, WORK_TIMER);
        }
        if (atomic_exchange(&fake_kicked[cpu], false) || atomic_load(&this_pcpu()->work))
            return;
        usleep(5);
    }
}

/* ---- The simulation: one thread is all CPUs ---- */

static void sim_start(unsigned cpus)
{
    fake_machine(cpus, true);
    memset(pools, 0, sizeof(pools));
    pools[0].exists = true;
    pools[0].ratelimit_us = RATELIMIT_US;
    removal.active = false;
    for (unsigned i = 0; i < cpus; i++)
        assert_int_equal(sched_init_cpu(i), 0);
    for (unsigned i = 0; i < cpus; i++)
        fake_kicked[i] = true; /* each CPU passes through its exit path when it comes up */
    idle_cpus = 0;
    untimed_cpus = 0;
    lead = 0;
    runq_waiting = 0;
    guest_count = 0;
    memset(fake_domains, 0, sizeof(fake_domains));
    stop = false;
}

static struct guest *guest_new(unsigned vcpus, uint16_t weight, uint16_t cap)
{
    struct guest *g = calloc(1, sizeof(*g));

    g->d.id = (domid_t)(guest_count + 1);
    g->d.max_vcpus = g->vcpus = vcpus;
    pool_join(&g->d, 0);
    fake_domains[guest_count] = &g->d;
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = &g->v[i];

        v->id = i;
        v->domain = &g->d;
        v->regs = &v->saved;
        v->pause = PAUSE_DOWN;
        g->d.vcpu[i] = v;
        assert_int_equal(sched_init_vcpu(v), 0);
        v->info = calloc(1, sizeof(*v->info));
    }
    assert_int_equal(sched_set_domain(&g->d, weight, cap), 0);
    guests[guest_count++] = g;
    return g;
}

static void guest_up(struct guest *g, uint64_t run, uint64_t sleep)
{
    g->run = run;
    g->sleep = sleep;
    for (unsigned i = 0; i < g->vcpus; i++) {
        g->at[i].left = run;
        vcpu_pause_clear(&g->v[i], PAUSE_DOWN);
    }
}

static struct guest *guest_of(struct vcpu *v) { return container_of(v->domain, struct guest, d); }

/* What core_exit() does on `cpu`, up to where it would sleep. */
static void sim_visit(unsigned cpu)
{
    struct pcpu *c = &fake_pcpu[cpu];
    bool first = fake_kicked[cpu];

    fake_cpu = cpu;
    fake_kicked[cpu] = false;
    if (fake_deadline[cpu] <= fake_tsc) {
        fake_deadline[cpu] = ~0ull;
        atomic_fetch_or(&c->work, WORK_TIMER);
    }
    for (;;) {
        uint32_t work = atomic_exchange(&c->work, 0);

        if (!work && !first && !(c->current && c->current->pause))
            break;
        if (work & WORK_TIMER)
            timers_run();
        if (work & WORK_SCHED || !c->current || c->current->pause) {
            reschedule(c);
            if (c->current) {
                struct guest *g = guest_of(c->current);
                unsigned i = c->current->id;

                g->at[i].seen |= cpumask_of(cpu);
                if (g->at[i].wakes) {
                    g->at[i].worst = MAX(g->at[i].worst, now_ns() - g->at[i].wakes);
                    g->at[i].wakes = 0;
                    g->at[i].woken++;
                }
            }
        }
        if (c->current)
            bounce_pending(c->current);
        first = false;
    }
    fake_cpu = 0;
}

/* Nanoseconds to the next thing that happens on its own. */
static uint64_t sim_next(uint64_t now)
{
    uint64_t next = now + MS(100);

    for (unsigned i = 0; i < pcpu_count; i++) {
        struct vcpu *v = fake_pcpu[i].current;

        if (fake_deadline[i] != ~0ull)
            next = MIN(next, MAX(now, tsc_to_ns(fake_deadline[i])));
        if (v && guest_of(v)->sleep)
            next = MIN(next, now + guest_of(v)->at[v->id].left);
    }
    return next;
}

static void sim_guest_ran(struct vcpu *v, uint64_t ns, uint64_t now)
{
    struct guest *g = guest_of(v);

    g->at[v->id].ran += ns;
    if (!g->sleep)
        return;
    g->at[v->id].left -= MIN(ns, g->at[v->id].left);
    if (g->at[v->id].left)
        return;
    g->at[v->id].left = g->run;
    g->at[v->id].wakes = now + g->sleep;
    timer_move(&v->singleshot, fake_cpu);
    timer_set(&v->singleshot, now + g->sleep);
    vcpu_block(v);
}

/* Does everything there is to do now. */
static void sim_settle(void)
{
    bool busy;

    do {
        busy = false;
        for (unsigned i = 0; i < pcpu_count; i++) {
            struct pcpu *c = &fake_pcpu[i];

            if (c->work || fake_kicked[i] || fake_deadline[i] <= fake_tsc ||
                (c->current && c->current->pause)) {
                sim_visit(i);
                busy = true;
            }
            assert_true(runq_check(c->runq));
        }
    } while (busy);
}

static void sim_run(uint64_t ns)
{
    uint64_t end = now_ns() + ns, now = now_ns();

    sim_settle();
    while (now < end) {
        uint64_t next = MIN(sim_next(now), end);

        fake_now(next);
        for (unsigned i = 0; i < pcpu_count; i++) {
            fake_cpu = i;
            if (fake_pcpu[i].current)
                sim_guest_ran(fake_pcpu[i].current, next - now, next);
        }
        fake_cpu = 0;
        now = next;
        sim_settle();
    }
}

static void sim_end(void)
{
    for (unsigned n = 0; n < guest_count; n++)
        for (unsigned i = 0; i < guests[n]->vcpus; i++)
            vcpu_pause_set(&guests[n]->v[i], PAUSE_DOMAIN);
    sim_settle();
    for (unsigned n = 0; n < guest_count; n++) {
        for (unsigned i = 0; i < guests[n]->vcpus; i++) {
            free(guests[n]->v[i].info);
            vcpu_run_fini(&guests[n]->v[i]);
            sched_fini_vcpu(&guests[n]->v[i]);
        }
        free(guests[n]);
    }
    assert_int_equal(runq_waiting, 0);
    for (unsigned i = 0; i < pcpu_count; i++)
        free(fake_pcpu[i].runq);
    fake_machine_end();
}

/* CPU time of g in the last part of the run, in percent of `ns`. */
static double share(struct guest *g, uint64_t before, uint64_t ns)
{
    return (double)(sched_domain_time(&g->d) - before) * 100 / (double)ns;
}

static void assert_share(struct guest *g, uint64_t ns, double percent, double off)
{
    double got = share(g, 0, ns);

    if (got < percent - off || got > percent + off)
        fail_msg("d%u had %.2f %%, not %.2f", g->d.id, got, percent);
}

#endif
