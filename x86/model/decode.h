/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that a 64-bit PV guest cannot run itself, taken apart.
 *
 * Two kinds: privileged ones (port I/O, CPUID, MSRs, control and debug registers, ...)
 * and stores that hit a write-protected page table. The decoder turns bytes into one
 * plain struct insn; x86/model/emulate.h gives it meaning. Whatever is not in its
 * tables, or could not have trapped, is INSN_UNHANDLED: the guest gets its exception.
 *
 * Nothing here touches memory other than its arguments, and never a byte beyond those
 * given, so it is safe on hostile input.
 */
#ifndef X86_MODEL_DECODE_H
#define X86_MODEL_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/model/regs.h"

#define INSN_MAX_BYTES 15u

enum insn_op {
    INSN_NONE,      /* not an instruction that we know */
    /* Privileged or configurable: for emul_privop(). */
    INSN_IN, INSN_OUT, INSN_INS, INSN_OUTS,
    INSN_CPUID, INSN_RDMSR, INSN_WRMSR, INSN_RDTSC, INSN_RDTSCP, INSN_RDPMC,
    INSN_RDCR, INSN_WRCR, INSN_RDDR, INSN_WRDR,     /* rm: general, reg: control or debug register */
    INSN_CLTS, INSN_LMSW, INSN_SMSW,
    INSN_INVD, INSN_WBINVD, INSN_HLT, INSN_CLI, INSN_STI,
    INSN_XGETBV, INSN_XSETBV,
    /* Stores: for emul_ptwrite(). The destination is always memory, at ea. */
    INSN_MOV, INSN_XCHG, INSN_CMPXCHG, INSN_CMPXCHG8B, INSN_XADD,
    INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR,
    INSN_NOT, INSN_NEG, INSN_INC, INSN_DEC,
    INSN_BTS, INSN_BTR, INSN_BTC,                   /* imm: the bit, below the operand's width */
    INSN_MOVS, INSN_STOS,                           /* one step; source of MOVS at src_ea */
    INSN_OP_COUNT
};
#define INSN_FIRST_STORE INSN_MOV

enum insn_src {
    INSN_SRC_NONE,
    INSN_SRC_REG,   /* general register reg */
    INSN_SRC_IMM,   /* imm, sign-extended to 64 bits where the instruction does so */
    INSN_SRC_DX,    /* port number in DX */
};

enum insn_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

struct insn {
    uint8_t  op;            /* enum insn_op */
    uint8_t  length;        /* bytes, 1..15 */
    uint8_t  size;          /* operand bytes: 1, 2, 4 or 8 */
    uint8_t  addr_size;     /* address bytes: 2, 4 or 8; also the width of a rep count */
    uint8_t  src;           /* enum insn_src */
    uint8_t  seg;           /* enum insn_seg of the (source) memory operand */
    uint8_t  reg;           /* register number 0..15 from ModRM.reg or fixed by the opcode */
    uint8_t  rm;            /* register number 0..15 from ModRM.rm, if !mem */
    bool     mem;           /* the operand is memory at ea */
    bool     lock;
    bool     rep;           /* F2 or F3 on a string instruction */
    bool     reg_high;      /* reg is AH, CH, DH or BH, and already numbered 0..3 */
    uint64_t ea;            /* linear address of the operand (destination, for MOVS and INS) */
    uint64_t src_ea;        /* linear address of the source of MOVS and OUTS */
    uint64_t imm;
};

enum insn_status {
    INSN_OK,
    INSN_UNHANDLED, /* not ours to emulate */
    INSN_SHORT,     /* the bytes given end within the instruction */
};

struct decode_ctx {
    const struct cpu_regs *regs;    /* for addresses; rip is that of the first byte */
    uint64_t seg_base[SEG_COUNT];   /* 64-bit mode uses those of FS and GS only */
    bool code64;                    /* 64-bit code; else a 32-bit (D=1) segment */
};

/*
 * Takes one instruction apart. bytes holds len >= 0 bytes from the instruction's start;
 * no more than 15 are looked at. *out is all zero unless INSN_OK is returned. In 32-bit
 * code only instructions without a ModRM memory operand are known.
 */
enum insn_status insn_decode(struct insn *out, const uint8_t *bytes, unsigned int len,
                             const struct decode_ctx *ctx);

/*
 * The same for the plainest stores of 64-bit code (x86/model/decode_plain.c), and much shorter. False, with *out as it was: not one
 * of these; insn_decode() may know it.
 */
bool insn_decode_plain(struct insn *out, const uint8_t bytes[INSN_MAX_BYTES], const struct cpu_regs *regs);

/* Does this instruction store to memory in a way that emul_ptwrite() can do? */
static inline bool insn_is_store(const struct insn *i)
{
    return i->op >= INSN_FIRST_STORE;
}

/* The first four bytes of the ABI's forced-emulation prefix, ud2; "xen"; the last four of it with CPUID, and the length of that. */
#define FORCED_EMULATION   0x65780b0fu
#define FORCED_CPUID_END   0xa20f6e65u
#define FORCED_CPUID_BYTES 7u

/*
 * Length of the ABI's forced-emulation prefix (ud2; "xen") at the start of bytes if it
 * is complete, else 0. The instruction behind it, in practice CPUID, is decoded next.
 */
unsigned int insn_forced_prefix(const uint8_t *bytes, unsigned int len);

/* Length of prefix plus CPUID, if bytes start with just that, else 0. */
unsigned int insn_forced_cpuid(const uint8_t *bytes, unsigned int len);

#endif
