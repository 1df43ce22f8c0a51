/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID policies of this machine. */
#include "x86/cpu_policy.h"

#include "core/machine.h"
#include "x86/asm.h"

static struct cpu_policies policies;

static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    struct cpuid_regs r = cpuid(leaf, subleaf);

    *out = (struct cpuid_leaf){ r.eax, r.ebx, r.ecx, r.edx };
}

void cpu_policy_init(void)
{
    const struct cpu_host host = { .cpuid = host_cpuid, .read_msr = machine_msr_read };

    cpu_policies_init(&policies, &host);
}

void cpu_policy_for_dom0(struct cpu_policy *out)
{
    cpu_policy_dom0(out, &policies);
}

const struct cpu_policies *machine_cpu_policies(void)
{
    return &policies;
}
