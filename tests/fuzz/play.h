/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stage of fuzz_hypercall.c: the bytes of the input, the guests that act, and what must hold whenever the hypervisor is
 * at rest. Included once.
 */
#ifndef TESTS_FUZZ_PLAY_H
#define TESTS_FUZZ_PLAY_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/audit.h"
#include "core/budget.h"
#include "core/dirty.h"
#include "core/grant.h"
#include "core/grant_table.h"
#include "core/m2p.h"
#include "core/port.h"
#include "core/pt.h"
#include "core/reservation.h"
#include "core/tbuf.h"
#include "host/host.h"
#include "x86/model/pte.h"

#include <xen/grant_table.h>

#ifndef PLAY_CPUS
#define PLAY_CPUS 2
#endif

enum {
    CPUS = PLAY_CPUS, RAM = 1024, VCPUS = 2, PAGES = 48,
    SPARE = 3, /* order */
    /* Pages of a guest: those that it maps; and those that its calls use: what registers point to, what that points to (frames, ports, a vCPU's context, the
     * calls of a multicall), code and stack. */
    MAPPED = 40, ARGS = 8, ARRAY = 9, PORTS = 10, CONTEXT = 11, CALLS_OF = 13, STACK = 14,
};

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (RO | PTE_RW)

struct guest {
    struct domain *d; /* with a reference */
    mfn_t m[PAGES];
};

/* Two that have no rights, one that has all but is not dom0; and dom0, which never acts. */
enum { HOSTILE = 2, TOOL = 2, GUESTS = 3 };
static struct guest guests[GUESTS], control;

static uint64_t va_of(unsigned page) { return (uint64_t)page * PAGE_SIZE; }

static uint64_t plays; /* the number of this one, and where numbers make plays, its seed */

/* What may never be has come: also what host_panicked() is for. What the log had to say of it is not lost. */
static _Noreturn void give_up(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "play %lu, CPU %u: %s\n", (unsigned long)plays, host_cpu, what);
    abort();
}

/* ---- The input ---- */

static _Thread_local const uint8_t *data;
static _Thread_local size_t left;

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

/* ---- Whenever the hypervisor is at rest ---- */

/* What audit_run() needs, kept from the play, which may use up all memory. */
static void *spare;

static void spare_keep(void)
{
    spare = hv_pages(SPARE);
    if (!spare)
        give_up("no memory for the count of references");
}

static void count_references(void)
{
    hv_pages_free(spare, SPARE);
    if (audit_run()) {
        host_verbose = true; /* once more, to say what it is */
        audit_run();
        give_up("references are not what uses there are");
    }
    spare_keep();
}

/* The vCPU's way out: what it queued is undone, with little budget at a time. */
static void leave(struct vcpu *v, unsigned units)
{
    do
        this_pcpu()->budget = units;
    while (!type_drain(v));
}

/* v runs on `cpu`, and has left the other, where somebody else may still be. */
static void run_on(unsigned cpu, struct vcpu *v)
{
    host_cpu = !cpu;
    if (this_pcpu()->current == v)
        host_run(NULL);
    host_cpu = cpu;
    host_run(v);
}

/* ---- The end of the machine ---- */

static _Thread_local sigjmp_buf ended; /* where this CPU goes on then */

/* Only who has all rights may end the machine. Nothing is held then. */
static void machine_ended(enum machine_end how)
{
    (void)how;
    if (!current_vcpu() || !domain_may(current_vcpu()->domain, PRIV_SYSTEM))
        give_up("the machine was ended by who may not");
    if (this_pcpu()->locks_held)
        give_up("the machine was ended with locks held");
    siglongjmp(ended, 1);
}

/* ---- Guests ---- */

static void create(struct guest *g, domid_t id, uint32_t privileges)
{
    struct domain_config cfg = { .id = id, .max_vcpus = VCPUS, .max_ports = ~0u, .max_grant_frames = ~0u,
                                 .max_maptrack_frames = ~0u, .max_grant_version = 2, .privileges = privileges };

    this_pcpu()->budget = ~0u;
    if (domain_create(&cfg, &g->d) || domain_alloc_vcpus(g->d, VCPUS))
        give_up("a guest can't be created");
    domain_ref(g->d);
    g->d->max_pages = PAGES + 8;
    for (unsigned i = 0; i < PAGES; i++)
        g->m[i] = reservation_add(g->d, 0, 0, i);
}

