/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FIFO event channels: control block, event array, queues by priority, and how they link. Back to two-level
 * by reset.
 */

#include "event.h"
#include "mm.h"
#include "trap.h"

#define EVENT_WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))

static struct evtchn_fifo_control_block *control;
static event_word_t *words;
static uint32_t taken[64];
static unsigned int taken_count;

/* Takes everything off every queue, highest priority first. */
static void scan(void)
{
    uint32_t ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    unsigned int q;

    for (q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
        uint32_t port = control->head[q];

        if (!(ready & (1u << q)))
            continue;
        while (port) {
            const uint32_t link = 1u << EVTCHN_FIFO_LINKED | ((1u << EVTCHN_FIFO_LINK_BITS) - 1);
            uint32_t w = __atomic_fetch_and(&words[port], ~link, __ATOMIC_SEQ_CST), next;

            next = w & ((1u << EVTCHN_FIFO_LINK_BITS) - 1);
            if ((w & (1u << EVTCHN_FIFO_PENDING)) && !(w & (1u << EVTCHN_FIFO_MASKED))) {
                __atomic_and_fetch(&words[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
                port_count[port]++;
                if (taken_count < ARRAY_SIZE(taken))
                    taken[taken_count++] = port;
            }
            port = next;
        }
        control->head[q] = 0;
    }
}

static bool has(uint32_t port, unsigned int bit)
{
    return *(volatile event_word_t *)&words[port] & (1u << bit);
}

static long init_control(void)
{
    struct evtchn_init_control op = { .control_gfn = mfn_of(control), .offset = 0, .vcpu = 0 };

    return evtchn(EVTCHNOP_init_control, &op);
}

static long expand_array(void *page)
{
    struct evtchn_expand_array op = { .array_gfn = mfn_of(page) };

    return evtchn(EVTCHNOP_expand_array, &op);
}

static void reset(void)
{
    struct evtchn_reset r = { .dom = DOMID_SELF };

    event_scan = NULL;
    EXPECT_EQ(evtchn(EVTCHNOP_reset, &r), 0);
    vcpu_info()->evtchn_upcall_pending = 0;
}

static bool enter(void)
{
    struct evtchn_init_control op = { .vcpu = 0 };
    unsigned int i;

    control = page_alloc();
    words = page_alloc();
    for (i = 0; i < EVENT_WORDS_PER_PAGE; i++)
        words[i] = 1u << EVTCHN_FIFO_MASKED;
    EXPECT_EQ(expand_array(words), -XEN_EOPNOTSUPP);                /* not before init_control */
    op.control_gfn = mfn_of(control);
    op.offset = 4;
    EXPECT_EQ(evtchn(EVTCHNOP_init_control, &op), -XEN_EINVAL);
    op.offset = PAGE_SIZE - 8;
    EXPECT_EQ(evtchn(EVTCHNOP_init_control, &op), -XEN_EINVAL);
    op.offset = 0;
    op.vcpu = 9999;
    EXPECT_EQ(evtchn(EVTCHNOP_init_control, &op), -XEN_ENOENT);
    op.vcpu = 0;
    op.control_gfn = ~0UL;
    EXPECT_EQ(evtchn(EVTCHNOP_init_control, &op), -XEN_EINVAL);
    if (!EXPECT_EQ(init_control(), 0))
        return false;
    EXPECT_EQ(init_control(), -XEN_EINVAL);                     /* twice */
    EXPECT_EQ(make_readonly(control), 0);                       /* held, but ours to map as we like */
    EXPECT_EQ(make_writable(control), 0);
    if (!EXPECT_EQ(expand_array(words), 0))
        return false;
    event_scan = scan;
    taken_count = 0;
    return true;
}

static void leave(void)
{
    events_off();
    reset();
    page_free(control);
    page_free(words);
}

TEST(basics)
{
    uint32_t ipi;

    reset();
    if (!enter())
        return;
    ipi = (uint32_t)port_bind_ipi(0);
    EXPECT(has(ipi, EVTCHN_FIFO_MASKED));
    EXPECT_EQ(port_send(ipi), 0);
    EXPECT(has(ipi, EVTCHN_FIFO_PENDING));
    EXPECT(!has(ipi, EVTCHN_FIFO_LINKED));
    EXPECT_EQ(control->ready, 0);

    EXPECT_EQ(port_unmask(ipi), 0);                             /* unmasking links it */
    EXPECT(!has(ipi, EVTCHN_FIFO_MASKED));
    EXPECT(has(ipi, EVTCHN_FIFO_LINKED));
    EXPECT(!has(ipi, EVTCHN_FIFO_BUSY));
    EXPECT_EQ(control->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(control->head[EVTCHN_FIFO_PRIORITY_DEFAULT], ipi);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_pending, 1);
    upcalls = port_count[ipi] = 0;
    events_on();
    EXPECT_EQ(upcalls, 1);
    EXPECT_EQ(port_count[ipi], 1);
    EXPECT_EQ(words[ipi], 0);
    EXPECT_EQ(port_send(ipi), 0);
    EXPECT_EQ(port_count[ipi], 2);
    events_off();
    EXPECT_EQ(port_close(ipi), 0);
    EXPECT_EQ(words[ipi] & ~(1u << EVTCHN_FIFO_MASKED), 0);
    leave();
}

TEST(order_and_priority)
{
    struct evtchn_set_priority prio = { .priority = EVTCHN_FIFO_PRIORITY_MAX };
    uint32_t p[4];
    unsigned int i;

    reset();
    if (!enter())
        return;
    for (i = 0; i < 4; i++) {
        p[i] = (uint32_t)port_bind_ipi(0);
        EXPECT_EQ(port_unmask(p[i]), 0);
    }
    prio.port = p[3];
    EXPECT_EQ(evtchn(EVTCHNOP_set_priority, &prio), 0);
    prio.priority = EVTCHN_FIFO_MAX_QUEUES;
    EXPECT_EQ(evtchn(EVTCHNOP_set_priority, &prio), -XEN_EINVAL);
    prio.port = 100000;
    EXPECT_EQ(evtchn(EVTCHNOP_set_priority, &prio), -XEN_EINVAL);

    EXPECT_EQ(port_send(p[2]), 0);
    EXPECT_EQ(port_send(p[0]), 0);
    EXPECT_EQ(port_send(p[1]), 0);
    EXPECT_EQ(port_send(p[3]), 0);
    EXPECT_EQ(port_send(p[0]), 0);                              /* again: already linked */
    EXPECT_EQ(control->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT | 1);
    EXPECT_EQ(words[p[2]] & 0x1ffff, p[0]);                     /* the chain */
    EXPECT_EQ(words[p[0]] & 0x1ffff, p[1]);
    EXPECT_EQ(words[p[1]] & 0x1ffff, 0);
    events_on();
    EXPECT_EQ(taken_count, 4);
    EXPECT_EQ(taken[0], p[3]);
    EXPECT_EQ(taken[1], p[2]);
    EXPECT_EQ(taken[2], p[0]);
    EXPECT_EQ(taken[3], p[1]);
    leave();
}

TEST(masked_while_linked)
{
    uint32_t p;

    reset();
    if (!enter())
        return;
    p = (uint32_t)port_bind_ipi(0);
    EXPECT_EQ(port_unmask(p), 0);
    EXPECT_EQ(port_send(p), 0);
    __atomic_or_fetch(&words[p], 1u << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    events_on();
    EXPECT_EQ(taken_count, 0);                                  /* taken off the queue, still pending */
    EXPECT(has(p, EVTCHN_FIFO_PENDING));
    EXPECT(!has(p, EVTCHN_FIFO_LINKED));
    EXPECT_EQ(port_unmask(p), 0);
    EXPECT_EQ(taken_count, 1);
    leave();
}

TEST(interdomain_and_close)
{
    long a, b;

    reset();
    if (!enter())
        return;
    a = port_alloc(DOMID_SELF, DOMID_SELF);
    b = port_bind(DOMID_SELF, (evtchn_port_t)a);
    EXPECT_GE(b, 1);
    EXPECT(has((uint32_t)b, EVTCHN_FIFO_PENDING));
    EXPECT_EQ(port_close((evtchn_port_t)b), 0);
    EXPECT(!has((uint32_t)b, EVTCHN_FIFO_PENDING));
    EXPECT_EQ(port_close((evtchn_port_t)a), 0);
    leave();
}

/* A port beyond the array exists, but its events have no place until the array grows. */
TEST(array_grows)
{
    event_word_t *more;
    long p = 0;
    unsigned int i;

    reset();
    if (!enter())
        return;
    for (i = 0; i < 1100 && p >= 0; i++)
        p = port_bind_ipi(0);
    if (p == -XEN_ENOSPC)               /* a domU may have only 1023 */
        return leave();
    EXPECT_EQ(p, 1100);
    EXPECT_EQ(port_send(1050), 0);
    obs("unmask_without_word", port_unmask(1050));
    more = page_alloc();
    for (i = 0; i < EVENT_WORDS_PER_PAGE; i++)
        more[i] = 1u << EVTCHN_FIFO_MASKED;
    EXPECT_EQ(expand_array(more), 0);
    obs("pending_after_growth", !!(more[1050 - 1024] & 1u << EVTCHN_FIFO_PENDING));
    EXPECT_EQ(port_send(1051), 0);
    EXPECT(more[1051 - 1024] & 1u << EVTCHN_FIFO_PENDING);
    EXPECT_EQ(expand_array(boot_l4()), -XEN_EINVAL);
    EXPECT_EQ(evtchn(EVTCHNOP_expand_array, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(evtchn(EVTCHNOP_init_control, (void *)8), -XEN_EFAULT);
    leave();
    page_free(more);
}

/* Events that were pending in the bitmaps when the domain changed over are not lost. */
TEST(change_over_keeps_pending)
{
    uint32_t p;

    reset();
    p = (uint32_t)port_bind_ipi(0);
    port_mask(p);
    EXPECT_EQ(port_send(p), 0);
    if (!enter())
        return;
    EXPECT(has(p, EVTCHN_FIFO_PENDING));
    EXPECT_EQ(port_unmask(p), 0);
    upcalls = 0;
    events_on();
    EXPECT_EQ(taken_count, 1);
    leave();
}
