/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads as CPUs: the vCPUs of two hostile guests, and of a tool with all rights, where the scheduler puts them, all at once.
 * Each makes hypercalls of the fuzzer's grammar, stores, and traps, and takes the hypervisor's own way out after each. Now and
 * then all CPUs rest: references are counted again, and every TLB is looked at. In the end all die, and nothing is left.
 *
 * What races there are is the thread sanitizer's to say (make tsan). STORM_SECONDS: go on so long, with other seeds;
 * STORM_SEED: begin with this one. One seed does not make one course, for the threads take their turns as they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <pthread.h>

#include <cmocka.h>

#define PLAY_CPUS 4

#include "abi/hypercall.h"
#include "core/exit.h"
#include "core/time.h"
#include "core/timer.h"

#include "tests/fuzz/acts.h"

enum {
    PLAYS = 20, RESTS = 8, TURNS_BETWEEN = 100, BYTES = 256,
    STOPPED = 1 << 4, /* a reason to pause of our own */
    KEPT = 64,        /* frames that the heap may keep for what comes next, after all plays together */
};

static _Thread_local uint64_t seed;
static _Atomic uint64_t entries;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void fresh_bytes(void)
{
    static _Thread_local uint64_t bytes[BYTES / 8];

    for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++)
        bytes[i] = next_random();
    data = (const uint8_t *)bytes;
    left = sizeof(bytes);
}

/* ---- Rest ---- */

static pthread_mutex_t rest_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned resting, rested; /* CPUs that do, and how often all did; under rest_lock */
static _Atomic bool rest_wanted, over;
static _Atomic unsigned turns;   /* of all CPUs since the last rest */

static void count_turn(void)
{
    if (++turns == TURNS_BETWEEN * CPUS)
        atomic_store(&rest_wanted, true);
}

/* What a tool does for guests that have stopped themselves, and what wakes those that wait, so that the play goes on. */
static void revive(void)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

    if (pthread_mutex_trylock(&one))
        return;
    for (unsigned i = 0; i < GUESTS; i++) {
        struct domain *d = guests[i].d;

        if (domain_dying(d))
            continue;
        if (atomic_load(&d->shutdown_code) != -1)
            domain_resume(d);
        for (unsigned k = 0; k < VCPUS; k++)
            vcpu_pause_clear(d->vcpu[k], PAUSE_BLOCKED);
    }
    pthread_mutex_unlock(&one);
}

/* What the tool holds is let go, and what is down comes up. All CPUs rest. */
static void let_go(void)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        struct domain *d = guests[i].d;

        for (; d->ctl_pause_count && !domain_dying(d); domain_unpause(d))
            d->ctl_pause_count--;
        for (unsigned k = 0; k < VCPUS; k++)
            if (d->vcpu[k]->initialised)
                vcpu_pause_clear(d->vcpu[k], PAUSE_DOWN);
    }
}

/* Nobody runs any more. */
static void stop_all(void)
{
    struct domain *d;
    domid_t from = 1;

    atomic_store(&over, true);
    for (; (d = domain_get_next(from)) != NULL; domain_put(d)) {
        from = d->id + 1;
        for (unsigned k = 0; k < d->max_vcpus; k++)
            if (d->vcpu[k])
                vcpu_pause_set(d->vcpu[k], STOPPED);
    }
}

static void look(void)
{
    count_references();
    if (host_audit_tlbs())
        give_up("a TLB holds what it may not");
}

/* Until all CPUs are here, and the last has looked; or something is wanted of this one. */
static void rest(void)
{
    unsigned before;

    if (!atomic_load(&rest_wanted))
        return;
    pthread_mutex_lock(&rest_lock);
    before = rested;
    if (++resting == CPUS) {
        look();
        let_go();
        atomic_store(&turns, 0);
        atomic_store(&rest_wanted, false);
        resting = 0;
        if (++rested == RESTS)
            stop_all();
    }
    while (rested == before && !atomic_load(&this_pcpu()->work)) {
        pthread_mutex_unlock(&rest_lock);
        usleep(10);
        pthread_mutex_lock(&rest_lock);
    }
    if (rested == before)
        resting--;
    pthread_mutex_unlock(&rest_lock);
}

/* ---- A CPU ---- */

/* Nobody is to run here. */
static void nobody(void)
{
    rest();
    if (atomic_load(&over))
        siglongjmp(ended, 1);
    count_turn();
    revive();
    sched_yield();
}

