/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages of a domain were written: the log by which a running guest is copied to another machine.
 *
 * Two bitmaps by pfn, as the M2P names a frame: `log` takes what is written now; `snapshot` holds what a CLEAN is still
 * telling its caller. The guest's own writes are found by core/shadow.c. Whoever else changes a frame, or what frame a
 * pfn is, or what a frame is used for, calls dirty_mark() after it did so: marked before, the mark could be read and
 * cleared, and the page copied, before the change.
 *
 * Not marked one by one, but reported as a whole by the last CLEAN (FINAL), when the guest no longer runs: what the
 * hypervisor itself writes all the time (vCPU areas, event queues), and frames that others have mapped writable.
 */
#ifndef CORE_DIRTY_H
#define CORE_DIRTY_H

#include "core/domain.h"
#include "core/shadow.h"

/* One reading of the log. A call that is continued says the same again; any other is told to wait. */
struct dirty_read {
    bool clean;       /* what is read is cleared: the next reading tells what was written since */
    bool final;       /* with what is mapped writable by others, the hypervisor among them      */
    domid_t caller;
    guest_ptr_t buffer;
    uint64_t pages;   /* bits in the buffer; those beyond the log are 0 */
};

/* Exists from the first time that the domain is tracked to its end: so nobody needs to hold anything to look at it. */
struct dirty {
    struct lock lock;        /* class DIRTY: all but what is under the DOMCTL lock */
    _Atomic bool on;         /* changes only while no vCPU runs */
    uint64_t pfns;           /* bits in each bitmap */
    uint64_t *log, *snapshot;
    uint32_t faults, count;  /* since the last CLEAN: faults taken, bits set */
    struct shadow shadow;

    /* The reading in progress; DOMCTL lock. */
    bool reading, marked, taken; /* FINAL's frames are marked; the snapshot is taken */
    struct dirty_read read;
    uint64_t at;             /* FINAL: frame looked at; later: byte of the buffer */
    uint32_t read_faults, read_count;
    bool unwinding;          /* no memory: what was allocated is on its way back; DOMCTL lock */
};

/* ---- The log ---- */

/* Frame m of d has changed. Takes the DIRTY lock. */
void dirty_mark_slow(struct domain *d, mfn_t m);
static inline void dirty_mark(struct domain *d, mfn_t m)
{
    if (unlikely(d->dirty))
        dirty_mark_slow(d, m);
}

static inline bool dirty_is_on(const struct domain *d)
{
    const struct dirty *t = d->dirty;

    return t && t->on;
}

/* With the lock held: marks; asks. A frame that has no pfn in the log always has changed. */
void dirty_set(struct dirty *t, mfn_t m);
bool dirty_has(const struct dirty *t, mfn_t m);

/* ---- Switching it; all under the DOMCTL lock, and never about the caller's own domain (core/dirty_switch.c) ---- */

/* 0; -EINVAL: on already; -ENOMEM; -ERESTART. The guest runs on whatever the result. */
__must_check int dirty_start(struct domain *d);
/* 0; -EINVAL: nothing to switch off; -ERESTART. */
__must_check int dirty_stop(struct domain *d);
/*
 * 0 and the numbers; -EBUSY: another reading is not finished; -EFAULT; -ERESTART. A page is told twice rather than not at
 * all: what a failed CLEAN could not tell comes with a later one.
 */
__must_check int dirty_read(struct domain *d, const struct dirty_read *r, uint32_t *faults, uint32_t *count);
/* The domain is gone; gives whether something of it was still there. */
bool dirty_free(struct domain *d);

#endif
