/* SPDX-License-Identifier: BSD-2-Clause */
/* See x86/model/idle_cpuid.h. */
#include "x86/model/idle_cpuid.h"

#define FEATURE_MONITOR  (1u << 3)  /* 1.ecx */
#define MWAIT_HINTS      (1u << 0)  /* 5.ecx: it has states to choose from */
#define MWAIT_BY_MASKED  (1u << 1)  /* 5.ecx: a masked interrupt can end it */
#define POWER_ARAT       (1u << 2)  /* 6.eax: the APIC's timer goes on */
#define ADVANCED_TSC     (1u << 8)  /* 0x80000007.edx: the TSC is invariant */

struct idle_means idle_means_by_cpuid(struct cpuid_leaf features, struct cpuid_leaf mwait, struct cpuid_leaf power,
                                      struct cpuid_leaf advanced_power)
{
    uint32_t both = MWAIT_HINTS | MWAIT_BY_MASKED;

    return (struct idle_means){
        .mwait = features.c & FEATURE_MONITOR && (mwait.c & both) == both,
        .substates = mwait.d,
        .timer = power.a & POWER_ARAT,
        .clock = advanced_power.d & ADVANCED_TSC,
    };
}
