/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 page-table entries: bits, levels, and which bits a PV guest may set.
 *
 * Levels are numbered as the ABI numbers them: L1 entries map 4 KiB pages, an L4
 * table is a root. The masks below are allow-lists: a present guest entry with any
 * other bit is refused, so a bit that a future CPU gives a meaning stays harmless
 * until someone adds it here. A non-present entry is opaque and may hold anything, but
 * on a CPU that reads caches by it (pte_names_ram).
 */
#ifndef X86_MODEL_PTE_H
#define X86_MODEL_PTE_H

#include "lib/types.h"

#define PTE_P       (1ull << 0)
#define PTE_RW      (1ull << 1)
#define PTE_US      (1ull << 2)
#define PTE_PWT     (1ull << 3)
#define PTE_PCD     (1ull << 4)
#define PTE_A       (1ull << 5)
#define PTE_D       (1ull << 6)
#define PTE_PSE     (1ull << 7)         /* L2, L3: maps a large page */
#define PTE_PAT     (1ull << 7)         /* L1: third bit of the cache attribute */
#define PTE_G       (1ull << 8)
#define PTE_AVAIL   (7ull << 9)         /* the guest's own */
#define PTE_GNTMAP  (1ull << 9)         /* what Linux expects in a grant mapping */
#define PTE_AVAIL_HIGH (0x7ffull << 52) /* ignored while protection keys are off */
#define PTE_NX      (1ull << 63)

#define PTE_ADDR    0x000ffffffffff000ull
#define PTE_FLAGS   (~PTE_ADDR)
#define PTE_CACHE   (PTE_PWT | PTE_PCD | PTE_PAT)   /* L1: the whole cache attribute */

#define PT_LEVELS      4u
#define PT_ENTRIES     512u
#define PT_INDEX_BITS  9u

/*
 * What a PV guest may set in a present entry. Superpages (PSE) are not for guests. Nor are cache attributes of
 * tables: a CPU that walked one past the caches could find what the guest had written there before it was a table.
 */
#define PTE_GUEST_L1 (PTE_P | PTE_RW | PTE_US | PTE_CACHE | PTE_A | PTE_D | PTE_G | \
                      PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)
#define PTE_GUEST_TABLE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)

/* Root slots that belong to the hypervisor (ABI: xen/arch-x86/xen-x86_64.h). */
#define PT_HV_SLOT_FIRST 256u
#define PT_HV_SLOT_LAST  271u
#define HV_VADDR_START   0xffff800000000000ull
#define HV_VADDR_END     0xffff880000000000ull      /* first byte after it */

/* Cache attribute of an L1 entry as an index 0..7 into the PAT. */
static inline unsigned int pte_cache_index(uint64_t pte)
{
    return (pte & PTE_PWT ? 1 : 0) | (pte & PTE_PCD ? 2 : 0) | (pte & PTE_PAT ? 4 : 0);
}

/* The flags that a guest may use in a present entry of a level, 1..4. */
static inline uint64_t pte_guest_mask(unsigned int level)
{
    return level == 1 ? PTE_GUEST_L1 : PTE_GUEST_TABLE;
}

/* May a PV guest have this entry at this level? Says nothing about the frame. */
static inline bool pte_flags_ok(uint64_t pte, unsigned int level)
{
    return !(pte & PTE_P) || !(pte & PTE_FLAGS & ~pte_guest_mask(level));
}

/*
 * The entry as hardware gets it. A 64-bit PV kernel runs at CPL 3, so every present
 * entry needs U; G would let kernel pages live on across the change to the user root.
 */
static inline uint64_t pte_for_hardware(uint64_t pte)
{
    return pte & PTE_P ? (pte | PTE_US) & ~PTE_G : pte;
}

static inline uint64_t pte_make(uint64_t mfn, uint64_t flags)
{
    return (mfn << PAGE_SHIFT & PTE_ADDR) | flags;
}

static inline uint64_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_ADDR) >> PAGE_SHIFT;
}

/*
 * Is there an address of memory in a non-present entry, as a CPU with `bits` of address
 * looks it up? Below `frames` and below 4 GiB all may be cached (RAM, firmware's too);
 * address 0 means none. Linux inverts the address bits of such entries (swap, PROT_NONE),
 * whatever the CPU, so theirs lie at the top of the space: stored and read as written.
 */
static inline bool pte_names_ram(uint64_t pte, unsigned int bits, uint64_t frames)
{
    uint64_t mfn = pte_mfn(pte) & ((1ull << (bits - PAGE_SHIFT)) - 1);

    return mfn && (mfn < frames || mfn < 1ull << (32 - PAGE_SHIFT));
}

/* Lowest address bit that selects an entry of a level: 12, 21, 30, 39. */
static inline unsigned int pt_shift(unsigned int level)
{
    return PAGE_SHIFT + (level - 1) * PT_INDEX_BITS;
}

/* Which of the 512 entries of a table of this level translates va. */
static inline unsigned int pt_index(uint64_t va, unsigned int level)
{
    return (va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

/* Bytes that one entry of a level spans. */
static inline uint64_t pt_span(unsigned int level)
{
    return 1ull << pt_shift(level);
}

/* Does a 48-bit CPU accept va as an address? */
static inline bool va_canonical(uint64_t va)
{
    return va + (1ull << 47) < 1ull << 48;
}

/* Is no byte of [va, va + len) the hypervisor's, and each canonical? len 0: va alone. */
static inline bool va_range_guest(uint64_t va, uint64_t len)
{
    uint64_t last;

    if (__builtin_add_overflow(va, len ? len - 1 : 0, &last))
        return false;
    if (last < 1ull << 47)
        return true;
    return va >= HV_VADDR_END;
}

/* Is root slot nr the guest's to fill? nr < 512. */
static inline bool pt_slot_guest(unsigned int nr)
{
    return nr < PT_HV_SLOT_FIRST || nr > PT_HV_SLOT_LAST;
}

#endif
