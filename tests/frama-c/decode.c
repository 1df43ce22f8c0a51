/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/decode.c: any bytes, any register frame, in code of 64 and of 32 bits.
 *
 * Two alarms are explained. A row with SH_GROUP has the number of a group: Eva does not keep a row's two fields together, so
 * rows() looks at each row of both tables for itself. And a bit's number less its low bits is a multiple of the operand's width
 * that is not below the smallest there is, which is a multiple of it too.
 *
 * EXPLAINED: r.op < GRP_COUNT
 * EXPLAINED: nr - (int64_t)i->imm
 */
#include "x86/model/decode.c"
#include "__fc_builtin.h"

static struct cpu_regs regs;
static struct decode_ctx ctx = { .regs = &regs };
static uint8_t bytes[16];
static struct insn out;

static void rows(const struct row *table)
{
    //@ loop unroll 256;
    for (unsigned int i = 0; i < 256; i++) {
        if (table[i].shape & SH_GROUP) {
            //@ assert table[i].op < GRP_COUNT;
        }
    }
}

int main(void)
{
    unsigned int len = Frama_C_unsigned_int_interval(0, 16);

    Frama_C_make_unknown((char *)&regs, sizeof(regs));
    Frama_C_make_unknown((char *)ctx.seg_base, sizeof(ctx.seg_base));
    ctx.code64 = Frama_C_interval(0, 1);
    Frama_C_make_unknown((char *)bytes, sizeof(bytes));
    rows(one_byte);
    rows(two_byte);
    insn_decode(&out, bytes, len, &ctx);
    insn_forced_prefix(bytes, len);
    insn_forced_cpuid(bytes, len);
    return 0;
}
