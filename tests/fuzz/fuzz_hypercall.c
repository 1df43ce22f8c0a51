/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a play of two hostile guests, and mostly of a tool with all rights that builds, changes and kills them: a sequence
 * of hypercalls (tests/fuzz/grammar.h), stores, page-table writes, exceptions and system calls on the machine made of a
 * process. After each the way out is taken with as little budget as the input says; every few turns all references are counted
 * again and every TLB is looked at; at the end all die, and nothing of them may be left.
 */
#include <inttypes.h>
#include <stdio.h>

#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/dirty.h"
#include "core/grant.h"
#include "core/guest_trap.h"
#include "core/runq.h"
#include "core/time.h"
#include "core/timer.h"

#include "tests/fuzz/acts.h"

enum {
    TRIES = 64,      /* times that one call may ask to be made again */
    TURNS = 256,     /* in one play */
    CHECK_EVERY = 8, /* turns: to find the turn of a finding, 1 */
    CHOSEN = 1 << 4, /* a reason to pause of our own */
};

/* ---- What a guest does ---- */

/* Calls made, each counted once however often it asked to be made again, and all times that one was made. */
static uint64_t calls, entries;

__attribute__((destructor)) static void say_calls(void)
{
    fprintf(stderr, "hypercalls: %" PRIu64 " (entries: %" PRIu64 ")\n", calls, entries);
}

/* One call to its end, or until it was made again so often that another guest's turn has come. */
static void call(struct guest *self, struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    unsigned units = 1u << (byte() & 15);
    uint64_t arg[5] = { 0 }, nr;

    r->rip = va_of(STACK);
    r->rsp = va_of(STACK) + 2048;
    nr = make_call(arg, va_of(ARGS), self, v);
    r->rdi = arg[0], r->rsi = arg[1], r->rdx = arg[2], r->r10 = arg[3], r->r8 = arg[4];
    if (++calls % 1000000 == 0)
        say_calls();
    for (unsigned i = 0; i < TRIES; i++) {
        entries++;
        r->rax = nr;
        r->rip = va_of(STACK);
        this_pcpu()->budget = units;
        hypercall_entry(v);
        leave(v, units);
        if (r->rip != va_of(STACK) - 2 || atomic_load(&v->pause))
            return;
    }
}

/* ---- Others, meanwhile ---- */

/* Between two reads of the hypervisor the guest, on another CPU, changes a word of what it passed. */
static struct vcpu *mover;

static void move(void)
{
    unsigned self = host_cpu;

    if (!mover || mover->running_on < 0 || !left || byte() >= 0x20)
        return;
    host_cpu = (unsigned)mover->running_on; /* by what that CPU's TLB has */
    put(mover, va_of(ARGS) + (byte() & 0x38), raw(4), 4);
    host_cpu = self;
}

/* While this CPU waits, the other takes a vCPU that is to stop out of its guest. */
static void others_stop(void)
{
    unsigned self = host_cpu;

    for (host_cpu = 0; host_cpu < CPUS; host_cpu++) {
        struct vcpu *v = this_pcpu()->current;

        if (host_cpu != self && v && atomic_load(&v->pause))
            host_run(NULL);
    }
    host_cpu = self;
}

/* ---- The play ---- */

static void check(void)
{
    count_references();
    if (host_audit())
        give_up("a TLB holds what it may not");
    if (this_pcpu()->locks_held)
        give_up("a lock is held at rest");
}

/* What a tool does when a guest has ended itself, so that the play goes on. */
static void revive(struct guest *g)
{
    if (!domain_dying(g->d) && atomic_load(&g->d->shutdown_code) != -1)
        domain_resume(g->d);
}

/* Dom0 has the guest's writes logged, reads the log, or has seen enough; it may stop half way. */
static void watch(struct guest *about)
{
    struct dirty_read r = { .buffer = gptr(va_of(ARRAY)), .pages = 8 * PAGE_SIZE };
    uint8_t k = byte();
    uint32_t ignored;

    run_on(0, control.d->vcpu[0]);
    r.clean = k & 16;
    r.final = k & 32;
    for (unsigned i = 0; i < TRIES; i++) {
        this_pcpu()->budget = 1u << (k & 15);
        if ((k >> 6 ? k >> 6 == 1 ? dirty_stop(about->d) : dirty_start(about->d)
                    : dirty_read(about->d, &r, &ignored, &ignored)) != -ERESTART)
            return;
    }
}

