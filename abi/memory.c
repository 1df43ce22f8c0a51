/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_op (<xen/memory.h>): a domain's reservation, what its memory map looks like, and windows on the hypervisor's tables.
 *
 * The number of extents done so far travels in the upper bits of the command across continuations, as the ABI has it.
 */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "core/budget.h"
#include "core/grant.h"
#include "core/m2p.h"
#include "core/reservation.h"
#include "lib/string.h"

#include <xen/memory.h>

#define CMD_BITS 6
#define CMD_MASK ((1ul << CMD_BITS) - 1)

/* Continues with extent `done`. */
static long again(struct hypercall *hc, uint64_t done)
{
    hc->arg[0] = (hc->arg[0] & CMD_MASK) | done << CMD_BITS;
    return -ERESTART;
}

/* ---- populate, increase, decrease ---- */

struct extents {
    struct domain *d;
    struct xen_memory_reservation r;
    unsigned mem_flags;
};

/*
 * Which of the flags count. Only who builds domains says on which node their memory is: others would undo what he wanted.
 * And no domain has nodes of its own (XENMEMF_vnode).
 */
static unsigned mem_flags(const struct domain *caller, unsigned flags)
{
    bool any = domain_may(caller, PRIV_CONTROL) && !(flags & XENMEMF_vnode);

    return any ? flags : XENMEMF_address_bits(XENMEMF_get_address_bits(flags));
}

static long one_extent(struct hypercall *hc, struct extents *x, unsigned cmd, uint64_t i)
{
    guest_ptr_t at = gptr_plus(handle_ptr(x->r.extent_start), i * sizeof(xen_pfn_t));
    xen_pfn_t n = 0;
    mfn_t m;

    if (cmd != XENMEM_increase_reservation && guest_read(&n, at, sizeof(n)))
        return -EFAULT;
    if (cmd == XENMEM_decrease_reservation) {
        for (uint64_t k = 0; k < 1ull << x->r.extent_order; k++) {
            if (!reservation_remove(x->d, mfn(n + k)))
                return -EINVAL;
        }
        return 0;
    }
    m = reservation_add(x->d, x->r.extent_order, x->mem_flags, cmd == XENMEM_populate_physmap ? n : M2P_INVALID);
    if (mfn_same(m, MFN_NONE))
        return -ENOMEM;
    if (cmd == XENMEM_populate_physmap || at.va > i * sizeof(xen_pfn_t)) {
        if (guest_write(at, &m.n, sizeof(m.n)))
            return -EFAULT;
    }
    return 0;
}

#define PAGE_UNITS 8u

/*
 * n extents of one page, from i on, together, if the list has so many; gives how many were done. n <= FRAMES_AT_ONCE. Pages that the
 * list can't tell of go back.
 */
static inline unsigned page_extents(struct hypercall *hc, struct extents *x, unsigned cmd, uint64_t i, unsigned n)
{
    guest_ptr_t at = gptr_plus(handle_ptr(x->r.extent_start), i * sizeof(xen_pfn_t));
    xen_pfn_t list[FRAMES_AT_ONCE];
    unsigned k = 0;

    if (unlikely(guest_read(list, at, n * sizeof(list[0]))))
        return 0;
    if (cmd == XENMEM_decrease_reservation)
        return reservation_remove_pages(x->d, list, n);
    n = reservation_add_pages(x->d, x->mem_flags, list, n);
    if (likely(!guest_write(at, list, n * sizeof(list[0]))))
        return n;
    while (k < n && !guest_write(gptr_plus(at, k * sizeof(list[0])), &list[k], sizeof(list[0])))
        k++;
    (void)reservation_remove_pages(x->d, &list[k], n - k);
    return k;
}

static long reservation_op(struct hypercall *hc, unsigned cmd, uint64_t start)
{
    struct extents x;
    uint64_t i = start;
    int err;

    if (guest_read(&x.r, gptr(hc->arg[1]), sizeof(x.r)))
        return (long)start;
    if (x.r.nr_extents > ~0ul >> (CMD_BITS + 1) || start >= x.r.nr_extents)
        return (long)start;
    x.mem_flags = mem_flags(hc->d, x.r.mem_flags);
    x.d = domain_target(hc->d, x.r.domid, &err);
    if (!x.d)
        return (long)start;
    if (x.r.extent_order <= RESERVATION_MAX_ORDER) {
        while (i < x.r.nr_extents) {
            unsigned n = 1, done;

            if (i > start && budget_spent()) {
                domain_put(x.d);
                return again(hc, i);
            }
            if (x.r.extent_order || cmd == XENMEM_increase_reservation) {
                done = !one_extent(hc, &x, cmd, i);
            } else {
                n = (unsigned)MIN(x.r.nr_extents - i, (uint64_t)MIN(FRAMES_AT_ONCE, budget_left() / PAGE_UNITS + 1));
                done = page_extents(hc, &x, cmd, i, n);
                if (unlikely(!done && n > 1))
                    done = page_extents(hc, &x, cmd, i, n = 1);
            }
            i += done;
            if (done < n)
                break;
            budget_take(done * (PAGE_UNITS << x.r.extent_order));
        }
    }
    domain_put(x.d);
    return (long)i;
}

