/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's frontend that breaks the rules of its ring, one at a time: the backend refuses the request, or
 * stops serving this ring. The disk is xvda, and begins with "krypton".
 */

#include "frontend.h"

#define xen_wmb() __asm__ volatile("" ::: "memory")
#include <xen/io/ring.h>
#include <xen/io/blkif.h>

#define DISK    (202u << 8)             /* xvda */
#define SOON 60000u                     /* ms */
#define NEVER 1500u                     /* ms after which an answer is held to come no more */

static struct disk {
    struct frontend f;
    blkif_front_ring_t ring;
    char *data;
    grant_ref_t data_ref;
} disk;

/* Makes the ring and a page of data. */
static bool prepare(void)
{
    blkif_sring_t *shared = page_alloc();

    if (!frontend_open(&disk.f, "vbd", DISK))
        return false;
    SHARED_RING_INIT(shared);
    XEN_FRONT_RING_INIT(&disk.ring, shared, PAGE_SIZE);
    disk.data = page_alloc();
    disk.data_ref = frontend_share(&disk.f, disk.data, 0);
    return true;
}

static void announce(long ring_ref, long port)
{
    frontend_say(&disk.f, "ring-ref", ring_ref);
    frontend_say(&disk.f, "event-channel", port);
    frontend_say(&disk.f, "state", XenbusStateInitialised);
}

static bool connect(void)
{
    if (!prepare())
        return false;
    announce(frontend_share(&disk.f, disk.ring.sring, 0), disk.f.port);
    return EXPECT(frontend_backend_is(&disk.f, XenbusStateConnected)) &&
           frontend_say(&disk.f, "state", XenbusStateConnected);
}

/* The next request's place in the ring, filled in as a read of the first sectors into the page of data. */
static struct blkif_request *request(void)
{
    struct blkif_request *r = RING_GET_REQUEST(&disk.ring, disk.ring.req_prod_pvt++);

    *r = (struct blkif_request){ .operation = BLKIF_OP_READ, .nr_segments = 1, .handle = DISK, .id = 7 };
    r->seg[0] = (struct blkif_request_segment){ .gref = disk.data_ref, .last_sect = 7 };
    return r;
}

static void push(void)
{
    RING_PUSH_REQUESTS(&disk.ring);
    port_send(disk.f.port);
}

/* The status of the one request that was pushed; 1: there came no answer in time. */
static int answer(unsigned int ms)
{
    disk.ring.sring->rsp_event = disk.ring.rsp_cons + 1;
    if (!frontend_wait(&disk.ring.sring->rsp_prod, disk.ring.rsp_cons + 1, ms))
        return 1;
    return RING_GET_RESPONSE(&disk.ring, disk.ring.rsp_cons++)->status;
}

static int ask(unsigned int ms)
{
    push();
    return answer(ms);
}

static void still_works(void)
{
    memset(disk.data, 0, PAGE_SIZE);
    request();
    EXPECT_EQ(ask(SOON), BLKIF_RSP_OKAY);
    EXPECT(!memcmp(disk.data, "krypton", 7));
}

/* What the backend is to connect to is not there. */
static void not_connected(void)
{
    EXPECT(frontend_backend_is(&disk.f, XenbusStateClosing));
}

TEST(no_ring)
{
    if (!prepare())
        return;
    announce(NO_GRANT, disk.f.port);
    not_connected();
}

TEST(no_port)
{
    if (!prepare())
        return;
    announce(frontend_share(&disk.f, disk.ring.sring, 0), 4000);
    not_connected();
}

/* One request is refused, and the next one served. */
#define REFUSED(change, status)       \
    do {                              \
        struct blkif_request *r = request(); \
        change;                       \
        EXPECT_EQ(ask(SOON), status); \
        still_works();                \
    } while (0)

TEST(bad_requests)
{
    struct blkif_request_indirect *i;
    grant_ref_t readonly;

    if (!connect())
        return;
    still_works();
    readonly = frontend_share(&disk.f, disk.data, GTF_readonly);
    i = (void *)page_alloc();
    REFUSED(r->seg[0].gref = NO_GRANT, BLKIF_RSP_ERROR);
    REFUSED(r->seg[0].gref = 0xffffffff, BLKIF_RSP_ERROR);
    REFUSED(r->seg[0].gref = readonly, BLKIF_RSP_ERROR);
    REFUSED(r->nr_segments = 0, BLKIF_RSP_ERROR);
    REFUSED(r->nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST + 1, BLKIF_RSP_ERROR);
    REFUSED(r->nr_segments = 255, BLKIF_RSP_ERROR);
    REFUSED((r->seg[0].first_sect = 5, r->seg[0].last_sect = 2), BLKIF_RSP_ERROR);
    REFUSED(r->seg[0].last_sect = 200, BLKIF_RSP_ERROR);
    REFUSED(r->sector_number = 1UL << 40, BLKIF_RSP_ERROR);
    REFUSED(r->sector_number = ~0UL - 3, BLKIF_RSP_ERROR);
    REFUSED(r->operation = 77, BLKIF_RSP_EOPNOTSUPP);
    *i = (struct blkif_request_indirect){ .operation = BLKIF_OP_INDIRECT, .nr_segments = 60000, .id = 9 };
    REFUSED(memcpy(r, i, sizeof(*i)), BLKIF_RSP_ERROR);
    *i = (struct blkif_request_indirect){ .operation = BLKIF_OP_INDIRECT, .nr_segments = 16, .id = 9,
                                          .indirect_grefs = { NO_GRANT } };
    REFUSED(memcpy(r, i, sizeof(*i)), BLKIF_RSP_ERROR);
    /* Sixteen segments that are whatever the page of data holds: "krypton" and zeros. */
    i->indirect_grefs[0] = disk.data_ref;
    REFUSED(memcpy(r, i, sizeof(*i)), BLKIF_RSP_ERROR);
}

