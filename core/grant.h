/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grant tables: how one domain lets another map or copy some of its frames.
 *
 * A domain writes entries into its shared table ("d may use my frame f"); another asks by (domain,
 * reference). What the guests write is never believed twice: grant_entry.c takes one snapshot and pins it.
 * Statuses are GNTST_* codes of <xen/grant_table.h>; they go into the operation, a function's own result is 0
 * or an errno.
 *
 *   grant.c          the table itself: frames, versions            grant_copy.c      copies between frames
 *   grant_entry.c    pins on entries                               grant_transfer.c  frames given away
 *   grant_map.c      mappings, their handles, and their end
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/ids.h"

#include <xen/grant_table.h>

struct domain;
struct vcpu;

#define GRANT_FRAMES_DEFAULT   64u
#define MAPTRACK_DEFAULT       1024u

/*
 * Frame 0 of the shared table exists from here on, version 1. ~0u: the default limit. max_version 0: d has no
 * table; like before this call, all that follows works and finds nothing. 0 or -ENOMEM.
 */
int grants_init(struct domain *d, unsigned max_frames, unsigned max_maptrack, unsigned max_version);
/*
 * d dies: gives back all it has mapped (budgeted: -ERESTART), then its shared pages; what others have mapped
 * stays theirs. None of its vCPUs runs any more.
 */
__must_check int grants_kill(struct domain *d);
/* The last reference to d went (each mapping of its frames holds one). */
void grants_free(struct domain *d);
unsigned grants_mapped(struct domain *d); /* handles in use, for the leak check */
/* Debug key 'g': says a few entries in use from `from` on, 0: the beginning; gives where to go on, 0: that was all. */
grant_ref_t grants_dump(struct domain *d, grant_ref_t from);
/* For the audit: each frame that a mapping of d holds a reference to; nothing changes meanwhile. */
void grants_each_frame(struct domain *d, void (*each)(void *data, mfn_t m, bool writable), void *data);

/*
 * XENMEM_acquire_resource: MFN of shared (status: v2) table frame `idx`, growing the table as needed. 0 or
 * errno.
 */
int grants_resource(struct domain *d, bool status, unsigned idx, mfn_t *out);
unsigned grants_max_frames(struct domain *d);

/* ---- The table ---- */

/* At least nr shared frames. 0, -EINVAL above the limit, -ENOMEM. */
int grants_grow(struct domain *d, unsigned nr);
/* How many shared (or status) frames there are now. */
unsigned grants_frames(struct domain *d, bool status);
/* One of them; MFN_NONE beyond the last. */
mfn_t grants_frame(struct domain *d, bool status, unsigned idx);
unsigned grants_version(struct domain *d);
/*
 * Version 1 or 2. The reserved entries stay, all others are emptied. -EBUSY while one of those is in use,
 * -EINVAL no such version or a reserved entry that version 1 can't say, -ENOSYS not for this domain, -ENOMEM.
 */
int grants_set_version(struct domain *d, uint32_t version);
/* Exchanges two entries of d that nobody uses. A status. */
int16_t grants_swap(struct domain *d, grant_ref_t a, grant_ref_t b);

/* ---- Operations of the current vCPU ---- */

/*
 * Maps what the first of n operations ask for, and sets their statuses; gives how many: n, unless the budget ended or *rc, which
 * the caller sets to 0, is -ERESTART: nothing was done of the next one. *last: who granted to the operation before, with a reference.
 * The caller begins with NULL, and puts what is there in the end.
 */
#define GRANT_MAPS 32u /* done together, at most */
unsigned grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op, unsigned n, struct domain **last, int *rc);

/* Each sets op->status unless it gives -ERESTART: nothing was done, call again. */
__must_check int grant_copy(struct vcpu *v, struct gnttab_copy *op);
void grant_transfer(struct vcpu *v, struct gnttab_transfer *op);

/*
 * Unmapping, in batches: page-table entries go at once, references only in grant_unmaps_finish(), after one
 * flush of all CPUs that may have used the mappings. The caller starts with n and flush 0 and finishes at the end; a batch that is
 * full is finished as it becomes so.
 */
#define GRANT_UNMAPS 32u
struct mapping;
struct grant_unmaps {
    unsigned n;
    bool flush;
    struct grant_release {
        struct domain *granter;
        struct mapping *m;
        grant_handle_t handle;
        unsigned refs; /* on the frame, of either kind: the mapping's, and what was its entry's */
    } item[GRANT_UNMAPS];
};
void grant_unmap(struct vcpu *v, struct grant_unmaps *batch, struct gnttab_unmap_grant_ref *op, unsigned n);
/* The entry becomes what maps op->new_addr, which becomes empty. */
void grant_unmap_and_replace(struct vcpu *v, struct grant_unmaps *batch, struct gnttab_unmap_and_replace *op);
void grant_unmaps_finish(struct domain *d, struct grant_unmaps *batch);

#endif
