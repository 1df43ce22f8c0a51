/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of model-specific registers that PV guests have, and its two users.
 *
 * Each row covers a range and gives one rule for reads and one for writes. Linux asks
 * for many more; all of those it asks for survive a #GP.
 */
#include "x86/model/msr.h"
#include "lib/types.h"
#include "x86/model/cpuid.h"
#include "x86/model/pte.h"

#include <xen/arch-x86/cpufeatureset.h>

#define APIC_BASE_DEFAULT 0xfee00000ull
#define APIC_BASE_BSP     (1ull << 8)
#define APIC_BASE_ENABLED (1ull << 11)
/* SCE, LME, LMA, NXE: not what concerns virtual machines */
#define EFER_GUEST        (1ull | 1ull << 8 | 1ull << 10 | 1ull << 11)

enum rule {
    REFUSE,         /* #GP */
    ZERO,           /* read: zero */
    IGNORE,         /* write: dropped */
    REAL,           /* by the callback */
    BASE,           /* by the callback, if canonical */
    APIC,           /* a local APIC at the usual place, enabled */
    EFER,           /* the CPU's, guest bits only */
    PLATFORM,       /* from the policy */
    CAPS,           /* from the policy, if it has the feature */
    BARRIER,        /* write: 0 or 1, if the policy has the feature */
    AUX,            /* TSC_AUX: by the callback, 32 bits */
};

static const struct msr_row {
    uint32_t first, last;
    uint8_t read, write;
    bool control_domain;    /* only for it */
} table[] = {
    /* What kernels ask for most is found first. */
    { MSR_EFER,             MSR_EFER,             EFER,     REFUSE,  false },
    { MSR_FS_BASE,          MSR_KERNEL_GS_BASE,   REAL,     BASE,    false },
    { MSR_IA32_TSC,         MSR_IA32_TSC,         REAL,     REFUSE,  false },
    { MSR_IA32_APIC_BASE,   MSR_IA32_APIC_BASE,   APIC,     REFUSE,  false },
    { MSR_IA32_PRED_CMD,    MSR_IA32_PRED_CMD,    REFUSE,   BARRIER, false },
    /* Intel: software writes 0 before it asks for the revision. */
    { MSR_IA32_UCODE_REV,   MSR_IA32_UCODE_REV,   REAL,     IGNORE,  false },
    { MSR_PLATFORM_INFO,    MSR_PLATFORM_INFO,    PLATFORM, REFUSE,  false },
    { MSR_IA32_ARCH_CAPS,   MSR_IA32_ARCH_CAPS,   CAPS,     REFUSE,  false },
    /* Machine checks belong to the hypervisor: no banks, nothing to report. */
    { MSR_IA32_MCG_CAP,     MSR_IA32_MCG_STATUS,  ZERO,     IGNORE,  false },
    { MSR_IA32_MC0_CTL,     MSR_IA32_MC0_CTL + 4 * 32 - 1, ZERO, IGNORE, true },
    { MSR_IA32_PAT,         MSR_IA32_PAT,         REAL,     REFUSE,  false },
    { MSR_TSC_AUX,          MSR_TSC_AUX,          AUX,      AUX,     false },
};

static const struct msr_row *find_row(const struct msr_env *env, uint32_t msr)
{
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(table); n++)
        if (msr >= table[n].first && msr <= table[n].last)
            return !table[n].control_domain || env->control_domain ? &table[n] : NULL;
    return NULL;
}

static bool has(const struct msr_env *env, unsigned int feature)
{
    return cpu_policy_has(env->policy, feature);
}

static bool has_aux(const struct msr_env *env)
{
    return has(env, XEN_X86_FEATURE_RDTSCP) || has(env, XEN_X86_FEATURE_RDPID);
}

static bool real_read(const struct msr_env *env, uint32_t msr, uint64_t mask, uint64_t *val)
{
    uint64_t v = 0;

    if (!env->read(env->cookie, msr, &v))
        return false;
    *val = v & mask;
    return true;
}

bool msr_guest_read(const struct msr_env *env, uint32_t msr, uint64_t *val)
{
    const struct msr_row *r = find_row(env, msr);

    switch (r ? r->read : REFUSE) {
    case ZERO:
        *val = 0;
        return true;
    case REAL:
        return real_read(env, msr, ~0ull, val);
    case EFER:
        return real_read(env, msr, EFER_GUEST, val);
    case AUX:
        return has_aux(env) && real_read(env, msr, 0xffffffff, val);
    case APIC:
        *val = APIC_BASE_DEFAULT | APIC_BASE_ENABLED | (env->vcpu == 0 ? APIC_BASE_BSP : 0);
        return true;
    case PLATFORM:
        if (!env->policy->platform_info)
            return false;
        *val = env->policy->platform_info;
        return true;
    case CAPS:
        if (!has(env, XEN_X86_FEATURE_ARCH_CAPS))
            return false;
        *val = env->policy->arch_caps;
        return true;
    default:
        return false;
    }
}

bool msr_guest_write(const struct msr_env *env, uint32_t msr, uint64_t val)
{
    const struct msr_row *r = find_row(env, msr);

    switch (r ? r->write : REFUSE) {
    case IGNORE:
        return true;
    case BASE:
        return va_canonical(val) && env->write(env->cookie, msr, val);
    case BARRIER:
        return (has(env, XEN_X86_FEATURE_IBPB) || has(env, XEN_X86_FEATURE_IBRSB)) &&
               val <= 1 && env->write(env->cookie, msr, val);
    case AUX:
        return has_aux(env) && val <= 0xffffffff && env->write(env->cookie, msr, val);
    default:
        return false;
    }
}
