/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A storm of events: a domU that does nothing but send to a port of dom0's. However dom0 takes them, it learns of the last one, and
 * is told of none that was not sent. A page that the domU lends says what it has done.
 */

#include "hostile.h"

#include <xen/sched.h>

#include "child.h"
#include "domctl.h"
#include "grant.h"

#define REF   16
#define SENDS 500000UL

struct storm {
    uint64_t port;
    uint64_t burst;                     /* so many sends, then the domU waits until dom0 knows of the last; 0: not yet */
    uint64_t begun, done;               /* sends */
    uint64_t taken;                     /* of them, as far as dom0 knows */
};

TEST_DESTRUCTIVE(event_storm)
{
    volatile struct storm *s = page_alloc();
    uint64_t i;

    grant_setup();
    s->port = (uint64_t)port_alloc(DOMID_SELF, 0);
    grant_page(REF, (const void *)s, 0, 0);
    while (!s->burst)
        yield();
    for (i = 1; i <= SENDS; i++) {
        s->begun = i;
        port_send((evtchn_port_t)s->port);
        s->done = i;
        while (i % s->burst == 0 && s->taken < i)
            yield();
    }
    for (;;)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
}

/* ---- How dom0 waits for the next one ---- */

static evtchn_port_t port;

static void sleep_for_it(void)
{
    struct sched_poll poll = { .nr_ports = 1, .timeout = now() + 1000000000 };

    set_xen_guest_handle(poll.ports, &port);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

/*
 * Takes events until the domU has sent its last one. The result is 0, or what went wrong: 1 an event was lost, 2 one came that was
 * not sent, 3 the domU did not come to its end.
 */
static long take_all(volatile struct storm *s, void (*wait)(void))
{
    uint64_t known = 0, done, end = now() + 120000000000UL;
    bool quiet = false;                 /* no send was under way when the last event was taken */

    while (now() < end) {
        done = s->done;
        if (port_pending(port)) {
            done = s->done;             /* sends that are done before it is taken can't cause another one */
            port_clear(port);
            if (quiet && s->begun == known)
                return 2;
            known = s->begun;
            s->taken = known;
            quiet = done == known;
        } else if (done > known) {
            return 1;
        } else if (done == SENDS) {
            return 0;
        } else {
            wait();
        }
    }
    return 3;
}

static long storm_of(domid_t dom, void *page, void (*wait)(void), unsigned int burst)
{
    volatile struct storm *s = page;
    grant_handle_t handle;
    unsigned int i;
    long rc = -1, bound;

    domctl_clear();
    domctl(XEN_DOMCTL_unpausedomain, dom);
    for (i = 0; i < 1000 && rc; i++) {  /* until the domU is as far */
        let_others_run();
        rc = grant_map(page, dom, REF, GNTMAP_host_map, &handle);
    }
    if (rc) {
        domain_destroy(dom);
        return rc;
    }
    bound = port_bind(dom, (evtchn_port_t)s->port);
    port = (evtchn_port_t)bound;
    port_mask(port);
    port_clear(port);                   /* a fresh channel rings once */
    s->burst = burst;
    rc = bound < 0 ? bound : take_all(s, wait);
    port_close(port);
    domain_destroy(dom);
    return rc ?: grant_unmap(U(page), handle);
}

TEST(storms)
{
    /* An emulator with one thread takes long to change between CPUs that do not sleep. */
    static const struct { const char *name; void (*wait)(void); unsigned int burst; } ways[] = {
        { "sleep", sleep_for_it, 64 }, { "look", yield, 50000 },
    };
    grant_handle_t handle;
    void *page;
    uint64_t before;
    unsigned int i;
    long dom, rc;

    if (!is_dom0())
        return;
    first_child();
    page = page_alloc();
    grant_setup();
    grant_page(REF, page, own_domid(), 0);      /* what dom0 needs to map grants at all it keeps */
    EXPECT_EQ(grant_map(page, own_domid(), REF, GNTMAP_host_map, &handle), 0);
    EXPECT_EQ(grant_unmap(U(page), handle), 0);
    gt1[REF].flags = 0;
    EXPECT_EQ(make_writable(page), 0);
    for (i = 0; i < ARRAY_SIZE(ways); i++) {
        before = machine_free_pages();
        dom = child_build("destructive=event_storm");
        if (!EXPECT_GE(dom, 1))
            continue;
        rc = storm_of((domid_t)dom, page, ways[i].wait, ways[i].burst);
        EXPECT_EQ(make_writable(page), 0);
        EXPECT(memory_returns(before));
        verdict("storm", ways[i].name, rc, 0);
    }
    page_free(page);
}
