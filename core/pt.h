/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV page tables: which entries a guest may have, which references they hold, and how tables are validated and undone.
 *
 * Validation and its undoing are preemptible between entries (frame->cursor says how far). A table whose last use went is
 * put on the vCPU's drain list and undone before that vCPU returns to its guest, so no hypercall needs a continuation for it.
 */
#ifndef CORE_PT_H
#define CORE_PT_H

#include "core/frame.h"

#include <xen/xen.h>

struct vcpu;

/* ---- For core/frame.c ---- */

/* Checks and takes references from f->cursor up. 0, the error of a bad entry (all undone), -ERESTART (cursor says how far). TYPE_BUSY held. */
int pt_validate(struct domain *d, mfn_t m, enum frame_type type);
/* Drops references from f->cursor down to 0. 0 or -ERESTART. TYPE_BUSY held. */
int pt_devalidate(struct domain *d, mfn_t m, enum frame_type type);

/* ---- For hypercalls and emulation ---- */

/*
 * Writes one entry of table `table` (a frame of `owner`, reference and type held by the caller) at index i; frames it maps
 * are `from`'s. 0, -EINVAL, -EPERM (MMIO), -EBUSY (writable, but a table or another's), -ERESTART.
 * `preserve_ad`: keep accessed and dirty bits as they are now.
 */
int pt_set(mfn_t table, unsigned i, uint64_t entry, struct domain *owner, struct domain *from, bool preserve_ad);

#define PT_RUN 32u /* requests done under one lock, at most */

/*
 * mmu_update() requests by machine address, as long as nothing is out of the ordinary: entries of L1 tables of `owner`'s in
 * use, and pages of `from`'s that are mapped like others. The caller need hold nothing. Gives how many of the n were done;
 * the next one is for pt_set(), or no such request.
 */
unsigned pt_set_run(struct domain *owner, struct domain *from, const struct mmu_update *u, unsigned n);
/* The same for one entry, index i, of what is meant to be a table of d's; *was: what it was. False: nothing was done. */
bool pt_exchange_l1(struct domain *d, mfn_t table, unsigned i, uint64_t entry, uint64_t *was);
/* The same for the entry that maps `va` in v's kernel tables. False: nothing was done; see pt_find_l1() and pt_set(). */
bool pt_set_va(struct vcpu *v, uint64_t va, uint64_t entry);

/*
 * As pt_set for an entry of a frame that is RAM, if it still is *old; else -EAGAIN and *old is what it is. For emulated
 * writes: the caller need hold nothing, and what is no L1 table of d's is -EINVAL too.
 */
int pt_cmpxchg_l1(struct domain *d, mfn_t table, unsigned i, uint64_t *old, uint64_t new);

/* The L1 entry that maps `va` in v's kernel tables: table frame (reference and L1 type held) and index. 0 or -EINVAL. */
__must_check int pt_find_l1(struct vcpu *v, uint64_t va, mfn_t *table, unsigned *i);
/* A copy of that entry, no reference kept. False if there is none. */
bool pt_read_l1(struct vcpu *v, uint64_t va, uint64_t *entry);

/* Loads a new root; the old one is put. m NONE (user only): none. 0, -EINVAL, -ERESTART. */
int pt_set_root(struct vcpu *v, mfn_t m, bool user);

#endif
