/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/fifo.c: what the guest finds in its queues, and that no event is lost between many producers and
 * guests that consume, mask, unmask, move and re-prioritise ports at the same time. The consumer here does
 * what Linux's does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "tests/unit/fake_core.h"

#include "tests/unit/fake_domain.h"

#include "core/evtchn_2l.c"
#include "core/fifo.c"
#include "core/lock.c"
#include "core/port.c"
#include "core/virq.c"

unsigned irqs_count(void) { return 0; }
bool irqs_is_mapped(const struct domain *d, unsigned pirq) { return d && pirq == 0; }

int machine_pirq_bind(struct domain *d, unsigned pirq, bool share)
{
    (void)d;
    (void)pirq;
    (void)share;
    return 0;
}

void machine_pirq_unbind(struct domain *d, unsigned pirq)
{
    (void)d;
    (void)pirq;
}

enum { VCPUS = 2, CONTROL_MFN = 8, ARRAY_MFN = 16 };

static struct domain *g;

/* ---- The guest's side ---- */

static word_t *guest_word(evtchn_port_t nr)
{
    return (word_t *)machine_frame(mfn(ARRAY_MFN + nr / WORDS_PER_PAGE)) + nr % WORDS_PER_PAGE;
}

static struct evtchn_fifo_control_block *guest_control(unsigned vcpu)
{
    return machine_frame(mfn(CONTROL_MFN + vcpu));
}

static uint32_t guest_head[VCPUS][EVTCHN_FIFO_MAX_QUEUES];
static void (*guest_handler)(unsigned vcpu, evtchn_port_t nr);

static void guest_add_page(unsigned page)
{
    for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
        *guest_word(page * WORDS_PER_PAGE + i) = MASKED;
    assert_int_equal(fifo_expand_array(g, mfn(ARRAY_MFN + page)), 0);
}

static uint32_t guest_clear_linked(word_t *w)
{
    event_word_t old = *w;

    while (!atomic_compare_exchange_weak(w, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK)))
        ;
    return old & EVTCHN_FIFO_LINK_MASK;
}

/* As clear_masked_cond(): false if the hypervisor must do it. */
static bool guest_clear_masked(word_t *w)
{
    event_word_t old = *w;

    do {
        if (!(old & MASKED))
            return true;
        if (old & PENDING)
            return false;
    } while (!atomic_compare_exchange_weak(w, &old, old & ~MASKED));
    return true;
}

static void guest_unmask(evtchn_port_t nr)
{
    if (!guest_clear_masked(guest_word(nr)))
        (void)port_unmask(g, nr);
}

static void guest_consume_one(unsigned vcpu, unsigned priority, uint32_t *ready)
{
    uint32_t nr = guest_head[vcpu][priority], next;

    if (!nr)
        nr = __atomic_load_n(&guest_control(vcpu)->head[priority], __ATOMIC_SEQ_CST);
    next = guest_clear_linked(guest_word(nr));
    if (!next)
        *ready &= ~(1u << priority);
    if ((*guest_word(nr) & (PENDING | MASKED)) == PENDING)
        guest_handler(vcpu, nr);
    guest_head[vcpu][priority] = next;
}

static void guest_upcall(unsigned vcpu)
{
    uint32_t *shared = &guest_control(vcpu)->ready, ready = __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);

    while (ready) {
        guest_consume_one(vcpu, (unsigned)__builtin_ctz(ready), &ready);
        ready |= __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);
    }
}

/* ---- Setup ---- */

static unsigned seen[64], order[64], n_order;

static void note(unsigned vcpu, evtchn_port_t nr)
{
    (void)vcpu;
    atomic_fetch_and(guest_word(nr), ~PENDING);
    seen[nr]++;
    order[n_order++ % 64] = nr;
}

