/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames, their owners, and the two counters on which all isolation rests.
 *
 * Every page of RAM has a struct frame. `refs` counts everyone who may touch the page at all; `type` says what it may be
 * used for now, and by how many. A frame is at no time both writable by a guest and in use as a page table or
 * descriptor page; and it is given to somebody else only when refs is zero and no CPU has a stale translation.
 *
 * Invariants (frame_audit() in core/audit.c recomputes each from the tables themselves):
 *   F1  a frame with refs == 0 is free: no owner, no type, on no list
 *   F2  type count > 0, or PINNED, or a cursor: refs > 0
 *   F3  WRITABLE counts exactly the present writable mappings (guest entries, grants, the hypervisor's own)
 *   F4  L1..L4 with VALID: every present entry holds the reference that core/pt_entry.h says it holds
 *   F5  the type changes only from count 0, under TYPE_BUSY, and after stale CPUs were flushed
 *   F6  a table that is VALID, or has a cursor, holds one general reference itself, so it is never freed in that state
 *   F7  LOCKED is set only where BUSY is not: on a frame that its locker holds by count, or in one step with seeing it VALID and
 *       in use; and BUSY is set only where LOCKED is not. So what is LOCKED and VALID stays both, and by F6 its owner's, even if
 *       its last use goes meanwhile: whoever is to undo it waits
 *   F8  a stamp is believed at count 0 where neither QUEUED nor UNSTAMPED is set. It is written only under BUSY, or by whom all
 *       counts that are left belong to, who sets UNSTAMPED before and takes it away with them, in one step. That fails if anybody
 *       else took or gave back a use meanwhile, for they take UNSTAMPED away, too
 *
 * Who may change what: `refs` and `type` are atomic, changed only by core/frame.c and frame_map.h; `cursor` by the CPU that holds
 * TYPE_BUSY; `owner` while refs is 0 or by the one holder of the last reference; links under the owner's domain lock.
 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include "core/ids.h"
#include "core/machine.h"
#include "core/numa.h"

struct domain;
struct vcpu;

enum frame_type {
    TYPE_NONE, /* not yet used as anything: whoever comes first decides */
    TYPE_L1, TYPE_L2, TYPE_L3, TYPE_L4,
    TYPE_SEG,      /* GDT or LDT */
    TYPE_WRITABLE,
};

/* The type word: count in the low half, flags and the type above. */
#define TYPE_COUNT   0xffffffffull
#define TYPE_VALID   (1ull << 32) /* entries are checked and hold references                                  */
#define TYPE_PINNED  (1ull << 33) /* the guest asked to keep it typed: one of the counts                      */
#define TYPE_BUSY    (1ull << 34) /* one CPU is validating, devalidating or changing the type: others wait    */
#define TYPE_LOCKED  (1ull << 35) /* one CPU writes entries (core/frame_map.h)                                      */
#define TYPE_QUEUED  (1ull << 36) /* on a vCPU's drain list: linked through `stamp`, one general reference    */
#define TYPE_FOREIGN (1ull << 37) /* WRITABLE: others than its owner mapped it so, on CPUs that the owner never saw */
#define TYPE_UNSTAMPED (1ull << 38) /* `stamp` is no time: F8                                                 */
#define TYPE_SHIFT   60

/* Flags beside the count in `refs`. */
#define REFS_COUNT   0xffffffffffull
#define REFS_OWNED   (1ull << 63) /* on its owner's page list: the allocation itself is one reference         */
#define REFS_HV      (1ull << 62) /* allocated by the hypervisor for the owner to see (shared info, grants)   */
#define REFS_DIRTY   (1ull << 61) /* free, and still holds somebody's data: scrub before use                  */
#define REFS_FREE    (1ull << 60) /* in the allocator; `cursor` is its order there if it heads a block        */
#define REFS_SCRUB   (1ull << 59) /* a CPU clears it, which it began while the frame was free: S2 of core/alloc.c */

struct frame {
    _Atomic uint64_t refs;
    _Atomic uint64_t type;
    uint16_t owner;  /* domid; DOMID_XEN: hypervisor's own; DOMID_IO: not RAM */
    uint16_t cursor; /* entries validated so far, while a table is neither VALID nor unvalidated */
    uint32_t stamp;  /* machine_flush_stamp() when the last use of the current type, or the last reference, went */
    uint32_t next, prev; /* list links: frame numbers, 0 ends (frame 0 is never owned by a domain's list) */
};
_Static_assert(sizeof(struct frame) == 32, "two to a cache line");

extern struct frame *frame_table; /* [0, frame_count) */
extern uint64_t frame_count;      /* one more than the highest frame of RAM */

static inline bool mfn_is_tracked(mfn_t m)           { return m.n < frame_count; }
static inline struct frame *frame_of(mfn_t m)        { return &frame_table[m.n]; }
static inline mfn_t frame_mfn(const struct frame *f) { return mfn((uint64_t)(f - frame_table)); }
static inline enum frame_type type_of(uint64_t word) { return (enum frame_type)(word >> TYPE_SHIFT); }

/* True if m is RAM in somebody's hands or free; false: MMIO, firmware, or beyond the end. */
static inline bool mfn_is_ram(mfn_t m)               { return mfn_is_tracked(m) && READ_ONCE(frame_of(m)->owner) != DOMID_IO; }

/* ---- General references ---- */

/* One more reference, if the frame is in use and owned by `owner`. The frame stays theirs until the put. */
__must_check bool frame_get(mfn_t m, domid_t owner);
/* As above for a frame that the caller already has a reference to. */
void frame_get_again(mfn_t m);
#define FRAME_FREE_UNITS 4u /* of the budget, about: the free list is sorted, and merges with neighbours */
/* Gives one back; the last returns an owned frame to its owner's account and to the allocator. */
void frame_put(mfn_t m);

/* ---- Type references (each comes on top of a general one, which the caller holds) ---- */

/*
 * Uses the frame as `type`, validating it if it is a table that is not yet. `d` is the owner.
 * 0; -EINVAL: in use as something else, or an entry of it is bad; -ERESTART: budget spent, call again later.
 */
__must_check int type_get(struct domain *d, mfn_t m, enum frame_type type);
/*
 * One use less. A table whose last use goes stays VALID until the vCPU leaves the hypervisor: it is queued
 * (type_drain) and undone there, piece by piece.
 */
void type_put(mfn_t m);

/* Sets or clears the guest's pin of a table: one type and one general reference. -EINVAL if it is (not) pinned already. */
__must_check int type_pin(struct domain *d, mfn_t m, enum frame_type type);
__must_check int type_unpin(mfn_t m);

/* Undoes tables queued by type_put on the current vCPU, within the budget; true when none is left. No lock held. */
bool type_drain(struct vcpu *v);

/* Both references in one. */
__must_check int frame_get_type(struct domain *d, mfn_t m, enum frame_type type);
void frame_put_type(mfn_t m);

/* A WRITABLE frame that the caller holds is mapped so by somebody else than its owner. */
void frame_mapped_foreign(mfn_t m);

/* ---- Ownership ---- */

/*
 * Gives a frame fresh from the allocator to d: counted in tot_pages, on its list, scrubbed. Caller holds d's lock and has
 * checked the limit.
 */
void frame_assign(struct domain *d, mfn_t m);
/*
 * Takes the allocation's own reference back (guest freed it, or it died): false if it is not d's, or somebody did already. d's lock
 * is held, without which no frame becomes one of d's list, nor leaves it: so nobody need hold a reference to ask.
 */
__must_check bool frame_release(struct domain *d, mfn_t m);
/* The same for whatever numbers, up to the first that is no such frame; gives how many. */
#define FRAMES_AT_ONCE 32u
__must_check unsigned frames_release(struct domain *d, const uint64_t *mfns, unsigned n);
/*
 * Makes a page of the hypervisor visible to d: owner d, a general and a WRITABLE reference held by the hypervisor
 * (frame_put_type gives it up), not counted as d's memory.
 */
void frame_share(struct domain *d, mfn_t m);

/* A page of the hypervisor (hv_pages) that who may see such pages may also write, from now on for ever. */
void frame_show_writable(mfn_t m);
/* Is it such a page? */
bool frame_is_shown_writable(mfn_t m);

/*
 * Takes a frame away from d, contents and all, if nobody but d's allocation refers to it: off its list and account, all
 * translations flushed, refs 0 as if fresh from the allocator. Takes d's lock. core/frame_steal.c
 */
__must_check bool frame_steal(struct domain *d, mfn_t m);
/*
 * The same without the flush, and still counted in tot_pages: the frame then goes to the allocator (whose next user
 * flushes), or back to d; and domain_frame_gone() once d has it, or what it gets for it.
 */
__must_check bool frame_take(struct domain *d, mfn_t m);

/* ---- The allocator (core/alloc.c) ---- */

/*
 * 2^order contiguous, aligned frames below 2^addr_bits (0: anywhere) of these nodes, refs 0 but for REFS_DIRTY: a frame with it
 * holds somebody's data, scrub it before use. MFN_NONE if there are none. Takes the FRAMES lock. Stale translations of the former
 * owner are flushed before it returns.
 */
mfn_t frames_alloc_on(unsigned order, unsigned addr_bits, nodemask_t of);
static inline mfn_t frames_alloc(unsigned order, unsigned addr_bits) { return frames_alloc_on(order, addr_bits, NODES_ALL); }
/* Single ones, n <= FRAMES_AT_ONCE of them; gives how many there were. */
unsigned frames_alloc_pages(mfn_t *m, unsigned n, unsigned addr_bits, nodemask_t of);
/* n of them back, with somebody's data. */
void frames_free_pages(const mfn_t *m, unsigned n);
/* Back to the pool; all refs are 0. `dirty`: holds somebody's data. */
void frames_free(mfn_t m, unsigned order, bool dirty);
/*
 * Clears free pages with somebody's data, for a CPU that has nothing else to do: one page at a call, or looks at some. False: there
 * is none, of those that were freed since the boot, or only some that CPUs would have to flush for a second time. *s begins as 0,
 * and ends with frames_scrub_end(), whenever that is.
 */
struct frames_scrub { uint32_t at, end; bool flushed; };
bool frames_scrub(struct frames_scrub *s);
void frames_scrub_end(const struct frames_scrub *s);
/* Adds memory at boot: frames [start, end) become free. */
void frames_add(mfn_t start, mfn_t end);
uint64_t frames_free_count(void);
uint64_t frames_total_count(void);
/* Of one node, below numa.nodes. The whole is their sum, not all of one moment. */
uint64_t frames_free_on(unsigned node);
uint64_t frames_total_on(unsigned node);
/* RAM that describes the rest (frame table, M2P): never free, but counted in the total, of the first one's node. At boot. */
void frames_kept(mfn_t first, uint64_t n);

/* Hypervisor memory: zeroed, in any frame; NULL if there is none. Small sizes share pages. hv_free wants the same size. */
void *hv_alloc(size_t size);
void hv_free(void *p, size_t size);
/* Whole zeroed pages for the hypervisor, owner DOMID_XEN, refs 1. */
void *hv_pages(unsigned order);
void hv_pages_free(void *p, unsigned order);

#endif
