/* SPDX-License-Identifier: BSD-2-Clause */
/* Xenstore's client; see xenstore.h. */

#include "xenstore.h"

#include <xen/io/xs_wire.h>
#include <xen/sched.h>

#include "event.h"
#include "mm.h"

static struct xenstore_domain_interface *ring(void)
{
    return (void *)(VIRT_BASE + (m2p(start_info->store_mfn) << 12));
}

/* Tells xenstored, and lets others run. News that never come are for the one who runs us to see. */
static void turn(void)
{
    port_send(start_info->store_evtchn);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

static void put(const void *from, size_t len)
{
    struct xenstore_domain_interface *r = ring();

    for (size_t i = 0; i < len; i++) {
        while (r->req_prod - __atomic_load_n(&r->req_cons, __ATOMIC_ACQUIRE) == sizeof(r->req))
            turn();
        r->req[MASK_XENSTORE_IDX(r->req_prod)] = ((const char *)from)[i];
        __atomic_store_n(&r->req_prod, r->req_prod + 1, __ATOMIC_RELEASE);
    }
}

static void get(void *to, size_t len)
{
    struct xenstore_domain_interface *r = ring();

    for (size_t i = 0; i < len; i++) {
        while (__atomic_load_n(&r->rsp_prod, __ATOMIC_ACQUIRE) == r->rsp_cons)
            turn();
        ((char *)to)[i] = r->rsp[MASK_XENSTORE_IDX(r->rsp_cons)];
        __atomic_store_n(&r->rsp_cons, r->rsp_cons + 1, __ATOMIC_RELEASE);
    }
}

/* The reply's text, cut to its room. */
static bool ask(uint32_t type, const char *path, const char *more, char *value, size_t room)
{
    size_t extra = more ? strlen(more) : 0;
    struct xsd_sockmsg m = { .type = type, .len = (uint32_t)(strlen(path) + 1 + extra) };
    size_t kept = 0;
    char c;

    port_mask(start_info->store_evtchn);
    put(&m, sizeof(m));
    put(path, strlen(path) + 1);
    put(more, extra);
    get(&m, sizeof(m));
    for (uint32_t i = 0; i < m.len; i++) {
        get(&c, 1);
        if (kept + 1 < room)
            value[kept++] = c;
    }
    if (room)
        value[kept] = '\0';
    return m.type == type;
}

bool store_read(const char *path, char *value, size_t room)
{
    return ask(XS_READ, path, NULL, value, room);
}

bool store_write(const char *path, const char *value)
{
    return ask(XS_WRITE, path, value, NULL, 0);
}

long store_number(const char *path)
{
    char digits[24], *s = digits;
    long n = 0;

    if (!store_read(path, digits, sizeof(digits)) || !*s)
        return -1;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + *s - '0';
    return *s ? -1 : n;
}
