/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a play of two hostile guests: a sequence of hypercalls, stores and page-table writes on the machine made of a
 * process. The calls are those of abi/table.def, with sub-operations and structures of abi/table/; their words are mostly
 * such as mean something: own and foreign frames, ports, small numbers, pointers. After each call the way out is taken
 * with as little budget as the input says; every few calls all references are counted again and every TLB is looked at;
 * at the end both guests die, and nothing of them may be left.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "abi/hypercall.h"
#include "core/audit.h"
#include "core/budget.h"
#include "core/dirty.h"
#include "core/grant.h"
#include "core/m2p.h"
#include "core/pt.h"
#include "core/reservation.h"
#include "core/timer.h"
#include "host/host.h"
#include "x86/model/pte.h"

enum {
    CPUS = 2, RAM = 1024, GUESTS = 2, VCPUS = 2, PAGES = 48,
    ARGS = 8, ARRAY = 9, STACK = 10, /* pages of a guest that its calls use: arguments, what these point to, a stack */
    TRIES = 64,                      /* times that one call may ask to be made again */
    CALLS = 48,                      /* in one play */
    CHECK_EVERY = 8,                 /* turns: to find the turn of a finding, 1 */
};

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (RO | PTE_RW)

static struct guest {
    struct domain *d;
    mfn_t m[PAGES];
} guests[GUESTS], control;

/* ---- The input ---- */

static const uint8_t *data;
static size_t left;

static uint8_t byte(void)
{
    if (!left)
        return 0;
    left--;
    return *data++;
}

static uint64_t raw(unsigned bytes)
{
    uint64_t v = 0;

    while (bytes--)
        v = v << 8 | byte();
    return v;
}

static uint64_t va_of(unsigned page) { return (uint64_t)page * PAGE_SIZE; }

/* A word that may mean something to whoever reads it. */
static uint64_t word(struct guest *self)
{
    static const uint64_t odd[] = {
        ~0ull, ~0u, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff3, 0x8000, 0x80000000, 1ull << 63, 0xffff800000000000, 0x7ffffffff000,
        4096, 4095, 1024, 512, 511,
    };
    struct guest *other = &guests[self == &guests[0]];
    uint8_t k = byte();

    if (k < 0x60)
        return k;
    if (k < 0x90)
        return self->m[k - 0x60].n;
    if (k < 0xa0)
        return other->m[k - 0x90].n;
    if (k < 0xb0)
        return odd[k - 0xa0];
    if (k < 0xb8)
        return va_of(ARRAY) + (uint64_t)(k - 0xb0) * 16;
    if (k < 0xc0)
        return mfn_maddr(self->m[k - 0xb8]) + 8 * (uint64_t)byte();
    if (k < 0xd0)
        return pte_make(self->m[byte() % PAGES].n, k & 1 ? RW : RO);
    if (k < 0xd8)
        return pte_make(other->m[byte() % PAGES].n, k & 1 ? RW : RO);
    return raw(k < 0xe8 ? 2 : k < 0xf8 ? 4 : 8);
}

/* Memory of a guest as a structure or array of `words` of `width` bytes. */
static void fill(struct guest *self, unsigned page, unsigned words, unsigned width)
{
    uint8_t *to = machine_frame(self->m[page]);

    for (unsigned i = 0; i < words && left; i++) {
        uint64_t v = word(self);

        memcpy(to + (size_t)i * width, &v, width);
    }
}

/* ---- What a guest does ---- */

/* A hypercall: families name the operation first and the structure next; the others take an array and its length. */
static void set_call(struct guest *self, struct cpu_regs *r)
{
    static const uint64_t numbers[] = {
#define HYPERCALL(nr, name, args, needs, run) nr,
#include "abi/table.def"
#undef HYPERCALL
    };
    uint8_t shape = byte();

    r->rax = numbers[byte() % ARRAY_SIZE(numbers)];
    fill(self, ARGS, shape & 15, 1u << (shape >> 6 ? shape >> 6 : 3));
    if (shape & 16) {
        r->rdi = byte() & 63;
        r->rsi = r->rax == __HYPERVISOR_vcpu_op ? byte() & 3 : va_of(ARGS);
        r->rdx = r->rax == __HYPERVISOR_vcpu_op ? va_of(ARGS) : byte() & 3;
    } else {
        r->rdi = shape & 32 ? word(self) : va_of(ARGS);
        r->rsi = shape & 32 ? word(self) : byte() & 7;
        r->rdx = word(self);
    }
    r->r10 = byte() & 1 ? word(self) : DOMID_SELF;
    r->r8 = 0;
}

/* The vCPU's way out: what it queued is undone, with little budget at a time. */
static void leave(struct vcpu *v, unsigned units)
{
    do
        this_pcpu()->budget = units;
    while (!type_drain(v));
}

/* One call to its end, or until it was made again so often that another guest's turn has come. */
static void call(struct guest *self, struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    unsigned units = 1u << (byte() & 15);

    set_call(self, r);
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t nr = r->rax;

        r->rip = va_of(STACK);
        r->rsp = va_of(STACK) + 2048;
        this_pcpu()->budget = units;
        hypercall_entry(v);
        leave(v, units);
        if (r->rip == va_of(STACK) || atomic_load(&v->pause))
            return;
        r->rax = nr;
    }
}

static void store(struct guest *self, struct vcpu *v)
{
    uint64_t va = va_of(byte() % PAGES) + 8 * (uint64_t)byte();

    host_guest_store(v, va, word(self));
}

