/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a grant table; for core/grant*.c only.
 *
 * The shared pages are the guest's to write at any time. What counts is in `active`: for each reference who
 * uses it now, and the frame it named when the first of them came. All fields are under the table's GRANT
 * lock, but for a mapping in the making, which is its maker's until `granter` is set. A CPU holds one such lock
 * at a time, and under it takes and gives no frame references (the last put needs the DOMAIN lock).
 *
 *   G1  an entry with pins has GTF_reading set in its shared word (v2: status word); with write pins,
 *       GTF_writing
 *   G2  each pin belongs to one mapping in use, or to a copy in progress on some CPU
 *   G3  a mapping in use holds: one pin, one general reference on its frame, one WRITABLE type unless it is
 *       read-only,
 *       and a reference on the granter
 *   G4  `pinned` is the number of active entries with pins, `mapped` that of mappings in use
 *   G5  an entry whose page of `active` is missing has no pins; a page that was made stays, as does what a page of `maps` holds
 *
 * Most domains map nothing, and few use more than some of their grants: these pages come with the first that needs them, which fails
 * if there is no memory. What ends a pin or a mapping needs none.
 */
#ifndef CORE_GRANT_TABLE_H
#define CORE_GRANT_TABLE_H

#include "core/domain.h"
#include "core/frame_map.h"
#include "core/grant.h"

#include <stdatomic.h>

enum grant_kind {
    GRANT_NONE,       /* grants nothing that can be pinned        */
    GRANT_PAGE,       /* a whole frame                            */
    GRANT_SUB_PAGE,   /* v2: bytes of a frame, for copies only    */
    GRANT_TRANSITIVE, /* v2: somebody else's grant, for copies    */
};

/* What an entry granted when it was first pinned. */
struct grant_entry {
    domid_t to;
    uint8_t kind;           /* enum grant_kind */
    uint16_t start, length; /* bytes of the frame that may be used */
    domid_t via;            /* transitive: whose grant ...   */
    uint64_t frame;         /* the frame; transitive: ... and its reference there */
};

struct active {
    uint32_t readers, writers; /* pins; a writer also reads */
    struct grant_entry entry;  /* while there are pins      */
};
#define ACTIVES_PER_PAGE (PAGE_SIZE / sizeof(struct active))

struct mapping {
    struct domain *_Atomic granter; /* its reference; NULL: not in use, or in the making by who took the handle */
    union {
        grant_ref_t ref;
        uint32_t next_free;  /* handle + 1; 0 ends                          */
    };
    uint16_t flags;          /* GNTMAP_* that still stand, and MAPPING_BUSY */
    mfn_t frame;
    uint64_t host_addr;      /* as the guest named it                       */
    uint64_t pte;            /* machine address of the L1 entry that it was */
};
#define MAPPING_BUSY      0x8000u /* being made or unmapped by a CPU: hands off */
#define MAPPINGS_PER_PAGE (PAGE_SIZE / sizeof(struct mapping))

#define GRANT_V1_PER_FRAME     (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define GRANT_V2_PER_FRAME     (PAGE_SIZE / sizeof(union grant_entry_v2))
#define GRANT_STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))
#define ACTIVES_PER_FRAME      (GRANT_V1_PER_FRAME / ACTIVES_PER_PAGE) /* pages of them */

struct grant_table {
    struct lock lock;               /* class GRANT */
    unsigned version, max_version;  /* 0: holds nothing */
    bool dead;                      /* the pages are given back; pins that are left only count down */
    unsigned nr_frames, max_frames;
    unsigned nr_status;             /* created with version 2, kept until the end */
    unsigned pinned;
    uint8_t **shared;               /* [max_frames] pages that the guest sees */
    uint8_t **status;               /* [status_frames(max_frames)] */
    struct active **active;         /* [ACTIVES_PER_FRAME * max_frames] pages, or NULL: enough for either version */
    struct mapping **maps;          /* [map_room] what this domain has mapped */
    unsigned nr_map_pages, map_room, max_map_pages;
    uint32_t free_map;              /* handle + 1; 0: none */
    unsigned mapped;
    uint32_t kill_at;               /* cursor of grants_kill */
};

/* The table of d: an empty and dead one while d is being built, and if it may have none. */
extern struct grant_table grant_none;
static inline struct grant_table *grant_table(const struct domain *d)
{
    struct grant_table *t = READ_ONCE(d->grants);

    return t ? t : &grant_none;
}

/* References that exist now. */
static inline unsigned grant_count(const struct grant_table *t)
{
    return t->nr_frames * (unsigned)(t->version == 2 ? GRANT_V2_PER_FRAME : GRANT_V1_PER_FRAME);
}

