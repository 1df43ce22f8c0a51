/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page table entries that are not as usual, and those of upper levels: see core/pt_entry.h.
 */
#include "core/pt_entry.h"

#include "core/m2p.h"

/*
 * An entry that is not present holds nothing. On a CPU with L1TF a guest would read the memory of others by it: there is
 * no other value to store instead, as it reads its tables itself, so the entry is refused. Who controls the machine may
 * map all memory anyway.
 */
static int opaque_get(struct domain *pt, uint64_t e)
{
    if (likely(!machine_leaks_l1) || domain_may(pt, PRIV_CONTROL))
        return 0;
    return pte_names_ram(e, machine_maddr_bits(), frame_count) ? -EINVAL : 0;
}

int l1_get_unusual(struct domain *pt, struct domain *from, uint64_t *entry)
{
    uint64_t e = *entry;
    mfn_t m = mfn(pte_mfn(e));

    if (!(e & PTE_P))
        return opaque_get(pt, e);
    if (!pte_flags_ok(e, 1))
        return -EINVAL;
    *entry = pte_for_hardware(e);
    if (!mfn_is_ram(m))
        return domain_may_mmio(pt, m, 1) ? 0 : -EPERM;
    *entry &= l1_keep(pt);
    if (!frame_get(m, from->id))
        return e & PTE_RW ? -EBUSY : -EINVAL;
    /* Of the hypervisor's frames only those it means to show: it waits for references to others to go before it frees them. */
    if (from->id == DOMID_XEN && !(frame_is_shown_writable(m) || (!(e & PTE_RW) && m2p_holds(m)))) {
        frame_put(m);
        return -EINVAL;
    }
    if (e & PTE_RW) {
        int rc = type_get(from, m, TYPE_WRITABLE);

        if (rc) {
            frame_put(m);
            return rc == -EINVAL ? -EBUSY : rc;
        }
        if (from != pt)
            frame_mapped_foreign(m);
    }
    return 0;
}

void l1_put_unusual(uint64_t e)
{
    mfn_t m = mfn(pte_mfn(e));

    if (!mfn_is_ram(m))
        return;
    if (e & PTE_RW)
        type_put(m);
    frame_put(m);
}

int upper_get(struct domain *d, uint64_t *entry, unsigned level)
{
    uint64_t e = *entry;

    if (!(e & PTE_P))
        return opaque_get(d, e);
    if (!pte_flags_ok(e, level))
        return -EINVAL;
    *entry = pte_for_hardware(e);
    return frame_get_type(d, mfn(pte_mfn(e)), (enum frame_type)(TYPE_L1 + level - 2));
}

void entry_put(uint64_t e, unsigned level)
{
    if (level == 1)
        l1_put(e);
    else if (e & PTE_P)
        frame_put_type(mfn(pte_mfn(e)));
}

bool l1_open(struct domain *d, mfn_t table, bool *referenced)
{
    *referenced = false;
    if (likely(frame_lock_l1(frame_of(table), d->id)))
        return true;
    if (frame_get_type(d, table, TYPE_L1))
        return false;
    *referenced = true;
    frame_lock(frame_of(table));
    return true;
}