/* An entry of its own grant table, of either version. */
static void grant(struct guest *self)
{
    mfn_t m = grants_frame(self->d, false, 0);
    uint8_t *at = machine_frame(m) ? (uint8_t *)machine_frame(m) + 8 * (uint64_t)byte() : NULL;
    uint16_t flags = byte() | (uint16_t)((byte() & 1) << 8), domid = byte() & 3;
    uint32_t frame = (uint32_t)word(self);

    if (!at)
        return;
    memcpy(at, &flags, 2);
    memcpy(at + 2, &domid, 2);
    memcpy(at + 4, &frame, 4);
}

/* Between two reads of the hypervisor the guest, on another CPU, changes a word of what it passed. */
static struct guest *mover;

static void move(void)
{
    if (mover && left && byte() < 0x20)
        memcpy((uint8_t *)machine_frame(mover->m[ARGS]) + (byte() & 0x3c), data, MIN(left, (size_t)4));
}

/* ---- The play ---- */

static void run_on(unsigned cpu, struct vcpu *v);

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

static void check(void)
{
    if (audit_run()) {
        host_verbose = true; /* once more, to say what it is */
        audit_run();
        abort();
    }
    if (host_audit() || this_pcpu()->locks_held)
        abort();
}

/* v (NULL: nobody) runs on `cpu`, and has left the other. */
static void run_on(unsigned cpu, struct vcpu *v)
{
    host_cpu = !cpu;
    host_run(NULL);
    host_cpu = cpu;
    host_run(v);
}

static void turn(void)
{
    uint8_t k = byte();
    struct guest *self = &guests[k & 1];
    struct vcpu *v = self->d->vcpu[k >> 1 & 1];

    vcpu_pause_clear(v, PAUSE_BLOCKED); /* an event came */
    if (atomic_load(&v->pause) || mfn_same(v->root_kernel, MFN_NONE))
        return;
    run_on(k >> 2 & 1, v);
    v->kernel_mode = true;
    mover = k & 8 ? self : NULL;
    switch (k >> 4) {
    case 0: case 1: store(self, v); break;
    case 2: case 3: grant(self); break;
    case 5: watch(self); break;
    case 4: host_tsc += raw(4); timers_run(); break;
    default: call(self, v);
    }
    mover = NULL;
}

/* ---- Guests ---- */

static void create(struct guest *g, domid_t id, uint32_t privileges)
{
    struct domain_config cfg = { .id = id, .max_vcpus = VCPUS, .max_ports = ~0u, .max_grant_frames = ~0u,
                                 .max_maptrack_frames = ~0u, .max_grant_version = 2, .privileges = privileges };

    if (domain_create(&cfg, &g->d) || domain_alloc_vcpus(g->d, VCPUS))
        abort();
    g->d->max_pages = PAGES + 8;
    for (unsigned i = 0; i < PAGES; i++)
        g->m[i] = reservation_add(g->d, 0, 0, i);
}

/* Pages 0 to 3 are the root and its tables for va 0; the L1 maps page i at i * 4 KiB. */
static void start(struct guest *g)
{
    struct vcpu *v = g->d->vcpu[0];

    for (unsigned i = 0; i < 3; i++)
        *(uint64_t *)machine_frame(g->m[i]) = pte_make(g->m[i + 1].n, RW);
    for (unsigned i = 0; i < PAGES; i++)
        ((uint64_t *)machine_frame(g->m[3]))[i] = pte_make(g->m[i].n, i < 4 ? RO : RW);
    run_on(0, v);
    this_pcpu()->budget = ~0u;
    if (type_pin(g->d, g->m[0], TYPE_L4) || pt_set_root(v, g->m[0], false))
        abort();
    leave(v, ~0u);
    v->initialised = true;
    v->kernel_mode = true;
    domain_unpause(g->d);
    vcpu_pause_clear(v, PAUSE_DOWN);
}

static void end(struct guest *g)
{
    int rc;

    run_on(0, control.d->vcpu[0]);
    do {
        this_pcpu()->budget = 64;
        rc = domain_kill(g->d);
        leave(control.d->vcpu[0], 64);
    } while (rc == -ERESTART);
    if (rc)
        abort();
    g->d = NULL;
}

static void machine_ended(enum machine_end how)
{
    (void)how;
    abort(); /* no guest ends the machine */
}

static void once(void)
{
    host_start(CPUS, RAM);
    host_ended = machine_ended;
    host_guest_moves = move;
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

    if (!begun)
        once();
    begun = true;
    before = frames_free_count();
    for (unsigned i = 0; i < GUESTS; i++) {
        create(&guests[i], (domid_t)(i + 1), 0);
        start(&guests[i]);
    }
    data = bytes;
    left = size;
    for (unsigned i = 0; left && i < CALLS; i++) {
        turn();
        if (i % CHECK_EVERY == 0)
            check();
    }
    check();
    left = 0;
    for (unsigned i = 0; i < GUESTS; i++)
        end(&guests[i]);
    for (unsigned i = 0; i < GUESTS; i++)
        if (domain_get((domid_t)(i + 1)))
            abort(); /* somebody still holds it */
    check();
    /* What the core keeps for the next domain may grow once, but not for ever. */
    lowest = MIN(lowest, before);
    if (frames_free_count() + 64 < lowest)
        abort();
    return 0;
}
