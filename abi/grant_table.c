/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HYPERVISOR_grant_table_op: arrays of operations, some copied in at once, done, and written back with their
 * statuses.
 *
 * The call's own result is 0 or an errno of the whole (bad pointer, bad count); what became of an element is
 * its status. A long array is done in pieces: pointer and count in the arguments move on with what is done.
 */
#include "abi/hypercall.h"
#include "core/budget.h"
#include "core/grant.h"

#include <xen/grant_table.h>

/* ---- Arrays ---- */

#define AT_ONCE     32u   /* elements copied in together, at most */
#define CHUNK_BYTES 1024u

/*
 * Does the first of n elements, sets their statuses and takes what they cost off the budget; gives how many, which is n unless
 * the budget ended. *rc: 0, -ERESTART (the next one is not done), or the error with which the whole call ends, in place of it.
 */
typedef unsigned (*elements_fn)(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc);

struct kind {
    size_t size;    /* of an element                       */
    unsigned units; /* of the budget that one mostly takes */
    bool write;     /* they are written back               */
    elements_fn some;
};

/* Copies in n elements, or the first one alone if not all are there; gives how many. */
static inline unsigned read_some(struct hypercall *hc, const struct kind *kind, void *elements, unsigned n)
{
    if (likely(!guest_read(elements, gptr(hc->arg[1]), n * kind->size)))
        return n;
    return n > 1 && !guest_read(elements, gptr(hc->arg[1]), kind->size) ? 1 : 0;
}

/* each_element() for one alone, whose size the compiler knows. If it is not done yet, the arguments are still right. */
static inline __attribute__((always_inline)) long one_element(struct hypercall *hc, const struct kind *kind, void *context)
{
    uint64_t element[CHUNK_BYTES / sizeof(uint64_t)];
    int rc = 0;

    if (guest_read(element, gptr(hc->arg[1]), kind->size))
        return -EFAULT;
    if (kind->some(hc, element, 1, context, &rc) && kind->write && guest_write(gptr(hc->arg[1]), element, kind->size))
        return -EFAULT;
    return rc;
}

static inline long each_element(struct hypercall *, const struct kind *, void *) __attribute__((always_inline));

/* Does all elements, as many at once as the budget is for. Elements done are taken off the arguments. */
static inline long each_element(struct hypercall *hc, const struct kind *kind, void *context)
{
    uint64_t elements[CHUNK_BYTES / sizeof(uint64_t)];
    const unsigned most = MIN(AT_ONCE, (unsigned)(CHUNK_BYTES / kind->size));
    uint32_t left = (uint32_t)hc->arg[2];
    int rc = 0;

    if (left == 1)
        return one_element(hc, kind, context);
    for (bool first = true; left && !rc; first = false) {
        unsigned n = MIN(MIN(left, most), budget_left() / kind->units + 1);

        if (!first && budget_spent())
            return -ERESTART;
        n = read_some(hc, kind, elements, n);
        if (!n)
            return -EFAULT;
        n = kind->some(hc, elements, n, context, &rc);
        if (kind->write && guest_write(gptr(hc->arg[1]), elements, n * kind->size))
            return -EFAULT;
        hc->arg[1] += n * kind->size;
        hc->arg[2] = left -= n;
    }
    return rc;
}

#define EACH(hc, type, write, units, some, context)                                                          \
    ({                                                                                                       \
        const struct kind kind_ = { sizeof(type), (units), (write), (some) };                         \
        _Static_assert(sizeof(type) <= CHUNK_BYTES, "fits each_element()");                                  \
        each_element(hc, &kind_, context);                                                                   \
    })

#define MAP_UNITS 9u

static unsigned map_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    n = grant_map(hc->v, elements, n, context, rc);
    budget_take(n * MAP_UNITS);
    return n;
}

static long grant_op_map(struct hypercall *hc, void *arg)
{
    struct domain *granter = NULL;
    long rc = EACH(hc, struct gnttab_map_grant_ref, true, MAP_UNITS, map_ops, &granter);

    if (granter)
        domain_put(granter);
    return rc;
}

static unsigned unmap_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    struct gnttab_unmap_grant_ref *op = elements;

    grant_unmap(hc->v, context, op, n);
    budget_take(n * MAP_UNITS);
    return n;
}

