/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame allocator: free RAM as blocks of 2^order frames, aligned to their size, that split and merge
 * with their buddies.
 *
 * Zones: each node has zones, and its zone z holds the blocks that start in frames [2^z, 2^(z+1)). Frame 0 is
 * never ours (0 ends a list), so no block crosses from one z to another, no merge leaves one, and "below 2^b
 * bytes" is "in the zones below b - 12". Nodes begin and end anywhere: buddies of different nodes do not merge.
 * Requests take from the highest zones that they may, of the nodes that they may, so low memory is left for
 * those who need it.
 *
 *   A1  every frame of a free block has REFS_FREE; only the head has its order in `cursor`, the others
 *       NOT_HEAD
 *   A2  no block and its buddy in the same node are both free heads of one order (below MAX_ORDER): they would
 *       have merged
 *   A3  zone->orders has a bit for exactly the orders whose list is not empty
 *   A4  no block has frames of two nodes; each node counts those of its blocks
 *
 * Clearing: a free frame holds nobody's data, or it has DIRTY; who takes it clears it before it is used (frame_assign(), hv_pages()).
 * CPUs with nothing to do clear free frames where they are, so that this is seldom left to do:
 *
 *   S1  DIRTY goes from a free frame only when all of it is cleared, by the CPU that set SCRUB, which goes in the same step
 *   S2  SCRUB is set only on a frame that is free and dirty; who takes a frame with it waits until it has gone. So no CPU writes to a
 *       frame that is in somebody's hands, whatever it began before
 *   S3  nor before no CPU can hold a translation to it from its former life, by which who had it could write to it still
 *   S4  a frame that was freed since the boot, and is dirty, has its bit in `unclean`, or a CPU is on its way to it
 *
 * Lists, heads' REFS_FREE and cursors are under the FRAMES lock. Frames inside a block are nobody else's
 * business between its removal and its return: a CPU that merges looks only at heads of blocks, as buddies
 * are aligned to their size. So the inside of a block is marked and unmarked without the lock.
 */
#include "core/frame.h"

#include "core/flush.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "lib/string.h"

#include <stdatomic.h>

enum { MAX_ORDER = 18, ZONES = 32, NOT_HEAD = 0xffff };

struct zone {
    uint32_t orders;                /* bit set: free[order] is not empty    */
    uint32_t free[MAX_ORDER + 1];   /* heads of lists: frame numbers, 0 ends */
};

static struct node {
    struct zone zone[ZONES];
    _Atomic uint64_t free;          /* frames in its zones; changes under the lock, is read without */
    uint64_t total;
} nodes[NUMA_NODES_MAX];

static struct lock frames_lock = LOCK_INIT(FRAMES);
static unsigned zones_end;          /* zones from this one on never had a frame: it moves while booting only */

/*
 * Parts of memory, of 2^unclean_shift frames each, in which a frame may be free and dirty. What no domain ever had is not among them:
 * memory of the machine that nobody asked for is not to be touched.
 */
enum { PARTS = 4096 };
static _Atomic uint64_t unclean[PARTS / 64];
static unsigned unclean_shift;      /* fixed at boot */

static unsigned zone_index(uint64_t n) { return 63 - (unsigned)__builtin_clzll(n); }
static struct node *node_of(uint32_t n) { return numa.nodes == 1 ? nodes : &nodes[numa_node_of(mfn(n))]; }
static bool same_node(uint32_t a, uint32_t b) { return numa.nodes == 1 || numa_node_of(mfn(a)) == numa_node_of(mfn(b)); }

/* ---- Blocks on lists: the lock is held ---- */

/* Its callers are short without it. */
static __attribute__((noinline)) void block_link(struct zone *z, uint32_t n, unsigned order)
{
    struct frame *f = &frame_table[n];

    f->cursor = (uint16_t)order;
    f->prev = 0;
    f->next = z->free[order];
    if (f->next)
        frame_table[f->next].prev = n;
    z->free[order] = n;
    z->orders |= 1u << order;
}

static void block_unlink(struct zone *z, uint32_t n, unsigned order)
{
    struct frame *f = &frame_table[n];

    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        z->free[order] = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    if (!z->free[order])
        z->orders &= ~(1u << order);
    f->cursor = NOT_HEAD;
    f->next = f->prev = 0;
}

