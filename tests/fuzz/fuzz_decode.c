/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer harness: a register frame, a mode and instruction bytes, all the guest's.
 *
 * Decodes, then emulates against a world that answers from the same input. Checked on
 * the way: lengths, no look beyond the bytes, bounded string work, no change of a refused
 * frame, a store confined to its operand.
 *
 *   clang -std=gnu11 -g -O1 -I. -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_decode.c \
 *       x86/model/decode.c x86/model/emulate.c x86/model/ptwrite.c -o fuzz_decode
 */
#include <stdlib.h>
#include <string.h>

#include "x86/model/emulate.h"

#define CHECK(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct cpu_regs regs;
    uint64_t seg_base[SEG_COUNT];
    uint64_t pte;
    uint8_t mode, answers;      /* bits */
};

/* The callbacks' part of the input: each consumes one bit of answers. */
struct world {
    uint8_t answers;
    unsigned int calls, ports;
};

static bool answer(struct world *w)
{
    w->calls++;
    w->answers = (uint8_t)(w->answers << 1 | w->answers >> 7);
    return w->answers & 1;
}

static bool port_read(void *c, uint16_t port, unsigned int size, uint32_t *val, struct emul_fault *f)
{
    struct world *w = c;

    CHECK(size == 1 || size == 2 || size == 4);
    w->ports++;
    *val = port * 0x01010101u;
    return answer(w);
}

static bool port_write(void *c, uint16_t port, unsigned int size, uint32_t val, struct emul_fault *f)
{
    struct world *w = c;

    (void)port;
    CHECK(size == 4 || val >> (8 * size) == 0);
    w->ports++;
    return answer(w);
}

static bool read_nr(void *c, uint32_t nr, uint64_t *val, struct emul_fault *f)
{
    *val = nr * 0x100000001ull;
    return answer(c);
}

static bool write_nr(void *c, uint32_t nr, uint64_t val, struct emul_fault *f)
{
    (void)nr;
    (void)val;
    return answer(c);
}

static bool read_tsc(void *c, uint64_t *tsc, uint32_t *aux, struct emul_fault *f)
{
    *tsc = 0x123456789abcdef0;
    *aux = 7;
    return answer(c);
}

static void cpuid(void *c, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    (void)c;
    *out = (struct cpuid_leaf){ leaf, subleaf, ~leaf, ~subleaf };
}

static bool copy_from(void *c, void *to, uint64_t va, unsigned int len, struct emul_fault *f)
{
    CHECK(len >= 1 && len <= 4);
    memset(to, (int)va, len);
    f->vector = X86_VEC_PF;
    return answer(c);
}

static bool probe_write(void *c, uint64_t va, unsigned int len, struct emul_fault *f)
{
    CHECK(len >= 1 && len <= 4);
    f->vector = X86_VEC_PF;
    f->cr2 = va;
    return answer(c);
}

static bool copy_to(void *c, uint64_t va, const void *from, unsigned int len, struct emul_fault *f)
{
    volatile uint8_t sum = 0;
    unsigned int n;

    for (n = 0; n < len; n++)
        sum = sum ^ ((const uint8_t *)from)[n];
    return probe_write(c, va, len, f);
}

static const struct emul_ops ops = {
    .port_read = port_read, .port_write = port_write, .read_msr = read_nr, .write_msr = write_nr,
    .read_pmc = read_nr, .read_cr = read_nr, .write_cr = write_nr, .read_dr = read_nr,
    .write_dr = write_nr, .read_xcr = read_nr, .write_xcr = write_nr, .read_tsc = read_tsc,
    .cpuid = cpuid, .copy_from = copy_from, .copy_to = copy_to, .probe_write = probe_write,
};

static void check_privop(const struct input *in, const struct insn *i, struct emul_ctx *x)
{
    enum { BUDGET = 8 };
    struct world w = { .answers = in->answers };
    struct cpu_regs regs = in->regs;
    enum emul_outcome out;

    x->ops = &ops;
    x->cookie = &w;
    x->regs = &regs;
    x->kernel = in->mode & 2;
    x->budget = BUDGET;
    out = emul_privop(x, i, i->length);
    CHECK(w.ports <= BUDGET && w.calls <= 3 * BUDGET);
    CHECK(regs.cs == in->regs.cs && regs.ss == in->regs.ss);
    if (out == EMUL_DONE)
        CHECK((uint32_t)regs.rip == (uint32_t)(in->regs.rip + i->length));
    else
        CHECK(regs.rip == in->regs.rip && regs.rflags == in->regs.rflags);
    if (out == EMUL_UNHANDLED || (out == EMUL_FAULT && !i->rep))
        CHECK(!memcmp(&regs, &in->regs, sizeof(regs)));
    if (out == EMUL_FAULT)
        CHECK(x->fault.vector == X86_VEC_GP || x->fault.vector == X86_VEC_PF ||
              x->fault.vector == X86_VEC_UD);
}

static void check_store(const struct input *in, const struct insn *i, bool code64)
{
    struct cpu_regs regs = in->regs;
    struct ptwrite w;
    uint64_t operand;

    if (!emul_ptwrite(&w, i, &regs, in->pte, in->seg_base[0], code64))
        return;
    CHECK(insn_is_store(i) && (i->ea & 7) + i->size <= 8);
    operand = (i->size == 8 ? ~0ull : (1ull << (8 * i->size)) - 1) << (8 * (i->ea & 7));
    CHECK(((w.new_pte ^ in->pte) & ~operand) == 0);
    CHECK(w.write || w.new_pte == in->pte);
    CHECK(((regs.rflags ^ in->regs.rflags) & ~(X86_EFLAGS_ARITH | X86_EFLAGS_RF)) == 0);
    CHECK(regs.cs == in->regs.cs && regs.ss == in->regs.ss);
    emul_ptwrite_undo(&w, &regs);
    CHECK(!memcmp(&regs, &in->regs, sizeof(regs)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    struct emul_ctx x = { 0 };
    struct insn i;
    uint8_t *bytes;
    unsigned int len;
    enum insn_status st;

    if (size < sizeof(in) || size > sizeof(in) + INSN_MAX_BYTES)
        return 0;
    memcpy(&in, data, sizeof(in));
    len = size - sizeof(in);
    bytes = malloc(len ? len : 1);      /* its end is guarded */
    memcpy(bytes, data + sizeof(in), len);
    x.decode.regs = &in.regs;
    x.decode.code64 = in.mode & 1;
    memcpy(x.decode.seg_base, in.seg_base, sizeof(in.seg_base));
    st = insn_decode(&i, bytes, len, &x.decode);
    insn_forced_cpuid(bytes, len);
    free(bytes);
    if (st != INSN_OK) {
        CHECK(i.op == INSN_NONE && i.length == 0);
        return 0;
    }
    CHECK(i.length >= 1 && i.length <= len);
    check_privop(&in, &i, &x);
    check_store(&in, &i, x.decode.code64);
    return 0;
}