static int setup(void **state)
{
    (void)state;
    fake_machine(64);
    memset(fake_ram, 0, 64 * PAGE_SIZE);
    memset(fake_notified, 0, sizeof(fake_notified));
    memset(guest_head, 0, sizeof(guest_head));
    memset(seen, 0, sizeof(seen));
    n_order = 0;
    guest_handler = note;
    g = fake_domain(1, VCPUS, ~0u);
    return 0;
}

static int setup_fifo(void **state)
{
    setup(state);
    for (unsigned i = 0; i < VCPUS; i++)
        assert_int_equal(fifo_init_control(g, i, mfn(CONTROL_MFN + i), 0), 0);
    guest_add_page(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_domain_kill(g);
    assert_int_equal(fake_memory, 0);
    assert_int_equal(fake_frame_refs, 0);
    assert_int_equal(fake_pcpu[0].locks_held, 0);
    return 0;
}

/* `n` IPI ports of vCPU 0, unmasked: 1..n. */
static void open_ports(unsigned n)
{
    evtchn_port_t nr;

    for (unsigned i = 1; i <= n; i++) {
        assert_int_equal(port_bind_ipi(g, 0, &nr), 0);
        assert_int_equal(nr, i);
        guest_unmask(nr);
    }
}

/* ---- Claims ---- */

static void events_come_in_order_of_priority_then_of_sending(void **state)
{
    static const unsigned expected[] = { 3, 1, 2, 4 };

    (void)state;
    open_ports(4);
    assert_int_equal(fifo_set_priority(g, 3, 0), 0);
    assert_int_equal(fifo_set_priority(g, 4, 15), 0);
    assert_int_equal(port_send(g, 4), 0);
    assert_int_equal(port_send(g, 1), 0);
    assert_int_equal(port_send(g, 2), 0);
    assert_int_equal(port_send(g, 1), 0); /* already queued */
    assert_int_equal(port_send(g, 3), 0);
    assert_int_equal(fake_notified[0], 3); /* once for each queue */
    guest_upcall(0);
    assert_int_equal(n_order, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(order[i], expected[i]);
    assert_int_equal(port_send(g, 2), 0);
    guest_upcall(0);
    assert_int_equal(seen[2], 2);
    assert_int_equal(*guest_word(2), 0);
}

static void masked_events_are_linked_when_unmasked(void **state)
{
    (void)state;
    open_ports(2);
    *guest_word(1) |= MASKED;
    assert_int_equal(port_send(g, 1), 0);
    assert_int_equal(*guest_word(1), PENDING | MASKED);
    assert_int_equal(port_is_pending(g, 1), 1);
    assert_int_equal(fake_notified[0], 0);
    guest_unmask(1);
    assert_int_equal(*guest_word(1), PENDING | LINKED);
    assert_int_equal(fake_notified[0], 1);
    guest_upcall(0);
    assert_int_equal(seen[1], 1);
}

static void a_linked_port_stays_in_its_queue_until_consumed(void **state)
{
    evtchn_port_t p, q;

    (void)state;
    assert_int_equal(port_alloc_unbound(g, 1, &p), 0);
    assert_int_equal(port_bind_interdomain(g, 1, p, &q), 0);
    guest_unmask(p);
    assert_int_equal(port_send(g, q), 0);
    assert_int_equal(port_bind_vcpu(g, p, 1), 0);
    assert_int_equal(fifo_set_priority(g, p, 2), 0);
    assert_int_equal(port_send(g, q), 0);
    assert_int_equal(fake_notified[1], 0);
    guest_upcall(1);
    assert_int_equal(seen[p], 0);
    guest_upcall(0);
    assert_int_equal(seen[p], 1);
    assert_int_equal(port_send(g, q), 0);
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(guest_control(1)->head[2], p);
    /* The old queue must not take it for its tail: it is linked, but elsewhere. */
    guest_unmask(q);
    assert_int_equal(port_send(g, p), 0);
    assert_int_equal(guest_control(0)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], q);
    assert_int_equal(*guest_word(p), PENDING | LINKED);
    guest_upcall(0);
    guest_upcall(1);
    assert_int_equal(seen[p], 2);
}

static void pending_bits_move_along_from_2_level(void **state)
{
    evtchn_port_t nr, p, q;

    (void)state;
    assert_int_equal(port_bind_ipi(g, 0, &nr), 0);
    assert_int_equal(port_alloc_unbound(g, 1, &p), 0);
    assert_int_equal(port_bind_interdomain(g, 1, p, &q), 0); /* q is pending */
    assert_int_equal(fifo_set_priority(g, nr, 0), -ENOSYS);
    assert_int_equal(fifo_expand_array(g, mfn(ARRAY_MFN)), -EOPNOTSUPP);
    for (unsigned i = 0; i < VCPUS; i++)
        assert_int_equal(fifo_init_control(g, i, mfn(CONTROL_MFN + i), 0), 0);
    assert_int_equal(port_send(g, nr), 0); /* its word does not exist yet */
    assert_int_equal(port_is_pending(g, nr), 1);
    guest_add_page(0);
    assert_int_equal(*guest_word(q), PENDING | MASKED);
    assert_int_equal(*guest_word(nr), PENDING | MASKED);
    assert_int_equal(*guest_word(p), MASKED);
    guest_unmask(q);
    guest_unmask(nr);
    guest_upcall(0);
    assert_int_equal(seen[q], 1);
    assert_int_equal(seen[nr], 1);
}

static void events_before_the_control_block_are_there_afterwards(void **state)
{
    evtchn_port_t nr;

    (void)state;
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), 0), 0);
    guest_add_page(0);
    assert_int_equal(port_bind_ipi(g, 1, &nr), 0);
    guest_unmask(nr);
    assert_int_equal(port_send(g, nr), 0);
    assert_int_equal(fake_notified[1], 1);
    assert_int_equal(fifo_init_control(g, 1, mfn(CONTROL_MFN + 1), 0), 0);
    assert_int_equal(fake_notified[1], 2);
    guest_upcall(1);
    assert_int_equal(seen[nr], 1);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    assert_int_equal(fifo_init_control(g, VCPUS, mfn(CONTROL_MFN), 0), -ENOENT);
    assert_int_equal(fifo_init_control(g, ~0u, mfn(CONTROL_MFN), 0), -ENOENT);
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), 4), -EINVAL);
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), PAGE_SIZE - 64), -EINVAL);
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), ~7u), -EINVAL);
    assert_int_equal(fifo_init_control(g, 0, mfn(1 << 20), 0), -EINVAL);
    assert_ptr_equal(g->ports->ops, &evtchn_2l_ops);
    for (int nth = 1; nth <= 3; nth++) {
        fake_fail_alloc = nth;
        assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), 0), -ENOMEM);
    }
    fake_fail_alloc = 0;
    assert_int_equal(fake_frame_refs, 0);
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), PAGE_SIZE - 72), 0);
    assert_int_equal(fifo_init_control(g, 0, mfn(CONTROL_MFN), 0), -EINVAL); /* it has one */
    assert_int_equal(fifo_expand_array(g, MFN_NONE), -EINVAL);
    assert_int_equal(fifo_set_priority(g, 1, 7), -EINVAL);
    for (unsigned i = 0; i < MAX_PAGES; i++)
        assert_int_equal(fifo_expand_array(g, mfn(ARRAY_MFN)), 0);
    assert_int_equal(fifo_expand_array(g, mfn(ARRAY_MFN)), -ENOSPC);
    assert_int_equal(fake_frame_refs, 1 + MAX_PAGES);
}