static bool is_free_head(uint32_t n, unsigned order)
{
    if (n == 0 || n >= frame_count)
        return false;
    return (atomic_load(&frame_table[n].refs) & REFS_FREE) && frame_table[n].cursor == order;
}

/* Puts a block whose frames are marked free on its list, merged with its buddies as far as they are free. */
static inline __attribute__((always_inline)) void block_insert(uint32_t n, unsigned order)
{
    struct node *node = node_of(n);
    struct zone *z = &node->zone[zone_index(n)];

    atomic_fetch_add(&node->free, 1ull << order);
    for (; order < MAX_ORDER; order++) {
        uint32_t buddy = n ^ 1u << order;

        if (!is_free_head(buddy, order) || !same_node(n, buddy))
            break;
        block_unlink(z, buddy, order);
        n &= ~(1u << order);
    }
    block_link(z, n, order);
}

/* Removes a block of `order` from the zone, splitting a larger one; 0: it has none. */
static uint32_t zone_remove(struct zone *z, unsigned order)
{
    uint32_t fit = z->orders >> order << order, n;
    unsigned have;

    if (!fit)
        return 0;
    have = (unsigned)__builtin_ctz(fit);
    n = z->free[have];
    block_unlink(z, n, have);
    while (have > order) {
        have--;
        block_link(z, n + (1u << have), have);
    }
    atomic_fetch_and(&frame_table[n].refs, ~REFS_FREE);
    return n;
}

/* Removes one from the highest zone below `limit` that has one, of any of these nodes; 0: none. */
static inline __attribute__((always_inline)) uint32_t block_remove(unsigned order, unsigned limit, nodemask_t of)
{
    for (unsigned z = MIN(limit, zones_end); z-- > 0; ) {
        for (unsigned node = numa.nodes; node-- > 0; ) {
            uint32_t n = of >> node & 1 ? zone_remove(&nodes[node].zone[z], order) : 0;

            if (n) {
                atomic_fetch_sub(&nodes[node].free, 1ull << order);
                return n;
            }
        }
    }
    return 0;
}

/*
 * The block that the next frame would come from, or as much of it as has *order: *order becomes what it has. So many frames at once
 * are the same as one after the other. 0: none.
 */
static uint32_t block_remove_some(unsigned *order, unsigned limit, nodemask_t of)
{
    for (unsigned z = MIN(limit, zones_end); z-- > 0; ) {
        for (unsigned node = numa.nodes; node-- > 0; ) {
            struct zone *zone = &nodes[node].zone[z];

            if (!(of >> node & 1) || !zone->orders)
                continue;
            *order = MIN(*order, (unsigned)__builtin_ctz(zone->orders));
            atomic_fetch_sub(&nodes[node].free, 1ull << *order);
            return zone_remove(zone, *order);
        }
    }
    return 0;
}

/* ---- Frames ---- */

static __attribute__((noinline)) void scrub_wait(const struct frame *f)
{
    while (atomic_load(&f->refs) & REFS_SCRUB)
        machine_relax();
}

/* Frame n, which is free, is one to clear. */
static inline void scrub_note(uint32_t n)
{
    uint32_t part = n >> unclean_shift;
    uint64_t bit = 1ull << part % 64;

    if (!(atomic_load(&unclean[part / 64]) & bit))
        atomic_fetch_or(&unclean[part / 64], bit);
}

/* The frames of a block just removed become ordinary ones. More CPUs that may have a translation to them from their former life. */
static inline cpumask_t block_clean(uint32_t n, unsigned order, cpumask_t stale)
{
    for (uint32_t i = 0; i < 1u << order; i++) {
        struct frame *f = &frame_table[n + i];

        if (unlikely(atomic_fetch_and(&f->refs, ~REFS_FREE) & REFS_SCRUB))
            scrub_wait(f);
        f->cursor = 0;
        if (stale != pcpu_online)
            stale |= machine_stale(pcpu_online, f->stamp);
    }
    return stale;
}

/* The first zone that addresses of so many bits do not reach. */
static unsigned zones_below(unsigned addr_bits)
{
    if (!addr_bits)
        return ZONES;
    return addr_bits <= PAGE_SHIFT ? 0 : MIN(addr_bits - PAGE_SHIFT, (unsigned)ZONES);
}

