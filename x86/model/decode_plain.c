/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stores that kernels do to their page tables all the time, taken apart without the decoder's tables: a 64-bit register by MOV,
 * XCHG or CMPXCHG, to memory at a register and a displacement.
 */
#include "lib/string.h"
#include "lib/types.h"
#include "x86/model/decode.h"

#define REX_MASK 0xfau  /* but for R and B */
#define REX_W    0x48u
#define REX_R    4u
#define REX_B    1u

/* Its opcode is at *b, which goes on behind it. INSN_NONE: another. */
static inline enum insn_op plain_op(const uint8_t **b, bool lock)
{
    uint8_t first = *(*b)++;

    if (first == 0x89)
        return lock ? INSN_NONE : INSN_MOV;
    if (first == 0x87)
        return INSN_XCHG;
    return first == 0x0f && *(*b)++ == 0xb1 ? INSN_CMPXCHG : INSN_NONE;
}

/* As `mod` says; *b goes on behind it. */
static inline int64_t displacement(const uint8_t **b, unsigned mod)
{
    int32_t wide;

    if (mod == 0)
        return 0;
    if (mod == 1)
        return (int8_t)*(*b)++;
    __builtin_memcpy(&wide, *b, sizeof(wide));
    *b += sizeof(wide);
    return wide;
}

bool insn_decode_plain(struct insn *out, const uint8_t bytes[INSN_MAX_BYTES], const struct cpu_regs *regs)
{
    const uint8_t *b = bytes;
    bool lock = *b == 0xf0;
    unsigned rex, modrm, mod, base;
    enum insn_op op;
    int64_t offset;

    b += lock;
    rex = *b++;
    if ((rex & REX_MASK) != REX_W)
        return false;
    op = plain_op(&b, lock);
    modrm = *b++;
    mod = modrm >> 6;
    base = modrm & 7;
    if (op == INSN_NONE || mod == 3 || base == 4 || (mod == 0 && base == 5))
        return false;
    offset = displacement(&b, mod);
    *out = (struct insn){
        .op = op, .length = (uint8_t)(b - bytes), .size = 8, .addr_size = 8, .src = INSN_SRC_REG,
        .seg = base == 5 && !(rex & REX_B) ? SEG_SS : SEG_DS, .reg = (uint8_t)((modrm >> 3 & 7) | (rex & REX_R) << 1),
        .mem = true, .lock = lock, .ea = cpu_reg_get(regs, base | (rex & REX_B) << 3) + (uint64_t)offset,
    };
    return true;
}
