/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two counters of a frame, and every way in which they change.
 *
 * Life of a table's type word:  NONE -> BUSY -> VALID(n) -> VALID(0), queued -> BUSY -> NONE
 * and, when the budget ends a BUSY early, back to the type without VALID: `cursor` entries hold their references, and whoever
 * comes next goes on from there (up, to use it; down, to undo it).
 */
#include "core/frame.h"

#include "core/budget.h"
#include "core/dirty.h"
#include "core/domain.h"
#include "core/flush.h"
#include "core/frame_map.h"
#include "core/log.h"
#include "core/m2p.h"
#include "core/pt.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/model/pte.h"

#include <stdatomic.h>

struct frame *frame_table;
uint64_t frame_count;

static bool is_table(enum frame_type type) { return type >= TYPE_L1 && type <= TYPE_L4; }

/* ---- General references ---- */

bool frame_get(mfn_t m, domid_t owner)
{
    struct frame *f;
    uint64_t x;

    if (!mfn_is_ram(m))
        return false;
    f = frame_of(m);
    if (READ_ONCE(f->owner) != owner)
        return false;
    x = f->refs;
    do {
        if (!(x & REFS_COUNT) || (x & REFS_COUNT) == REFS_COUNT || (x & REFS_FREE))
            return false;
    } while (!atomic_compare_exchange_weak(&f->refs, &x, x + 1));
    /* While we hold a reference the owner stays; it may have changed before. */
    if (f->owner != owner) {
        frame_put(m);
        return false;
    }
    return true;
}

void frame_get_again(mfn_t m)
{
    uint64_t before = atomic_fetch_add(&frame_of(m)->refs, 1);

    ASSERT(before & REFS_COUNT);
    (void)before;
}

/* One reference less. True: it was the last one; nobody can reach the frame any more, and it is for the allocator. */
static inline __attribute__((always_inline)) bool put_to_end(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t x = atomic_fetch_sub(&f->refs, 1);

    ASSERT(x & REFS_COUNT);
    if (likely((x & REFS_COUNT) != 1))
        return false;
    ASSERT(!(x & REFS_OWNED) && !(f->type & (TYPE_COUNT | TYPE_BUSY | TYPE_QUEUED | TYPE_PINNED)));
    domain_frame_gone(f->owner, x & REFS_HV);
    WRITE_ONCE(f->stamp, machine_flush_stamp());
    f->type = 0;
    f->cursor = 0;
    WRITE_ONCE(f->owner, DOMID_XEN);
    f->refs = 0;
    m2p_set(m, M2P_INVALID);
    return true;
}

void frame_put(mfn_t m)
{
    if (unlikely(put_to_end(m))) {
        frames_free(m, 0, true);
        budget_take(FRAME_FREE_UNITS);
    }
}

/* ---- Types ---- */

/* A table that nobody uses, though its entries hold references. */
static bool undoable(const struct frame *f, uint64_t word)
{
    return is_table(type_of(word)) && !(word & (TYPE_COUNT | TYPE_BUSY)) && ((word & TYPE_VALID) || f->cursor);
}

/* On the list of the vCPU that is in the hypervisor here. The caller has set QUEUED, and holds a reference. */
static void enlist(struct frame *f)
{
    struct vcpu *v = current_vcpu();

    frame_get_again(frame_mfn(f));
    WRITE_ONCE(f->stamp, v->drain);
    v->drain = (uint32_t)frame_mfn(f).n;
}

/* Has this vCPU undo it, if it is to be undone and nobody else will. The caller holds a reference. */
static void queue(struct frame *f)
{
    uint64_t x = f->type;

    do {
        if ((x & TYPE_QUEUED) || !undoable(f, x))
            return;
    } while (!atomic_compare_exchange_weak(&f->type, &x, x | TYPE_QUEUED));
    enlist(f);
}

/*
 * BUSY was given up halfway. The owner's end finds the frame by the page list, where it waits to be gone on
 * with; one that has left the list already (frame_release looks at the type after that) must not stay so.
 */
static void left_partial(struct frame *f)
{
    if (!(f->refs & REFS_OWNED))
        queue(f);
}

