/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific registers: what a PV guest's kernel may read and write.
 *
 * One allow-list, one row per range. What it does not name does not exist for a guest:
 * #GP. Values that the machine or the vCPU holds come through two callbacks; a callback
 * may still refuse.
 */
#ifndef X86_MODEL_MSR_H
#define X86_MODEL_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_policy;

#define MSR_IA32_TSC           0x00000010u
#define MSR_IA32_APIC_BASE     0x0000001bu
#define MSR_IA32_PRED_CMD      0x00000049u
#define MSR_IA32_UCODE_REV     0x0000008bu
#define MSR_PLATFORM_INFO      0x000000ceu
#define MSR_IA32_ARCH_CAPS     0x0000010au
#define MSR_IA32_MCG_CAP       0x00000179u
#define MSR_IA32_MCG_STATUS    0x0000017au
#define MSR_IA32_MCG_CTL       0x0000017bu
#define MSR_IA32_PAT           0x00000277u
#define MSR_IA32_MC0_CTL       0x00000400u
#define MSR_EFER               0xc0000080u
#define MSR_FS_BASE            0xc0000100u
#define MSR_GS_BASE            0xc0000101u
#define MSR_KERNEL_GS_BASE     0xc0000102u
#define MSR_TSC_AUX            0xc0000103u

struct msr_env {
    const struct cpu_policy *policy;
    bool control_domain;        /* may see a little more of the machine */
    uint32_t vcpu;
    /*
     * The real or per-vCPU value. Asked for: TSC (guest's), UCODE_REV, PAT (the CPU's),
     * EFER (the CPU's), FS_BASE, GS_BASE, KERNEL_GS_BASE (the guest's), TSC_AUX (the
     * vCPU's). A written base is canonical; PRED_CMD is written with 0 or 1. False: #GP.
     */
    bool (*read)(void *cookie, uint32_t msr, uint64_t *val);
    bool (*write)(void *cookie, uint32_t msr, uint64_t val);
    void *cookie;
};

/* RDMSR and WRMSR by the guest's kernel. False: inject #GP(0); *val is then untouched. */
bool msr_guest_read(const struct msr_env *env, uint32_t msr, uint64_t *val);
bool msr_guest_write(const struct msr_env *env, uint32_t msr, uint64_t val);

#endif
