/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network's frontend that breaks the rules of its rings: the backend refuses the packet, or disables the
 * interface. Four interfaces are wanted, and someone who asks for an unknown neighbour on their bridge
 * meanwhile. (As dom0 there are none, and nothing is done.)
 */

#include "frontend.h"

#define xen_wmb() __asm__ volatile("" ::: "memory")
#include <xen/io/ring.h>
#include <xen/io/netif.h>

#define SOON 60000u                     /* ms */
#define NEVER 1500u                     /* ms after which an answer is held to come no more */

static struct net {
    struct frontend f;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    char *data;
    grant_ref_t data_ref;
} net;

static bool connect(unsigned int n)
{
    netif_tx_sring_t *tx = page_alloc();
    netif_rx_sring_t *rx = page_alloc();

    if (!frontend_open(&net.f, "vif", n))
        return false;
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    XEN_FRONT_RING_INIT(&net.tx, tx, PAGE_SIZE);
    XEN_FRONT_RING_INIT(&net.rx, rx, PAGE_SIZE);
    net.data = page_alloc();
    memset(net.data, 0xff, 12);         /* to all, from nobody in particular */
    net.data_ref = frontend_share(&net.f, net.data, GTF_readonly);
    frontend_say(&net.f, "tx-ring-ref", frontend_share(&net.f, tx, 0));
    frontend_say(&net.f, "rx-ring-ref", frontend_share(&net.f, rx, 0));
    frontend_say(&net.f, "event-channel", net.f.port);
    frontend_say(&net.f, "request-rx-copy", 1);
    frontend_say(&net.f, "state", XenbusStateConnected);
    return EXPECT(frontend_backend_is(&net.f, XenbusStateConnected));
}

/* The next request's place in the ring, filled in as a packet of 60 bytes. */
static struct netif_tx_request *packet(void)
{
    struct netif_tx_request *r = RING_GET_REQUEST(&net.tx, net.tx.req_prod_pvt++);

    *r = (struct netif_tx_request){ .gref = net.data_ref, .size = 60, .id = 7 };
    return r;
}

static void push(void)
{
    RING_PUSH_REQUESTS(&net.tx);
    port_send(net.f.port);
}

/* The status of the next answer; 99: there came none in time. */
static int answer(unsigned int ms)
{
    net.tx.sring->rsp_event = net.tx.rsp_cons + 1;
    if (!frontend_wait(&net.tx.sring->rsp_prod, net.tx.rsp_cons + 1, ms))
        return 99;
    return RING_GET_RESPONSE(&net.tx, net.tx.rsp_cons++)->status;
}

static void still_works(void)
{
    packet();
    push();
    EXPECT_EQ(answer(SOON), NETIF_RSP_OKAY);
}

#define REFUSED(change)                      \
    do {                                     \
        struct netif_tx_request *r = packet(); \
        change;                              \
        push();                              \
        EXPECT_EQ(answer(SOON), NETIF_RSP_ERROR); \
        still_works();                       \
    } while (0)

TEST(bad_packets)
{
    if (!connect(0))
        return;
    still_works();
    REFUSED(r->gref = NO_GRANT);                            /* copied */
    REFUSED((r->gref = NO_GRANT, r->size = 1500));          /* copied, and the rest mapped */
    REFUSED((r->gref = 0xffffffff, r->size = 1500));
    REFUSED(r->size = 3);                                   /* less than a header */
}

static void offer_nothing(void)
{
    for (unsigned int n = 0; n < RING_SIZE(&net.rx); n++) {
        struct netif_rx_request *r = RING_GET_REQUEST(&net.rx, net.rx.req_prod_pvt++);

        *r = (struct netif_rx_request){ .id = (uint16_t)n, .gref = NO_GRANT };
    }
}

/* What arrives finds no page to be put in. */
TEST(nowhere_to_put)
{
    offer_nothing();
    RING_PUSH_REQUESTS(&net.rx);
    port_send(net.f.port);
    if (EXPECT(frontend_wait(&net.rx.sring->rsp_prod, 1, SOON)))
        EXPECT_EQ(RING_GET_RESPONSE(&net.rx, 0)->status, NETIF_RSP_ERROR);
    still_works();
}

/* Far more requests to receive than the ring has room for: the backend takes each place of it for many. */
TEST(too_much_to_receive)
{
    uint32_t seen;

    seen = net.rx.sring->rsp_prod;
    offer_nothing();
    net.rx.sring->req_prod = 0x40000000;
    port_send(net.f.port);
    EXPECT(frontend_wait(&net.rx.sring->rsp_prod, seen + 1, SOON));
    still_works();
}

/* The interface is disabled: not even a good packet is taken. */
static void disabled(void)
{
    push();
    while (answer(NEVER) == NETIF_RSP_ERROR)
        ;
    net.tx.sring->req_prod = net.tx.req_prod_pvt = net.tx.rsp_cons;
    packet();
    push();
    EXPECT_EQ(answer(NEVER), 99);
}

TEST(across_a_page)
{
    packet()->offset = 4090;
    disabled();
}

TEST(too_many_requests)
{
    if (!connect(1))
        return;
    still_works();
    net.tx.req_prod_pvt += 5000;
    disabled();
}

TEST(unknown_extra)
{
    struct netif_extra_info *extra;

    if (!connect(2))
        return;
    still_works();
    packet()->flags = NETTXF_extra_info;
    extra = (void *)packet();
    *extra = (struct netif_extra_info){ .type = 0x7f };
    disabled();
}

TEST(endless_packet)
{
    if (!connect(3))
        return;
    still_works();
    for (unsigned int n = 0; n < 100; n++)
        packet()->flags = NETTXF_more_data;
    disabled();
}