mfn_t frames_alloc_on(unsigned order, unsigned addr_bits, nodemask_t of)
{
    cpumask_t stale;
    uint32_t n;

    if (order > MAX_ORDER)
        return MFN_NONE;
    lock(&frames_lock);
    n = block_remove(order, zones_below(addr_bits), of);
    unlock(&frames_lock);
    if (!n)
        return MFN_NONE;
    stale = block_clean(n, order, 0);
    if (stale)
        flush_tlbs(stale, FLUSH_ALL, 0);
    return mfn(n);
}

unsigned frames_alloc_pages(mfn_t *m, unsigned n, unsigned addr_bits, nodemask_t of)
{
    unsigned limit = zones_below(addr_bits), got = 0;
    cpumask_t stale = 0;

    lock(&frames_lock);
    while (got < n) {
        unsigned order = 31 - (unsigned)__builtin_clz(n - got);
        uint32_t first = block_remove_some(&order, limit, of);

        if (!first)
            break;
        for (uint32_t i = 0; i < 1u << order; i++)
            m[got++] = mfn(first + i);
    }
    unlock(&frames_lock);
    for (unsigned i = 0; i < got; i++)
        stale = block_clean((uint32_t)m[i].n, 0, stale);
    if (stale)
        flush_tlbs(stale, FLUSH_ALL, 0);
    return got;
}

/* Frames on their way back, not on a list yet. */
static inline void block_mark(uint32_t n, unsigned order, uint64_t mark)
{
    for (uint32_t i = 0; i < 1u << order; i++) {
        struct frame *f = &frame_table[n + i];

        ASSERT(!(atomic_load(&f->refs) & ~REFS_DIRTY));
        f->cursor = NOT_HEAD;
        atomic_fetch_or(&f->refs, mark);
    }
}

static inline void block_free(uint32_t n, unsigned order, bool dirty)
{
    ASSERT(order <= MAX_ORDER && n != 0 && !(n & ((1u << order) - 1)));
    ASSERT(n + (1ull << order) <= frame_count && same_node(n, n + (1u << order) - 1));
    block_mark(n, order, REFS_FREE | (dirty ? REFS_DIRTY : 0));
    lock(&frames_lock);
    block_insert(n, order);
    unlock(&frames_lock);
}

void frames_free(mfn_t m, unsigned order, bool dirty)
{
    block_free((uint32_t)m.n, order, dirty);
    for (uint64_t n = m.n; dirty && n < m.n + (1ull << order); n += 1ull << unclean_shift)
        scrub_note((uint32_t)n);
}

void frames_free_pages(const mfn_t *m, unsigned n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n; i++)
        block_mark((uint32_t)m[i].n, 0, REFS_FREE | REFS_DIRTY);
    lock(&frames_lock);
    for (unsigned i = 0; i < n; i++)
        block_insert((uint32_t)m[i].n, 0);
    unlock(&frames_lock);
    for (unsigned i = 0; i < n; i++)
        scrub_note((uint32_t)m[i].n);
}

/* ---- Clearing free frames ---- */

/* Free and dirty, and nobody clears it. */
static inline bool is_to_clear(uint64_t refs)
{
    return (refs & (REFS_FREE | REFS_DIRTY | REFS_SCRUB)) == (REFS_FREE | REFS_DIRTY);
}

/* Clears frame n if it is still to be. False: some CPU may hold a translation to it. */
static bool scrub_frame(uint32_t n)
{
    struct frame *f = &frame_table[n];
    uint64_t x = atomic_load(&f->refs);
    bool stale;

    do {
        if (!is_to_clear(x))
            return true;
    } while (!atomic_compare_exchange_weak(&f->refs, &x, x | REFS_SCRUB));
    stale = machine_stale(pcpu_online, f->stamp);
    if (!stale)
        memset(machine_ram(mfn(n)), 0, PAGE_SIZE);
    atomic_fetch_and(&f->refs, ~(REFS_SCRUB | (stale ? 0 : REFS_DIRTY)));
    return !stale;
}

/* The next part is this CPU's; false: there is none. */
static bool scrub_take(struct frames_scrub *s)
{
    for (unsigned i = 0; i < ARRAY_SIZE(unclean); i++) {
        uint64_t x = atomic_load_explicit(&unclean[i], memory_order_relaxed), bit = x & -x;

        if (x && atomic_fetch_and(&unclean[i], ~bit) & bit) {
            s->at = (i * 64 + (unsigned)__builtin_ctzll(x)) << unclean_shift;
            s->end = (uint32_t)MIN(s->at + (1ul << unclean_shift), frame_count);
            return true;
        }
    }
    return false;
}

