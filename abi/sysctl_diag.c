/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: what the hypervisor counts and records, for `xenperf`, `xenlockprof` and `xentrace`. */
#include "abi/sysctl.h"

#include "abi/domctl.h"
#include "core/lock.h"
#include "core/perf.h"
#include "core/tbuf.h"
#include "lib/string.h"

/* ---- Counters ---- */

static int put_groups(guest_ptr_t to)
{
    for (unsigned i = 0; i < perf_groups(); i++) {
        struct xen_sysctl_perfc_desc d = { 0 };
        unsigned values;

        strlcpy(d.name, perf_group(i, &values), sizeof(d.name));
        d.nr_vals = values;
        if (guest_write(gptr_plus(to, i * sizeof(d)), &d, sizeof(d)))
            return -EFAULT;
    }
    return 0;
}

static int put_values(guest_ptr_t to)
{
    for (unsigned i = 0; i < PERF_VALUES; i++) {
        xen_sysctl_perfc_val_t n = perf_value(i);

        if (guest_write(gptr_plus(to, i * sizeof(n)), &n, sizeof(n)))
            return -EFAULT;
    }
    return 0;
}

/* Without places for names and values it says how many there are. */
long sysctl_perfc_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_perfc_op *p = &((struct xen_sysctl *)arg)->u.perfc_op;
    guest_ptr_t desc = handle_ptr(p->desc), val = handle_ptr(p->val);

    if (p->cmd != XEN_SYSCTL_PERFCOP_query && p->cmd != XEN_SYSCTL_PERFCOP_reset)
        return refuse(hc->v, -EINVAL, "counter operation %u", p->cmd);
    p->nr_counters = perf_groups();
    p->nr_vals = PERF_VALUES;
    if ((desc.va && put_groups(desc)) || (val.va && put_values(val)))
        return -EFAULT;
    if (p->cmd == XEN_SYSCTL_PERFCOP_reset)
        perf_reset();
    return 0;
}

/* ---- Locks ---- */

static int put_lock(guest_ptr_t to, enum lock_class class)
{
    struct xen_sysctl_lockprof_data d = { .type = LOCKPROF_TYPE_GLOBAL };
    struct lock_use u;

    lock_use_get(class, &u);
    strlcpy(d.name, lock_class_name(class), sizeof(d.name));
    d.lock_cnt = u.taken;
    d.block_cnt = u.waited;
    d.lock_time = u.held_time;
    d.block_time = u.waited_time;
    return guest_write(to, &d, sizeof(d)) ? -EFAULT : 0;
}

/* One record a lock class; more than there is room for are counted, not written. */
long sysctl_lockprof_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_lockprof_op *p = &((struct xen_sysctl *)arg)->u.lockprof_op;
    guest_ptr_t data = handle_ptr(p->data);

    switch (p->cmd) {
    case XEN_SYSCTL_LOCKPROF_reset:
        lock_use_reset();
        return 0;
    case XEN_SYSCTL_LOCKPROF_query:
        break;
    default:
        return refuse(hc->v, -EINVAL, "lock profile operation %u", p->cmd);
    }
    p->nr_elem = LOCK_CLASSES;
    p->time = lock_use_time();
    for (unsigned i = 0; data.va && i < MIN(p->max_elem, (uint32_t)LOCK_CLASSES); i++)
        if (put_lock(gptr_plus(data, i * sizeof(struct xen_sysctl_lockprof_data)), (enum lock_class)i))
            return -EFAULT;
    return 0;
}

/* ---- Trace buffers ---- */

static long set_cpu_mask(const struct xen_sysctl_tbuf_op *t)
{
    uint64_t cpus;
    int err = bitmap_read(&t->cpu_mask, &cpus);

    if (!err)
        tbuf_set_cpus(cpus);
    return err;
}

long sysctl_tbuf_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_tbuf_op *t = &((struct xen_sysctl *)arg)->u.tbuf_op;

    switch (t->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        t->buffer_mfn = tbuf_info(&t->size).n;
        t->evt_mask = tbuf_events();
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        return set_cpu_mask(t);
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        tbuf_set_events(t->evt_mask);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return tbuf_set_size(t->size);
    case XEN_SYSCTL_TBUFOP_enable:
        return tbuf_enable(true);
    case XEN_SYSCTL_TBUFOP_disable:
        return tbuf_enable(false);
    default:
        return refuse(hc->v, -EINVAL, "trace buffer operation %u", t->cmd);
    }
}