/* Pages 0 to 3 are the root and its tables for va 0; the L1 maps page i at i * 4 KiB. Page 4 is a second root. */
static void start(struct guest *g)
{
    struct vcpu *v = g->d->vcpu[0];

    for (unsigned i = 0; i < 3; i++)
        *(uint64_t *)machine_frame(g->m[i]) = pte_make(g->m[i + 1].n, RW);
    *(uint64_t *)machine_frame(g->m[4]) = pte_make(g->m[1].n, RW);
    for (unsigned i = 0; i < MAPPED; i++)
        ((uint64_t *)machine_frame(g->m[3]))[i] = pte_make(g->m[i].n, i < 5 ? RO : RW);
    run_on(0, v);
    this_pcpu()->budget = ~0u;
    if (type_pin(g->d, g->m[0], TYPE_L4) || type_pin(g->d, g->m[4], TYPE_L4) || pt_set_root(v, g->m[0], false) ||
        pt_set_root(v, g->m[4], true) || grants_grow(g->d, 1))
        give_up("a guest can't be started");
    leave(v, ~0u);
    v->initialised = true;
    v->kernel_mode = true;
    v->kernel_sp = va_of(STACK) + 2048;
    domain_unpause(g->d);
    g->d->ctl_pause_count = 0;
    vcpu_pause_clear(v, PAUSE_DOWN);
}

/* The two hostile guests are introduced: references 8 to 11 of each grant pages 20 and up to the other, and a channel. */
static void introduce(void)
{
    evtchn_port_t port, other;

    for (unsigned i = 0; i < HOSTILE; i++) {
        grant_entry_v1_t *e = machine_frame(grants_frame(guests[i].d, false, 0));

        for (unsigned k = 0; k < 4; k++)
            e[8 + k] = (grant_entry_v1_t){ .flags = GTF_permit_access | (k & 1 ? GTF_readonly : 0),
                                           .domid = guests[!i].d->id, .frame = (uint32_t)guests[i].m[20 + k].n };
    }
    if (port_alloc_unbound(guests[0].d, guests[1].d->id, &port) ||
        port_bind_interdomain(guests[1].d, guests[0].d->id, port, &other))
        give_up("no channel between the guests");
}

static void count_frame(void *count, mfn_t m, bool writable)
{
    (void)m, (void)writable;
    ++*(uint64_t *)count;
}

/*
 * Free frames, and those that dom0 has, to which a tool gives more: its memory, and its grant table as it sees it and its counts;
 * and trace buffers, which stay once a tool has asked for them.
 */
static uint64_t free_or_dom0s(void)
{
    uint64_t shared = grants_frames(control.d, false), counts = GRANT_V1_PER_FRAME * sizeof(struct active) / PAGE_SIZE, traces = 0;

    tbuf_each_frame(count_frame, &traces);
    return frames_free_count() + control.d->tot_pages + shared * (1 + counts) + grants_frames(control.d, true) + traces;
}

/* Kills a domain, as dom0, in pieces. */
static void kill(struct domain *d)
{
    int rc;

    run_on(0, control.d->vcpu[0]);
    do {
        this_pcpu()->budget = 64;
        rc = domain_kill(d);
        leave(control.d->vcpu[0], 64);
    } while (rc == -ERESTART);
    if (rc)
        give_up("a domain can't be killed");
}

static bool is_dom0s_own(uint32_t n)
{
    for (unsigned i = 0; i < PAGES; i++) {
        if (control.m[i].n == n)
            return true;
    }
    return false;
}

/* What a tool has given to dom0, or set aside for it: play by play all memory would go there. */
static void dom0_gives_back(void)
{
    uint32_t next;

    run_on(0, control.d->vcpu[0]);
    (void)reservation_claim(control.d, 0);
    for (uint32_t n = control.d->page_list; n; n = next) {
        next = frame_table[n].next;
        if (!is_dom0s_own(n) && !reservation_remove(control.d, mfn(n)))
            give_up("dom0 can't give back what it has");
    }
    leave(control.d->vcpu[0], ~0u);
}

/* Everybody but dom0 dies, also whom the tool made. */
static void all_die(void)
{
    struct domain *d;
    domid_t from = 1;

    for (unsigned cpu = CPUS; cpu--; ) {
        host_cpu = cpu;
        host_run(NULL);
    }
    do /* who runs does not do so to itself: its tables are in use */
        this_pcpu()->budget = ~0u;
    while (dirty_stop(control.d) == -ERESTART);
    while ((d = domain_get_next(from)) != NULL) {
        from = d->id + 1;
        kill(d);
        domain_put(d);
    }
    dom0_gives_back();
    for (unsigned i = 0; i < GUESTS; i++) {
        if (guests[i].d)
            domain_put(guests[i].d);
        memset(&guests[i], 0, sizeof(guests[i]));
    }
    if (domain_get_next(1))
        give_up("somebody still holds a domain that is dead");
}

#endif