static void reset_goes_back_to_2_level_and_forward_again(void **state)
{
    evtchn_port_t nr;

    (void)state;
    open_ports(3);
    assert_int_equal(port_send(g, 2), 0);
    assert_int_equal(ports_reset(g, true), 0);
    assert_int_equal(fake_frame_refs, 0);
    assert_ptr_equal(g->ports->ops, &evtchn_2l_ops);
    assert_int_equal(port_bind_ipi(g, 0, &nr), 0);
    assert_int_equal(port_send(g, nr), 0);
    assert_int_equal(g->shared->evtchn_pending[0], 1ull << nr);
    assert_int_equal(ports_reset(g, true), 0);
    memset(fake_ram, 0, 64 * PAGE_SIZE);
    for (unsigned i = 0; i < VCPUS; i++)
        assert_int_equal(fifo_init_control(g, i, mfn(CONTROL_MFN + i), 0), 0);
    guest_add_page(0);
    open_ports(3); /* port 2 was linked in its former life */
    assert_int_equal(port_send(g, 2), 0);
    guest_upcall(0);
    assert_int_equal(seen[2], 1);
}

static void ports_beyond_2_level_work(void **state)
{
    evtchn_port_t nr = 0;

    (void)state;
    for (unsigned i = 1; i < 5; i++)
        guest_add_page(i);
    for (unsigned i = 1; i <= 5000; i++)
        assert_int_equal(port_bind_ipi(g, 0, &nr), 0);
    assert_int_equal(nr, 5000);
    guest_unmask(nr);
    assert_int_equal(port_send(g, nr), 0);
    assert_int_equal(*guest_word(nr), PENDING | LINKED);
    assert_int_equal(guest_control(0)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], nr);
}