/* ---- exchange ---- */

static long exchange_op(struct hypercall *hc)
{
    struct xen_memory_exchange x;
    guest_ptr_t at = gptr(hc->arg[1]);
    struct domain *d;
    int err;
    long rc;

    if (guest_read(&x, at, sizeof(x)))
        return -EFAULT;
    d = domain_target(hc->d, x.in.domid, &err);
    if (!d)
        return err;
    x.out.mem_flags = mem_flags(hc->d, x.out.mem_flags);
    rc = d == hc->d ? reservation_exchange(d, &x) : -EPERM;
    domain_put(d);
    if (guest_write(gptr_plus(at, offsetof(struct xen_memory_exchange, nr_exchanged)), &x.nr_exchanged,
                    sizeof(x.nr_exchanged)))
        return -EFAULT;
    return rc;
}

/* ---- Maps ---- */

static long memory_map(struct hypercall *hc, const struct e820entry *map, unsigned count)
{
    guest_ptr_t at = gptr(hc->arg[1]);
    struct xen_memory_map mm;

    if (guest_read(&mm, at, sizeof(mm)))
        return -EFAULT;
    if (!map)
        return -ENOSYS;
    if (mm.nr_entries < count)
        return -EINVAL;
    mm.nr_entries = count;
    if (guest_write(handle_ptr(mm.buffer), map, count * sizeof(*map)) || guest_write(at, &mm, sizeof(mm)))
        return -EFAULT;
    return 0;
}

static long own_memory_map(struct hypercall *hc)
{
    struct e820entry map[RESERVATION_MAX_E820];
    unsigned count;
    bool set = reservation_get_map(hc->d, map, &count);

    return memory_map(hc, set ? map : NULL, count);
}

static long set_memory_map(struct hypercall *hc)
{
    struct xen_foreign_memory_map f;
    struct domain *d;
    int err;
    long rc;

    if (guest_read(&f, gptr(hc->arg[1]), sizeof(f)))
        return -EFAULT;
    if (f.map.nr_entries > RESERVATION_MAX_E820)
        return -EINVAL;
    d = domain_target(hc->d, f.domid, &err);
    if (!d)
        return err;
    if (!domain_may(hc->d, PRIV_CONTROL))
        rc = -EPERM;
    else
        rc = reservation_set_map(d, handle_ptr(f.map.buffer), f.map.nr_entries);
    domain_put(d);
    return rc;
}

/* ---- Questions ---- */

static long about_domain(struct hypercall *hc, unsigned cmd)
{
    domid_t id;
    struct domain *d;
    int err;
    long rc;

    if (guest_read(&id, gptr(hc->arg[1]), sizeof(id)))
        return -EFAULT;
    d = domain_target(hc->d, id, &err);
    if (!d)
        return err;
    switch (cmd) {
    case XENMEM_current_reservation:
        rc = (long)d->tot_pages;
        break;
    case XENMEM_maximum_reservation:
        rc = (long)d->max_pages;
        break;
    default: /* XENMEM_maximum_gpfn: of a PV domain what it says itself */
        rc = (long)READ_ONCE(d->shared->arch.max_pfn);
        rc = rc > 0 ? rc - 1 : 0;
    }
    domain_put(d);
    return rc;
}

static long machphys_mapping(struct hypercall *hc)
{
    struct xen_machphys_mapping map = {
        .v_start = 0xffff800000000000ul, .v_end = 0xffff804000000000ul, .max_mfn = frame_count - 1,
    };

    return guest_write(gptr(hc->arg[1]), &map, sizeof(map)) ? -EFAULT : 0;
}

/* The first frame of each 2 MiB of the table, which are contiguous. */
static long machphys_list(struct hypercall *hc)
{
    struct xen_machphys_mfn_list l;
    guest_ptr_t at = gptr(hc->arg[1]);
    uint64_t chunks = m2p_chunks(), i;

    if (guest_read(&l, at, sizeof(l)))
        return -EFAULT;
    for (i = 0; i < chunks && i < l.max_extents; i++) {
        xen_pfn_t m = machine_m2p_chunk((unsigned)i).n;

        if (guest_write(gptr_plus(handle_ptr(l.extent_start), i * sizeof(m)), &m, sizeof(m)))
            return -EFAULT;
        budget_take(1);
    }
    l.nr_extents = (uint32_t)i;
    return guest_write(at, &l, sizeof(l)) ? -EFAULT : 0;
}