/* Asks CPUs to flush, but once: those of who frees pages all the time are not to be bothered for each. */
static void scrub_flush(struct frames_scrub *s, cpumask_t stale)
{
    if (!stale || s->flushed)
        return;
    flush_tlbs(stale, FLUSH_ALL, 0);
    s->flushed = true;
}

bool frames_scrub(struct frames_scrub *s)
{
    enum { LOOKS = 512 };

    if (s->at == s->end && !scrub_take(s))
        return false;
    for (unsigned i = 0; i < LOOKS && s->at < s->end; i++, s->at++) {
        const struct frame *f = &frame_table[s->at];

        if (!is_to_clear(atomic_load(&f->refs)))
            continue;
        scrub_flush(s, machine_stale(pcpu_online, READ_ONCE(f->stamp))); /* somebody's meanwhile, maybe: scrub_frame() asks again */
        if (!scrub_frame(s->at))
            return false;
        s->at++;
        break;
    }
    return true;
}

void frames_scrub_end(const struct frames_scrub *s)
{
    if (s->at < s->end)
        scrub_note(s->at);
}

void frames_add(mfn_t start, mfn_t end)
{
    uint64_t n = MAX(start.n, (uint64_t)1), last = MIN(end.n, frame_count);

    if (n < last)
        zones_end = MAX(zones_end, zone_index(last - 1) + 1);
    while ((frame_count - 1) >> unclean_shift >= PARTS)
        unclean_shift++;
    while (n < last) {
        unsigned order = (unsigned)__builtin_ctzll(n);
        uint64_t stop = MIN(last, numa_span_end(mfn(n)));

        order = MIN(order, (unsigned)MAX_ORDER);
        while (n + (1ull << order) > stop)
            order--;
        block_free((uint32_t)n, order, true);
        node_of((uint32_t)n)->total += 1ull << order;
        n += 1ull << order;
    }
}

uint64_t frames_free_count(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < numa.nodes; i++)
        sum += frames_free_on(i);
    return sum;
}

uint64_t frames_total_count(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < numa.nodes; i++)
        sum += frames_total_on(i);
    return sum;
}

uint64_t frames_free_on(unsigned node) { return atomic_load_explicit(&nodes[node].free, memory_order_relaxed); }
uint64_t frames_total_on(unsigned node) { return nodes[node].total; }
void frames_kept(mfn_t first, uint64_t n) { node_of((uint32_t)first.n)->total += n; }

/* ---- Pages for the hypervisor ---- */

void *hv_pages(unsigned order)
{
    mfn_t m = frames_alloc(order, 0);

    if (mfn_same(m, MFN_NONE))
        return NULL;
    for (uint64_t i = 0; i < 1ull << order; i++) {
        struct frame *f = frame_of(mfn_plus(m, i));

        if (atomic_load(&f->refs) & REFS_DIRTY)
            memset(machine_frame(mfn_plus(m, i)), 0, PAGE_SIZE);
        WRITE_ONCE(f->owner, DOMID_XEN);
        atomic_store(&f->type, 0);
        atomic_store(&f->refs, 1);
    }
    return machine_frame(m);
}

void hv_pages_free(void *p, unsigned order)
{
    mfn_t m;

    if (!p)
        return;
    m = machine_frame_mfn(p);
    for (uint64_t i = 0; i < 1ull << order; i++) {
        struct frame *f = frame_of(mfn_plus(m, i));
        uint64_t one = 1;

        ASSERT(f->owner == DOMID_XEN);
        /* Somebody may hold it for a moment, until he sees whose it is (frame_get). */
        while (!atomic_compare_exchange_weak(&f->refs, &one, 0)) {
            ASSERT((one & REFS_COUNT) && !(one & ~REFS_COUNT));
            one = 1;
            machine_relax();
        }
    }
    frames_free(m, order, true);
}

/*
 * ---- Small pieces: pages cut into objects of one size; `cursor` holds a page's state, links join pages
 * with room ----
 */

enum { SLAB_MIN_SHIFT = 5, SLAB_MAX_SHIFT = 11, NO_OBJECT = 0xff };
enum { SLAB_CLASSES = SLAB_MAX_SHIFT - SLAB_MIN_SHIFT + 1 };

/*
 * cursor of a slab page: objects in use, and the first free one; each free object begins with the index of
 * the next.
 */
