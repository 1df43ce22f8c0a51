/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domains for tests of one core part: made by hand, found by id, freed when the last reference drops, so
 * that the sanitizers see whoever uses one for too long. hypervisor memory is the C library's, for the same
 * reason.
 */
#ifndef TESTS_UNIT_FAKE_DOMAIN_H
#define TESTS_UNIT_FAKE_DOMAIN_H

#include <stdatomic.h>
#include <stdlib.h>

#include "core/domain.h"
#include "core/frame.h"
#include "core/port.h"
#include "core/vcpu.h"

enum { FAKE_DOMAINS = 8 };

static struct domain *_Atomic fake_domains[FAKE_DOMAINS];
static _Atomic unsigned fake_notified[MAX_VCPUS]; /* vcpu_notify() calls, by vCPU id */
static _Atomic unsigned fake_woken[MAX_VCPUS];    /* PAUSE_BLOCKED cleared */
static _Atomic int fake_frame_refs;               /* frame_get_type() less frame_put_type() */
static _Atomic int fake_memory;                   /* pieces allocated less freed */
static int fake_fail_alloc;                       /* the n-th allocation from here fails; 0: none */

static inline bool fake_alloc_fails(void)
{
    return fake_fail_alloc && --fake_fail_alloc == 0;
}

void *hv_alloc(size_t size)
{
    if (fake_alloc_fails())
        return NULL;
    fake_memory++;
    return calloc(1, size);
}

void hv_free(void *p, size_t size)
{
    (void)size;
    fake_memory -= p != NULL;
    free(p);
}

void *hv_pages(unsigned order) { return hv_alloc(PAGE_SIZE << order); }
void hv_pages_free(void *p, unsigned order) { hv_free(p, PAGE_SIZE << order); }

int frame_get_type(struct domain *d, mfn_t m, enum frame_type type)
{
    (void)d;
    if (m.n == 0 || m.n >= frame_count || type != TYPE_WRITABLE)
        return -22;
    fake_frame_refs++;
    return 0;
}

void frame_put_type(mfn_t m)
{
    (void)m;
    fake_frame_refs--;
}

void vcpu_notify(struct vcpu *v) { fake_notified[v->id]++; }

void vcpu_pause_clear(struct vcpu *v, uint32_t why)
{
    if (why & PAUSE_BLOCKED)
        fake_woken[v->id]++;
}

void domain_ref(struct domain *d) { atomic_fetch_add(&d->refs, 1); }

static inline void fake_domain_free(struct domain *d)
{
    ports_free(d);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        free(d->vcpu[i]);
    free(d->shared);
    free(d);
}

void domain_put(struct domain *d)
{
    if (atomic_fetch_sub(&d->refs, 1) == 1)
        fake_domain_free(d);
}

struct domain *domain_get(domid_t id)
{
    struct domain *d = id < FAKE_DOMAINS ? fake_domains[id] : NULL;

    if (d)
        domain_ref(d);
    return d;
}

/* One reference: the caller's. */
static inline struct domain *fake_domain(domid_t id, unsigned vcpus, unsigned max_ports)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->refs = 1;
    d->max_vcpus = vcpus;
    d->shared = calloc(1, PAGE_SIZE);
    for (unsigned i = 0; i < vcpus; i++) {
        d->vcpu[i] = calloc(1, sizeof(struct vcpu));
        d->vcpu[i]->id = i;
        d->vcpu[i]->domain = d;
        d->vcpu[i]->info = (struct vcpu_info *)&d->shared->vcpu_info[i];
    }
    if (ports_init(d, max_ports))
        abort();
    fake_domains[id] = d;
    return d;
}

/* Dies, and drops the reference. */
static inline void fake_domain_kill(struct domain *d)
{
    fake_domains[d->id] = NULL;
    while (ports_kill(d))
        this_pcpu()->budget = ~0u;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        ports_fini_vcpu(d->vcpu[i]);
    domain_put(d);
}

#endif