/* ---- acquire_resource ---- */

static long acquire_grants(struct hypercall *hc, struct domain *d, const struct xen_mem_acquire_resource *r)
{
    bool status = r->id == XENMEM_resource_grant_table_id_status;

    if (r->id != XENMEM_resource_grant_table_id_shared && !status)
        return -EINVAL;
    for (uint32_t i = 0; i < r->nr_frames; i++) {
        uint64_t idx = r->frame + i;
        mfn_t m;
        int rc = idx < r->frame || idx > ~0u ? -EINVAL : grants_resource(d, status, (unsigned)idx, &m);

        budget_take(1);
        if (rc)
            return rc;
        if (guest_write(gptr_plus(handle_ptr(r->frame_list), i * sizeof(xen_pfn_t)), &m.n, sizeof(m.n)))
            return -EFAULT;
    }
    return 0;
}

static long acquire_resource(struct hypercall *hc)
{
    struct xen_mem_acquire_resource r;
    guest_ptr_t at = gptr(hc->arg[1]);
    struct domain *d;
    int err;
    long rc;

    if (guest_read(&r, at, sizeof(r)))
        return -EFAULT;
    if (r.pad)
        return -EINVAL;
    d = domain_target(hc->d, r.domid, &err);
    if (!d)
        return err;
    if (d == hc->d || !domain_may(hc->d, PRIV_CONTROL)) {
        rc = -EPERM;
    } else if (r.type != XENMEM_resource_grant_table) {
        rc = -EOPNOTSUPP;
    } else if (!handle_ptr(r.frame_list).va) {
        r.nr_frames = grants_max_frames(d);
        rc = guest_write(at, &r, sizeof(r)) ? -EFAULT : 0;
    } else if (r.nr_frames > 128) {
        rc = -E2BIG;
    } else {
        rc = acquire_grants(hc, d, &r);
    }
    domain_put(d);
    return rc;
}

/* ---- claim_pages ---- */

static long claim_pages(struct hypercall *hc)
{
    struct xen_memory_reservation r;
    struct domain *d;
    long rc;

    if (guest_read(&r, gptr(hc->arg[1]), sizeof(r)))
        return -EFAULT;
    if (r.extent_order || r.mem_flags || handle_ptr(r.extent_start).va)
        return -EINVAL;
    d = domain_get(r.domid == DOMID_SELF ? hc->d->id : r.domid);
    if (!d)
        return -EINVAL;
    rc = domain_may(hc->d, PRIV_CONTROL) ? reservation_claim(d, r.nr_extents) : -EPERM;
    domain_put(d);
    return rc;
}

static long vnumainfo(struct hypercall *hc)
{
    struct xen_vnuma_topology_info t;
    struct domain *d;
    int err;

    if (guest_read(&t, gptr(hc->arg[1]), sizeof(t)))
        return -EFAULT;
    d = domain_target(hc->d, t.domid, &err);
    if (!d)
        return err;
    domain_put(d);
    return -EOPNOTSUPP; /* no domain has a virtual NUMA layout */
}

static long add_to_physmap(struct hypercall *hc)
{
    struct xen_add_to_physmap a;
    struct domain *d;
    int err;

    if (guest_read(&a, gptr(hc->arg[1]), sizeof(a)))
        return -EFAULT;
    d = domain_target(hc->d, a.domid, &err);
    if (!d)
        return err;
    domain_put(d);
    return -EACCES; /* a PV domain's memory is numbered by machine frames */
}

long do_memory_op(struct hypercall *hc)
{
    unsigned cmd = hc->arg[0] & CMD_MASK;
    uint64_t start = hc->arg[0] >> CMD_BITS;

    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return reservation_op(hc, cmd, start);
    case XENMEM_exchange:
        return exchange_op(hc);
    case XENMEM_maximum_ram_page:
        return (long)frame_count;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return about_domain(hc, cmd);
    case XENMEM_machphys_mfn_list:
        return machphys_list(hc);
    case XENMEM_machphys_mapping:
        return machphys_mapping(hc);
    case XENMEM_memory_map:
        return own_memory_map(hc);
    case XENMEM_machine_memory_map:
        if (!domain_may(hc->d, PRIV_HARDWARE))
            return -EPERM;
        return memory_map(hc, machine_e820, machine_e820_count);
    case XENMEM_set_memory_map:
        return set_memory_map(hc);
    case XENMEM_acquire_resource:
        return acquire_resource(hc);
    case XENMEM_claim_pages:
        return claim_pages(hc);
    case XENMEM_get_vnumainfo:
        return vnumainfo(hc);
    case XENMEM_add_to_physmap:
    case XENMEM_remove_from_physmap:
        return add_to_physmap(hc);
    default:
        return -ENOSYS;
    }
}
