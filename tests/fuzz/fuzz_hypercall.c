/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a play of two hostile guests, and mostly of a tool with all rights that builds, changes and kills them: a sequence
 * of hypercalls (tests/fuzz/grammar.h), stores, page-table writes, exceptions and system calls on the machine made of a
 * process. After each the way out is taken with as little budget as the input says; every few turns all references are counted
 * again and every TLB is looked at; at the end all die, and nothing of them may be left.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>

#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/dirty.h"
#include "core/grant.h"
#include "core/guest_trap.h"
#include "core/runq.h"
#include "core/time.h"
#include "core/timer.h"

#include "tests/fuzz/grammar.h"

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

static void store(struct guest *self, struct vcpu *v)
{
    uint64_t va = va_of(byte() % PAGES) + 8 * (uint64_t)byte();

    host_guest_store(v, va, word(self));
}

/* An entry of its own grant table, in the layout of its version or the other. */
static void grant(struct guest *self)
{
    static const uint16_t flags[] = {
        GTF_permit_access, GTF_permit_access | GTF_readonly, GTF_accept_transfer, GTF_transitive,
        GTF_permit_access | GTF_sub_page, 0, GTF_permit_access, GTF_permit_access | GTF_reading,
    };
    uint8_t k = byte(), ref = (uint8_t)a_ref(byte()), other = byte();
    mfn_t m = grants_frame(self->d, false, 0);
    uint16_t f = flags[k & 7], domid = k & 0x60 ? guests[self == &guests[0]].d->id : other & 3;
    uint8_t *at = machine_frame(m);
    uint32_t frame = (uint32_t)self->m[byte() % PAGES].n;

    if (!at)
        return;
    if (k & 8)
        frame = (uint32_t)word(self);
    at += (grants_version(self->d) == 2) ^ (k == 0xff) ? 16u * ref : 8u * ref;
    memcpy(at, &f, 2);
    memcpy(at + 2, &domid, 2);
    memcpy(at + 4, &frame, 4);
    if (grants_version(self->d) == 2) { /* a whole page's frame, a part of one, or whom to ask and for what */
        memcpy(at + 8, &frame, 4);
        memset(at + 12, 0, 4);
        if (f & GTF_sub_page || f == GTF_transitive) {
            uint16_t first = f == GTF_transitive ? guests[other & 1].d->id : (uint16_t)(other * 16), second = byte() * 16;

            memcpy(at + 4, &first, 2);
            memcpy(at + 6, &second, 2);
            if (f == GTF_transitive)
                memset(at + 8, other % 24, 1), memset(at + 9, 0, 3);
        }
    }
}

/* Instructions that the hypervisor stands in for. */
static const uint8_t code[][8] = {
    "\x48\x89\x07", "\x48\x87\x07", "\xf0\x48\x0f\xb1\x0f", "\x48\x21\x07", "\x48\x09\x07", "\x48\xab", "\x48\xa5", "\x89\x47\x04",
    "\xf3\x48\xab", "\x48\x0f\xc1\x07", "\x48\x0f\xab\x07", "\x0f\xc7\x0f", "\x0f\x20\xd8", "\x0f\x22\xd8", "\x0f\x22\xc0", "\x0f\x20\xe0",
    "\x0f\x22\xe0", "\xec", "\xee", "\xed", "\xef", "\xe4\x71", "\xe6\x70", "\x6c", "\xf3\x6c", "\x6e", "\xf3\x6f",
    "\x0f\x32", "\x0f\x30", "\x0f\xa2", "\x0f\x0b\x78\x65\x6e\x0f\xa2", "\x0f\x0b", "\xcd\x80", "\xf4", "\x0f\x09", "\x0f\x31",
    "\x0f\x06", "\x0f\x01\xd1", "\x0f\x01\x3f", "\x0f\x21\xf8", "\x0f\x23\xf8", "\x0f\x23\xc0", "\xfa", "\xfb", "\x0f\x33",
    "\x0f\x01\xf9", "\x0f\x01\xd0", "\xc6\x07\x01", "\x66\x89\x07", "\x80\x07\x01", "\x48\xff\x07", "\x48\xf7\x1f", "\x48\x83\x17\x01",
};

