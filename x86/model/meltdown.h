/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a CPU let user mode read what is mapped for ring 0 only (Meltdown)? By vendor, and by what the CPU
 * says of itself; a CPU that nothing is known of does.
 */
#ifndef X86_MODEL_MELTDOWN_H
#define X86_MODEL_MELTDOWN_H

#include "lib/types.h"

#define ARCH_CAPS_RDCL_NO 1ull

/* ebx, ecx, edx of CPUID leaf 0; MSR IA32_ARCH_CAPABILITIES, 0 if there is none. */
static inline bool meltdown_possible(uint32_t ebx, uint32_t ecx, uint32_t edx, uint64_t arch_caps)
{
    bool amd = ebx == 0x68747541 && edx == 0x69746e65 && ecx == 0x444d4163;   /* AuthenticAMD */
    bool hygon = ebx == 0x6f677948 && edx == 0x6e65476e && ecx == 0x656e6975; /* HygonGenuine */

    return !amd && !hygon && !(arch_caps & ARCH_CAPS_RDCL_NO);
}

#endif
