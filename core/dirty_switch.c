/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logging a domain's writes: switched on, read, switched off. All of it is preemptible but what happens while the domain
 * is paused, which is short: no memory is allocated or copied then.
 */
#include "core/dirty.h"

#include "core/budget.h"
#include "core/guest.h"
#include "core/port.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/model/pte.h"

/* Bytes of the log copied at a time, and what each and a page allocated or freed cost. */
#define CHUNK       1024u
#define CHUNK_UNITS 8u
#define PAGE_UNITS  4u

/* One shadow for each so many pages of memory: Linux has a table for about 400. */
#define PAGES_PER_SHADOW 128u
/* A guest may say that it has more pfns than there are frames, but not without end. */
#define PFNS_MAX (4 * frame_count + (1u << 20))
#define PAGES_MAX (1ull << 40)

/* ---- Memory ---- */

/* Of each bitmap: a domain without pages has one too. */
static size_t log_size(const struct dirty *t) { return DIV_ROUNDUP(MAX(t->pfns, (uint64_t)1), 64) * sizeof(uint64_t); }

static uint32_t pool_wanted(const struct domain *d)
{
    uint64_t shadows = MIN(d->tot_pages / PAGES_PER_SHADOW, (uint64_t)UINT32_MAX / 2);

    return (uint32_t)shadows + d->max_vcpus * (SHADOW_PER_VCPU + 2);
}

/* 0, or -ERESTART. Nothing uses it any more. */
static int give_back(struct dirty *t)
{
    struct shadow *s = &t->shadow;

    hv_free(t->log, log_size(t));
    hv_free(t->snapshot, log_size(t));
    t->log = t->snapshot = NULL;
    t->pfns = 0;
    while (s->count) {
        frame_table[s->pool[--s->count]].prev = 0;
        frame_table[s->pool[s->count]].next = 0;
        hv_pages_free(machine_frame(mfn(s->pool[s->count])), 0);
        if (!budget_take(PAGE_UNITS) && s->count)
            return -ERESTART;
    }
    hv_free(s->pool, s->max * sizeof(*s->pool));
    hv_free(s->bucket, s->buckets * sizeof(*s->bucket));
    *s = (struct shadow){ 0 };
    return 0;
}

/* 0, -ENOMEM, -ERESTART. */
static int get_tables(struct shadow *s, uint32_t wanted)
{
    if (!s->pool) {
        s->max = wanted;
        s->pool = hv_alloc(s->max * sizeof(*s->pool));
    }
    if (!s->bucket) {
        for (s->buckets = 64; s->buckets < s->max; s->buckets *= 2)
            continue;
        s->bucket = hv_alloc(s->buckets * sizeof(*s->bucket));
    }
    if (!s->pool || !s->bucket)
        return -ENOMEM;
    while (s->count < s->max) {
        void *page = hv_pages(0);

        if (!page)
            return -ENOMEM;
        s->pool[s->count++] = (uint32_t)machine_frame_mfn(page).n;
        if (!budget_take(PAGE_UNITS) && s->count < s->max)
            return -ERESTART;
    }
    return 0;
}

static int get_log(struct domain *d, struct dirty *t)
{
    t->pfns = MAX(READ_ONCE(d->shared->arch.max_pfn), READ_ONCE(d->max_pfn));
    if (t->pfns > PFNS_MAX)
        return -ENOMEM;
    t->log = hv_alloc(log_size(t));
    t->snapshot = hv_alloc(log_size(t));
    return t->log && t->snapshot ? 0 : -ENOMEM;
}

/* ---- On and off ---- */

/* The first frames of the pool become the vCPUs' roots. Of an earlier time, whose end may have been begun only, nothing is known. */
static void switch_on(struct domain *d)
{
    struct dirty *t = d->dirty;

    domain_pause(d);
    lock(&t->lock);
    shadow_none(&t->shadow, 2 * d->max_vcpus);
    for (unsigned i = 0; i < 2 * d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i / 2];

        v->shadow_root[i % 2] = mfn(t->shadow.pool[i]);
        machine_root_init(machine_frame(v->shadow_root[i % 2]));
        shadow_root_fill(v, i % 2);
    }
    t->faults = t->count = 0;
    t->reading = false;
    t->on = true;
    unlock(&t->lock);
    domain_unpause(d);
}

static void switch_off(struct domain *d)
{
    struct dirty *t = d->dirty;

    domain_pause(d);
    lock(&t->lock);
    t->on = false;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        d->vcpu[i]->shadow_root[0] = d->vcpu[i]->shadow_root[1] = MFN_NONE;
    unlock(&t->lock);
    domain_unpause(d);
}

static struct dirty *made(struct domain *d)
{
    struct dirty *t = d->dirty;

    if (!t && (t = hv_alloc(sizeof(*t)))) {
        lock_init(&t->lock, LOCK_DIRTY);
        d->dirty = t;
    }
    return t;
}

static bool has_vcpus(const struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (!d->vcpu[i])
            return false;
    }
    return true;
}

int dirty_start(struct domain *d)
{
    struct dirty *t = d->dirty;
    int rc = 0;

    if (domain_dying(d) || !has_vcpus(d) || (t && t->on))
        return -EINVAL;
    t = made(d);
    if (!t)
        return -ENOMEM;
    if (!t->unwinding) {
        rc = get_tables(&t->shadow, pool_wanted(d));
        if (rc == 0)
            rc = get_log(d, t);
        if (rc == 0)
            switch_on(d);
        t->unwinding = rc == -ENOMEM;
    }
    if (t->unwinding) {
        rc = give_back(t);
        t->unwinding = rc != 0;
        rc = rc ? rc : -ENOMEM;
    }
    return rc;
}

