/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID policies: which CPU a domain believes to run on.
 *
 * A policy is the sorted list of CPUID leaves that the toolstack ABI exchanges, plus two
 * MSRs. Raw is what the CPU says; every other policy is made from it by allow-lists of
 * features (x86/model/features.c) and of data fields, so what we do not know stays
 * hidden. The answer to a guest's CPUID is its domain's policy plus a few fields that
 * change as it runs (struct cpuid_env).
 *
 * Nothing here locks. The common policies do not change after boot; a domain's own does
 * only before the domain first runs, under whatever lock its owner holds then.
 */
#ifndef X86_MODEL_CPUID_H
#define X86_MODEL_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

struct cpuid_leaf {
    uint32_t a, b, c, d;
};

/* Highest count of leaves and MSRs in any policy; the ABI's answer to NULL handles. */
#define CPU_POLICY_MAX_LEAVES 120u
#define CPU_POLICY_MAX_MSRS   2u
#define CPU_FEATURE_WORDS     19u
#define CPU_HW_CAP_WORDS      8u

/* No pointers: may be copied, saved and handed over as it is. */
struct cpu_policy {
    uint32_t nr;                        /* leaves in use */
    xen_cpuid_leaf_t leaf[CPU_POLICY_MAX_LEAVES];   /* ascending (leaf, subleaf), no doubles */
    uint64_t platform_info;             /* MSR 0xce */
    uint64_t arch_caps;                 /* MSR 0x10a */
};

/* Indexed by XEN_SYSCTL_cpu_policy_*. */
enum { CPU_POLICY_RAW, CPU_POLICY_HOST, CPU_POLICY_PV_MAX, CPU_POLICY_HVM_MAX,
       CPU_POLICY_PV_DEFAULT, CPU_POLICY_HVM_DEFAULT, CPU_POLICIES };

struct cpu_policies {
    struct cpu_policy of[CPU_POLICIES];
};

/*
 * The policy whose feature words are asked for by a XEN_SYSCTL_cpu_featureset_* number
 * (those and the policies' are numbered differently); NULL if there is none.
 */
static inline const struct cpu_policy *cpu_policies_featureset(const struct cpu_policies *p, uint32_t index)
{
    static const uint8_t policy[] = { CPU_POLICY_RAW, CPU_POLICY_HOST, CPU_POLICY_PV_DEFAULT,
                                      CPU_POLICY_HVM_DEFAULT, CPU_POLICY_PV_MAX, CPU_POLICY_HVM_MAX };

    return index < sizeof(policy) ? &p->of[policy[index]] : NULL;
}

/* Access to the CPU that runs this code. */
struct cpu_host {
    void (*cpuid)(uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out);
    bool (*read_msr)(uint32_t msr, uint64_t *val);  /* false: there is no such MSR */
};

/* Reads the CPU and makes the six common policies. Once, at boot. */
void cpu_policies_init(struct cpu_policies *p, const struct cpu_host *host);

/* The policy of the control domain: the PV default, plus the local APIC's feature bit. */
void cpu_policy_dom0(struct cpu_policy *out, const struct cpu_policies *p);

/* The two MSRs in ABI form; always CPU_POLICY_MAX_MSRS entries. */
void cpu_policy_msrs(const struct cpu_policy *p, xen_msr_entry_t out[CPU_POLICY_MAX_MSRS]);

/* Where cpu_policy_update() found a fault; ~0 in each that is not to blame. */
struct cpu_policy_error {
    uint32_t leaf, subleaf, msr;
};

/*
 * Lays the given leaves and MSRs over *p (XEN_DOMCTL_set_cpu_policy), in any order, each
 * allowed if it stays within max: feature bits, highest leaf numbers, XSAVE components.
 * Other fields are cut down to those a guest may see. 0; -ERANGE for a leaf or MSR that
 * a policy cannot hold; -EINVAL for one beyond max. On an error *p is as it was.
 */
int cpu_policy_update(struct cpu_policy *p, const struct cpu_policy *max,
                      const xen_cpuid_leaf_t *leaves, uint32_t nr_leaves,
                      const xen_msr_entry_t *msrs, uint32_t nr_msrs,
                      struct cpu_policy_error *err);

/* The feature words of a policy, in the order of <xen/arch-x86/cpufeatureset.h>. */
void cpu_policy_features(const struct cpu_policy *p, uint32_t words[CPU_FEATURE_WORDS]);

/* Has the policy this CPUID feature, a XEN_X86_FEATURE_* number? */
bool cpu_policy_has(const struct cpu_policy *p, unsigned int feature);

/* xen_sysctl_physinfo.hw_cap of a host policy. */
void cpu_policy_hw_cap(const struct cpu_policy *host, uint32_t words[CPU_HW_CAP_WORDS]);

/* One leaf as the policy has it; zeros if it has none. */
struct cpuid_leaf cpu_policy_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);

/* What leaf 1's EAX says, extended family and model included. */
struct cpu_version { uint32_t family, model, stepping; };
struct cpu_version cpu_version(uint32_t signature);

/* XCR0 bits that the policy's owner may set. */
uint64_t cpu_policy_xcr0(const struct cpu_policy *p);

/* Bytes of an XSAVE area (standard format) for these XCR0 bits, by the policy's leaf 0xd. */
uint32_t cpu_policy_xsave_size(const struct cpu_policy *p, uint64_t xcr0);

/* What CPUID shows that is not in the policy. */
struct cpuid_env {
    bool     osxsave;           /* CR4.OSXSAVE, if there is XSAVE */
    uint64_t xcr0;              /* the guest's */
    uint8_t  maddr_bits;        /* machine addresses that a PV guest may meet */
    /* The hypervisor's time leaf (<xen/arch-x86/cpuid.h>). */
    bool     tsc_emulated, tsc_reliable;
    uint32_t tsc_mode, tsc_incarnation;
    uint32_t guest_khz, host_khz;
    uint64_t tsc_offset;
    uint32_t tsc_mul;
    int32_t  tsc_shift;
};

/* The answer to a PV guest's CPUID instruction. */
void cpuid_guest(const struct cpu_policy *p, const struct cpuid_env *env,
                 uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out);

/* ---- Between cpuid.c and features.c ---- */

/*
 * The leaf entry itself, or NULL; like strchr(), it may be changed if *p may. A leaf
 * without subleaves is found by any subleaf.
 */
xen_cpuid_leaf_t *cpu_policy_find(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);

/* Cuts a copy of the host policy down to what the given guest class may see. */
enum cpu_guest_class { GUEST_PV_MAX, GUEST_PV_DEFAULT, GUEST_HVM_MAX, GUEST_HVM_DEFAULT };
void cpu_policy_restrict(struct cpu_policy *p, enum cpu_guest_class class);

/* Clears the data fields of one leaf that guests have no business with. */
void cpu_policy_mask_data(xen_cpuid_leaf_t *l);

/* Brings dependent fields in line with the feature bits (AMD's common ones, XSAVE), and trims. */
void cpu_policy_settle(struct cpu_policy *p);

/* Removes the leaves that the policy's own content says it has not. */
void cpu_policy_trim(struct cpu_policy *p);

/* Bits of a leaf's registers that are feature words. */
struct cpuid_leaf cpu_feature_bits(uint32_t leaf, uint32_t subleaf);

/* Sets or clears one feature; nothing happens if the policy lacks the leaf. */
void cpu_policy_set(struct cpu_policy *p, unsigned int feature, bool on);

#endif
