/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain's memory: frames given, taken back and exchanged, within its limit and what others have claimed.
 *
 * Exchange is two-phase, part by part: everything that can fail (reading the lists, taking the old frames, finding the new ones)
 * comes before anything changes hands.
 */
#include "core/reservation.h"

#include "core/budget.h"
#include "core/dirty.h"
#include "core/domain.h"
#include "core/flush.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/lowmem.h"
#include "core/m2p.h"
#include "lib/errno.h"
#include "lib/string.h"

#include <stdatomic.h>

#define EXCHANGE_AT_ONCE (1u << RESERVATION_MAX_ORDER) /* frames */

static _Atomic uint64_t claimed; /* sum of all domains' claimed_pages */

uint64_t reservation_claimed(void) { return claimed; }

/* d's lock is held. For how many more pages of d is there room, its own claim included? */
static uint64_t room(struct domain *d)
{
    uint64_t free = frames_free_count(), others = claimed - d->claimed_pages, have = d->tot_pages;

    if (domain_dying(d) || have >= d->max_pages || free < others)
        return 0;
    return MIN(free - others, d->max_pages - have);
}

static void claim_used(struct domain *d, uint64_t n)
{
    uint64_t used = MIN(d->claimed_pages, n);

    d->claimed_pages -= used;
    claimed -= used;
}

/* Where frames for d come from, as mem_flags say: first these nodes; a node that is not there has none. *all: then any other. */
static nodemask_t nodes_for(struct domain *d, unsigned mem_flags, bool *all)
{
    unsigned node = XENMEMF_get_node(mem_flags);
    bool exact = mem_flags & XENMEMF_exact_node_request, named = node < numa.nodes;
    nodemask_t nodes = named ? 1u << node : exact ? 0 : atomic_load_explicit(&d->nodes, memory_order_relaxed);

    *all = !exact && ~nodes & numa_all_nodes();
    return nodes;
}

static mfn_t frames_for(struct domain *d, unsigned order, unsigned mem_flags)
{
    bool all;
    nodemask_t nodes = nodes_for(d, mem_flags, &all);
    mfn_t m = frames_alloc_on(order, XENMEMF_get_address_bits(mem_flags), nodes);

    return mfn_same(m, MFN_NONE) && all ? frames_alloc(order, XENMEMF_get_address_bits(mem_flags)) : m;
}

/* d's lock is held. */
static inline void give(struct domain *d, mfn_t m, uint64_t pfn)
{
    frame_assign(d, m);
    m2p_set(m, pfn);
    dirty_mark(d, m);
}

mfn_t reservation_add(struct domain *d, unsigned order, unsigned mem_flags, uint64_t pfn)
{
    uint64_t n = 1ull << order;
    mfn_t m = MFN_NONE;

    lowmem_check();
    lock(&d->lock);
    if (room(d) >= n)
        m = frames_for(d, order, mem_flags);
    if (!mfn_same(m, MFN_NONE)) {
        claim_used(d, n);
        for (uint64_t i = 0; i < n; i++)
            give(d, mfn_plus(m, i), pfn == M2P_INVALID ? pfn : pfn + i);
        if (pfn != M2P_INVALID)
            WRITE_ONCE(d->max_pfn, MAX(d->max_pfn, pfn + n));
    }
    unlock(&d->lock);
    lowmem_check();
    return m;
}

unsigned reservation_add_pages(struct domain *d, unsigned mem_flags, uint64_t *list, unsigned n)
{
    unsigned bits = XENMEMF_get_address_bits(mem_flags), got;
    mfn_t m[FRAMES_AT_ONCE];
    nodemask_t nodes;
    bool all;

    lowmem_check();
    lock(&d->lock);
    n = (unsigned)MIN(room(d), (uint64_t)n);
    nodes = nodes_for(d, mem_flags, &all);
    got = frames_alloc_pages(m, n, bits, nodes);
    if (unlikely(got < n && all))
        got += frames_alloc_pages(&m[got], n - got, bits, NODES_ALL);
    claim_used(d, got);
    for (unsigned i = 0; i < got; i++) {
        give(d, m[i], list[i]);
        if (list[i] != M2P_INVALID && list[i] >= d->max_pfn)
            WRITE_ONCE(d->max_pfn, list[i] + 1);
        list[i] = m[i].n;
    }
    unlock(&d->lock);
    lowmem_check();
    return got;
}

