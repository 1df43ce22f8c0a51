/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that name things: frames, guest addresses, domains. Boxed so that the compiler refuses to mix them. */
#ifndef CORE_IDS_H
#define CORE_IDS_H

#include "lib/types.h"

#include <xen/xen.h>

typedef struct { uint64_t n; } mfn_t;        /* machine frame: a page of this machine's memory     */
typedef struct { uint64_t n; } gfn_t;        /* guest frame: as one domain numbers it              */
typedef struct { uint64_t va; } guest_ptr_t; /* address in the current vCPU's kernel page tables   */

#define MFN_NONE ((mfn_t){ ~0ull })

static inline mfn_t mfn(uint64_t n)                 { return (mfn_t){ n }; }
static inline mfn_t mfn_plus(mfn_t m, uint64_t k)   { return mfn(m.n + k); }
static inline bool mfn_same(mfn_t a, mfn_t b)       { return a.n == b.n; }
static inline mfn_t maddr_mfn(uint64_t maddr)       { return mfn(maddr >> PAGE_SHIFT); }
static inline uint64_t mfn_maddr(mfn_t m)           { return m.n << PAGE_SHIFT; }

static inline guest_ptr_t gptr(uint64_t va)         { return (guest_ptr_t){ va }; }
static inline guest_ptr_t gptr_plus(guest_ptr_t p, uint64_t k) { return gptr(p.va + k); }

#define MAX_CPUS 64       /* pCPUs; also the width of a cpumask_t */
#define MAX_VCPUS 128u    /* vCPUs of one domain                  */

typedef uint64_t cpumask_t; /* one bit a pCPU */

#endif
