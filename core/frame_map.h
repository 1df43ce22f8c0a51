/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done for each entry of a page table: the lock of its table, and the references behind it.
 *
 * The references that a mapping of a page holds, taken and dropped at once: a general one, and a WRITABLE one on top if it is
 * writable. Page tables do this by the hundred, so the ordinary case is inline; whatever is not ordinary is left to
 * core/frame.c. With that file, this is the only place that changes the two words.
 *
 * Ordinary: owned by a domain, as REFS_OWNED and nothing else beside the count say; and WRITABLE already with no flag set
 * but VALID; and neither count is large. Each is then one comparison with a range.
 */
#ifndef CORE_FRAME_MAP_H
#define CORE_FRAME_MAP_H

#include "core/frame.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcpu.h"

#include <stdatomic.h>

#define REFS_ORDINARY     (REFS_OWNED | 1)
#define WRITABLE_ORDINARY ((uint64_t)TYPE_WRITABLE << TYPE_SHIFT | TYPE_VALID)
#define L1_IN_USE         ((uint64_t)TYPE_L1 << TYPE_SHIFT | TYPE_VALID | 1)
#define REFS_MANY         0x7fffffffull /* below the ends of both counts */

/* One CPU at a time writes entries of a table. Class PT in the order of locks. */
static inline void frame_lock(struct frame *f)
{
    ASSERT(!(this_pcpu()->locks_held & ~((1u << LOCK_PT) - 1)));
    while (unlikely(atomic_fetch_or(&f->type, TYPE_LOCKED) & TYPE_LOCKED))
        machine_relax();
    if (LOCK_CHECKS)
        this_pcpu()->locks_held |= 1u << LOCK_PT;
}

static inline void frame_unlock(struct frame *f)
{
    if (LOCK_CHECKS)
        this_pcpu()->locks_held &= ~(1u << LOCK_PT);
    atomic_fetch_and(&f->type, ~TYPE_LOCKED);
}

/* An L1 table, VALID and in use, as its type word says; the lock and the drain list leave it so. */
static inline bool l1_in_use(uint64_t word)
{
    return (word & ~(TYPE_PINNED | TYPE_LOCKED | TYPE_QUEUED)) - L1_IN_USE < REFS_MANY;
}

/*
 * frame_lock() for who has no reference: only if f is an L1 table of `owner` in use. It stays VALID and his until the lock goes,
 * whoever drops it meanwhile: F7. False: it is no such table, and nothing changed.
 */
static inline bool frame_lock_l1(struct frame *f, domid_t owner)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    ASSERT(!(this_pcpu()->locks_held & ~((1u << LOCK_PT) - 1)));
    for (;;) {
        if (unlikely(!l1_in_use(x)))
            return false;
        if (unlikely(x & TYPE_LOCKED)) {
            machine_relax();
            x = f->type;
        } else if (likely(atomic_compare_exchange_weak(&f->type, &x, x | TYPE_LOCKED))) {
            break;
        }
    }
    if (LOCK_CHECKS)
        this_pcpu()->locks_held |= 1u << LOCK_PT;
    if (likely(f->owner == owner)) /* only read now that it can't change: F6 */
        return true;
    frame_unlock(f);
    return false;
}

/* n general references to a frame in the ordinary state, of `owner`; false: nothing changed. Why it looks twice: frame_get(). */
static inline bool frame_get_ordinary(struct frame *f, domid_t owner, unsigned n)
{
    uint64_t x = atomic_load_explicit(&f->refs, memory_order_relaxed);

    if (unlikely(READ_ONCE(f->owner) != owner))
        return false;
    do {
        if (unlikely(x - REFS_ORDINARY >= REFS_MANY))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak(&f->refs, &x, x + n)));
    if (likely(f->owner == owner))
        return true;
    while (n--)
        frame_put(frame_mfn(f));
    return false;
}

/* One more WRITABLE use of a frame in the ordinary state, to which the caller has a reference; false: nothing changed. */
static inline bool writable_get_ordinary(struct frame *f)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    do {
        if (unlikely(x - WRITABLE_ORDINARY >= REFS_MANY))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak(&f->type, &x, x + 1)));
    return true;
}

/* Frame m of `owner` is mapped once more. False: nothing changed, it is for frame_get() and type_get() to say why. */
__must_check static inline bool frame_map(mfn_t m, domid_t owner, bool writable)
{
    struct frame *f;

    if (unlikely(!mfn_is_tracked(m)))
        return false;
    f = frame_of(m);
    if (unlikely(!frame_get_ordinary(f, owner, 1)))
        return false;
    if (!writable || likely(writable_get_ordinary(f)))
        return true;
    frame_put(m);
    return false;
}

