/* SPDX-License-Identifier: BSD-2-Clause */
/* A domain's needs-EOI page: one bit a pirq, set where the guest must say that it handled an interrupt. */
#include "core/irqs.h"

#include "core/domain.h"
#include "core/frame.h"
#include "core/port.h"
#include "core/port_table.h"
#include "lib/errno.h"

int irqs_set_eoi_page(struct domain *d, mfn_t m, bool auto_unmask)
{
    int err = frame_get_type(d, m, TYPE_WRITABLE);

    if (err)
        return -EINVAL;
    lock(&d->lock);
    err = mfn_same(d->pirq_eoi_mfn, MFN_NONE) ? 0 : -EBUSY;
    if (!err) {
        d->pirq_eoi_mfn = m;
        d->pirq_auto_unmask = auto_unmask;
    }
    unlock(&d->lock);
    if (err)
        frame_put_type(m);
    else
        irqs_fill_eoi_page(d);
    return err;
}

int irqs_unmask_port(struct domain *d, unsigned pirq)
{
    _Atomic uint32_t *table = atomic_load(&d->ports->pirq_port);
    evtchn_port_t port = table && pirq < NR_PIRQS ? atomic_load(&table[clamp_index(pirq, NR_PIRQS)]) : 0;

    if (port)
        port_unmask(d, port);
    return 0;
}
