/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of a guest; see frontend.h. */

#include "frontend.h"

#include <xen/sched.h>

#include "xenstore.h"

#define FIRST_GRANT 64u                 /* below: the console's, xenstore's, the grant families' */
#define PATIENCE 150000u                /* ms until a device is there, and its backend has answered */

static long node_number(const struct frontend *f, const char *node)
{
    char path[128];

    text(path, sizeof(path), "%s/%s", f->path, node);
    return store_number(path);
}

bool frontend_say(const struct frontend *f, const char *node, long value)
{
    char path[128], digits[24];

    text(path, sizeof(path), "%s/%s", f->path, node);
    text(digits, sizeof(digits), "%ld", value);
    return EXPECT(store_write(path, digits));
}

/* Waits until the device's node is there. */
static bool find(struct frontend *f, const char *kind, unsigned int number)
{
    uint64_t end = now() + PATIENCE * 1000000ULL;
    char node[64];

    text(f->path, sizeof(f->path), "device/%s/%u", kind, number);
    text(node, sizeof(node), "%s/backend", f->path);
    while (!store_read(node, f->backend, sizeof(f->backend)) && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return EXPECT(store_read(node, f->backend, sizeof(f->backend)));
}

/* Both sides have closed, and begin anew. */
static bool reopen(const struct frontend *f)
{
    frontend_say(f, "state", XenbusStateClosed);
    return EXPECT(frontend_backend_is(f, XenbusStateClosed)) && frontend_say(f, "state", XenbusStateInitialising);
}

bool frontend_open(struct frontend *f, const char *kind, unsigned int number)
{
    *f = (struct frontend){ .port = 0 };
    if (!find(f, kind, number) || !grant_setup())
        return false;
    f->dom = (domid_t)node_number(f, "backend-id");
    f->port = (evtchn_port_t)port_alloc(DOMID_SELF, f->dom);
    port_mask(f->port);
    if (node_number(f, "state") != XenbusStateInitialising && !reopen(f))
        return false;
    return EXPECT(frontend_backend_is(f, XenbusStateInitWait));
}

grant_ref_t frontend_share(const struct frontend *f, const void *page, unsigned int flags)
{
    static grant_ref_t next = FIRST_GRANT;

    EXPECT(next < NO_GRANT);
    grant_page(next, page, f->dom, flags);
    return next++;
}

bool frontend_backend_is(const struct frontend *f, enum xenbus_state state)
{
    uint64_t end = now() + PATIENCE * 1000000ULL;
    char path[128];

    text(path, sizeof(path), "%s/state", f->backend);
    while (store_number(path) != (long)state && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return store_number(path) == (long)state;
}

bool frontend_wait(const volatile uint32_t *index, uint32_t want, unsigned int ms)
{
    uint64_t end = now() + ms * 1000000ULL;

    while ((int32_t)(*index - want) < 0 && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return (int32_t)(*index - want) >= 0;
}