/* ---- Storms ---- */

enum { STORM_PORTS = 24, PRODUCERS = 3, SENDS = 100000 };

static unsigned ports = STORM_PORTS;
static _Atomic unsigned sent[STORM_PORTS + 1], handled[STORM_PORTS + 1];
static _Atomic bool stop;
static evtchn_port_t sender_of[STORM_PORTS + 1];

/* As Linux handles a level-like event: mask, clear, look, unmask; and the others: clear, look. */
static void storm_handler(unsigned vcpu, evtchn_port_t nr)
{
    unsigned now, before = handled[nr];

    (void)vcpu;
    if (nr % 2)
        atomic_fetch_or(guest_word(nr), MASKED);
    atomic_fetch_and(guest_word(nr), ~PENDING);
    now = sent[nr];
    while (before < now && !atomic_compare_exchange_weak(&handled[nr], &before, now))
        ; /* the port may have moved: the other vCPU handles it too */
    if (nr % 2)
        guest_unmask(nr);
}

static void *producer(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg;

    fake_cpu = r;
    for (unsigned i = 0; i < SENDS; i++) {
        evtchn_port_t nr = (r = r * 1664525 + 1013904223) >> 8;

        nr = 1 + nr % ports;
        sent[nr]++;
        (void)port_send(g, sender_of[nr]);
    }
    return NULL;
}

/* A vCPU: looks at its queues only when it was told to. */
static void *consumer(void *arg)
{
    unsigned vcpu = (unsigned)(uintptr_t)arg;

    fake_cpu = 4 + vcpu;
    while (!stop) {
        if (atomic_exchange(&fake_notified[vcpu], 0))
            guest_upcall(vcpu);
        else
            sched_yield();
    }
    return NULL;
}

static void *shuffler(void *arg)
{
    uint32_t r = 1;

    fake_cpu = (unsigned)(uintptr_t)arg;
    while (!stop) {
        evtchn_port_t nr = 1 + ((r = r * 1664525 + 1013904223) >> 8) % ports;

        switch (r >> 28 & 3) {
        case 0:
            (void)port_bind_vcpu(g, nr, r >> 20 & 1);
            break;
        case 1:
            (void)fifo_set_priority(g, nr, r >> 20 & 15);
            break;
        case 2:
            atomic_fetch_or(guest_word(nr), MASKED);
            sched_yield();
            guest_unmask(nr);
            break;
        }
    }
    return NULL;
}

static bool all_handled(void)
{
    for (unsigned nr = 1; nr <= ports; nr++)
        if (handled[nr] != sent[nr])
            return false;
    return true;
}

