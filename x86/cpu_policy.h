/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID policies of this machine: read from the CPU once, at boot. */
#ifndef X86_CPU_POLICY_H
#define X86_CPU_POLICY_H

#include "x86/model/cpuid.h"

void cpu_policy_init(void);
void cpu_policy_for_dom0(struct cpu_policy *out);

#endif
