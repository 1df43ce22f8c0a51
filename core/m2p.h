/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine-to-phys table: what frame number its owner calls each machine frame. Readable by every guest, each word at any time. */
#ifndef CORE_M2P_H
#define CORE_M2P_H

#include "core/frame.h"

#define M2P_INVALID (~0ull)          /* free, or the hypervisor's          */
#define M2P_SHARED  (~0ull >> 1)     /* hypervisor page shared with guests */

static inline void m2p_set(mfn_t m, uint64_t pfn) { WRITE_ONCE(machine_m2p()[m.n], pfn); }
static inline uint64_t m2p_get(mfn_t m)           { return READ_ONCE(machine_m2p()[m.n]); }

/* It lies in so many pieces of M2P_CHUNK contiguous frames, which machine_m2p_chunk() names. */
#define M2P_CHUNK 512u
static inline uint64_t m2p_chunks(void) { return DIV_ROUNDUP(frame_count * sizeof(uint64_t), M2P_CHUNK * PAGE_SIZE); }

/* Is m one of the table's own frames? */
static inline bool m2p_holds(mfn_t m)
{
    for (uint64_t i = 0; i < m2p_chunks(); i++) {
        if (m.n - machine_m2p_chunk((unsigned)i).n < M2P_CHUNK)
            return true;
    }
    return false;
}

#endif
