/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow page tables of a PV domain whose writes are logged (core/dirty.h).
 *
 * A guest reads its own tables, so nothing in them may tell it that it is watched. While it is, its vCPUs run on tables of
 * ours: each stands for one of the guest's and starts empty. At a fault the guest's tables are walked and the entry that
 * was missing is copied, with the address of the lower table's shadow in place of the table's, or, in an L1 entry, without
 * RW as long as the frame is not in the log. Accessed and dirty bits are set in the guest's entries as the CPU would.
 *
 * Invariants, under the DIRTY lock (shadow_audit() looks for itself):
 *   S1  a present shadow entry stands for a present entry of a validated table of the guest's: the same frame, or the
 *       shadow of the same table; no more rights; and A is set there
 *   S2  RW in a shadow of an L1: D is set in the guest's entry, and the frame, if it is the domain's, is in the log
 *   S3  a shadow frame comes into use again only after each CPU that runs the domain has flushed since it was forgotten
 *   S4  no table of the guest's that is being undone has a shadow
 *
 * What keeps S1: an entry of the guest's is exchanged first, its shadow is cleared second, its references go third
 * (core/pt.c). Faults fill under the lock by what they read under it. So what is read there stays referenced until the
 * lock is released, and what is filled from an entry just replaced is cleared by who replaced it. Stale TLB entries are
 * covered by the flushes that the guest's tables need anyway.
 *
 * Roots: each vCPU has two pages of its own, which take on the guest's root that is loaded. They are never forgotten, so
 * the address in CR3 stays good.
 */
#ifndef CORE_SHADOW_H
#define CORE_SHADOW_H

#include "core/frame.h"

struct domain;
struct vcpu;

/* A shadow frame's struct frame: `prev` is the guest's table it stands for, `next` links a bucket or the free list. */
struct shadow {
    uint32_t *pool;           /* frame numbers of all of them */
    uint32_t max, count;      /* wanted; allocated */
    uint32_t used;            /* those from here on were not in use since all were forgotten */
    uint32_t *bucket, buckets; /* by the guest's table; a power of two */
    uint32_t free_first, free_last, nr_free; /* forgotten one by one, oldest first; `stamp` says when */
};

/* Enough for any instruction of every vCPU, and then some. */
#define SHADOW_PER_VCPU 64u
/* Tables that one fault may need. */
#define SHADOW_PER_FAULT 3u

/*
 * Page faults that the hypervisor itself may have filled since it was entered. It touches fewer pages than that; but another
 * vCPU can take away what was filled before it is used, again and again.
 */
#define SHADOW_OWN_FAULTS 16384u

/*
 * A page fault of the current vCPU. True: try again. False: it is the guest's own affair, and *error is what the CPU would
 * have said without shadows.
 */
__must_check bool shadow_fault(struct vcpu *v, uint64_t va, uint32_t *error);
/* The same of the hypervisor's access to the memory of the current vCPU (NULL: none). False: it fails. */
__must_check bool shadow_own_fault(struct vcpu *v, uint64_t va, uint32_t error);

/* Entry i of a table of d's was exchanged, and what it referred to is still referenced. */
void shadow_entry_changed(struct domain *d, mfn_t table, unsigned level, unsigned i);
/* The table is about to be undone: nobody refers to it any more. */
void shadow_table_gone(struct domain *d, mfn_t table);
/* v has another root than before, which is not loaded yet; `user`: which of the two. */
void shadow_root_changed(struct vcpu *v, bool user);

/* ---- With the DIRTY lock held ---- */

/* No frame of the pool is in use but the first `roots`. The caller sees to it that no CPU remembers another. */
void shadow_none(struct shadow *s, uint32_t roots);
/* All shadows are empty, and no CPU remembers one. */
void shadow_forget_all(struct domain *d);
/* Makes v's shadow root stand for its root. */
void shadow_root_fill(struct vcpu *v, bool user);

/* The number of entries against S1, S2 or S4 (each is logged), while nothing runs. */
long shadow_audit(struct domain *d);

#endif