static struct guest *guest_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < GUESTS; i++)
        if (guests[i].d == v->domain)
            return &guests[i];
    return NULL;
}

static uint64_t *call_of(const struct vcpu *v)
{
    static uint64_t numbers[GUESTS][VCPUS]; /* of the hypercall that the vCPU made last; its own CPU's */

    return &numbers[guest_of(v) - guests][v->id];
}

/* The instruction before STACK is the hypercall, where one is made again from. */
static void call(struct guest *self, struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    uint64_t arg[5] = { 0 };

    if (r->rip != va_of(STACK) - 2) {
        r->rip = va_of(STACK);
        r->rsp = va_of(STACK) + 2048;
        *call_of(v) = make_call(arg, va_of(ARGS), self, v);
        r->rdi = arg[0], r->rsi = arg[1], r->rdx = arg[2], r->r10 = arg[3], r->r8 = arg[4];
    }
    r->rax = *call_of(v);
    r->rip = va_of(STACK);
    this_pcpu()->budget = 1u << (byte() & 15);
    entries++;
    hypercall_entry(v);
}

static void turn(struct guest *self, struct vcpu *v)
{
    uint8_t what = byte();

    if (what < 0x10)
        trap(self, v); /* in whichever mode it is */
    machine_set_mode(v, true);
    if (atomic_load(&v->pause) || what < 0x10)
        return;
    if (what < 0x20) {
        store(self, v);
    } else if (what < 0x30) {
        grant(self);
    } else if (what < 0x38) {
        host_tsc += raw(3);
        timers_run();
    } else {
        call(self, v);
    }
}

static void cpu_turn(void)
{
    struct vcpu *v;

    core_exit();
    fresh_bytes();
    v = current_vcpu();
    if (guest_of(v))
        turn(guest_of(v), v);
    count_turn();
    core_exit();
    rest();
}

static void *cpu(void *number)
{
    host_cpu = (unsigned)(uintptr_t)number;
    seed = (plays + 1) * 0x9e3779b97f4a7c15ull + (host_cpu + 1) * 0xbf58476d1ce4e5b9ull;
    while (!atomic_load(&over) || this_pcpu()->current)
        if (!sigsetjmp(ended, 0))
            cpu_turn();
    return NULL;
}

/* ---- Plays ---- */

/* The second vCPU, in the first one's address space. */
static void start_second(struct guest *g)
{
    struct vcpu *v = g->d->vcpu[1];

    run_on(0, v);
    if (pt_set_root(v, g->m[0], false) || pt_set_root(v, g->m[4], true))
        give_up("a second vCPU can't be started");
    leave(v, ~0u);
    v->initialised = true;
    v->kernel_mode = true;
    v->kernel_sp = va_of(STACK) + 2048;
    vcpu_pause_clear(v, PAUSE_DOWN);
}

static void play(void)
{
    pthread_t threads[CPUS];

    host_cpu = 0;
    for (unsigned i = 0; i < GUESTS; i++) {
        create(&guests[i], (domid_t)(i + 1), i == TOOL ? PRIV_ALL : 0);
        start(&guests[i]);
        start_second(&guests[i]);
        guests[i].d->vm_assist = next_random() & 1 ? 1u << VMASST_TYPE_writable_pagetables : 0;
    }
    introduce();
    host_run(NULL);
    rested = resting = 0;
    turns = 0;
    over = rest_wanted = false;
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cpu, (void *)(uintptr_t)i), 0);
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
    left = 0;
    all_die();
    look();
    plays++;
}

static uint64_t number_in(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void all_at_once(void **state)
{
    uint64_t seconds = number_in("STORM_SECONDS", 0), first = number_in("STORM_SEED", 1);
    time_t end = time(NULL) + (time_t)seconds;
    uint64_t free;

    host_start(CPUS, RAM);
    host_ended = machine_ended;
    host_panicked = give_up;
    host_idle = nobody;
    spare_keep();
    create(&control, 0, PRIV_ALL);
    dom0 = control.d;
    start(&control);
    vcpu_pause_set(control.d->vcpu[0], STOPPED); /* the scheduler never chooses it */
    seed = plays = first;
    free = free_or_dom0s();
    do
        play();
    while (plays < first + PLAYS || time(NULL) < end);
    assert_true(free_or_dom0s() + KEPT >= free);
    printf("%lu plays of %u CPUs, %lu entries of hypercalls\n", plays - first, CPUS, (unsigned long)entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_at_once) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
