/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID says of idle states. */
#ifndef X86_MODEL_IDLE_CPUID_H
#define X86_MODEL_IDLE_CPUID_H

#include "core/idle.h"
#include "x86/model/cpuid.h"

/* By leaves 1 (has MWAIT), 5 (its states), 6 (timer) and 0x80000007 (TSC); zeros for a leaf that there is not. */
struct idle_means idle_means_by_cpuid(struct cpuid_leaf features, struct cpuid_leaf mwait, struct cpuid_leaf power,
                                      struct cpuid_leaf advanced_power);

#endif
