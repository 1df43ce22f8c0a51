/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual MMU's hypercalls: mmu_update, update_va_mapping, mmuext_op (<xen/xen.h>).
 *
 * Each is a batch; how many requests were done is always told, also on success. A batch that outlives its budget continues
 * with the rest, and marks its count (PREEMPTED) so that the number done goes on from what the guest's word says.
 */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "core/budget.h"
#include "core/cpumask.h"
#include "core/dirty.h"
#include "core/flush.h"
#include "core/m2p.h"
#include "core/pt.h"
#include "core/vcpu_tables.h"
#include "lib/string.h"
#include "x86/model/pte.h"

#include <stdatomic.h>

#define PREEMPTED 0x80000000u

/* ---- Whose tables, whose frames ---- */

/*
 * Whose frames are to be mapped: the caller's, those of one that it may control, or of a pseudo-domain; with a reference
 * (domain_put). Page tables have no pseudo-domain as owner.
 */
static struct domain *frames_of(struct hypercall *hc, unsigned id, int *err)
{
    if (id == DOMID_IO || id == DOMID_XEN) {
        struct domain *d = id == DOMID_IO ? &dom_io : &dom_xen;

        if (!domain_may(hc->d, id == DOMID_IO ? PRIV_HARDWARE : PRIV_CONTROL)) {
            *err = -EPERM;
            return NULL;
        }
        domain_ref(d);
        return d;
    }
    return domain_target(hc->d, (domid_t)id, err);
}

/* ---- Batches ---- */

struct batch {
    uint32_t count, done; /* requests left; done in all parts so far */
    guest_ptr_t at, pdone;
};

static struct batch batch_begin(struct hypercall *hc)
{
    struct batch b = { .count = (uint32_t)hc->arg[1], .at = gptr(hc->arg[0]), .pdone = gptr(hc->arg[2]) };

    if (b.count & PREEMPTED) {
        b.count &= ~PREEMPTED;
        if (b.pdone.va && guest_read(&b.done, b.pdone, sizeof(b.done)))
            b.done = 0;
    }
    return b;
}

/* Who can't be told does not want to know. */
static __attribute__((noinline)) void tell_done(const struct batch *b)
{
    (void)!guest_write(b->pdone, &b->done, sizeof(b->done));
}

static inline __attribute__((always_inline)) long batch_end(struct hypercall *hc, const struct batch *b, long rc)
{
    if (b->pdone.va)
        tell_done(b);
    if (rc == -ERESTART) {
        hc->arg[0] = b->at.va;
        hc->arg[1] = b->count | PREEMPTED;
    }
    return rc;
}

static void batch_steps(struct batch *b, unsigned n, size_t size)
{
    b->count -= n;
    b->done += n;
    b->at = gptr_plus(b->at, n * size);
}

/* ---- mmu_update ---- */

static long table_update(struct hypercall *hc, struct domain *owner, struct domain *from, uint64_t maddr, uint64_t val,
                         bool preserve_ad)
{
    mfn_t m = maddr_mfn(maddr);
    unsigned i = (maddr & (PAGE_SIZE - 1)) / sizeof(uint64_t);
    enum frame_type type;
    long rc;

    if (!frame_get(m, owner->id))
        return refuse(hc->v, -EINVAL, "mmu_update: frame %#lx is not d%u's", m.n, owner->id);
    type = type_of(frame_of(m)->type);
    if (type < TYPE_L1 || type > TYPE_L4 || !(frame_of(m)->type & TYPE_COUNT))
        type = TYPE_WRITABLE;
    rc = type_get(owner, m, type);
    if (rc) {
        frame_put(m);
        return rc;
    }
    if (type == TYPE_WRITABLE) {
        atomic_store(&((_Atomic uint64_t *)machine_frame(m))[i], val);
        dirty_mark(owner, m);
    } else {
        rc = pt_set(m, i, val, owner, from, preserve_ad);
        if (rc && rc != -ERESTART)
            rc = refuse(hc->v, rc, "mmu_update: entry %#lx at %#lx (L%u)", val, maddr, (unsigned)type);
    }
    frame_put_type(m);
    return rc;
}

