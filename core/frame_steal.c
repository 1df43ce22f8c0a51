/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame that changes hands with its contents: taken whole from one owner, to be assigned to the next.
 *
 * That the allocation's reference is the only one, but for ours, says all: a mapping, a pin, a grant, a table in
 * whatever state each hold one of their own. Ours says whose the frame is: without one it could be freed and given to another
 * domain between the look at its owner and that at its references. Once the counter is 0 nobody can find the frame but by the
 * list it is taken off here.
 */
#include "core/frame.h"

#include "core/domain.h"
#include "core/flush.h"
#include "core/m2p.h"
#include "core/pcpu.h"

#include <stdatomic.h>

bool frame_take(struct domain *d, mfn_t m)
{
    uint64_t only = REFS_OWNED | 2;
    struct frame *f;

    if (!frame_get(m, d->id))
        return false;
    f = frame_of(m);
    lock(&d->lock);
    if (!atomic_compare_exchange_strong(&f->refs, &only, 0)) {
        unlock(&d->lock);
        frame_put(m);
        return false;
    }
    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        d->page_list = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->type = 0;
    f->cursor = 0;
    WRITE_ONCE(f->owner, DOMID_XEN);
    WRITE_ONCE(f->stamp, machine_flush_stamp());
    m2p_set(m, M2P_INVALID);
    unlock(&d->lock);
    return true;
}

bool frame_steal(struct domain *d, mfn_t m)
{
    if (!frame_take(d, m))
        return false;
    domain_frame_gone(d->id, false);
    /* Another domain's tools may have had it mapped, so not only the CPUs that d ran on. */
    flush_tlbs(machine_stale(pcpu_online, frame_of(m)->stamp), FLUSH_ALL, 0);
    return true;
}
