/* SPDX-License-Identifier: BSD-2-Clause */
/* How locks are used, all CPUs together. Only its own CPU writes a count: a reset remembers where they stood. */
#include "core/lock.h"
#include "core/pcpu.h"
#include "core/time.h"

static struct lock_use base[LOCK_CLASSES];
static uint64_t reset_at; /* ns */

static const char *const names[] = {
#define X(name, what) #name,
    LOCK_ORDER(X)
#undef X
};

const char *lock_class_name(enum lock_class class)
{
    return names[class];
}

static struct lock_use sum(enum lock_class class)
{
    struct lock_use s = { 0 };

    for (unsigned i = 0; i < pcpu_count; i++) {
        const struct lock_use *u = &pcpus[i]->lock_use[class];

        s.taken += __atomic_load_n(&u->taken, __ATOMIC_RELAXED);
        s.waited += __atomic_load_n(&u->waited, __ATOMIC_RELAXED);
        s.held_time += __atomic_load_n(&u->held_time, __ATOMIC_RELAXED);
        s.waited_time += __atomic_load_n(&u->waited_time, __ATOMIC_RELAXED);
    }
    return s;
}

void lock_use_get(enum lock_class class, struct lock_use *u)
{
    struct lock_use s = sum(class);
    const struct lock_use *b = &base[class];

    *u = (struct lock_use){ .taken = s.taken - b->taken, .waited = s.waited - b->waited,
                            .held_time = ticks_to_ns(s.held_time - b->held_time),
                            .waited_time = ticks_to_ns(s.waited_time - b->waited_time) };
}

uint64_t lock_use_time(void)
{
    return now_ns() - reset_at;
}

void lock_use_reset(void)
{
    for (unsigned i = 0; i < LOCK_CLASSES; i++)
        base[i] = sum((enum lock_class)i);
    reset_at = now_ns();
}
