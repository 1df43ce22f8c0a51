/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges given to a domain: sorted, apart from each other, in a small array. */
#include "core/rights.h"

#include "core/domain.h"
#include "core/frame.h"
#include "lib/errno.h"

#define RANGES_MAX 24u

struct range { uint64_t first, last; };
struct ranges { unsigned n; struct range r[RANGES_MAX]; };
struct rights { struct ranges of[RIGHTS_KINDS]; };

static struct lock rights_lock = LOCK_INIT(DEVICE); /* all domains' */

static bool append(struct ranges *to, uint64_t first, uint64_t last)
{
    struct range *prev = to->n ? &to->r[to->n - 1] : NULL;

    if (prev && first <= prev->last + 1) {
        prev->last = MAX(prev->last, last);
        return true;
    }
    if (to->n == RANGES_MAX)
        return false;
    to->r[to->n++] = (struct range){ first, last };
    return true;
}

/* old without [first, last], in order. */
static bool without(struct ranges *new, const struct ranges *old, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < old->n; i++) {
        const struct range *r = &old->r[i];

        if (r->first < first && !append(new, r->first, MIN(r->last, first - 1)))
            return false;
        if (r->last > last && !append(new, MAX(r->first, last + 1), r->last))
            return false;
    }
    return true;
}

static bool with(struct ranges *new, const struct ranges *old, uint64_t first, uint64_t last)
{
    unsigned i = 0;

    for (; i < old->n && old->r[i].first <= first; i++)
        if (!append(new, old->r[i].first, old->r[i].last))
            return false;
    if (!append(new, first, last))
        return false;
    for (; i < old->n; i++)
        if (!append(new, old->r[i].first, old->r[i].last))
            return false;
    return true;
}

int rights_set(struct domain *d, enum rights_kind kind, uint64_t first, uint64_t n, bool give)
{
    uint64_t last = first + n - 1;
    struct ranges new = { 0 };
    bool fits;

    if (!n || last < first || last == ~0ull)
        return -EINVAL;
    if (!d->rights) {
        struct rights *r = give ? hv_alloc(sizeof(*r)) : NULL;

        if (!r)
            return give ? -ENOMEM : 0;
        __atomic_store_n(&d->rights, r, __ATOMIC_RELEASE);
    }
    fits = (give ? with : without)(&new, &d->rights->of[kind], first, last);
    if (!fits)
        return -ENOMEM;
    lock(&rights_lock);
    d->rights->of[kind] = new;
    unlock(&rights_lock);
    return 0;
}

bool rights_has(const struct domain *d, enum rights_kind kind, uint64_t first, uint64_t n)
{
    const struct rights *r = __atomic_load_n(&d->rights, __ATOMIC_ACQUIRE);
    bool found = false;

    if (!r || !n || first + n - 1 < first)
        return false;
    lock(&rights_lock);
    for (unsigned i = 0; i < r->of[kind].n; i++)
        if (first >= r->of[kind].r[i].first && first + n - 1 <= r->of[kind].r[i].last)
            found = true;
    unlock(&rights_lock);
    return found;
}

void rights_free(struct domain *d)
{
    if (d->rights)
        hv_free(d->rights, sizeof(*d->rights));
    d->rights = NULL;
}
