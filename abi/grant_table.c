/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HYPERVISOR_grant_table_op: arrays of operations, each copied in once, done, and written back with its
 * status.
 *
 * The call's own result is 0 or an errno of the whole (bad pointer, bad count); what became of an element is
 * its status. A long array is done in pieces: pointer and count in the arguments move on with each element.
 */
#include "abi/hypercall.h"
#include "core/budget.h"
#include "core/grant.h"

#include <xen/grant_table.h>

/* ---- Arrays ---- */

/* One element: sets its status. 0, -ERESTART (not done), or the error with which the whole call ends. */
typedef int (*element_fn)(struct hypercall *hc, void *element, void *context);

/*
 * Runs `one` on each element of `size` bytes; `write` also writes it back. Elements done are taken off the
 * arguments.
 */
static long each_element(struct hypercall *hc, size_t size, bool write, element_fn one, void *context)
{
    uint64_t element[64 / sizeof(uint64_t)];
    uint32_t left = (uint32_t)hc->arg[2];
    int rc;

    for (bool first = true; left; first = false) {
        if (!first && budget_spent())
            return -ERESTART;
        budget_take(1);
        if (guest_read(element, gptr(hc->arg[1]), size))
            return -EFAULT;
        rc = one(hc, element, context);
        if (rc)
            return rc;
        if (write && guest_write(gptr(hc->arg[1]), element, size))
            return -EFAULT;
        hc->arg[1] += size;
        hc->arg[2] = --left;
    }
    return 0;
}

#define EACH(hc, type, write, one, context)                                                                  \
    ({                                                                                                       \
        _Static_assert(sizeof(type) <= 64, "fits each_element()");                                           \
        each_element(hc, sizeof(type), write, one, context);                                                 \
    })

static int map_one(struct hypercall *hc, void *element, void *context)
{
    budget_take(8);
    return grant_map(hc->v, element, context);
}

static long grant_op_map(struct hypercall *hc, void *arg)
{
    struct domain *granter = NULL;
    long rc = EACH(hc, struct gnttab_map_grant_ref, true, map_one, &granter);

    if (granter)
        domain_put(granter);
    return rc;
}

static int unmap_one(struct hypercall *hc, void *element, void *context)
{
    struct gnttab_unmap_grant_ref *op = element;
    struct grant_unmaps *batch = context;

    budget_take(8);
    op->status = grant_unmap(hc->v, batch, op, 0);
    if (batch->n == GRANT_UNMAPS)
        grant_unmaps_finish(hc->d, batch);
    return 0;
}

static int replace_one(struct hypercall *hc, void *element, void *context)
{
    struct gnttab_unmap_and_replace *op = element;
    struct gnttab_unmap_grant_ref plain = { .host_addr = op->host_addr, .handle = op->handle };
    struct grant_unmaps *batch = context;

    budget_take(8);
    op->status = grant_unmap(hc->v, batch, &plain, op->new_addr);
    if (batch->n == GRANT_UNMAPS)
        grant_unmaps_finish(hc->d, batch);
    return 0;
}

static long grant_op_unmap(struct hypercall *hc, void *arg)
{
    struct grant_unmaps batch;
    long rc;

    batch.n = 0;
    batch.flush = false;
    rc = EACH(hc, struct gnttab_unmap_grant_ref, true, unmap_one, &batch);

    grant_unmaps_finish(hc->d, &batch);
    return rc;
}

static long grant_op_unmap_and_replace(struct hypercall *hc, void *arg)
{
    struct grant_unmaps batch = { 0 };
    long rc = EACH(hc, struct gnttab_unmap_and_replace, true, replace_one, &batch);

    grant_unmaps_finish(hc->d, &batch);
    return rc;
}

static int copy_one(struct hypercall *hc, void *element, void *context)
{
    struct gnttab_copy *op = element;

    budget_take(8 + op->len / 256);
    return grant_copy(hc->v, op);
}

static long grant_op_copy(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_copy, true, copy_one, NULL);
}

static int transfer_one(struct hypercall *hc, void *element, void *context)
{
    budget_take(32);
    return grant_transfer(hc->v, element);
}

static long grant_op_transfer(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_transfer, true, transfer_one, NULL);
}

static int swap_one(struct hypercall *hc, void *element, void *context)
{
    struct gnttab_swap_grant_ref *op = element;

    op->status = grants_swap(hc->d, op->ref_a, op->ref_b);
    return 0;
}

static long grant_op_swap(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_swap_grant_ref, true, swap_one, NULL);
}

/*
 * All agents of an x86 machine see one coherent memory, so the request is only judged. There is no status to
 * write.
 */
static int cache_flush_one(struct hypercall *hc, void *element, void *context)
{
    const struct gnttab_cache_flush *op = element;

    if (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL | GNTTAB_CACHE_SOURCE_GREF))
        return (int)refuse(hc->v, -EINVAL, "cache flush: operation %#x", op->op);
    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE)
        return (int)refuse(hc->v, -EINVAL, "cache flush: %u bytes at %#x", op->length, op->offset);
    if (op->op & GNTTAB_CACHE_SOURCE_GREF)
        return (int)refuse(hc->v, -EOPNOTSUPP, "cache flush by reference");
    return 0;
}

static long grant_op_cache_flush(struct hypercall *hc, void *arg)
{
    return EACH(hc, struct gnttab_cache_flush, false, cache_flush_one, NULL);
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
