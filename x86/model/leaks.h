/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CPUs show what they should not, by vendor and by what a CPU says of itself. One that nothing is known
 * of does.
 */
#ifndef X86_MODEL_LEAKS_H
#define X86_MODEL_LEAKS_H

#include "lib/types.h"

#define ARCH_CAPS_RDCL_NO 1ull
#define CPUID_RSTR_FP_ERR_PTRS (1u << 2) /* ebx of leaf 0x80000008 */

/* By ebx, ecx, edx of CPUID leaf 0. */
static inline bool vendor_amd(uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    bool amd = ebx == 0x68747541 && edx == 0x69746e65 && ecx == 0x444d4163;   /* AuthenticAMD */
    bool hygon = ebx == 0x6f677948 && edx == 0x6e65476e && ecx == 0x656e6975; /* HygonGenuine */

    return amd || hygon;
}

/*
 * Does user mode read what is mapped for ring 0 only (Meltdown), or what the L1 cache has of the address in an
 * entry that is not present (L1TF)? One bit says that neither is so; a few CPUs have only the first.
 * arch_caps: MSR IA32_ARCH_CAPABILITIES, 0 if there is none.
 */
static inline bool meltdown_possible(uint32_t ebx, uint32_t ecx, uint32_t edx, uint64_t arch_caps)
{
    return !vendor_amd(ebx, ecx, edx) && !(arch_caps & ARCH_CAPS_RDCL_NO);
}

/*
 * Does FXRSTOR leave the x87 instruction and data pointers of whoever ran before, when no exception is
 * pending? ext_ebx: ebx of leaf 0x80000008, 0 if there is none.
 */
static inline bool fxrstor_leaves_pointers(uint32_t ebx, uint32_t ecx, uint32_t edx, uint32_t ext_ebx)
{
    return vendor_amd(ebx, ecx, edx) && !(ext_ebx & CPUID_RSTR_FP_ERR_PTRS);
}

#endif