static long machphys_update(struct hypercall *hc, struct domain *owner, uint64_t maddr, uint64_t pfn)
{
    mfn_t m = maddr_mfn(maddr);

    if (!frame_get(m, owner->id))
        return refuse(hc->v, -EINVAL, "mmu_update: M2P of frame %#lx, not d%u's", m.n, owner->id);
    m2p_set(m, pfn);
    dirty_mark(owner, m);
    frame_put(m);
    return 0;
}

static long update_one(struct hypercall *hc, struct domain *owner, struct domain *from, const struct mmu_update *u)
{
    switch (u->ptr & 7) {
    case MMU_MACHPHYS_UPDATE:
        return machphys_update(hc, from, u->ptr, u->val);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return table_update(hc, owner, from, u->ptr & ~7ull, u->val, true);
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE: /* frames are named by MFN anyway */
        return table_update(hc, owner, from, u->ptr & ~7ull, u->val, false);
    default:
        return -ENOSYS;
    }
}

#define PIECE PT_RUN /* requests copied at a time */

/* The next requests, PIECE at most; 0: can't be read. Only where the list ends in a hole is it read one by one. */
static unsigned next_updates(const struct batch *b, struct mmu_update *u)
{
    unsigned n = MIN(b->count, PIECE);

    if (likely(!guest_read(u, b->at, n * sizeof(*u))))
        return n;
    return guest_read(u, b->at, sizeof(*u)) ? 0 : 1;
}

/* Of n requests: how many were done; *rc says why not all. They are still to be paid for, but for what an unusual one cost. */
static unsigned run_piece(struct hypercall *hc, struct domain *owner, struct domain *from, const struct mmu_update *u, unsigned n,
                          long *rc)
{
    unsigned i = 0;

    for (;;) {
        i += pt_set_run(owner, from, &u[i], n - i);
        if (likely(i == n))
            return n;
        *rc = update_one(hc, owner, from, &u[i]);
        if (*rc)
            return i;
        i++;
        if (budget_spent()) {
            *rc = -ERESTART;
            return i;
        }
    }
}

static long run_updates(struct hypercall *hc, struct batch *b, struct domain *owner, struct domain *from)
{
    while (b->count) {
        struct mmu_update u[PIECE];
        unsigned n = next_updates(b, u), done;
        long rc = 0;

        if (!n)
            return -EFAULT;
        done = run_piece(hc, owner, from, u, n, &rc);
        batch_steps(b, done, sizeof(*u));
        if (!budget_take(4 * done) && !rc)
            rc = -ERESTART;
        if (rc)
            return rc == -ERESTART && !b->count ? 0 : rc;
    }
    return 0;
}

/* A list of one, of the caller's own: what kernels ask for most. */
static long run_alone(struct hypercall *hc, struct batch *b)
{
    struct mmu_update u;
    uint64_t was;
    long rc = 0;

    if (guest_read(&u, b->at, sizeof(u)))
        return -EFAULT;
    (void)budget_take(4);
    if (unlikely(u.ptr % sizeof(u.ptr) != MMU_NORMAL_PT_UPDATE ||
                 !pt_exchange_l1(hc->d, maddr_mfn(u.ptr), u.ptr % PAGE_SIZE / sizeof(u.val), u.val, &was)))
        rc = update_one(hc, hc->d, hc->d, &u);
    if (likely(!rc))
        batch_steps(b, 1, sizeof(u));
    return rc;
}

/* The batch with the tables or the frames of others. */
static long foreign_updates(struct hypercall *hc, uint32_t foreign)
{
    struct batch b = batch_begin(hc);
    struct domain *owner, *from;
    int err;
    long rc;

    from = frames_of(hc, foreign & 0xffff, &err);
    if (!from)
        return err;
    owner = domain_target(hc->d, foreign >> 16 ? (domid_t)((foreign >> 16) - 1) : DOMID_SELF, &err);
    if (!owner) {
        domain_put(from);
        return err;
    }
    rc = run_updates(hc, &b, owner, from);
    domain_put(owner);
    domain_put(from);
    return batch_end(hc, &b, rc);
}

