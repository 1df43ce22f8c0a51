/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain's memory: frames given, taken back and exchanged, within its limit and what others have claimed.
 *
 * Exchange is two-phase: everything that can fail (reading the lists, taking the old frames, finding the new ones) comes before
 * anything changes hands.
 */
#include "core/reservation.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/flush.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/lowmem.h"
#include "core/m2p.h"
#include "lib/errno.h"
#include "lib/string.h"

#include <stdatomic.h>

#define EXCHANGE_MAX 512u /* frames in one call: 2 MiB at once */

static _Atomic uint64_t claimed; /* sum of all domains' claimed_pages */

uint64_t reservation_claimed(void) { return claimed; }

/* d's lock is held. Is there room for n more pages for d, its own claim included? */
static bool room_for(struct domain *d, uint64_t n)
{
    uint64_t free = frames_free_count(), others = claimed - d->claimed_pages;

    return d->tot_pages + n <= d->max_pages && free >= others && free - others >= n;
}

static void claim_used(struct domain *d, uint64_t n)
{
    uint64_t used = MIN(d->claimed_pages, n);

    d->claimed_pages -= used;
    claimed -= used;
}

mfn_t reservation_add(struct domain *d, unsigned order, unsigned addr_bits, uint64_t pfn)
{
    uint64_t n = 1ull << order;
    mfn_t m = MFN_NONE;

    lowmem_check();
    lock(&d->lock);
    if (!domain_dying(d) && room_for(d, n))
        m = frames_alloc(order, addr_bits);
    if (!mfn_same(m, MFN_NONE)) {
        claim_used(d, n);
        for (uint64_t i = 0; i < n; i++) {
            frame_assign(d, mfn_plus(m, i));
            m2p_set(mfn_plus(m, i), pfn == M2P_INVALID ? pfn : pfn + i);
        }
        if (pfn != M2P_INVALID)
            d->max_pfn = MAX(d->max_pfn, pfn + n);
    }
    unlock(&d->lock);
    lowmem_check();
    return m;
}

bool reservation_remove(struct domain *d, mfn_t m)
{
    bool ok;

    if (!frame_get(m, d->id))
        return false;
    lock(&d->lock);
    ok = frame_release(d, m);
    unlock(&d->lock);
    frame_put(m);
    return ok;
}

/* ---- Exchange ---- */

struct exchange_work {
    mfn_t in[EXCHANGE_MAX], out[EXCHANGE_MAX];
    xen_pfn_t pfn[EXCHANGE_MAX];    /* names of the new frames */
    uint64_t was[EXCHANGE_MAX];     /* names of the old ones   */
};

/* d's lock is held. In place of a frame taken from it, which counts until then: nobody else may use its room. */
static void assign_instead(struct domain *d, mfn_t m, uint64_t pfn)
{
    frame_assign(d, m);
    domain_frame_gone(d->id, false);
    m2p_set(m, pfn);
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
static int take_in(struct domain *d, const struct xen_memory_exchange *x, struct exchange_work *w, unsigned n)
{
    unsigned per = 1u << x->in.extent_order;

    for (unsigned i = 0; i < n; i++) {
        xen_pfn_t first;

        if (guest_read(&first, gptr_plus(handle_ptr(x->in.extent_start), i / per * sizeof(first)), sizeof(first)))
            return -EFAULT;
        w->in[i] = mfn(first + i % per);
    }
    for (unsigned i = 0; i < n; i++) {
        w->was[i] = mfn_is_ram(w->in[i]) ? m2p_get(w->in[i]) : 0;
        if (!frame_take(d, w->in[i])) {
            give_back(d, w, i);
            return -EINVAL;
        }
    }
    return 0;
}

/* The new extents from the pool; freed again if one can't be had. */
static int take_out(const struct xen_memory_exchange *x, mfn_t *out)
{
    unsigned bits = XENMEMF_get_address_bits(x->out.mem_flags);

    for (unsigned i = 0; i < x->out.nr_extents; i++) {
        out[i] = frames_alloc(x->out.extent_order, bits);
        if (!mfn_same(out[i], MFN_NONE))
            continue;
        while (i--)
            frames_free(out[i], x->out.extent_order, true);
        return -ENOMEM;
    }
    return 0;
}

/* Nothing can fail any more but writing the answers, whose places were read from a moment ago. */
static long commit(struct domain *d, const struct xen_memory_exchange *x, const struct exchange_work *w, unsigned n)
{
    unsigned per = 1u << x->out.extent_order;
    long rc = 0;

    for (unsigned i = 0; i < n; i++)
        frames_free(w->in[i], 0, true);
    lock(&d->lock);
    for (unsigned i = 0; i < n; i++)
        assign_instead(d, mfn_plus(w->out[i / per], i % per), w->pfn[i / per] + i % per);
    unlock(&d->lock);
    for (unsigned i = 0; i < x->out.nr_extents; i++) {
        if (guest_write(gptr_plus(handle_ptr(x->out.extent_start), i * sizeof(xen_pfn_t)), &w->out[i].n,
                        sizeof(w->out[i].n)))
            rc = -EFAULT;
    }
    return rc;
}

static long exchange(struct domain *d, struct xen_memory_exchange *x, struct exchange_work *w, unsigned n)
{
    int rc;

    if (guest_read(w->pfn, handle_ptr(x->out.extent_start), x->out.nr_extents * sizeof(w->pfn[0])))
        return -EFAULT;
    rc = take_in(d, x, w, n);
    if (rc)
        return rc;
    rc = domain_dying(d) ? -EINVAL : take_out(x, w->out);
    if (rc) {
        give_back(d, w, n);
        return rc;
    }
    x->nr_exchanged = x->in.nr_extents;
    return commit(d, x, w, n);
}

long reservation_exchange(struct domain *d, struct xen_memory_exchange *x)
{
    struct exchange_work *w;
    uint64_t n;
    long rc;

    if (x->nr_exchanged)
        return -EINVAL;
    if (x->in.extent_order > RESERVATION_MAX_ORDER || x->out.extent_order > RESERVATION_MAX_ORDER || x->out.domid != x->in.domid ||
        x->in.nr_extents > EXCHANGE_MAX || x->out.nr_extents > EXCHANGE_MAX)
        return -EINVAL;
    n = x->in.nr_extents << x->in.extent_order;
    if (n != x->out.nr_extents << x->out.extent_order)
        return -EINVAL;
    if (n > EXCHANGE_MAX)
        return -EINVAL;
    w = hv_alloc(sizeof(*w));
    if (!w)
        return -ENOMEM;
    rc = exchange(d, x, w, (unsigned)n);
    hv_free(w, sizeof(*w));
    budget_take((unsigned)n * 16);
    return rc;
}

/* ---- Claims and maps ---- */

long reservation_claim(struct domain *d, uint64_t pages)
{
    uint64_t want;
    long rc = 0;

    lock(&d->lock);
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