/*
 * What may change a type word's owner: the CPU that set BUSY. It alone ends it, with finish(). Until then nobody queues the frame;
 * if it is queued, its stamp is a link, or may be taken for one until that has gone.
 */
static void finish(struct frame *f, uint64_t word)
{
    uint64_t x = f->type;

    do {
        if (!(word & TYPE_COUNT) && !(x & TYPE_QUEUED))
            WRITE_ONCE(f->stamp, machine_flush_stamp());
    } while (!atomic_compare_exchange_weak(&f->type, &x, word | (x & TYPE_QUEUED)));
}

/* All entries lose their references: BUSY is held, the frame was VALID or partial. 0: its own reference is still held. */
static int undo(struct domain *d, struct frame *f, enum frame_type type)
{
    int rc = pt_devalidate(d, frame_mfn(f), type);

    if (rc) {
        finish(f, (uint64_t)type << TYPE_SHIFT);
        return rc;
    }
    return 0;
}

/* No CPU may use the frame by what it was: not as a writable page, not as a table cached above. */
static void flush_old_use(struct domain *d, struct frame *f, uint64_t old)
{
    cpumask_t cpus = old & TYPE_FOREIGN ? pcpu_online : d->dirty_cpus;

    if (type_of(old) == TYPE_NONE)
        return;
    /* A queued frame's stamp is a link: assume the worst. */
    if (!(old & (TYPE_QUEUED | TYPE_UNSTAMPED)))
        cpus = machine_stale(cpus, f->stamp);
    if (cpus)
        flush_tlbs(cpus, FLUSH_ALL, 0);
}

/* BUSY is held, count is 0, the type word was `old`. Makes it `type` with count 1, or leaves a state as the header says. */
static int become(struct domain *d, struct frame *f, uint64_t old, enum frame_type type)
{
    mfn_t m = frame_mfn(f);
    bool had_ref = is_table(type_of(old)) && ((old & TYPE_VALID) || f->cursor);
    int rc;

    if (type_of(old) != type) {
        if (had_ref) {
            if (old & TYPE_VALID)
                f->cursor = PT_ENTRIES;
            rc = undo(d, f, type_of(old));
            if (rc) {
                left_partial(f);
                return rc;
            }
            frame_put(m);
            had_ref = false;
        }
        f->cursor = 0;
        flush_old_use(d, f, old);
    }
    if (type == TYPE_WRITABLE) {
        finish(f, (uint64_t)type << TYPE_SHIFT | TYPE_VALID | 1);
        return 0;
    }
    rc = pt_validate(d, m, type);
    if (rc == 0) {
        if (is_table(type) && !had_ref)
            frame_get_again(m);
        finish(f, (uint64_t)type << TYPE_SHIFT | TYPE_VALID | 1);
        return 0;
    }
    /* Partial (ERESTART) or undone (cursor 0). */
    if (f->cursor && !had_ref)
        frame_get_again(m);
    if (!f->cursor && had_ref)
        frame_put(m);
    finish(f, (uint64_t)type << TYPE_SHIFT);
    left_partial(f);
    return rc;
}

int type_get(struct domain *d, mfn_t m, enum frame_type type)
{
    struct frame *f = frame_of(m);
    uint64_t x = f->type;
    int rc;

    for (;;) {
        if (likely(type_of(x) == type && (x & TYPE_VALID) && !(x & TYPE_BUSY))) {
            if ((x & TYPE_COUNT) == TYPE_COUNT)
                return -EINVAL;
            if (atomic_compare_exchange_weak(&f->type, &x, (x & ~TYPE_UNSTAMPED) + 1))
                return 0;
            continue;
        }
        if (x & TYPE_BUSY) {
            /* On its way to be what we want: wait. Anything else: no waiting, two CPUs could wait for each other. */
            if (type_of(x) != type)
                return -EINVAL;
            machine_relax();
            x = f->type;
            continue;
        }
        if (x & TYPE_COUNT) {
            struct vcpu *v = current_vcpu();

            /* Its last use may be in a table that this vCPU queued a moment ago, in the same batch. */
            if (!v || !v->drain)
                return -EINVAL;
            if (!type_drain(v))
                return -ERESTART;
            x = f->type;
            continue;
        }
        if (x & TYPE_LOCKED) {
            machine_relax();
            x = f->type;
            continue;
        }
        /* While BUSY the word names the type it will have, for those who wait or must not. */
        if (atomic_compare_exchange_weak(&f->type, &x,
                                         (uint64_t)type << TYPE_SHIFT | TYPE_BUSY | (x & TYPE_QUEUED)))
            break;
    }
    rc = become(d, f, x, type);
    dirty_mark(d, m); /* what it is used for goes with the page */
    return rc;
}