/* A CPU without a vCPU chooses until nobody is left who could run there; then all of them wait again. */
static void schedule(unsigned cpu)
{
    struct vcpu *chosen[GUESTS * VCPUS], *v = NULL;
    unsigned n = 0;

    for (host_cpu = 0; host_cpu < CPUS; host_cpu++)
        host_run(NULL); /* who runs by the play's choice waits like all others */
    host_cpu = cpu;
    do {
        struct vcpu *prev = v;

        v = sched_pick(prev);
        if (prev && prev != v)
            sched_switched(prev);
        if (v) {
            domain_ref(v->domain);
            vcpu_pause_set(v, CHOSEN);
            chosen[n++] = v;
        }
    } while (v && n < ARRAY_SIZE(chosen));
    if (v && sched_pick(v) != v)
        sched_switched(v);
    for (cpu = 0; cpu < CPUS; cpu++) {
        if (!runq_check(runq_of(cpu)))
            give_up("a run queue is not as it should be");
    }
    while (n--) {
        vcpu_pause_clear(chosen[n], CHOSEN);
        domain_put(chosen[n]->domain);
    }
}

static void turn(unsigned players)
{
    uint8_t k = byte(), what = byte();
    struct guest *self = &guests[(k & 3) % players];
    struct vcpu *v = self->d->vcpu[k >> 2 & 1];

    if (domain_dying(self->d))
        return;
    revive(self);
    vcpu_pause_clear(v, PAUSE_BLOCKED); /* an event came */
    if (atomic_load(&v->pause) || mfn_same(v->root_kernel, MFN_NONE))
        return;
    run_on(k >> 3 & 1, v);
    this_pcpu()->budget = BUDGET_UNITS;
    if (k & 16)
        bounce_pending(v);
    if (!atomic_load(&v->pause) && what >= 0x30 && what < 0x50)
        trap(self, v); /* in whichever mode it is */
    machine_set_mode(v, true);
    if (atomic_load(&v->pause))
        return;
    mover = k & 32 ? v : NULL;
    switch (what >> 4) {
    case 0: store(self, v); break;
    case 1: case 2: grant(self); break;
    case 3: case 4: break;
    case 5:
        if (what & 8) {
            watch(self);
        } else if (what & 4) {
            schedule(what & 1);
        } else {
            host_tsc += raw(4);
            timers_run();
        }
        break;
    default: call(self, v);
    }
    mover = NULL;
}

static void once(void)
{
    host_start(CPUS, RAM);
    host_ended = machine_ended;
    host_panicked = give_up;
    host_guest_moves = move;
    host_relax = others_stop;
    spare_keep();
    create(&control, 0, PRIV_ALL);
    dom0 = control.d;
    start(&control);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool begun;
    static uint64_t lowest = ~0ull;
    uint64_t before;
    unsigned players, variant;

    if (!begun)
        once();
    begun = true;
    plays++;
    before = free_or_dom0s();
    data = bytes;
    left = size;
    variant = byte();
    players = variant & 3 ? GUESTS : HOSTILE;
    for (unsigned i = 0; i < players; i++) {
        create(&guests[i], (domid_t)(i + 1), i == TOOL ? PRIV_ALL : 0);
        start(&guests[i]);
    }
    introduce();
    if (players > TOOL)
        guests[TOOL].d->all_io = true;
    if (variant & 8) /* one is watched from the beginning */
        (void)!dirty_start(guests[variant >> 4 & 1].d);
    for (unsigned i = 0; i < HOSTILE; i++)
        guests[i].d->vm_assist = variant & 4 ? 1u << VMASST_TYPE_writable_pagetables : 0;
    if (!sigsetjmp(ended, 0)) {
        for (unsigned i = 0; left && i < TURNS; i++) {
            turn(players);
            if (i % CHECK_EVERY == 0)
                check();
        }
    }
    mover = NULL;
    left = 0;
    check();
    all_die();
    check();
    /* What the core keeps for the next domain may grow once, but not for ever. */
    lowest = MIN(lowest, before);
    if (free_or_dom0s() + 64 < lowest)
        give_up("memory is gone");
    return 0;
}
