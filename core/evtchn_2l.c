/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 2-level form of pending events: a bit for each port in the shared info page (evtchn_pending,
 * evtchn_mask), and a bit for each of their words in the vCPU's evtchn_pending_sel. <xen/xen.h>, struct
 * shared_info.
 *
 * The guest changes all of these words when it likes. We set a pending bit before we look at its mask bit;
 * the guest clears the mask bit before it looks at the pending bit. So one of the two sees the other, and
 * no event is lost.
 */
#include "core/port_table.h"

#include <stdatomic.h>

static uint64_t *bitmap_word(xen_ulong_t *words, evtchn_port_t nr)
{
    return &words[nr / 64];
}

static uint64_t bit_of(evtchn_port_t nr)
{
    return 1ull << (nr % 64);
}

static bool test(xen_ulong_t *words, evtchn_port_t nr)
{
    return __atomic_load_n(bitmap_word(words, nr), __ATOMIC_SEQ_CST) & bit_of(nr);
}

/* The port is pending and not masked: its word is selected. */
static struct vcpu *select_word(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct vcpu *v = d->vcpu[p->vcpu];
    struct vcpu_info *info = v ? atomic_load_explicit(&v->info, memory_order_acquire) : NULL;

    uint64_t bit = bit_of(nr / 64);

    if (!info || __atomic_fetch_or(&info->evtchn_pending_sel, bit, __ATOMIC_SEQ_CST) & bit)
        return NULL;
    return v;
}

static struct vcpu *raise_2l(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct shared_info *s = d->shared;

    if (__atomic_fetch_or(bitmap_word(s->evtchn_pending, nr), bit_of(nr), __ATOMIC_SEQ_CST) & bit_of(nr))
        return NULL;
    return test(s->evtchn_mask, nr) ? NULL : select_word(d, p, nr);
}

static struct vcpu *unmask_2l(struct domain *d, struct port *p, evtchn_port_t nr)
{
    struct shared_info *s = d->shared;

    if (!(__atomic_fetch_and(bitmap_word(s->evtchn_mask, nr), ~bit_of(nr), __ATOMIC_SEQ_CST) & bit_of(nr)))
        return NULL;
    return test(s->evtchn_pending, nr) ? select_word(d, p, nr) : NULL;
}

static void clear_2l(struct domain *d, struct port *p, evtchn_port_t nr)
{
    (void)p;
    __atomic_fetch_and(bitmap_word(d->shared->evtchn_pending, nr), ~bit_of(nr), __ATOMIC_SEQ_CST);
}

static bool is_pending_2l(struct domain *d, struct port *p, evtchn_port_t nr)
{
    (void)p;
    return test(d->shared->evtchn_pending, nr);
}

static bool is_masked_2l(struct domain *d, struct port *p, evtchn_port_t nr)
{
    (void)p;
    return test(d->shared->evtchn_mask, nr);
}

const struct port_ops evtchn_2l_ops = {
    .max_ports = EVTCHN_2L_NR_CHANNELS,
    .raise = raise_2l,
    .unmask = unmask_2l,
    .clear = clear_2l,
    .is_pending = is_pending_2l,
    .is_masked = is_masked_2l,
};