int dirty_stop(struct domain *d)
{
    struct dirty *t = d->dirty;
    int rc;

    if (!t || (!t->on && !t->shadow.pool))
        return -EINVAL;
    if (t->on)
        switch_off(d);
    rc = give_back(t);
    t->unwinding = t->unwinding && rc;
    return rc;
}

bool dirty_free(struct domain *d)
{
    struct dirty *t = d->dirty;
    bool left = t && (t->on || t->shadow.pool || t->log);

    hv_free(t, sizeof(*t));
    return left;
}

/* ---- FINAL: what is written without a mark ---- */

static void mark_frame(void *d, mfn_t m, bool writable)
{
    (void)writable;
    dirty_mark(d, m);
}

static void mark_areas(struct domain *d, struct vcpu *v)
{
    dirty_mark(d, v->info_mfn);
    for (unsigned i = 0; i < 2; i++) {
        dirty_mark(d, v->runstate_area.mfn[i]);
        dirty_mark(d, v->time_area.mfn[i]);
    }
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        dirty_mark(d, v->gdt[i]);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        dirty_mark(d, v->ldt[i]);
}

/* FOREIGN stays with a frame until it is used as something else, so it also tells of mappings that are gone. */
static int mark_final(struct domain *d, struct dirty *t)
{
    while (t->at < frame_count) {
        const struct frame *f = &frame_table[t->at];

        if (READ_ONCE(f->owner) == d->id && (f->type & TYPE_FOREIGN))
            dirty_mark(d, mfn(t->at));
        if (++t->at % 32 == 0 && !budget_take(1) && t->at < frame_count)
            return -ERESTART;
    }
    domain_pause(d); /* its vCPUs change theirs without a lock */
    for (unsigned i = 0; i < d->max_vcpus; i++)
        mark_areas(d, d->vcpu[i]);
    dirty_mark(d, d->pirq_eoi_mfn);
    ports_each_frame(d, mark_frame, d);
    domain_unpause(d);
    return 0;
}

/* ---- Reading ---- */

static void take_numbers(struct dirty *t)
{
    t->read_faults = t->faults;
    t->read_count = t->count;
}

/* From here on, what was written before is in the snapshot, and what is written faults again. */
static void take_snapshot(struct domain *d, struct dirty *t)
{
    uint64_t *log = t->log;

    domain_pause(d);
    lock(&t->lock);
    take_numbers(t);
    t->log = t->snapshot;
    t->snapshot = log;
    t->faults = t->count = 0;
    shadow_forget_all(d);
    unlock(&t->lock);
    domain_unpause(d);
}

/* Words [first, first + n) of the source, zeros beyond it. Cleared in a snapshot. */
static void fetch(struct dirty *t, uint64_t *to, uint64_t first, unsigned n)
{
    uint64_t words = DIV_ROUNDUP(t->pfns, 64);

    lock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        uint64_t *from = t->read.clean ? t->snapshot : t->log;

        to[i] = first + i < words ? from[first + i] : 0;
        if (t->read.clean && first + i < words)
            from[first + i] = 0;
    }
    unlock(&t->lock);
}

static int copy_out(struct dirty *t)
{
    uint64_t bytes = DIV_ROUNDUP(t->read.pages, 8), words[CHUNK / sizeof(uint64_t)];

    while (t->at < bytes) {
        size_t n = MIN(bytes - t->at, (uint64_t)CHUNK);

        fetch(t, words, t->at / sizeof(words[0]), (unsigned)DIV_ROUNDUP(n, sizeof(words[0])));
        if (guest_write(gptr_plus(t->read.buffer, t->at), words, n))
            return -EFAULT;
        t->at += n;
        if (!budget_take(CHUNK_UNITS) && t->at < bytes)
            return -ERESTART;
    }
    return 0;
}

static int go_on_reading(struct domain *d, struct dirty *t)
{
    int rc = t->marked ? 0 : mark_final(d, t);

    if (rc)
        return rc;
    t->marked = true;
    if (!t->taken) {
        t->at = 0;
        t->taken = true;
        if (t->read.clean) {
            take_snapshot(d, t);
        } else {
            lock(&t->lock);
            take_numbers(t);
            unlock(&t->lock);
        }
    }
    return copy_out(t);
}

static bool same_read(const struct dirty_read *a, const struct dirty_read *b)
{
    return a->clean == b->clean && a->final == b->final && a->caller == b->caller && a->buffer.va == b->buffer.va &&
           a->pages == b->pages;
}

int dirty_read(struct domain *d, const struct dirty_read *r, uint32_t *faults, uint32_t *count)
{
    struct dirty *t = d->dirty;
    int rc;

    if (!t || !t->on || r->pages > PAGES_MAX)
        return -EINVAL;
    if (t->reading && !same_read(&t->read, r))
        return -EBUSY;
    if (!t->reading) {
        t->reading = true;
        t->read = *r;
        t->marked = !r->final;
        t->taken = false;
        t->at = 0;
    }
    rc = go_on_reading(d, t);
    t->reading = rc == -ERESTART;
    *faults = t->read_faults;
    *count = t->read_count;
    return rc;
}