/* QUEUED comes in the same step as count 0: who finds that must not take the link in `stamp` for a time. */
void type_put(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t x = f->type, flag;
    bool done;

    do {
        ASSERT((x & TYPE_COUNT) && !(x & TYPE_BUSY));
        flag = 0;
        if ((x & TYPE_COUNT) > 1 || (x & TYPE_QUEUED)) {
            done = atomic_compare_exchange_weak(&f->type, &x, (x & ~TYPE_UNSTAMPED) - 1);
        } else if (is_table(type_of(x))) {
            flag = TYPE_QUEUED;
            done = atomic_compare_exchange_weak(&f->type, &x, (x - 1) | flag);
        } else {
            x &= ~TYPE_UNSTAMPED;
            done = put_last(f, &x, 1);
        }
    } while (!done);
    if (flag)
        enlist(f);
}

/* One table taken off the list. False: the budget is spent, and there is more to undo. */
static bool drain_one(struct frame *f)
{
    struct domain *d = domain_of_frame(f->owner);
    uint64_t x = f->type;

    for (;;) {
        if (!undoable(f, x))
            return true; /* in use again, or somebody else has undone it */
        if (x & TYPE_LOCKED) {
            machine_relax();
            x = f->type;
        } else if (atomic_compare_exchange_weak(&f->type, &x, (x & ~TYPE_VALID) | TYPE_BUSY)) {
            break;
        }
    }
    if (x & TYPE_VALID) {
        f->cursor = PT_ENTRIES;
    } else if (!f->cursor) { /* undone since we looked, by a CPU that left the same word */
        finish(f, (uint64_t)type_of(x) << TYPE_SHIFT);
        return true;
    }
    if (undo(d, f, type_of(x)))
        return false;
    finish(f, (uint64_t)type_of(x) << TYPE_SHIFT);
    dirty_mark(d, frame_mfn(f));
    frame_put(frame_mfn(f));
    return true;
}

/*
 * Off the list before it is looked at: drain_one may queue children, and whoever drops its last use from now on queues it again.
 * The link is no stamp, which matters only as long as nobody uses the frame.
 */
static void unqueue(struct frame *f)
{
    uint64_t x = f->type;

    while (!atomic_compare_exchange_weak(&f->type, &x, (x & ~TYPE_QUEUED) | (x & TYPE_COUNT ? 0 : TYPE_UNSTAMPED)))
        continue;
}

bool type_drain(struct vcpu *v)
{
    while (v->drain) {
        struct frame *f = &frame_table[v->drain];
        bool done;

        v->drain = f->stamp;
        unqueue(f);
        done = drain_one(f);
        if (!done)
            queue(f);
        frame_put(frame_mfn(f));
        if (!done || budget_spent())
            return !v->drain;
    }
    return true;
}

int type_pin(struct domain *d, mfn_t m, enum frame_type type)
{
    int rc = frame_get_type(d, m, type); /* before that m may be no frame at all */
    struct frame *f;

    if (rc)
        return rc;
    f = frame_of(m);
    if (atomic_fetch_or(&f->type, TYPE_PINNED) & TYPE_PINNED) {
        frame_put_type(m);
        return -EINVAL;
    }
    /* frame_release looks for a pin after it took the frame off the list: no pin may come later and stay. */
    if (!(f->refs & REFS_OWNED)) {
        (void)!type_unpin(m);
        return -EINVAL;
    }
    dirty_mark(d, m);
    return 0;
}