static unsigned replace_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    struct gnttab_unmap_and_replace *op = elements;

    for (unsigned i = 0; i < n; i++)
        grant_unmap_and_replace(hc->v, context, &op[i]);
    budget_take(n * MAP_UNITS);
    return n;
}

static long grant_op_unmap(struct hypercall *hc, void *arg)
{
    struct grant_unmaps batch;
    long rc;

    batch.n = 0;
    batch.flush = false;
    rc = EACH(hc, struct gnttab_unmap_grant_ref, true, MAP_UNITS, unmap_ops, &batch);

    grant_unmaps_finish(hc->d, &batch);
    return rc;
}

static long grant_op_unmap_and_replace(struct hypercall *hc, void *arg)
{
    struct grant_unmaps batch;
    long rc;

    batch.n = 0;
    batch.flush = false;
    rc = EACH(hc, struct gnttab_unmap_and_replace, true, MAP_UNITS, replace_ops, &batch);

    grant_unmaps_finish(hc->d, &batch);
    return rc;
}

#define COPY_UNITS(bytes) (9u + (bytes) / 256u)

static unsigned copy_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    struct gnttab_copy *op = elements;
    unsigned i;

    for (i = 0; i < n && !(i && budget_spent()); i++) {
        *rc = grant_copy(hc->v, &op[i]);
        if (unlikely(*rc))
            break;
        budget_take(COPY_UNITS(op[i].len));
    }
    return i;
}

static long grant_op_copy(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_copy, true, COPY_UNITS(PAGE_SIZE), copy_ops, NULL);
}

#define TRANSFER_UNITS 33u

static unsigned transfer_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    struct gnttab_transfer *op = elements;
    unsigned i;

    for (i = 0; i < n && !(i && budget_spent()); i++) {
        grant_transfer(hc->v, &op[i]);
        budget_take(TRANSFER_UNITS);
    }
    return i;
}

static long grant_op_transfer(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_transfer, true, TRANSFER_UNITS, transfer_ops, NULL);
}

static unsigned swap_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    struct gnttab_swap_grant_ref *op = elements;

    for (unsigned i = 0; i < n; i++)
        op[i].status = grants_swap(hc->d, op[i].ref_a, op[i].ref_b);
    budget_take(n);
    return n;
}

static long grant_op_swap(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_swap_grant_ref, true, 1, swap_ops, NULL);
}

/*
 * All agents of an x86 machine see one coherent memory, so the request is only judged. There is no status to
 * write.
 */
static int cache_flush(struct hypercall *hc, const struct gnttab_cache_flush *op)
{
    if (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL | GNTTAB_CACHE_SOURCE_GREF))
        return (int)refuse(hc->v, -EINVAL, "cache flush: operation %#x", op->op);
    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE)
        return (int)refuse(hc->v, -EINVAL, "cache flush: %u bytes at %#x", op->length, op->offset);
    if (op->op & GNTTAB_CACHE_SOURCE_GREF)
        return (int)refuse(hc->v, -EOPNOTSUPP, "cache flush by reference");
    return 0;
}

static unsigned cache_flush_ops(struct hypercall *hc, void *elements, unsigned n, void *context, int *rc)
{
    const struct gnttab_cache_flush *op = elements;
    unsigned i;

    for (i = 0; i < n; i++) {
        *rc = cache_flush(hc, &op[i]);
        if (*rc)
            break;
    }
    budget_take(i);
    return i;
}

static long grant_op_cache_flush(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_cache_flush, false, 1, cache_flush_ops, NULL);
}

/* ---- Single operations ---- */

/* Whether the array has its one element. */
static bool single(struct hypercall *hc)
{
    return (uint32_t)hc->arg[2] == 1;
}

/* domain_target() with its error as a grant status. */
static struct domain *target(struct hypercall *hc, domid_t id, int16_t *status)
{
    int err = 0;
    struct domain *d = domain_target(hc->d, id, &err);

    if (!d)
        *status = err == -EPERM ? GNTST_permission_denied : GNTST_bad_domain;
    return d;
}