#define SLAB_USED(cursor)      ((cursor) & 0xffu)
#define SLAB_FIRST(cursor)     ((cursor) >> 8)
#define SLAB_CURSOR(used, first) ((uint16_t)((used) | (first) << 8))
_Static_assert(PAGE_SIZE >> SLAB_MIN_SHIFT < NO_OBJECT, "indices fit a byte");

static uint32_t slabs[SLAB_CLASSES]; /* pages with a free object; under slab_lock */
static struct lock slab_lock = LOCK_INIT(FRAMES);

static unsigned slab_class(size_t size)
{
    unsigned shift = SLAB_MIN_SHIFT;

    while (size > 1ul << shift)
        shift++;
    return shift - SLAB_MIN_SHIFT;
}

static unsigned pages_order(size_t size)
{
    unsigned order = 0;

    while (order <= MAX_ORDER && size > PAGE_SIZE << order)
        order++;
    return order;
}

static void slab_link(uint32_t n, unsigned class)
{
    frame_table[n].prev = 0;
    frame_table[n].next = slabs[class];
    if (slabs[class])
        frame_table[slabs[class]].prev = n;
    slabs[class] = n;
}

static void slab_unlink(uint32_t n, unsigned class)
{
    struct frame *f = &frame_table[n];

    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        slabs[class] = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->next = f->prev = 0;
}

/* A fresh page cut into objects; not on its list yet. 0: no memory. */
static uint32_t slab_new(unsigned class)
{
    unsigned shift = class + SLAB_MIN_SHIFT, count = (unsigned)(PAGE_SIZE >> shift);
    uint8_t *page = hv_pages(0);
    uint32_t n;

    if (!page)
        return 0;
    for (unsigned i = 0; i < count; i++)
        page[i << shift] = i + 1 < count ? (uint8_t)(i + 1) : NO_OBJECT;
    n = (uint32_t)machine_frame_mfn(page).n;
    frame_table[n].cursor = SLAB_CURSOR(0, 0);
    return n;
}

/* An object of a page with room, under the lock. */
static void *slab_take(uint32_t n, unsigned class)
{
    struct frame *f = &frame_table[n];
    unsigned first = SLAB_FIRST(f->cursor);
    uint8_t *object = (uint8_t *)machine_frame(mfn(n)) + ((size_t)first << (class + SLAB_MIN_SHIFT));

    f->cursor = SLAB_CURSOR(SLAB_USED(f->cursor) + 1, (unsigned)*object);
    if (SLAB_FIRST(f->cursor) == NO_OBJECT)
        slab_unlink(n, class);
    return object;
}

void *hv_alloc(size_t size)
{
    unsigned class;
    uint32_t fresh;
    void *p;

    if (size > 1ul << SLAB_MAX_SHIFT)
        return hv_pages(pages_order(size));
    class = slab_class(size);
    lock(&slab_lock);
    if (!slabs[class]) {
        unlock(&slab_lock); /* the allocator's own lock is of the same class */
        fresh = slab_new(class);
        if (!fresh)
            return NULL;
        lock(&slab_lock);
        slab_link(fresh, class);
    }
    p = slab_take(slabs[class], class);
    unlock(&slab_lock);
    return memset(p, 0, size);
}

void hv_free(void *p, size_t size)
{
    unsigned class, used, index;
    struct frame *f;
    uint8_t *page;

    if (!p)
        return;
    if (size > 1ul << SLAB_MAX_SHIFT) {
        hv_pages_free(p, pages_order(size));
        return;
    }
    class = slab_class(size);
    page = (uint8_t *)((uintptr_t)p & PAGE_MASK);
    f = frame_of(machine_frame_mfn(page));
    index = (unsigned)(((uintptr_t)p & ~PAGE_MASK) >> (class + SLAB_MIN_SHIFT));
    ASSERT((uint8_t *)p == page + ((size_t)index << (class + SLAB_MIN_SHIFT)));
    lock(&slab_lock);
    used = SLAB_USED(f->cursor);
    ASSERT(used > 0);
    if (SLAB_FIRST(f->cursor) == NO_OBJECT)
        slab_link((uint32_t)frame_mfn(f).n, class);
    *(uint8_t *)p = (uint8_t)SLAB_FIRST(f->cursor);
    f->cursor = SLAB_CURSOR(used - 1, index);
    if (used == 1)
        slab_unlink((uint32_t)frame_mfn(f).n, class);
    unlock(&slab_lock);
    if (used == 1)
        hv_pages_free(page, 0);
}