long do_mmu_update(struct hypercall *hc)
{
    uint32_t foreign = (uint32_t)hc->arg[3];
    struct batch b;

    if (unlikely(foreign != DOMID_SELF))
        return foreign_updates(hc, foreign);
    b = batch_begin(hc);
    return batch_end(hc, &b, likely(b.count == 1) ? run_alone(hc, &b) : run_updates(hc, &b, hc->d, hc->d));
}

/* ---- Flushes ---- */

/* CPUs that run the vCPUs of a guest's bitmap. */
static int cpus_of_vcpus(struct hypercall *hc, guest_ptr_t bitmap, cpumask_t *cpus)
{
    uint64_t bits[MAX_VCPUS / 64] = { 0 };
    struct domain *d = hc->d;

    *cpus = 0;
    if (guest_read(bits, bitmap, DIV_ROUNDUP(d->max_vcpus, 8)))
        return -EFAULT;
    for (unsigned first = 0; first < d->max_vcpus; first += 64) {
        for (uint64_t left = bits[first / 64]; left; left &= left - 1) {
            const struct vcpu *v = d->vcpu[first + (unsigned)__builtin_ctzll(left)];
            int cpu = v ? v->running_on : -1;

            if (cpu >= 0)
                *cpus |= cpumask_of((unsigned)cpu);
        }
    }
    return 0;
}

static void flush_va(cpumask_t cpus, uint64_t va)
{
    if (va_canonical(va))
        flush_tlbs(cpus, FLUSH_PAGE, va);
}

/* ---- update_va_mapping ---- */

static long va_flush(struct hypercall *hc, uint64_t va, uint64_t flags)
{
    cpumask_t cpus = cpumask_of(this_pcpu()->id);

    if (!(flags & UVMF_FLUSHTYPE_MASK))
        return 0;
    if ((flags & ~UVMF_FLUSHTYPE_MASK) == UVMF_ALL)
        cpus = hc->d->dirty_cpus;
    else if ((flags & ~UVMF_FLUSHTYPE_MASK) != UVMF_LOCAL && cpus_of_vcpus(hc, gptr(flags & ~UVMF_FLUSHTYPE_MASK), &cpus))
        return -EFAULT;
    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG)
        flush_va(cpus, va);
    else
        flush_tlbs(cpus, FLUSH_ALL, 0);
    return 0;
}

static long va_update(struct hypercall *hc, struct domain *from)
{
    uint64_t va = hc->arg[0];
    mfn_t table;
    unsigned i;
    long rc;

    if (likely(from == hc->d && pt_set_va(hc->v, va, hc->arg[1])))
        return likely(!(hc->arg[2] & UVMF_FLUSHTYPE_MASK)) ? 0 : va_flush(hc, va, hc->arg[2]);
    rc = pt_find_l1(hc->v, va, &table, &i);
    if (rc)
        return rc == -ERESTART ? rc : refuse(hc->v, -EINVAL, "update_va_mapping: no table for %#lx", va);
    rc = pt_set(table, i, hc->arg[1], hc->d, from, false);
    frame_put_type(table);
    if (rc)
        return rc == -ERESTART ? rc : refuse(hc->v, rc, "update_va_mapping: entry %#lx at %#lx", hc->arg[1], va);
    return va_flush(hc, va, hc->arg[2]);
}

long do_update_va_mapping(struct hypercall *hc)
{
    return va_update(hc, hc->d);
}

long do_update_va_mapping_otherdomain(struct hypercall *hc)
{
    int err;
    struct domain *from = frames_of(hc, (uint16_t)hc->arg[3], &err);
    long rc;

    if (!from)
        return err;
    rc = va_update(hc, from);
    domain_put(from);
    return rc;
}

/* ---- mmuext_op ---- */

/* Clears a page of the caller's, or copies one over it. */
static long page_fill(struct hypercall *hc, mfn_t to, const mfn_t *from)
{
    long rc;

    if (from && !frame_get(*from, hc->d->id))
        return -EINVAL;
    rc = frame_get_type(hc->d, to, TYPE_WRITABLE);
    if (rc) {
        if (from)
            frame_put(*from);
        return rc;
    }
    budget_take(16);
    if (from)
        memcpy(machine_frame(to), machine_frame(*from), PAGE_SIZE);
    else
        memset(machine_frame(to), 0, PAGE_SIZE);
    dirty_mark(hc->d, to);
    frame_put_type(to);
    if (from)
        frame_put(*from);
    return 0;
}