/* Frame numbers 0..nr-1 of d's table to the guest. A status. */
static int16_t list_frames(struct domain *d, bool status, unsigned nr, guest_ptr_t list)
{
    uint64_t frame;

    for (unsigned i = 0; i < nr; i++) {
        frame = grants_frame(d, status, i).n;
        budget_take(1);
        if (guest_write(gptr_plus(list, i * sizeof(frame)), &frame, sizeof(frame)))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static long grant_op_setup(struct hypercall *hc, void *arg)
{
    struct gnttab_setup_table *op = arg;
    struct domain *d;

    _Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t), "list_frames() writes them");
    if (!single(hc))
        return -EINVAL;
    d = target(hc, op->dom, &op->status);
    if (!d)
        return 0;
    if (grants_grow(d, op->nr_frames))
        op->status = (int16_t)refuse(hc->v, GNTST_general_error, "grant table of d%u: %u frames of %u", d->id,
                                     op->nr_frames, grants_max_frames(d));
    else
        op->status = list_frames(d, false, op->nr_frames, handle_ptr(op->frame_list));
    domain_put(d);
    return 0;
}

static long grant_op_status_frames(struct hypercall *hc, void *arg)
{
    struct gnttab_get_status_frames *op = arg;
    struct domain *d;

    if (!single(hc))
        return -EINVAL;
    d = target(hc, op->dom, &op->status);
    if (!d)
        return 0;
    if (op->nr_frames > grants_frames(d, true))
        op->status = (int16_t)refuse(hc->v, GNTST_general_error, "status frames of d%u: %u of %u", d->id,
                                     op->nr_frames, grants_frames(d, true));
    else
        op->status = list_frames(d, true, op->nr_frames, handle_ptr(op->frame_list));
    domain_put(d);
    return 0;
}

static long grant_op_query_size(struct hypercall *hc, void *arg)
{
    struct gnttab_query_size *op = arg;
    struct domain *d;

    if (!single(hc))
        return -EINVAL;
    d = target(hc, op->dom, &op->status);
    if (!d)
        return 0;
    op->nr_frames = grants_frames(d, false);
    op->max_nr_frames = grants_max_frames(d);
    op->status = GNTST_okay;
    domain_put(d);
    return 0;
}

static long grant_op_set_version(struct hypercall *hc, void *arg)
{
    struct gnttab_set_version *op = arg;
    uint32_t wanted = op->version;
    int rc;

    if (!single(hc))
        return -EINVAL;
    rc = grants_set_version(hc->d, wanted);
    op->version = grants_version(hc->d);
    return rc ? refuse(hc->v, rc, "grant table version %u instead of %u", wanted, op->version) : 0;
}

static long grant_op_get_version(struct hypercall *hc, void *arg)
{
    struct gnttab_get_version *op = arg;
    struct domain *d;
    int err = 0;

    if (!single(hc))
        return -EINVAL;
    d = domain_target(hc->d, op->dom, &err);
    if (!d)
        return err;
    op->version = grants_version(d);
    domain_put(d);
    return 0;
}

#define DUMP_PIECES 4u /* the rest is for debug key 'g' */

/* The machine's log is for those who may read it. */
static long grant_op_dump(struct hypercall *hc, void *arg)
{
    struct gnttab_dump_table *op = arg;
    unsigned pieces = DUMP_PIECES;
    grant_ref_t at = 0;
    struct domain *d;

    if (!single(hc))
        return -EINVAL;
    d = target(hc, op->dom, &op->status);
    if (!d)
        return 0;
    op->status = GNTST_okay;
    if (domain_may(hc->d, PRIV_SYSTEM))
        while ((at = grants_dump(d, at)) != 0 && --pieces)
            ;
    else
        op->status = (int16_t)refuse(hc->v, GNTST_permission_denied, "grant table dump");
    domain_put(d);
    return 0;
}

/* ---- The family ---- */

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#define ROW0 SUBOP_ROW0
#include "abi/table/grant_table.def"
#undef ROW
#undef ROW0
};

long do_grant_table_op(struct hypercall *hc)
{
    if ((int32_t)hc->arg[2] < 0)
        return refuse(hc->v, -EINVAL, "grant table operation %llu on %u elements",
                      (unsigned long long)hc->arg[0], (uint32_t)hc->arg[2]);
    return subop_run(hc, rows, ARRAY_SIZE(rows), (uint32_t)hc->arg[0], gptr(hc->arg[1]));
}