int type_unpin(mfn_t m)
{
    if (!(atomic_fetch_and(&frame_of(m)->type, ~TYPE_PINNED) & TYPE_PINNED))
        return -EINVAL;
    dirty_mark(domain_of_frame(frame_of(m)->owner), m);
    frame_put_type(m);
    return 0;
}

int frame_get_type(struct domain *d, mfn_t m, enum frame_type type)
{
    int rc;

    if (!frame_get(m, d->id))
        return -EINVAL;
    rc = type_get(d, m, type);
    if (rc)
        frame_put(m);
    return rc;
}

void frame_put_type(mfn_t m)
{
    type_put(m);
    frame_put(m);
}

void frame_mapped_foreign(mfn_t m)
{
    struct frame *f = frame_of(m);

    if (!(f->type & TYPE_FOREIGN))
        atomic_fetch_or(&f->type, TYPE_FOREIGN);
}

/* ---- Ownership ---- */

void frame_assign(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    if (f->refs & REFS_DIRTY)
        memset(machine_ram(m), 0, PAGE_SIZE);
    f->type = 0;
    f->cursor = 0;
    WRITE_ONCE(f->owner, d->id);
    f->prev = 0;
    f->next = d->page_list;
    if (f->next)
        frame_table[f->next].prev = (uint32_t)m.n;
    d->page_list = (uint32_t)m.n;
    domain_frame_added(d);
    atomic_store(&f->refs, REFS_OWNED | 1);
}

/* frame_release(); *gone: it was the last reference, and the frame is for the allocator. */
static inline __attribute__((always_inline)) bool release_frame(struct domain *d, mfn_t m, bool *gone)
{
    struct frame *f = frame_of(m);
    uint64_t x = f->refs;

    *gone = false;
    do {
        if (!(x & REFS_OWNED) || READ_ONCE(f->owner) != d->id)
            return false;
    } while (!atomic_compare_exchange_weak(&f->refs, &x, x & ~REFS_OWNED));
    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        d->page_list = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    x = f->type;
    if (unlikely(x & TYPE_PINNED))
        (void)!type_unpin(m);
    /* A table left half validated holds a reference to itself: have it undone. */
    if (unlikely(is_table(type_of(x))))
        queue(f);
    *gone = put_to_end(m);
    return true;
}

bool frame_release(struct domain *d, mfn_t m)
{
    bool gone, ok = release_frame(d, m, &gone);

    if (gone) {
        frames_free(m, 0, true);
        budget_take(FRAME_FREE_UNITS);
    }
    return ok;
}

unsigned frames_release(struct domain *d, const uint64_t *mfns, unsigned n)
{
    mfn_t free[FRAMES_AT_ONCE];
    unsigned i, k = 0;

    for (i = 0; i < n; i++) {
        bool gone;

        if (!mfn_is_ram(mfn(mfns[i])) || !release_frame(d, mfn(mfns[i]), &gone))
            break;
        if (gone)
            free[k++] = mfn(mfns[i]);
    }
    frames_free_pages(free, k);
    budget_take(k * FRAME_FREE_UNITS);
    return i;
}

void frame_share(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    WRITE_ONCE(f->owner, d->id);
    /* The hypervisor writes to it: it must never become a table. */
    f->type = (uint64_t)TYPE_WRITABLE << TYPE_SHIFT | TYPE_VALID | 1;
    m2p_set(m, M2P_SHARED);
    domain_ref(d);
    /* Somebody may hold it for a moment, until he sees whose it is (frame_get). */
    atomic_fetch_or(&f->refs, REFS_HV);
}

/* Its sign is the hypervisor's own WRITABLE reference, which pages of DOMID_XEN do not have otherwise. */
void frame_show_writable(mfn_t m)
{
    atomic_store(&frame_of(m)->type, (uint64_t)TYPE_WRITABLE << TYPE_SHIFT | TYPE_VALID | 1);
}

bool frame_is_shown_writable(mfn_t m)
{
    uint64_t x = frame_of(m)->type;

    return type_of(x) == TYPE_WRITABLE && (x & TYPE_COUNT);
}
