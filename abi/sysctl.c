/* SPDX-License-Identifier: BSD-2-Clause */
/* HYPERVISOR_sysctl: the dispatcher; domains, log, debug keys, and what this machine does not offer. */
#include "abi/sysctl.h"

#include "abi/domctl.h"
#include "core/budget.h"
#include "core/keys.h"
#include "core/pcpu.h"
#include "core/time.h"

_Static_assert(sizeof(struct xen_sysctl) <= SUBOP_MAX_SIZE, "fits the dispatcher's copy");

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#include "abi/table/sysctl.def"
#undef ROW
};

/* The command is read here and once more with the rest: only the first reading decides who handles it. */
long do_sysctl(struct hypercall *hc)
{
    struct { uint32_t cmd, interface_version; } head;

    if (guest_read(&head, gptr(hc->arg[0]), sizeof(head)))
        return -EFAULT;
    if (head.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return refuse(hc->v, -EACCES, "sysctl interface version %#x", head.interface_version);
    return subop_run(hc, rows, ARRAY_SIZE(rows), head.cmd, gptr(hc->arg[0]));
}

/* ---- Domains ---- */

#define INFO_UNITS 32u /* what one domain of a list costs, and one more for each vCPU */

/* By ascending id from the first asked for; those that are dying are listed too. */
long sysctl_getdomaininfolist(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_getdomaininfolist *l = &((struct xen_sysctl *)arg)->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    domid_t next = l->first_domain;
    struct domain *d;

    for (l->num_domains = 0; l->num_domains < l->max_domains; l->num_domains++) {
        d = next < DOMID_FIRST_RESERVED ? domain_get_next(next) : NULL;
        if (!d)
            break;
        domctl_info(d, &info);
        next = (domid_t)(d->id + 1);
        budget_take(INFO_UNITS + d->max_vcpus);
        domain_put(d);
        if (guest_write(gptr_plus(handle_ptr(l->buffer), l->num_domains * sizeof(info)), &info, sizeof(info)))
            return -EFAULT;
        budget_renew();
    }
    return 0;
}

/* ---- The log ---- */

/*
 * Where in the ring `index`, the low half of a position that we gave out, is now; its oldest byte if that
 * is gone.
 */
static uint64_t ring_position(uint32_t index)
{
    uint64_t start = log_ring_start();
    uint32_t ahead = index - (uint32_t)start;

    return ahead <= INT32_MAX ? start + ahead : start;
}

long sysctl_readconsole(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_readconsole *r = &((struct xen_sysctl *)arg)->u.readconsole;
    uint64_t at = r->incremental ? ring_position(r->index) : log_ring_start();
    uint32_t done = 0;
    char text[256];

    while (done < r->count) {
        size_t n = log_ring_read(&at, text, MIN((size_t)(r->count - done), sizeof(text)));

        if (!n)
            break;
        if (guest_write(gptr_plus(handle_ptr(r->buffer), done), text, n))
            return -EFAULT;
        done += (uint32_t)n;
    }
    if (r->clear)
        log_ring_clear();
    r->count = done;
    r->index = (uint32_t)at;
    return 0;
}

/* ---- Debug keys ---- */

#define KEYS_MAX   128u
#define KEY_UNITS  32u   /* of the budget for each piece */
#define KEYS_PIECE MS(5) /* of printing, then this CPU does what else is due */

/*
 * The hypercall has one argument. Where it is when it goes on stands in the next two: which key, marked so that it is not taken
 * for what the caller happened to have there, and the position in that key's report.
 */
#define GOES_ON(key)   (0x4b6579ull << 40 | (key))
#define KEY_OF(marked) ((marked) & 0xffffffffffull)

long sysctl_debug_keys(struct hypercall *hc, void *arg)
{
    const struct xen_sysctl_debug_keys *k = &((const struct xen_sysctl *)arg)->u.debug_keys;
    uint64_t i = KEY_OF(hc->arg[1]), at = hc->arg[2], until = now_ns() + KEYS_PIECE;
    char keys[KEYS_MAX];

    if (k->nr_keys > KEYS_MAX)
        return refuse(hc->v, -E2BIG, "%u debug keys", k->nr_keys);
    if (guest_read(keys, handle_ptr(k->keys), k->nr_keys))
        return -EFAULT;
    if (hc->arg[1] != GOES_ON(i))
        i = at = 0;
    while (i < k->nr_keys) {
        if (!key_run(keys[i], &at)) {
            i++;
            at = 0;
        }
        if ((!budget_take(KEY_UNITS) || now_ns() >= until) && i < k->nr_keys) {
            hc->arg[1] = GOES_ON(i);
            hc->arg[2] = at;
            return -ERESTART;
        }
    }
    return 0;
}

/* ---- What there is not ---- */

/* All CPUs are online for good. */
long sysctl_cpu_hotplug(struct hypercall *hc, void *arg)
{
    const struct xen_sysctl_cpu_hotplug *h = &((const struct xen_sysctl *)arg)->u.cpu_hotplug;

    if (h->op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE || h->op == XEN_SYSCTL_CPU_HOTPLUG_OFFLINE) {
        if (h->cpu >= pcpu_count)
            return refuse(hc->v, -EINVAL, "CPU %u of %u", h->cpu, pcpu_count);
        if (h->op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE)
            return -EEXIST;
    }
    return refuse(hc->v, -EOPNOTSUPP, "CPU hotplug operation %u", h->op);
}

/* No patches are loaded, and none can be. */
long sysctl_livepatch_op(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_livepatch_op *l = &((struct xen_sysctl *)arg)->u.livepatch;

    if (l->pad || l->cmd > XEN_SYSCTL_LIVEPATCH_ACTION)
        return refuse(hc->v, -EINVAL, "live patch operation %u", l->cmd);
    if (l->cmd != XEN_SYSCTL_LIVEPATCH_LIST)
        return refuse(hc->v, -EOPNOTSUPP, "live patch operation %u", l->cmd);
    l->u.list.version = 0;
    l->u.list.nr = 0;
    l->u.list.name_total_size = l->u.list.metadata_total_size = 0;
    return 0;
}

long sysctl_no_device(struct hypercall *hc, void *arg)
{
    return -ENODEV; /* frequency and cache control are left to the hardware */
}

long sysctl_unsupported(struct hypercall *hc, void *arg)
{
    return -EOPNOTSUPP;
}
