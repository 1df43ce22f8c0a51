/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HYPERVISOR_domctl: one domain controls another. The structure is copied once, the domain is looked for
 * before anything else, and one call runs at a time.
 *
 * Who finds another call in progress does not wait for it but tries again through its own exit: so whoever
 * runs may pause any vCPU, even one that is about to make such a call.
 */
#include "abi/domctl.h"

#include "core/lock.h"
#include "lib/string.h"

static struct lock domctl_lock = LOCK_INIT(DOMCTL);

struct row {
    uint32_t cmd;
    const char *name;
    uint8_t copy;   /* enum subop_copy     */
    uint8_t needs;  /* enum privilege      */
    uint8_t target; /* enum domctl_target  */
    domctl_handler *run;
};

static const struct row rows[] = {
#define ROW(cmd, name, copy, needs, target, run) { (cmd), (name), (copy), (needs), (target), (run) },
#include "abi/table/domctl.def"
#undef ROW
};

static const struct row *find(uint32_t cmd)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].cmd == cmd)
            return &rows[i];
    return NULL;
}

bool domctl_begin(void)
{
    return trylock(&domctl_lock);
}

void domctl_end(void)
{
    unlock(&domctl_lock);
}

static long run(struct hypercall *hc, const struct row *r, struct domain *d, struct xen_domctl *op)
{
    long rc;

    if (!r)
        return -ENOSYS;
    if (!domain_may(hc->d, r->needs))
        return refuse(hc->v, -EPERM, "%s: not privileged", r->name);
    if (!domctl_begin())
        return -ERESTART;
    rc = r->run(hc, d, op);
    domctl_end();
    return rc;
}

long do_domctl(struct hypercall *hc)
{
    guest_ptr_t at = gptr(hc->arg[0]);
    struct domain *d = NULL;
    struct xen_domctl op;
    const struct row *r;
    long rc;

    if (guest_read(&op, at, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return refuse(hc->v, -EACCES, "domctl interface version %#x", op.interface_version);
    r = find(op.cmd);
    if (!r || r->target == TARGET_DOMAIN) {
        d = domain_get(op.domain);
        if (!d)
            return -ESRCH;
    }
    rc = run(hc, r, d, &op);
    if (d)
        domain_put(d);
    if (rc == -ERESTART || !r || r->copy == ARG_IN || (rc < 0 && r->copy != ARG_INOUT_ALWAYS))
        return rc;
    return guest_write(at, &op, sizeof(op)) ? -EFAULT : rc;
}

/* ---- Shared ---- */

struct vcpu *domctl_vcpu(struct domain *d, uint32_t id)
{
    return id < d->max_vcpus ? d->vcpu[clamp_index(id, MAX_VCPUS)] : NULL;
}

int bitmap_read(const struct xenctl_bitmap *from, uint64_t *bits)
{
    size_t bytes = DIV_ROUNDUP((size_t)from->nr_bits, 8);

    *bits = 0;
    if (guest_read(bits, handle_ptr(from->bitmap), MIN(bytes, sizeof(*bits))))
        return -EFAULT;
    if (from->nr_bits < 64)
        *bits &= (1ull << from->nr_bits) - 1;
    return 0;
}

int bitmap_write(const struct xenctl_bitmap *to, uint64_t bits)
{
    size_t bytes = DIV_ROUNDUP((size_t)to->nr_bits, 8);
    uint8_t buf[BITMAP_BYTES] = { 0 };

    if (to->nr_bits < 64)
        bits &= (1ull << to->nr_bits) - 1;
    memcpy(buf, &bits, sizeof(bits));
    return guest_write(handle_ptr(to->bitmap), buf, MIN(bytes, sizeof(buf)));
}
