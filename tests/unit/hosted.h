/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domains on the machine made of a process (host/host.h), for tests of the core as a whole: frames, page tables, and a
 * check of everything after each step. Included once by a test, after cmocka.h.
 */
#ifndef TESTS_UNIT_HOSTED_H
#define TESTS_UNIT_HOSTED_H

#include <stdlib.h>
#include <string.h>

#include "core/audit.h"
#include "tests/unit/plenty.h"
#include "core/m2p.h"
#include "core/pt.h"
#include "core/pt_grant.h"
#include "core/reservation.h"
#include "host/host.h"
#include "lib/errno.h"
#include "x86/model/pte.h"

#include <xen/grant_table.h>

enum { HOSTED_CPUS = 2, HOSTED_RAM = 4096, HOSTED_FRAMES = 256 };

#define RO (PTE_P | PTE_US | PTE_A)
#define RW (RO | PTE_RW)

/* A domain, its first vCPU, and frames m[0..count), numbered so. */
struct guest {
    struct domain *d;
    struct vcpu *v;
    mfn_t m[HOSTED_FRAMES];
    unsigned count;
};

static inline void hosted_check(void)
{
    if (audit_run()) {
        host_verbose = true; /* once more, to say what it is */
        assert_int_equal(audit_run(), 0);
    }
    assert_int_equal(host_audit(), 0);
    assert_int_equal(this_pcpu()->locks_held, 0);
}

/* The way out of the hypervisor as far as memory goes: what is queued is undone, with `units` of budget at a time. */
static inline void hosted_leave(struct vcpu *v, unsigned units)
{
    do
        this_pcpu()->budget = units;
    while (!type_drain(v));
    plenty();
}

static inline void guest_create_smp(struct guest *g, domid_t id, uint32_t privileges, unsigned frames, unsigned vcpus)
{
    struct domain_config cfg = { .id = id, .max_vcpus = vcpus, .max_ports = ~0u, .max_grant_frames = ~0u,
                                 .max_maptrack_frames = ~0u, .max_grant_version = 2, .privileges = privileges };

    assert_int_equal(domain_create(&cfg, &g->d), 0);
    if (id == 0)
        dom0 = g->d;
    g->d->max_pages = frames;
    assert_int_equal(domain_alloc_vcpus(g->d, vcpus), 0);
    g->v = g->d->vcpu[0];
    g->count = frames;
    for (unsigned i = 0; i < frames; i++) {
        g->m[i] = reservation_add(g->d, 0, 0, i);
        assert_false(mfn_same(g->m[i], MFN_NONE));
    }
}

static inline void guest_create(struct guest *g, domid_t id, uint32_t privileges, unsigned frames)
{
    guest_create_smp(g, id, privileges, frames, 1);
}

/* Kills it from `by`, whose way out undoes its tables, and checks that all its frames came back. */
static inline void guest_destroy(struct guest *g, struct vcpu *by, unsigned units)
{
    unsigned turns = 0;
    int rc;

    host_run(by);
    do {
        assert_true(turns++ < 100000); /* each gets on */
        this_pcpu()->budget = units;
        rc = domain_kill(g->d);
        hosted_leave(by, units);
    } while (rc == -ERESTART);
    assert_int_equal(rc, 0);
    memset(g, 0, sizeof(*g));
}

/* Writes an entry of a frame that is no table now, as the guest itself could. */
static inline void guest_entry(struct guest *g, unsigned table, unsigned i, unsigned target, uint64_t flags)
{
    ((uint64_t *)machine_frame(g->m[table]))[i] = pte_make(g->m[target].n, flags);
}

/* Frames 0..3 are the root and its tables for va 0: L1 entry i maps frame i, writable but for the tables. */
static inline void guest_tables(struct guest *g, unsigned pages)
{
    for (unsigned i = 0; i < 3; i++)
        guest_entry(g, i, 0, i + 1, RW);
    for (unsigned i = 0; i < pages; i++)
        guest_entry(g, 3, i, i, i < 4 ? RO : RW);
}

/* The same, and runs on them. */
static inline void guest_start(struct guest *g, unsigned pages)
{
    guest_tables(g, pages);
    host_run(g->v);
    plenty();
    assert_int_equal(type_pin(g->d, g->m[0], TYPE_L4), 0);
    assert_int_equal(pt_set_root(g->v, g->m[0], false), 0);
    hosted_leave(g->v, PLENTY);
}

/* One entry for a grant, by the way for many, or by that for one. A status. */
static bool grants_alone;
static inline int grant_mapped(struct guest *g, uint64_t addr, bool contains_pte, uint64_t entry, uint64_t *pte)
{
    struct pt_grant one = { addr, contains_pte, entry, 0 };

    if (grants_alone)
        pt_grant_map_one(g->v, &one);
    else
        pt_grant_map(g->v, &one, 1);
    *pte = one.pte;
    return one.pte ? GNTST_okay : GNTST_general_error;
}

/* It goes, if it maps m, and with it its references. */
static inline int grant_unmapped(struct guest *g, uint64_t pte, mfn_t m)
{
    struct pt_grant_gone gone = { .pte = pte, .m = m };

    if (grants_alone)
        pt_grant_clear_one(g->v, &gone);
    else
        pt_grant_clear(g->v, &gone, 1);
    if (!gone.old)
        return GNTST_general_error;
    if (gone.old & PTE_RW)
        type_put(m);
    frame_put(m);
    return GNTST_okay;
}

static struct guest control; /* dom0: it has a vCPU to run on, and does nothing */

/* A machine with so many frames, and dom0 on it. */
static inline int hosted_begin(uint64_t frames)
{
    host_start(HOSTED_CPUS, frames);
    guest_create(&control, 0, PRIV_ALL, 8);
    guest_start(&control, 8);
    hosted_check();
    return 0;
}

static inline int hosted_setup(void **state)
{
    (void)state;
    return hosted_begin(HOSTED_RAM);
}

#endif