static long unpin(struct domain *d, mfn_t m)
{
    long rc;

    if (!frame_get(m, d->id))
        return -EINVAL;
    rc = type_unpin(m);
    frame_put(m);
    return rc;
}

static long flush_op(struct hypercall *hc, const struct mmuext_op *op)
{
    cpumask_t cpus;

    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL:
        flush_own_tlb(FLUSH_ALL, 0);
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (va_canonical(op->arg1.linear_addr))
            flush_own_tlb(FLUSH_PAGE, op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        if (cpus_of_vcpus(hc, handle_ptr(op->arg2.vcpumask), &cpus))
            return -EINVAL;
        break;
    default:
        cpus = hc->d->dirty_cpus;
    }
    if (op->cmd == MMUEXT_INVLPG_MULTI || op->cmd == MMUEXT_INVLPG_ALL)
        flush_va(cpus, op->arg1.linear_addr);
    else
        flush_tlbs(cpus, FLUSH_ALL, 0);
    return 0;
}

static long ext_one(struct hypercall *hc, struct domain *d, const struct mmuext_op *op)
{
    mfn_t m = mfn(op->arg1.mfn), src;
    bool self = d == hc->d;

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE: case MMUEXT_PIN_L2_TABLE: case MMUEXT_PIN_L3_TABLE: case MMUEXT_PIN_L4_TABLE:
        return type_pin(d, m, (enum frame_type)(TYPE_L1 + (op->cmd - MMUEXT_PIN_L1_TABLE)));
    case MMUEXT_UNPIN_TABLE:
        return unpin(d, m);
    case MMUEXT_NEW_BASEPTR:
        if (mfn_same(m, MFN_NONE))
            return -EINVAL;
        return self ? pt_set_root(hc->v, m, false) : -EPERM;
    case MMUEXT_NEW_USER_BASEPTR:
        return self ? pt_set_root(hc->v, m.n ? m : MFN_NONE, true) : -EPERM;
    case MMUEXT_TLB_FLUSH_LOCAL: case MMUEXT_TLB_FLUSH_MULTI: case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_LOCAL: case MMUEXT_INVLPG_MULTI: case MMUEXT_INVLPG_ALL:
        return self ? flush_op(hc, op) : -EPERM;
    case MMUEXT_FLUSH_CACHE: case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!self || !domain_may(hc->d, PRIV_HARDWARE))
            return -EINVAL;
        machine_flush_caches();
        budget_spend();
        return 0;
    case MMUEXT_SET_LDT:
        return self ? vcpu_set_ldt(hc->v, op->arg1.linear_addr, op->arg2.nr_ents) : -EPERM;
    case MMUEXT_CLEAR_PAGE:
        return page_fill(hc, m, NULL);
    case MMUEXT_COPY_PAGE:
        src = mfn(op->arg2.src_mfn);
        return page_fill(hc, m, &src);
    case MMUEXT_MARK_SUPER: case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

static long run_ext(struct hypercall *hc, struct batch *b, struct domain *d)
{
    long rc = 0;

    while (b->count && rc == 0) {
        struct mmuext_op op;

        if (guest_read(&op, b->at, sizeof(op)))
            return refuse(hc->v, -EFAULT, "mmuext_op: no list at %#lx", b->at.va);
        rc = ext_one(hc, d, &op);
        if (unlikely(rc))
            return rc == -ERESTART ? rc : refuse(hc->v, rc, "mmuext_op %u on %#lx", op.cmd, (unsigned long)op.arg1.mfn);
        batch_steps(b, 1, sizeof(op));
        if (b->count && !budget_take(4))
            rc = -ERESTART;
    }
    return rc;
}

long do_mmuext_op(struct hypercall *hc)
{
    struct batch b = batch_begin(hc);
    struct domain *d;
    int err;
    long rc;

    if (likely((domid_t)hc->arg[3] == DOMID_SELF))
        return batch_end(hc, &b, run_ext(hc, &b, hc->d));
    d = domain_target(hc->d, (domid_t)hc->arg[3], &err);
    if (!d)
        return err;
    rc = run_ext(hc, &b, d);
    domain_put(d);
    return batch_end(hc, &b, rc);
}