static void storm(unsigned n, bool shuffle)
{
    pthread_t p[PRODUCERS], c[VCPUS], s;
    evtchn_port_t nr;

    ports = n;
    stop = false;
    guest_handler = storm_handler;
    for (unsigned i = 1; i <= ports; i++) {
        sent[i] = handled[i] = 0;
        assert_int_equal(port_alloc_unbound(g, 1, &nr), 0);
        assert_int_equal(nr, i);
    }
    for (unsigned i = 1; i <= ports; i++) {
        assert_int_equal(port_bind_interdomain(g, 1, i, &sender_of[i]), 0);
        guest_unmask(i);
        assert_int_equal(port_bind_vcpu(g, i, i % VCPUS), 0);
    }
    for (uintptr_t i = 0; i < VCPUS; i++)
        pthread_create(&c[i], NULL, consumer, (void *)i);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        pthread_create(&p[i], NULL, producer, (void *)(i + 1));
    if (shuffle)
        pthread_create(&s, NULL, shuffler, (void *)7);
    for (unsigned i = 0; i < PRODUCERS; i++)
        pthread_join(p[i], NULL);
    for (unsigned i = 0; i < 2000 && !all_handled(); i++)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    stop = true;
    for (unsigned i = 0; i < VCPUS; i++)
        pthread_join(c[i], NULL);
    if (shuffle)
        pthread_join(s, NULL);
    assert_true(all_handled());
}

static void no_event_is_lost(void **state)
{
    (void)state;
    storm(STORM_PORTS, false);
}

static void no_event_is_lost_while_ports_move(void **state)
{
    (void)state;
    storm(STORM_PORTS, true);
}

/* Few ports: that they are raised by several CPUs while they change their queue is the rule. */
static void no_event_is_lost_while_all_want_the_same_port(void **state)
{
    (void)state;
    storm(2, true);
}

/* A guest that writes anything anywhere hurts nobody: the memory checkers watch, and every send returns. */
static void *vandal(void *arg)
{
    uint32_t r = 12345;

    fake_cpu = (unsigned)(uintptr_t)arg;
    while (!stop) {
        r = r * 1664525 + 1013904223;
        atomic_store(guest_word(r >> 20 & 31), r ^ r << 13);
        __atomic_store_n(&((uint32_t *)guest_control(r >> 9 & 1))[r >> 10 & 17], r * 7, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void a_hostile_guest_hurts_nobody_else(void **state)
{
    pthread_t v, s, p[2];

    (void)state;
    ports = STORM_PORTS;
    stop = false;
    for (unsigned i = 1; i <= STORM_PORTS; i++) {
        assert_int_equal(port_alloc_unbound(g, 1, &sender_of[i]), 0);
        sender_of[i] = i;
    }
    for (unsigned i = 1; i <= STORM_PORTS; i++)
        assert_int_equal(port_bind_interdomain(g, 1, i, &sender_of[i]), 0);
    pthread_create(&v, NULL, vandal, (void *)6);
    pthread_create(&s, NULL, shuffler, (void *)7);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&p[i], NULL, producer, (void *)(i + 1));
    for (unsigned i = 0; i < 2; i++)
        pthread_join(p[i], NULL);
    stop = true;
    pthread_join(v, NULL);
    pthread_join(s, NULL);
    assert_int_equal(ports_in_use(g), 2 * STORM_PORTS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_fifo, teardown)
#define T_2L(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(events_come_in_order_of_priority_then_of_sending), T(masked_events_are_linked_when_unmasked),
        T(a_linked_port_stays_in_its_queue_until_consumed), T_2L(pending_bits_move_along_from_2_level),
        T_2L(events_before_the_control_block_are_there_afterwards), T_2L(bad_arguments_are_refused),
        T(reset_goes_back_to_2_level_and_forward_again), T(ports_beyond_2_level_work), T(no_event_is_lost),
        T(no_event_is_lost_while_ports_move),
        T(no_event_is_lost_while_all_want_the_same_port), T(a_hostile_guest_hurts_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
