/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page table entries for grants: they map frames of other domains, and the references that they hold are the mapping's to count
 * (core/grant_map.c).
 */
#ifndef CORE_PT_GRANT_H
#define CORE_PT_GRANT_H

#include "core/frame.h"

struct vcpu;

/* An entry for a grant. */
struct pt_grant {
    uint64_t addr;     /* the virtual address, or that of the L1 entry ...        */
    bool contains_pte; /* ... in the machine (GNTMAP_contains_pte)                */
    uint64_t entry;    /* 0: none is wanted, nothing is done                      */
    uint64_t pte;      /* machine address of the L1 entry; 0: it could not be had */
};

/*
 * Writes n entries, each for itself, and tells of each where. An entry (present) maps a frame of another domain; the general (and
 * WRITABLE) reference that it needs is the caller's until it succeeds, and then the entry's.
 */
void pt_grant_map(struct vcpu *v, struct pt_grant *g, unsigned n);
void pt_grant_map_one(struct vcpu *v, struct pt_grant *g);
/* An entry for a grant that is to go. */
struct pt_grant_gone {
    uint64_t pte; /* its machine address; 0: there is none              */
    mfn_t m;      /* what it maps; if it maps anything else it stays    */
    uint64_t old; /* what it was; 0: it stays. Its references are then the caller's */
};
void pt_grant_clear(struct vcpu *v, struct pt_grant_gone *g, unsigned n);
void pt_grant_clear_one(struct vcpu *v, struct pt_grant_gone *g);
/*
 * Replaces the entry at machine address `pte` by `entry` (a copy of the one that maps new_addr, see unmap_and_replace) if it maps frame m.
 * GNTST_okay or GNTST_general_error. *old: what it was, whose references are then the caller's.
 */
int pt_grant_replace(struct vcpu *v, uint64_t pte, mfn_t m, uint64_t entry, uint64_t *old);

#endif