/* References that may be used. */
static inline unsigned grant_limit(const struct grant_table *t) { return t->dead ? 0 : grant_count(t); }

/* The parts of an entry that the guest sees; ref < grant_limit(). */
static inline void *grant_shared(const struct grant_table *t, grant_ref_t ref)
{
    size_t size = t->version == 2 ? sizeof(union grant_entry_v2) : sizeof(struct grant_entry_v1);
    size_t at = clamp_index(ref, grant_count(t)) * size;

    return t->shared[at / PAGE_SIZE] + at % PAGE_SIZE;
}

/* Flags (low half) and grantee (high half): the first word of an entry of either version. */
static inline _Atomic uint32_t *grant_header(const struct grant_table *t, grant_ref_t ref)
{
    return grant_shared(t, ref);
}

static inline _Atomic uint16_t *grant_status(const struct grant_table *t, grant_ref_t ref)
{
    size_t at = clamp_index(ref, grant_count(t)) * sizeof(grant_status_t);

    return (_Atomic uint16_t *)(void *)(t->status[at / PAGE_SIZE] + at % PAGE_SIZE);
}

/* Where its page of active entries is; ref < grant_count(). NULL there: none of that page had pins yet. */
static inline struct active **grant_active_page(const struct grant_table *t, grant_ref_t ref)
{
    return &t->active[clamp_index(ref, grant_count(t)) / ACTIVES_PER_PAGE];
}

/* The active entry, whose page exists. */
static inline struct active *grant_active(const struct grant_table *t, grant_ref_t ref)
{
    return &(*grant_active_page(t, ref))[ref % ACTIVES_PER_PAGE];
}

/* A guest that keeps changing a word under us gets an error after so many looks. */
#define GRANT_LOOKS 8

/* The GTF_reading and GTF_writing that its pins call for. */
static inline uint16_t active_bits(const struct active *a)
{
    return a->writers ? GTF_reading | GTF_writing : a->readers ? GTF_reading : 0;
}
static inline uint16_t grant_bits(const struct grant_table *t, grant_ref_t ref)
{
    return *grant_active_page(t, ref) ? active_bits(grant_active(t, ref)) : 0;
}

/*
 * Gives up the pages that the guest sees, when it dies. From here on nothing is pinned any more, only
 * unpinned.
 */
void grant_pages_free(struct grant_table *t);

/*
 * Pins entry `ref` of granter for domain `to`: marks it in use in the shared table and gives in *out what it
 * grants. `copy`: sub-page and transitive entries will do. A status. Takes no reference on the frame or the
 * granter.
 */
__must_check int16_t grant_pin(struct vcpu *v, struct domain *granter, grant_ref_t ref, domid_t to,
                               bool write, bool copy, struct grant_entry *out);
/* The same for n mappings, or one, by `to`: sets each op's status, and frame[] of those with GNTST_okay. */
void grant_pin_all(struct domain *granter, domid_t to, struct gnttab_map_grant_ref *op, mfn_t *frame, unsigned n);
void grant_pin_one(struct domain *granter, domid_t to, struct gnttab_map_grant_ref *op, mfn_t *frame);
void grant_unpin(struct domain *granter, grant_ref_t ref, bool write);
/* The same of n mappings, all of one granter. */
void grant_unpin_all(struct domain *granter, const struct grant_release *r, unsigned n);

/*
 * References for using a frame of `owner`: a general one, and a WRITABLE type to write. Pages of the
 * hypervisor that the owner can see (its shared info, its grant table) are not its to grant. 0, -ENOENT (not
 * the owner's), -EINVAL (in use as something else), -ERESTART.
 */
__must_check int grant_frame_get(struct domain *owner, mfn_t m, bool write);
void grant_frame_put(mfn_t m, bool write);
/* grant_frame_get() n times, for mappings by others. The same errors. */
__must_check int grant_frame_lend_slow(struct domain *owner, mfn_t m, bool write, unsigned n);
__must_check static inline int grant_frame_lend(struct domain *owner, mfn_t m, bool write, unsigned n)
{
    return likely(frame_lend(m, owner->id, write, n)) ? 0 : grant_frame_lend_slow(owner, m, write, n);
}

/* grant_frame_put() n times, by who has had as many. */
static inline void grant_frame_unlend(mfn_t m, bool write, unsigned n)
{
    if (unlikely(!frame_unlend(m, write, n)))
        while (n--)
            grant_frame_put(m, write);
}

#endif