bool reservation_remove(struct domain *d, mfn_t m)
{
    bool ok;

    lock(&d->lock);
    ok = frames_release(d, &m.n, 1);
    unlock(&d->lock);
    return ok;
}

unsigned reservation_remove_pages(struct domain *d, const uint64_t *mfns, unsigned n)
{
    lock(&d->lock);
    n = frames_release(d, mfns, n);
    unlock(&d->lock);
    return n;
}

/* ---- Exchange ---- */

/* What is exchanged at once, all of it or nothing: whole extents of both sides. */
struct exchange_part {
    unsigned frames, nr_in, nr_out;
    uint64_t in_at, out_at; /* its first extents */
};

struct exchange_work {
    mfn_t in[EXCHANGE_AT_ONCE], out[EXCHANGE_AT_ONCE];
    xen_pfn_t pfn[EXCHANGE_AT_ONCE];    /* names of the new frames */
    uint64_t was[EXCHANGE_AT_ONCE];     /* names of the old ones   */
};

static guest_ptr_t extent_ptr(const struct xen_memory_reservation *r, uint64_t i)
{
    return gptr_plus(handle_ptr(r->extent_start), i * sizeof(xen_pfn_t));
}

/* d's lock is held. In place of a frame taken from it, which counts until then: nobody else may use its room. */
static void assign_instead(struct domain *d, mfn_t m, uint64_t pfn)
{
    frame_assign(d, m);
    domain_frame_gone(d->id, false);
    m2p_set(m, pfn);
    dirty_mark(d, m);
}

/* The frames come back without a type: no CPU may still write to one by what it was before. */
static void give_back(struct domain *d, const struct exchange_work *w, unsigned n)
{
    if (n)
        flush_tlbs(machine_stale(pcpu_online, frame_of(w->in[n - 1])->stamp), FLUSH_ALL, 0);
    lock(&d->lock);
    for (unsigned i = 0; i < n; i++)
        assign_instead(d, w->in[i], w->was[i]);
    unlock(&d->lock);
}

/* Takes the frames off d: nobody else may hold them. */
static int take_in(struct domain *d, const struct xen_memory_exchange *x, struct exchange_work *w,
                   const struct exchange_part *p)
{
    unsigned per = 1u << x->in.extent_order;

    for (unsigned i = 0; i < p->frames; i++) {
        xen_pfn_t first;

        if (guest_read(&first, extent_ptr(&x->in, p->in_at + i / per), sizeof(first)))
            return -EFAULT;
        w->in[i] = mfn(first + i % per);
    }
    for (unsigned i = 0; i < p->frames; i++) {
        w->was[i] = mfn_is_ram(w->in[i]) ? m2p_get(w->in[i]) : 0;
        if (!frame_take(d, w->in[i])) {
            give_back(d, w, i);
            return -EINVAL;
        }
    }
    return 0;
}

/* The new extents from the allocator; freed again if one can't be had. */
static int take_out(struct domain *d, const struct xen_memory_exchange *x, mfn_t *out, const struct exchange_part *p)
{
    for (unsigned i = 0; i < p->nr_out; i++) {
        out[i] = frames_for(d, x->out.extent_order, x->out.mem_flags);
        if (!mfn_same(out[i], MFN_NONE))
            continue;
        while (i--)
            frames_free(out[i], x->out.extent_order, true);
        return -ENOMEM;
    }
    return 0;
}

/* Nothing can fail any more but writing the answers, whose places were read from a moment ago. */
static long commit(struct domain *d, const struct xen_memory_exchange *x, const struct exchange_work *w,
                   const struct exchange_part *p)
{
    unsigned per = 1u << x->out.extent_order;
    long rc = 0;

    for (unsigned i = 0; i < p->frames; i++)
        frames_free(w->in[i], 0, true);
    lock(&d->lock);
    for (unsigned i = 0; i < p->frames; i++)
        assign_instead(d, mfn_plus(w->out[i / per], i % per), w->pfn[i / per] + i % per);
    unlock(&d->lock);
    for (unsigned i = 0; i < p->nr_out; i++) {
        if (guest_write(extent_ptr(&x->out, p->out_at + i), &w->out[i].n, sizeof(w->out[i].n)))
            rc = -EFAULT;
    }
    return rc;
}

