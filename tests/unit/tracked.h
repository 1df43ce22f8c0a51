/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest whose writes are logged, read from dom0 (hosted.h's control) on the same CPU. Included once, after hosted.h. */
#ifndef TESTS_UNIT_TRACKED_H
#define TESTS_UNIT_TRACKED_H

#include "core/dirty.h"

enum { LOG_PFNS = 8 * 4096, BUFFER = 4 }; /* a page of bits, at control's page 4 */
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static uint64_t told[LOG_PFNS / 64];
static uint32_t faults, count;

/* Runs it as dom0 does, with `units` for each turn. */
#define CONTINUED(units, call)                                              \
    ({ int rc_; unsigned turns_ = 0;                                        \
       do {                                                                 \
           this_pcpu()->budget = (units);                                   \
           rc_ = (call);                                                    \
           assert_true(turns_++ < 100000);                                  \
       } while (rc_ == -ERESTART);                                          \
       plenty(); rc_; })

static inline int track(struct guest *g)
{
    int rc;

    host_run(control.v);
    rc = CONTINUED(1, dirty_start(g->d));
    host_run(g->v);
    return rc;
}

static inline int untrack(struct guest *g)
{
    int rc;

    host_run(control.v);
    rc = CONTINUED(1, dirty_stop(g->d));
    host_run(g->v);
    return rc;
}

/* Into told[]. */
static inline int read_log(struct guest *g, bool clean, bool final)
{
    struct dirty_read r = { .clean = clean, .final = final, .caller = 0, .buffer = gptr(VA(BUFFER)), .pages = LOG_PFNS };
    int rc;

    host_run(control.v);
    memset(machine_frame(control.m[BUFFER]), 0xff, PAGE_SIZE);
    rc = CONTINUED(PLENTY, dirty_read(g->d, &r, &faults, &count));
    memcpy(told, machine_frame(control.m[BUFFER]), sizeof(told));
    host_run(g->v);
    return rc;
}

static inline void clean(struct guest *g) { assert_int_equal(read_log(g, true, false), 0); }

static inline bool was_written(unsigned pfn) { return told[pfn / 64] >> pfn % 64 & 1; }

static inline unsigned told_count(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
        n += (unsigned)__builtin_popcountll(told[i]);
    return n;
}

#endif
