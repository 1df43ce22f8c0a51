/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register frame of an interrupted guest, as entry code saves it.
 *
 * Lowest address first. The general registers are pushed by software; error_code
 * and entry_vector by the entry stubs; the last five words by the CPU. The layout
 * is the first part of the ABI's struct cpu_user_regs, so a vCPU context is taken
 * from or given to the toolstack with one copy of CPU_REGS_ABI_BYTES bytes. In that
 * copy only the low 16 bits of the cs and ss words are the guest's selectors.
 */
#ifndef X86_MODEL_REGS_H
#define X86_MODEL_REGS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

struct cpu_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;    /* the hypervisor's, never the guest's */
    uint32_t entry_vector;  /* likewise */
    uint64_t rip, cs, rflags, rsp, ss;
};

#define CPU_REGS_ABI_BYTES  sizeof(struct cpu_regs)

#define CPU_REGS_SAME(field)                                                        \
    static_assert(offsetof(struct cpu_regs, field) == offsetof(struct cpu_user_regs, field), \
                  "cpu_regs." #field " is where the ABI has it")
CPU_REGS_SAME(r15);
CPU_REGS_SAME(r14);
CPU_REGS_SAME(r13);
CPU_REGS_SAME(r12);
CPU_REGS_SAME(rbp);
CPU_REGS_SAME(rbx);
CPU_REGS_SAME(r11);
CPU_REGS_SAME(r10);
CPU_REGS_SAME(r9);
CPU_REGS_SAME(r8);
CPU_REGS_SAME(rax);
CPU_REGS_SAME(rcx);
CPU_REGS_SAME(rdx);
CPU_REGS_SAME(rsi);
CPU_REGS_SAME(rdi);
CPU_REGS_SAME(error_code);
CPU_REGS_SAME(entry_vector);
CPU_REGS_SAME(rip);
CPU_REGS_SAME(cs);
CPU_REGS_SAME(rflags);
CPU_REGS_SAME(rsp);
CPU_REGS_SAME(ss);
#undef CPU_REGS_SAME
static_assert(offsetof(struct cpu_user_regs, es) == sizeof(struct cpu_regs),
              "the frame ends where the ABI goes on with es");

/* CR4 bits that a PV guest may set. */
#define CR4_TSD          (1u << 2)
#define CR4_DE           (1u << 3)
#define CR4_FSGSBASE     (1u << 16)
#define CR4_OSXSAVE      (1u << 18)

/* RFLAGS bits. */
#define X86_EFLAGS_CF    (1ul << 0)
#define X86_EFLAGS_MBS   (1ul << 1)     /* always one */
#define X86_EFLAGS_PF    (1ul << 2)
#define X86_EFLAGS_AF    (1ul << 4)
#define X86_EFLAGS_ZF    (1ul << 6)
#define X86_EFLAGS_SF    (1ul << 7)
#define X86_EFLAGS_TF    (1ul << 8)
#define X86_EFLAGS_IF    (1ul << 9)
#define X86_EFLAGS_DF    (1ul << 10)
#define X86_EFLAGS_OF    (1ul << 11)
#define X86_EFLAGS_IOPL  (3ul << 12)
#define X86_EFLAGS_NT    (1ul << 14)
#define X86_EFLAGS_RF    (1ul << 16)
#define X86_EFLAGS_VM    (1ul << 17)
#define X86_EFLAGS_AC    (1ul << 18)
#define X86_EFLAGS_VIF   (1ul << 19)
#define X86_EFLAGS_VIP   (1ul << 20)
#define X86_EFLAGS_ID    (1ul << 21)
#define X86_EFLAGS_ARITH (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
                          X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* Exception vectors. */
enum x86_vector {
    X86_VEC_DE = 0, X86_VEC_DB = 1, X86_VEC_NMI = 2, X86_VEC_BP = 3, X86_VEC_OF = 4,
    X86_VEC_BR = 5, X86_VEC_UD = 6, X86_VEC_NM = 7, X86_VEC_DF = 8, X86_VEC_TS = 10,
    X86_VEC_NP = 11, X86_VEC_SS = 12, X86_VEC_GP = 13, X86_VEC_PF = 14, X86_VEC_MF = 16,
    X86_VEC_AC = 17, X86_VEC_MC = 18, X86_VEC_XM = 19, X86_VEC_CP = 21,
};

/* The vectors whose frame carries an error code. */
#define X86_VEC_HAS_ERROR                                                           \
    ((1u << X86_VEC_DF) | (1u << X86_VEC_TS) | (1u << X86_VEC_NP) | (1u << X86_VEC_SS) | \
     (1u << X86_VEC_GP) | (1u << X86_VEC_PF) | (1u << X86_VEC_AC) | (1u << X86_VEC_CP))

/* Page fault error code bits. */
#define X86_PFEC_PRESENT  (1u << 0)
#define X86_PFEC_WRITE    (1u << 1)
#define X86_PFEC_USER     (1u << 2)
#define X86_PFEC_RESERVED (1u << 3)
#define X86_PFEC_FETCH    (1u << 4)

/* Offset in struct cpu_regs of each general register, by its number in an encoding. */
static const uint8_t cpu_reg_offset[16] = {
    offsetof(struct cpu_regs, rax), offsetof(struct cpu_regs, rcx),
    offsetof(struct cpu_regs, rdx), offsetof(struct cpu_regs, rbx),
    offsetof(struct cpu_regs, rsp), offsetof(struct cpu_regs, rbp),
    offsetof(struct cpu_regs, rsi), offsetof(struct cpu_regs, rdi),
    offsetof(struct cpu_regs, r8),  offsetof(struct cpu_regs, r9),
    offsetof(struct cpu_regs, r10), offsetof(struct cpu_regs, r11),
    offsetof(struct cpu_regs, r12), offsetof(struct cpu_regs, r13),
    offsetof(struct cpu_regs, r14), offsetof(struct cpu_regs, r15),
};

/* The register that an instruction encodes as nr (taken modulo 16). */
static inline uint64_t *cpu_reg(struct cpu_regs *regs, unsigned int nr)
{
    return (uint64_t *)((char *)regs + cpu_reg_offset[nr & 15]);
}

static inline uint64_t cpu_reg_get(const struct cpu_regs *regs, unsigned int nr)
{
    return *(const uint64_t *)((const char *)regs + cpu_reg_offset[nr & 15]);
}

#endif