static long exchange_part(struct domain *d, const struct xen_memory_exchange *x, struct exchange_work *w,
                          const struct exchange_part *p)
{
    int rc;

    if (guest_read(w->pfn, extent_ptr(&x->out, p->out_at), p->nr_out * sizeof(w->pfn[0])))
        return -EFAULT;
    rc = take_in(d, x, w, p);
    if (rc)
        return rc;
    rc = domain_dying(d) ? -EINVAL : take_out(d, x, w->out, p);
    if (rc) {
        give_back(d, w, p->frames);
        return rc;
    }
    return commit(d, x, w, p);
}

/* Both sides are the same number of frames, and what was done before is whole extents of both. */
static bool exchange_valid(const struct xen_memory_exchange *x)
{
    unsigned in = x->in.extent_order, out = x->out.extent_order;
    uint64_t step = out > in && out <= RESERVATION_MAX_ORDER ? 1ull << (out - in) : 1;

    return in <= RESERVATION_MAX_ORDER && out <= RESERVATION_MAX_ORDER && x->out.domid == x->in.domid &&
           x->in.nr_extents <= frame_count && x->out.nr_extents <= frame_count &&
           x->in.nr_extents << in == x->out.nr_extents << out && x->nr_exchanged <= x->in.nr_extents &&
           x->nr_exchanged % step == 0;
}

static long exchange_rest(struct domain *d, struct xen_memory_exchange *x, struct exchange_work *w)
{
    unsigned in = x->in.extent_order, out = x->out.extent_order;

    while (x->nr_exchanged < x->in.nr_extents) {
        uint64_t done = x->nr_exchanged << in, left = (x->in.nr_extents << in) - done;
        struct exchange_part p = { .frames = (unsigned)MIN(left, (uint64_t)EXCHANGE_AT_ONCE) };
        long rc;

        p.nr_in = p.frames >> in;
        p.nr_out = p.frames >> out;
        p.in_at = x->nr_exchanged;
        p.out_at = done >> out;
        rc = exchange_part(d, x, w, &p);
        if (rc)
            return rc;
        x->nr_exchanged += p.nr_in;
        if (!budget_take(p.frames * 16) && x->nr_exchanged < x->in.nr_extents)
            return -ERESTART;
    }
    return 0;
}

long reservation_exchange(struct domain *d, struct xen_memory_exchange *x)
{
    struct exchange_work *w;
    long rc;

    if (!exchange_valid(x))
        return -EINVAL;
    w = hv_alloc(sizeof(*w));
    if (!w)
        return -ENOMEM;
    rc = exchange_rest(d, x, w);
    hv_free(w, sizeof(*w));
    return rc;
}

/* ---- Claims and maps ---- */

long reservation_claim(struct domain *d, uint64_t pages)
{
    uint64_t want;
    long rc = 0;

    lock(&d->lock);
    if (pages && d->claimed_pages) { /* one at a time */
        unlock(&d->lock);
        return -EINVAL;
    }
    claimed -= d->claimed_pages;
    d->claimed_pages = 0;
    want = pages > d->tot_pages ? pages - d->tot_pages : 0;
    if (pages > d->max_pages || (pages && domain_dying(d)))
        rc = -EINVAL;
    else if (pages && (frames_free_count() < claimed || frames_free_count() - claimed < want))
        rc = -ENOMEM;
    else
        d->claimed_pages = pages ? want : 0;
    claimed += d->claimed_pages;
    unlock(&d->lock);
    return rc;
}

long reservation_set_map(struct domain *d, guest_ptr_t entries, unsigned count)
{
    struct e820entry *new = hv_alloc(MAX(count, 1u) * sizeof(*new)), *old;
    unsigned old_count;

    if (!new)
        return -ENOMEM;
    if (guest_read(new, entries, count * sizeof(*new))) {
        hv_free(new, MAX(count, 1u) * sizeof(*new));
        return -EFAULT;
    }
    lock(&d->lock);
    old = d->e820;
    old_count = d->e820_count;
    d->e820 = new;
    d->e820_count = count;
    unlock(&d->lock);
    if (old)
        hv_free(old, MAX(old_count, 1u) * sizeof(*old));
    return 0;
}

bool reservation_get_map(struct domain *d, struct e820entry out[RESERVATION_MAX_E820], unsigned *count)
{
    bool set;

    lock(&d->lock);
    set = d->e820;
    *count = d->e820_count;
    if (set)
        memcpy(out, d->e820, *count * sizeof(*out));
    unlock(&d->lock);
    return set;
}
