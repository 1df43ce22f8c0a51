/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of written pages: one bit a pfn. */
#include "core/dirty.h"

#include "core/m2p.h"

bool dirty_has(const struct dirty *t, mfn_t m)
{
    uint64_t pfn = m2p_get(m); /* the guest's own word: it can but mislead itself */

    return pfn >= t->pfns || (t->log[pfn / 64] >> pfn % 64 & 1);
}

void dirty_set(struct dirty *t, mfn_t m)
{
    uint64_t pfn = m2p_get(m);

    if (pfn >= t->pfns || (t->log[pfn / 64] >> pfn % 64 & 1))
        return;
    t->log[pfn / 64] |= 1ull << pfn % 64;
    t->count++;
}

void dirty_mark_slow(struct domain *d, mfn_t m)
{
    struct dirty *t = d->dirty;

    if (!t->on || !mfn_is_ram(m))
        return;
    lock(&t->lock);
    if (t->on)
        dirty_set(t, m);
    unlock(&t->lock);
}
