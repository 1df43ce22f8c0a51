/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/emulate.c and x86/model/ptwrite.c: any instruction that the decoder can give, on any register frame and any entry of a
 * page table, with any answers of the world.
 */
#include "x86/model/emulate.c"
#include "x86/model/ptwrite.c"
#include "__fc_builtin.h"

static bool any_value(uint64_t *val)
{
    *val = Frama_C_unsigned_long_interval(0, UINT64_MAX);
    return Frama_C_interval(0, 1);
}

static bool port_read(void *c, uint16_t port, unsigned int size, uint32_t *val, struct emul_fault *f)
{
    *val = Frama_C_unsigned_int_interval(0, UINT32_MAX);
    return Frama_C_interval(0, 1);
}

static bool port_write(void *c, uint16_t port, unsigned int size, uint32_t val, struct emul_fault *f)
{
    return Frama_C_interval(0, 1);
}

static bool read_by_number(void *c, uint32_t nr, uint64_t *val, struct emul_fault *f) { return any_value(val); }
static bool write_by_number(void *c, uint32_t nr, uint64_t val, struct emul_fault *f) { return Frama_C_interval(0, 1); }

static bool read_tsc(void *c, uint64_t *tsc, uint32_t *aux, struct emul_fault *f)
{
    *aux = Frama_C_unsigned_int_interval(0, UINT32_MAX);
    return any_value(tsc);
}

static void cpuid(void *c, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    Frama_C_make_unknown((char *)out, sizeof(*out));
}

static bool copy_from(void *c, void *to, uint64_t va, unsigned int len, struct emul_fault *f)
{
    //@ assert len == 1 || len == 2 || len == 4;
    Frama_C_make_unknown((char *)to, len);
    return Frama_C_interval(0, 1);
}

static bool copy_to(void *c, uint64_t va, const void *from, unsigned int len, struct emul_fault *f)
{
    return Frama_C_interval(0, 1);
}

static bool probe_write(void *c, uint64_t va, unsigned int len, struct emul_fault *f) { return Frama_C_interval(0, 1); }
static void flush_caches(void *c) {}

static const struct emul_ops ops = {
    .port_read = port_read, .port_write = port_write, .read_msr = read_by_number, .write_msr = write_by_number,
    .read_pmc = read_by_number, .read_cr = read_by_number, .write_cr = write_by_number, .read_dr = read_by_number,
    .write_dr = write_by_number, .read_xcr = read_by_number, .write_xcr = write_by_number, .read_tsc = read_tsc,
    .cpuid = cpuid, .flush_caches = flush_caches, .copy_from = copy_from, .copy_to = copy_to, .probe_write = probe_write,
};
static struct cpu_regs regs;
static struct emul_ctx ctx = { .ops = &ops, .regs = &regs };
static struct insn insn;
static struct ptwrite result;

/* As the decoder gives it, of `size` bytes. */
static void any_insn(unsigned int size)
{
    insn = (struct insn){
        .length = Frama_C_interval(1, 15), .size = size, .addr_size = 1u << Frama_C_interval(1, 3),
        .src = Frama_C_interval(INSN_SRC_NONE, INSN_SRC_DX), .seg = Frama_C_interval(0, SEG_COUNT - 1),
        .reg = Frama_C_interval(0, 15), .rm = Frama_C_interval(0, 15), .mem = Frama_C_interval(0, 1),
        .lock = Frama_C_interval(0, 1), .rep = Frama_C_interval(0, 1), .reg_high = Frama_C_interval(0, 1),
    };
    any_value(&insn.ea);
    any_value(&insn.src_ea);
    any_value(&insn.imm);
}

static void privileged(unsigned int size)
{
    any_insn(size);
    //@ loop unroll 64;
    for (unsigned int op = INSN_NONE; op < INSN_FIRST_STORE; op++) {
        if (size == 8 && (op == INSN_INS || op == INSN_OUTS || op == INSN_IN || op == INSN_OUT))
            continue; /* SH_IO of the decoder: at most 4 */
        insn.op = op;
        emul_privop(&ctx, &insn, Frama_C_unsigned_int_interval(1, 15 + 5));
    }
}

static void stores(unsigned int size)
{
    uint64_t old, source;

    any_value(&old);
    any_value(&source);
    any_insn(size);
    //@ loop unroll 64;
    for (unsigned int op = INSN_FIRST_STORE; op < INSN_OP_COUNT; op++) {
        insn.op = op;
        if (op == INSN_BTS || op == INSN_BTR || op == INSN_BTC)
            insn.imm = Frama_C_unsigned_long_interval(0, size * 8 - 1); /* bit_operand() of the decoder */
        else
            any_value(&insn.imm);
        emul_ptwrite(&result, &insn, &regs, old, source, Frama_C_interval(0, 1));
    }
}

int main(void)
{
    Frama_C_make_unknown((char *)&regs, sizeof(regs));
    Frama_C_make_unknown((char *)ctx.decode.seg_base, sizeof(ctx.decode.seg_base));
    ctx.decode.code64 = Frama_C_interval(0, 1);
    ctx.kernel = Frama_C_interval(0, 1);
    ctx.budget = Frama_C_unsigned_int_interval(0, UINT32_MAX);
    //@ loop unroll 4;
    for (unsigned int size = 1; size <= 8; size *= 2) {
        privileged(size);
        stores(size);
    }
    return 0;
}
