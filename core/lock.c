/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket locks: who comes first is served first. The next ticket is in the high half of the word, the one
 * being served in the low half; the two are equal while nobody holds the lock.
 *
 * Each CPU notes the classes that it holds, so that taking a lock against the order of LOCK_ORDER stops a
 * debug build at once, deadlock or not.
 */
#include "core/lock.h"

#include "core/log.h"
#include "core/pcpu.h"

#include <stdatomic.h>

#define TICKET_SERVED 0xffffu
#define TICKET_NEXT   0x10000u

/* pcpu->locks_held: a class held, and a second lock of it held. */
#define HELD(class)        (1u << (class))
#define HELD_SECOND(class) (1u << ((class) + 16))
_Static_assert(LOCK_CLASSES <= 16, "two bits a class");

void lock_init(struct lock *l, enum lock_class class)
{
    l->ticket = 0;
    l->class = (uint8_t)class;
}

/* By the byte, not as an element, which the compiler would look up again for each field. */
static inline struct lock_use *use_of(struct pcpu *c, const struct lock *l)
{
    return (void *)((char *)c->lock_use + l->class * sizeof(struct lock_use));
}

static inline void taken(struct lock_use *u)
{
    if (!(u->taken++ % LOCK_SAMPLE))
        machine_tsc_note(&u->since);
}

/* Apart from the rest, which is to be short: what is rare. */
static __attribute__((noinline)) void wait_for(const struct lock *l, uint32_t mine, struct lock_use *u)
{
    uint64_t began = machine_tsc();

    while ((atomic_load_explicit(&l->ticket, memory_order_acquire) & TICKET_SERVED) != mine)
        machine_relax();
    u->waited++;
    u->waited_time += machine_tsc() - began;
    taken(u);
}

/* Noted first what is held, so that nothing is left to do behind it. */
static inline void take(struct lock *l, struct lock_use *u)
{
    uint32_t t = atomic_fetch_add_explicit(&l->ticket, TICKET_NEXT, memory_order_acquire);

    if (unlikely(t != (t << 16 | t >> 16)))
        wait_for(l, t >> 16, u);
    else
        taken(u);
}

/* The locks of one CPU that are at or below `class` in the order; for assertions. */
static inline uint32_t __attribute__((unused)) held_from(const struct pcpu *c, unsigned class)
{
    return (c->locks_held | c->locks_held >> 16) & 0xffffu & ~(HELD(class) - 1);
}

void lock(struct lock *l)
{
    struct pcpu *c = this_pcpu();

    ASSERT(!held_from(c, l->class));
    if (LOCK_CHECKS)
        c->locks_held |= HELD(l->class);
    take(l, use_of(c, l));
}

void lock_second(struct lock *l)
{
    struct pcpu *c = this_pcpu();

    ASSERT(held_from(c, l->class) == HELD(l->class) && !(c->locks_held & HELD_SECOND(l->class)));
    if (LOCK_CHECKS)
        c->locks_held |= HELD_SECOND(l->class);
    take(l, use_of(c, l));
}

bool trylock(struct lock *l)
{
    struct pcpu *c = this_pcpu();
    uint32_t t = atomic_load_explicit(&l->ticket, memory_order_relaxed);

    if (t >> 16 != (t & TICKET_SERVED) ||
        !atomic_compare_exchange_strong_explicit(&l->ticket, &t, t + TICKET_NEXT, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    taken(use_of(c, l));
    if (LOCK_CHECKS)
        c->locks_held |= c->locks_held & HELD(l->class) ? HELD_SECOND(l->class) : HELD(l->class);
    return true;
}

/* The low half alone, so it can't carry into the high half. */
static inline void release(struct lock *l) { atomic_fetch_add_explicit(&l->served, 1, memory_order_release); }

/* Apart from the rest, too. */
static __attribute__((noinline)) void release_measured(struct lock *l, struct lock_use *u)
{
    u->held_time += (machine_tsc() - u->since) * LOCK_SAMPLE;
    u->since = 0;
    release(l);
}

void unlock(struct lock *l)
{
    struct pcpu *c = this_pcpu();
    struct lock_use *u = use_of(c, l);
    uint32_t second = HELD_SECOND(l->class);

    ASSERT(lock_held(l) && (c->locks_held & HELD(l->class)));
    if (LOCK_CHECKS)
        c->locks_held &= ~(c->locks_held & second ? second : HELD(l->class));
    if (unlikely(u->since))
        release_measured(l, u);
    else
        release(l);
}

bool lock_held(const struct lock *l)
{
    uint32_t t = atomic_load_explicit(&l->ticket, memory_order_relaxed);

    return t >> 16 != (t & TICKET_SERVED);
}
