/* SPDX-License-Identifier: BSD-2-Clause */
/* Privileged instructions of PV guests, done for them: the decoder and emulator of x86/model, joined to a vCPU. */
#ifndef CORE_PRIVOP_H
#define CORE_PRIVOP_H

#include "lib/types.h"

struct vcpu;
struct insn;

/* The instruction at v's rip. False: not readable, or not one that is known. */
bool privop_decode(struct vcpu *v, struct insn *out);
/* Is the code segment of v's user mode a 64-bit one? */
bool privop_code64(const struct vcpu *v);
/*
 * The instruction that faulted with #GP(0) in v's kernel, if it is one of those that kernels use most, in its plain form, and
 * allowed: true, it was done. False: nothing was; privop_emulate() finds out what it is.
 */
bool privop_plain(struct vcpu *v);
/* The instruction that faulted with #GP(0): true if it was dealt with (done, or another exception bounced). */
bool privop_emulate(struct vcpu *v, bool code64);
/* ud2; "xen"; cpuid: true if that is what stands at rip, and it was done. */
bool privop_forced_cpuid(struct vcpu *v);
/* The guest single-steps over what was done for it. */
void privop_single_step(struct vcpu *v);

/* CPUID as v's guest sees it, also for its hypervisor leaves. */
struct cpuid_leaf;
void privop_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out);

#endif