/* n more WRITABLE uses by others than the owner: writable_get_ordinary() and frame_mapped_foreign() in one. */
static inline bool writable_get_foreign(struct frame *f, unsigned n)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    do {
        if (unlikely((x & ~TYPE_FOREIGN) - WRITABLE_ORDINARY >= REFS_MANY))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak(&f->type, &x, (x | TYPE_FOREIGN) + n)));
    return true;
}

/* n mappings more of frame m of `owner`, by others. False: nothing changed, and why is for frame_get() and type_get() to say. */
__must_check static inline bool frame_lend(mfn_t m, domid_t owner, bool writable, unsigned n)
{
    struct frame *f;

    if (unlikely(!mfn_is_tracked(m)))
        return false;
    f = frame_of(m);
    if (unlikely(!frame_get_ordinary(f, owner, n)))
        return false;
    if (!writable || likely(writable_get_foreign(f, n)))
        return true;
    while (n--)
        frame_put(m);
    return false;
}

/*
 * The last n uses of what is no table go: *x, the type word, has count n, all of them the caller's. False: the word is another now,
 * and in *x. Who takes or gives back a use after UNSTAMPED was set takes that away, and finds no ordinary state: F8.
 */
static inline __attribute__((always_inline)) bool put_last(struct frame *f, uint64_t *x, unsigned n)
{
    uint64_t next = *x - n;

    atomic_fetch_or(&f->type, TYPE_UNSTAMPED);
    *x |= TYPE_UNSTAMPED;
    WRITE_ONCE(f->stamp, machine_flush_stamp());
    return atomic_compare_exchange_strong(&f->type, x, next);
}

/* One WRITABLE use less of a frame in the ordinary state; false: it is for type_put(). */
static inline __attribute__((always_inline)) bool writable_put_ordinary(struct frame *f)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    for (;;) {
        if (unlikely(x - (WRITABLE_ORDINARY + 1) >= REFS_MANY))
            return false;
        if (unlikely((x & TYPE_COUNT) == 1)) {
            if (put_last(f, &x, 1))
                return true;
        } else if (likely(atomic_compare_exchange_weak(&f->type, &x, x - 1))) {
            return true;
        }
    }
}

/* n WRITABLE uses less, all of them the caller's; the same, but that others may have mapped the frame, too. */
static inline bool writable_put_foreign(struct frame *f, unsigned n)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    for (;;) {
        if (unlikely((x & ~TYPE_FOREIGN) - (WRITABLE_ORDINARY + n) >= REFS_MANY))
            return false;
        if ((x & TYPE_COUNT) == n) {
            if (likely(put_last(f, &x, n)))
                return true;
        } else if (likely(atomic_compare_exchange_weak(&f->type, &x, x - n))) {
            return true;
        }
    }
}

/* n references less to a frame in the ordinary state, if more are left; false: nothing changed. */
static inline bool frame_put_ordinary(struct frame *f, unsigned n)
{
    uint64_t x = atomic_load_explicit(&f->refs, memory_order_relaxed);

    do {
        if (unlikely(x - (REFS_ORDINARY + n) >= REFS_MANY))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak(&f->refs, &x, x - n)));
    return true;
}

/*
 * A mapping of frame m, which may be no RAM, is gone. False: nothing changed, and if it is RAM, that is for type_put() and
 * frame_put() to do. What is not RAM has no references, so it is not ordinary.
 */
__must_check static inline __attribute__((always_inline)) bool frame_unmap(mfn_t m, bool writable)
{
    struct frame *f;

    if (unlikely(!mfn_is_tracked(m)))
        return false;
    f = frame_of(m);
    if (unlikely(writable && !writable_put_ordinary(f)))
        return false;
    if (likely(frame_put_ordinary(f, 1)))
        return true;
    if (writable)
        frame_put(m);
    return writable;
}

/* n mappings by others of frame m, which is RAM, are gone. False: nothing changed, and it is for type_put() and frame_put(). */
__must_check static inline bool frame_unlend(mfn_t m, bool writable, unsigned n)
{
    struct frame *f = frame_of(m);

    if (unlikely(writable && !writable_put_foreign(f, n)))
        return false;
    if (likely(frame_put_ordinary(f, n)))
        return true;
    while (writable && n--)
        frame_put(m);
    return writable;
}

#endif