/* A whole ring of requests that name nothing. */
TEST(full_of_errors)
{
    for (unsigned int n = RING_SIZE(&disk.ring); n--;)
        request()->seg[0].gref = NO_GRANT - n;
    push();
    for (unsigned int n = RING_SIZE(&disk.ring); n--;)
        EXPECT_EQ(answer(SOON), BLKIF_RSP_ERROR);
    still_works();
}

TEST(events_without_requests)
{
    for (unsigned int n = 0; n < 20000; n++)
        port_send(disk.f.port);
    still_works();
}

/* The grants of a request are taken back while the backend uses them or is about to. */
TEST(grants_taken_back)
{
    grant_ref_t ref[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    unsigned int served = 0;

    for (unsigned int s = 0; s < ARRAY_SIZE(ref); s++)
        ref[s] = frontend_share(&disk.f, page_alloc(), 0);
    for (unsigned int round = 0; round < 100; round++) {
        struct blkif_request *r = request();
        uint64_t until = now() + round * 20000UL;

        r->nr_segments = ARRAY_SIZE(ref);
        for (unsigned int s = 0; s < ARRAY_SIZE(ref); s++) {
            __atomic_store_n(&gt1[ref[s]].flags, GTF_permit_access, __ATOMIC_SEQ_CST);
            r->seg[s] = (struct blkif_request_segment){ .gref = ref[s], .last_sect = 7 };
        }
        push();
        while (now() < until)
            ;
        for (unsigned int s = 0; s < ARRAY_SIZE(ref); s++) {
            gt1[ref[s]].frame = round & 1 ? 0 : ~0u;
            __atomic_store_n(&gt1[ref[s]].flags, round & 2 ? 0xffff : GTF_invalid, __ATOMIC_SEQ_CST);
            gt1[ref[s]].frame = (uint32_t)mfn_of(disk.data);
        }
        served += answer(SOON) != 1;
    }
    EXPECT_EQ(served, 100);
    still_works();
}

/* More requests than the ring has room for: the backend halts, and then serves not even what is good. */
TEST(too_many_requests)
{
    request();
    disk.ring.req_prod_pvt += 1000;
    EXPECT_EQ(ask(NEVER), 1);
    disk.ring.req_prod_pvt -= 1000;
    EXPECT_EQ(ask(NEVER), 1);
}

/* ---- Without end ---- */

static uint64_t random_bits(void)
{
    static uint64_t x = 88172645463325252UL;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

/* A request that is random, and now and then nearly right. */
static void random_request(void)
{
    struct blkif_request *r = request();

    if (random_bits() % 8 == 0) {
        for (unsigned int i = 0; i < sizeof(*r) / 8; i++)
            ((uint64_t *)r)[i] = random_bits();
        return;
    }
    r->operation = random_bits() % 8;
    r->nr_segments = random_bits() % 13;
    r->sector_number = random_bits() % 40000;
    for (unsigned int s = 0; s < BLKIF_MAX_SEGMENTS_PER_REQUEST; s++) {
        r->seg[s].gref = disk.data_ref + (grant_ref_t)(random_bits() % 16);
        r->seg[s].first_sect = random_bits() % 3;
        r->seg[s].last_sect = 5 + random_bits() % 4;
    }
}

/* Changes a grant of the data's, whether it is in use or not. */
static void random_grant(const grant_ref_t *refs, unsigned int count)
{
    grant_entry_v1_t *e = &gt1[refs[random_bits() % count]];

    switch (random_bits() % 4) {
    case 0:
        e->flags = (uint16_t)random_bits();
        break;
    case 1:
        e->frame = (uint32_t)random_bits();
        break;
    case 2:
        e->domid = (uint16_t)random_bits();
        break;
    default:
        e->domid = disk.f.dom;
        e->frame = (uint32_t)mfn_of(disk.data);
        e->flags = GTF_permit_access;
        break;
    }
}

/* The rules of the indexes are kept, so that the backend goes on. */
TEST_DESTRUCTIVE(storm)
{
    grant_ref_t refs[16];

    if (!connect())
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(refs); i++)
        refs[i] = frontend_share(&disk.f, page_alloc(), 0);
    print("storm begins\n");
    for (;;) {
        while (disk.ring.req_prod_pvt - disk.ring.sring->rsp_prod < RING_SIZE(&disk.ring))
            random_request();
        push();
        for (unsigned int n = random_bits() % 64; n--;)
            random_grant(refs, ARRAY_SIZE(refs));
    }
}