static const uint32_t msrs[] = {
    0x10, 0x1b, 0x8b, 0xfe, 0xcd, 0xce, 0x48, 0x49, 0x140, 0x174, 0x1a0, 0x1d9, 0x277, 0x2ff, 0x309, 0x38f, 0x606, 0x802, 0xc0000080,
    0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0xc001001f, 0x40000000,
};

/* Registers and instruction of what is about to trap. */
static void set_scene(struct guest *self, struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    uint8_t k = byte();
    uint64_t bytes;

    memcpy(&bytes, code[k % ARRAY_SIZE(code)], 8);
    if (k >= 0xf0)
        bytes = raw(8);
    put(v, va_of(STACK), bytes, 8);
    r->rip = va_of(STACK);
    r->rsp = v->kernel_mode ? va_of(STACK) + 2048 : word(self);
    r->cs = FLAT_KERNEL_CS;
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS | (byte() & 1 ? X86_EFLAGS_TF : 0);
    r->rdi = va_of(byte() & 7) + 8 * (uint64_t)byte();
    r->rsi = va_of(ARGS);
    r->rax = byte() & 1 ? table_entry(self) : word(self);
    r->rcx = k & 1 ? table_entry(self) : k & 2 ? msrs[byte() % ARRAY_SIZE(msrs)] : word(self);
    r->rdx = word(self);
}

static void trap(struct guest *self, struct vcpu *v)
{
    uint8_t k = byte();

    set_scene(self, v);
    this_pcpu()->budget = 1u << (k & 7) * 2;
    switch (k >> 4) {
    case 0: case 1: case 2: case 3: case 4: guest_trap(v, X86_VEC_GP, k & 8 ? (unsigned)byte() << 3 | 2 : 0); break;
    case 5: guest_trap(v, X86_VEC_UD, NO_ERROR_CODE); break;
    case 6: guest_trap(v, byte() % 20, (uint32_t)word(self)); break;
    case 7: bounce_syscall(v); break;
    case 8: bounce_sysenter(v); break;
    case 9: bounce_syscall32(v); break;
    case 10: bounce_failsafe(v); break;
    default: guest_page_fault(v, v->regs->rdi, k & 8 ? X86_PFEC_PRESENT | X86_PFEC_WRITE : (uint32_t)(k & 31)); break;
    }
    leave(v, 1u << (k & 15));
}

/* ---- Others, meanwhile ---- */

/* Between two reads of the hypervisor the guest, on another CPU, changes a word of what it passed. */
static struct vcpu *mover;

static void move(void)
{
    if (mover && left && byte() < 0x20)
        put(mover, va_of(ARGS) + (byte() & 0x38), raw(4), 4);
}

static sigjmp_buf ended;

/* Only who has all rights may end the machine. Nothing is held then. */
static void machine_ended(enum machine_end how)
{
    (void)how;
    if (!current_vcpu() || !domain_may(current_vcpu()->domain, PRIV_SYSTEM) || this_pcpu()->locks_held)
        abort();
    siglongjmp(ended, 1);
}

/* ---- The play ---- */

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
            abort();
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
    host_guest_moves = move;
    host_relax = others_stop;
    spare_keep();
    create(&control, 0, PRIV_ALL);
    dom0 = control.d;
    start(&control);
}

/* Everybody but dom0 dies, also whom the tool made. */
static void all_die(void)
{
    struct domain *d;
    domid_t from = 1;

    run_on(0, control.d->vcpu[0]);
    do
        this_pcpu()->budget = ~0u;
    while (dirty_stop(control.d) == -ERESTART); /* of itself it is the play's end */
    while ((d = domain_get_next(from)) != NULL) {
        from = d->id + 1;
        kill(d);
        domain_put(d);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        if (guests[i].d)
            domain_put(guests[i].d);
        memset(&guests[i], 0, sizeof(guests[i]));
    }
    if (domain_get_next(1))
        abort(); /* somebody still holds it */
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
    before = frames_free_count();
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
    if (frames_free_count() + 64 < lowest)
        abort();
    return 0;
}
