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

/* A general reference to a frame in the ordinary state, of `owner`; false: nothing changed. Why it looks twice: frame_get(). */
static inline bool frame_get_ordinary(struct frame *f, domid_t owner)
{
    uint64_t x = atomic_load_explicit(&f->refs, memory_order_relaxed);

    if (unlikely(READ_ONCE(f->owner) != owner))
        return false;
    do {
        if (unlikely(x - REFS_ORDINARY >= REFS_MANY))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak(&f->refs, &x, x + 1)));
    if (unlikely(f->owner != owner)) {
        frame_put(frame_mfn(f));
        return false;
    }
    return true;
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
    struct frame *f = frame_of(m);

    if (unlikely(!mfn_is_tracked(m) || !frame_get_ordinary(f, owner)))
        return false;
    if (!writable || likely(writable_get_ordinary(f)))
        return true;
    frame_put(m);
    return false;
}

/* type_put() of a WRITABLE use. */
static inline void writable_put(struct frame *f)
{
    uint64_t x = atomic_load_explicit(&f->type, memory_order_relaxed);

    do {
        if (unlikely(x - (WRITABLE_ORDINARY + 1) >= REFS_MANY)) {
            type_put(frame_mfn(f));
            return;
        }
        if ((x & TYPE_COUNT) == 1)
            f->stamp = machine_flush_stamp();
    } while (unlikely(!atomic_compare_exchange_weak(&f->type, &x, x - 1)));
}

/* frame_put() of a reference that is hardly ever the last. */
static inline void frame_put_seldom_last(struct frame *f)
{
    uint64_t x = atomic_load_explicit(&f->refs, memory_order_relaxed);

    do {
        if (unlikely(x - (REFS_ORDINARY + 1) >= REFS_MANY)) {
            frame_put(frame_mfn(f));
            return;
        }
    } while (unlikely(!atomic_compare_exchange_weak(&f->refs, &x, x - 1)));
}

/* A mapping of f is gone. */
static inline void frame_unmap(struct frame *f, bool writable)
{
    if (writable)
        writable_put(f);
    frame_put_seldom_last(f);
}

#endif
