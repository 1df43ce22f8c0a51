/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/ptwrite.c against this CPU, which runs the very same stores on plain memory;
 * x86/model/emulate.c against a world of recorded callbacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/types.h"
#include "tests/unit/native.h"
#include "x86/model/emulate.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- Stores to page tables ---- */

enum { WORDS = 128 };
static uint64_t memory[WORDS], shadow[WORDS];

/* Opcodes with a ModRM memory operand at (%rdi), and how many immediate bytes follow. */
static const struct form {
    uint8_t bytes[2], len;      /* opcode */
    int8_t ext;                 /* ModRM.reg, or -1: any register */
    int8_t imm;                 /* bytes; -1: 2 or 4 by operand size */
    bool lock, bit, pair;
} forms[] = {
    { { 0x88 }, 1, -1, 0, false, false, false }, { { 0x89 }, 1, -1, 0, false, false, false },
    { { 0xc6 }, 1, 0, 1, false, false, false },  { { 0xc7 }, 1, 0, -1, false, false, false },
    { { 0x86 }, 1, -1, 0, true, false, false },  { { 0x87 }, 1, -1, 0, true, false, false },
    { { 0x00 }, 1, -1, 0, true, false, false },  { { 0x01 }, 1, -1, 0, true, false, false },
    { { 0x08 }, 1, -1, 0, true, false, false },  { { 0x09 }, 1, -1, 0, true, false, false },
    { { 0x10 }, 1, -1, 0, true, false, false },  { { 0x11 }, 1, -1, 0, true, false, false },
    { { 0x18 }, 1, -1, 0, true, false, false },  { { 0x19 }, 1, -1, 0, true, false, false },
    { { 0x20 }, 1, -1, 0, true, false, false },  { { 0x21 }, 1, -1, 0, true, false, false },
    { { 0x28 }, 1, -1, 0, true, false, false },  { { 0x29 }, 1, -1, 0, true, false, false },
    { { 0x30 }, 1, -1, 0, true, false, false },  { { 0x31 }, 1, -1, 0, true, false, false },
    { { 0x80 }, 1, 0, 1, true, false, false },   { { 0x80 }, 1, 1, 1, true, false, false },
    { { 0x80 }, 1, 2, 1, true, false, false },   { { 0x80 }, 1, 3, 1, true, false, false },
    { { 0x80 }, 1, 4, 1, true, false, false },   { { 0x80 }, 1, 5, 1, true, false, false },
    { { 0x80 }, 1, 6, 1, true, false, false },   { { 0x81 }, 1, 0, -1, true, false, false },
    { { 0x81 }, 1, 1, -1, true, false, false },  { { 0x81 }, 1, 3, -1, true, false, false },
    { { 0x81 }, 1, 4, -1, true, false, false },  { { 0x83 }, 1, 5, 1, true, false, false },
    { { 0x83 }, 1, 2, 1, true, false, false },   { { 0x83 }, 1, 6, 1, true, false, false },
    { { 0xf6 }, 1, 2, 0, true, false, false },   { { 0xf6 }, 1, 3, 0, true, false, false },
    { { 0xf7 }, 1, 2, 0, true, false, false },   { { 0xf7 }, 1, 3, 0, true, false, false },
    { { 0xfe }, 1, 0, 0, true, false, false },   { { 0xfe }, 1, 1, 0, true, false, false },
    { { 0xff }, 1, 0, 0, true, false, false },   { { 0xff }, 1, 1, 0, true, false, false },
    { { 0x0f, 0xab }, 2, -1, 0, true, true, false }, { { 0x0f, 0xb3 }, 2, -1, 0, true, true, false },
    { { 0x0f, 0xbb }, 2, -1, 0, true, true, false }, { { 0x0f, 0xba }, 2, 5, 1, true, true, false },
    { { 0x0f, 0xba }, 2, 6, 1, true, true, false },  { { 0x0f, 0xba }, 2, 7, 1, true, true, false },
    { { 0x0f, 0xb0 }, 2, -1, 0, true, false, false }, { { 0x0f, 0xb1 }, 2, -1, 0, true, false, false },
    { { 0x0f, 0xc0 }, 2, -1, 0, true, false, false }, { { 0x0f, 0xc1 }, 2, -1, 0, true, false, false },
    { { 0x0f, 0xc3 }, 2, -1, 0, false, false, false }, { { 0x0f, 0xc7 }, 2, 1, 0, true, false, true },
};

/* The instruction's bytes; rsp and (for a register bit number) rdi are not its source. */
static unsigned int build(uint8_t *code, const struct form *f)
{
    bool movnti = f->bytes[1] == 0xc3, word = !movnti && rnd() % 4 == 0, rexw;
    unsigned int len = 0, reg = f->ext >= 0 ? (unsigned int)f->ext : rnd() & 7, n, imm = f->imm;
    uint8_t rex = rnd() % 2 ? 0x40 | (rnd() & 0xc) : 0;

    if (f->pair)
        rex &= ~8;
    if (f->ext < 0 && (reg == 4 || (f->bit && reg == 7)))
        reg = 1;
    rexw = rex & 8;
    if (word)
        code[len++] = 0x66;
    if (f->lock && rnd() & 1)
        code[len++] = 0xf0;
    if (rex)
        code[len++] = rex;
    for (n = 0; n < f->len; n++)
        code[len++] = f->bytes[n];
    code[len++] = reg << 3 | 7;
    if (f->imm < 0)
        imm = word && !rexw ? 2 : 4;
    for (n = 0; n < imm; n++)
        code[len++] = rnd();
    return len;
}

static struct cpu_regs random_frame(const struct form *f)
{
    struct cpu_regs regs;
    unsigned int n;

    memset(&regs, 0, sizeof(regs));
    for (n = 0; n < 16; n++) {
        *cpu_reg(&regs, n) = rnd() % 4 ? rnd() : rnd() % 3 - 1;
        if (f && f->bit)
            *cpu_reg(&regs, n) = (uint64_t)((int64_t)(rnd() % (WORDS * 32)) - WORDS * 16);
    }
    regs.rsp = 0;
    regs.rip = 0x1000;
    regs.rflags = rnd() & X86_EFLAGS_ARITH;
    return regs;
}

/* Flags that the manuals define after an instruction of this kind. */
static uint64_t defined_flags(const struct insn *i)
{
    switch (i->op) {
    case INSN_AND:
    case INSN_OR:
    case INSN_XOR:
        return X86_EFLAGS_ARITH & ~X86_EFLAGS_AF;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return X86_EFLAGS_CF | X86_EFLAGS_ZF;
    default:
        return X86_EFLAGS_ARITH;
    }
}

static void compare(const struct insn *i, const struct cpu_regs *native, const struct cpu_regs *ours)
{
    uint64_t flags = defined_flags(i) | X86_EFLAGS_DF;
    unsigned int n;

    for (n = 0; n < 16; n++)
        assert_int_equal(cpu_reg_get(ours, n), cpu_reg_get(native, n));
    assert_int_equal(ours->rflags & flags, native->rflags & flags);
    assert_int_equal(ours->rip, 0x1000 + i->length);
    assert_memory_equal(memory, shadow, sizeof(memory));
}

/* Our emulation of one store on shadow[]. */
static void emulate_store(const struct insn *i, const struct cpu_regs *regs, uint64_t source,
                          struct cpu_regs *after)
{
    uint64_t *pte = &shadow[(i->ea - (uint64_t)memory) / 8], old = *pte;
    struct cpu_regs undone;
    struct ptwrite w;

    *after = *regs;
    assert_true(i->ea >= (uint64_t)memory && i->ea < (uint64_t)(memory + WORDS));
    assert_true(emul_ptwrite(&w, i, after, old, source, true));
    if (w.write)
        *pte = w.new_pte;
    else
        assert_int_equal(w.new_pte, old);
    assert_false(w.single_step);
    undone = *after;
    emul_ptwrite_undo(&w, &undone);
    assert_memory_equal(&undone, regs, sizeof(undone));
}

static void fill_memory(uint64_t rax)
{
    unsigned int n;

    for (n = 0; n < WORDS; n++)
        memory[n] = rnd() % 4 ? rnd() : rnd() % 3 - 1;
    if (rnd() & 1)
        memory[WORDS / 2] = rax;    /* a CMPXCHG that succeeds */
    memcpy(shadow, memory, sizeof(memory));
}

static void stores_match_the_cpu(void **state)
{
    unsigned int round, wrote = 0;

    for (round = 0; round < 300000; round++) {
        const struct form *f = &forms[rnd() % ARRAY_SIZE(forms)];
        struct cpu_regs regs = random_frame(f), native, ours;
        struct decode_ctx ctx = { .regs = &regs, .code64 = true };
        uint8_t code[16] = { 0 };
        unsigned int len = build(code, f);
        struct insn i;

        if (f->pair && rnd() & 1)
            regs.rdx = regs.rax >> 32;
        fill_memory(f->pair ? regs.rdx << 32 | (uint32_t)regs.rax : regs.rax);
        regs.rdi = (uint64_t)&memory[WORDS / 2];
        assert_int_equal(insn_decode(&i, code, len, &ctx), INSN_OK);
        assert_int_equal(i.length, len);
        if (!f->bit)
            regs.rdi += rnd() % (9 - i.size);
        assert_int_equal(insn_decode(&i, code, len, &ctx), INSN_OK);
        if ((i.ea & 7) + i.size > 8)
            continue;               /* a bit number can end up there with odd widths */
        native = regs;
        native_run(&native, code, len);
        emulate_store(&i, &regs, 0, &ours);
        compare(&i, &native, &ours);
        wrote++;
    }
    assert_true(wrote > 290000);
}

static void string_stores_match_the_cpu(void **state)
{
    static const uint8_t opcode[] = { 0xa4, 0xa5, 0xaa, 0xab };
    unsigned int round;

    for (round = 0; round < 20000; round++) {
        struct cpu_regs regs = random_frame(NULL), native, ours;
        struct decode_ctx ctx = { .regs = &regs, .code64 = true };
        uint8_t code[4], len = 0;
        uint64_t source = 0;
        struct insn i;

        if (rnd() & 1)
            code[len++] = 0x66;
        if (rnd() & 1)
            code[len++] = 0x48;
        code[len++] = opcode[rnd() % 4];
        regs.rflags |= rnd() & X86_EFLAGS_DF;
        fill_memory(0);
        regs.rdi = (uint64_t)&memory[10];
        regs.rsi = (uint64_t)&memory[90] + rnd() % 8;
        assert_int_equal(insn_decode(&i, code, len, &ctx), INSN_OK);
        if (emul_ptwrite_needs_source(&i))
            memcpy(&source, (void *)i.src_ea, i.size);
        native = regs;
        native_run(&native, code, len);
        emulate_store(&i, &regs, source, &ours);
        compare(&i, &native, &ours);
    }
}

static void rep_stores_take_one_step(void **state)
{
    const uint8_t rep_stosq[] = { 0xf3, 0x48, 0xab };
    struct cpu_regs regs = { .rax = 0x1122334455667788, .rcx = 2, .rdi = 0x10000, .rip = 0x1000 };
    struct decode_ctx ctx = { .regs = &regs, .code64 = true };
    struct ptwrite w;
    struct insn i;

    assert_int_equal(insn_decode(&i, rep_stosq, 3, &ctx), INSN_OK);
    assert_true(emul_ptwrite(&w, &i, &regs, 0, 0, true));
    assert_true(w.write);
    assert_int_equal(w.new_pte, regs.rax);
    assert_int_equal(regs.rcx, 1);
    assert_int_equal(regs.rdi, 0x10008);
    assert_int_equal(regs.rip, 0x1000);
    assert_true(emul_ptwrite(&w, &i, &regs, 0, 0, true));
    assert_int_equal(regs.rcx, 0);
    assert_int_equal(regs.rip, 0x1003);
    regs.rip = 0x1000;
    assert_true(emul_ptwrite(&w, &i, &regs, 5, 0, true));
    assert_false(w.write);
    assert_int_equal(w.new_pte, 5);
    assert_int_equal(regs.rip, 0x1003);
    assert_int_equal(regs.rdi, 0x10010);
}

static void stores_across_entries_are_refused(void **state)
{
    const uint8_t movq[] = { 0x48, 0x89, 0x07 }, in[] = { 0xec }, ins[] = { 0x6c };
    struct cpu_regs regs = { .rdi = 0x1001 };
    struct decode_ctx ctx = { .regs = &regs, .code64 = true };
    struct ptwrite w;
    struct insn i;

    assert_int_equal(insn_decode(&i, movq, sizeof(movq), &ctx), INSN_OK);
    assert_false(emul_ptwrite(&w, &i, &regs, 0, 0, true));
    assert_int_equal(insn_decode(&i, in, sizeof(in), &ctx), INSN_OK);
    assert_false(emul_ptwrite(&w, &i, &regs, 0, 0, true));
    assert_int_equal(insn_decode(&i, ins, sizeof(ins), &ctx), INSN_OK);
    assert_false(emul_ptwrite(&w, &i, &regs, 0, 0, true));
}

/* ---- Privileged instructions ---- */

/* Every callback notes what it was asked, and answers or refuses. */
static struct world {
    char asked;
    uint64_t nr, val, answer;
    unsigned int size, calls, flushed;
    bool refuse;
    uint8_t memory[64];         /* guest memory at 0x5000 */
    unsigned int readable;      /* bytes of it */
} w;

static bool note(char what, uint64_t nr, uint64_t val, unsigned int size)
{
    w.asked = what;
    w.nr = nr;
    w.val = val;
    w.size = size;
    w.calls++;
    return !w.refuse;
}

static bool port_read(void *c, uint16_t port, unsigned int size, uint32_t *val, struct emul_fault *f)
{
    *val = w.answer++;
    return note('i', port, 0, size);
}

static bool port_write(void *c, uint16_t port, unsigned int size, uint32_t val, struct emul_fault *f)
{
    return note('o', port, val, size);
}

#define READER(name, letter, type)                                                      \
    static bool read_##name(void *c, type nr, uint64_t *val, struct emul_fault *f)      \
    {                                                                                   \
        *val = w.answer;                                                                \
        return note(letter, nr, 0, 0);                                                  \
    }
#define WRITER(name, letter, type)                                                      \
    static bool write_##name(void *c, type nr, uint64_t val, struct emul_fault *f)      \
    {                                                                                   \
        return note(letter, nr, val, 0);                                                \
    }
READER(msr, 'm', uint32_t)
WRITER(msr, 'M', uint32_t)
READER(pmc, 'p', uint32_t)
READER(cr, 'c', unsigned int)
WRITER(cr, 'C', unsigned int)
READER(dr, 'd', unsigned int)
WRITER(dr, 'D', unsigned int)
READER(xcr, 'x', uint32_t)
WRITER(xcr, 'X', uint32_t)

static bool read_tsc(void *c, uint64_t *tsc, uint32_t *aux, struct emul_fault *f)
{
    *tsc = w.answer;
    *aux = 77;
    return note('t', 0, 0, 0);
}

static void cpuid(void *c, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    note('q', leaf, subleaf, 0);
    *out = (struct cpuid_leaf){ 0x80000001, 2, 3, 4 };
}

static void flush_caches(void *c)
{
    w.flushed++;
}

static bool page_fault(uint64_t va, uint32_t code, struct emul_fault *f)
{
    *f = (struct emul_fault){ X86_VEC_PF, code, va };
    return false;
}

static bool probe_write(void *c, uint64_t va, unsigned int len, struct emul_fault *f)
{
    if (va < 0x5000 || va + len > 0x5000 + w.readable)
        return page_fault(va, X86_PFEC_WRITE, f);
    return true;
}

static bool copy_from(void *c, void *to, uint64_t va, unsigned int len, struct emul_fault *f)
{
    if (va < 0x5000 || va + len > 0x5000 + w.readable)
        return page_fault(va, 0, f);
    memcpy(to, w.memory + (va - 0x5000), len);
    return true;
}

static bool copy_to(void *c, uint64_t va, const void *from, unsigned int len, struct emul_fault *f)
{
    if (!probe_write(c, va, len, f))
        return false;
    memcpy(w.memory + (va - 0x5000), from, len);
    return true;
}

static const struct emul_ops ops = {
    port_read, port_write, read_msr, write_msr, read_pmc, read_cr, write_cr, read_dr, write_dr,
    read_xcr, write_xcr, read_tsc, cpuid, flush_caches, copy_from, copy_to, probe_write,
};

static struct cpu_regs regs;
static struct emul_ctx ctx;

static int new_world(void **state)
{
    memset(&w, 0, sizeof(w));
    w.readable = sizeof(w.memory);
    w.answer = 0x1122334455667788;
    regs = (struct cpu_regs){
        .rax = 0xaaaaaaaaaaaaaaaa, .rbx = 0xbbbbbbbbbbbbbbbb, .rcx = 0xccccccccc0000080,
        .rdx = 0xdddddddddddd03f8, .rsi = 0x5000, .rdi = 0x5000, .r9 = 9, .rip = 0x1000,
    };
    ctx = (struct emul_ctx){ .ops = &ops, .regs = &regs, .kernel = true, .budget = 4,
                             .decode = { .regs = &regs, .code64 = true } };
    return 0;
}

#define RUN(...) run((uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static enum emul_outcome run(const uint8_t *bytes, unsigned int len)
{
    struct insn i;

    assert_int_equal(insn_decode(&i, bytes, len, &ctx.decode), INSN_OK);
    assert_int_equal(i.length, len);
    return emul_privop(&ctx, &i, len);
}

static void ports(void **state)
{
    assert_int_equal(RUN(0xec), EMUL_DONE);                     /* in %dx,%al */
    assert_int_equal(w.nr, 0x3f8);
    assert_int_equal(w.size, 1);
    assert_int_equal(regs.rax, 0xaaaaaaaaaaaaaa88);
    assert_int_equal(RUN(0x66, 0xe5, 0x42), EMUL_DONE);         /* in $0x42,%ax */
    assert_int_equal(w.nr, 0x42);
    assert_int_equal(w.size, 2);
    assert_int_equal(regs.rax, 0xaaaaaaaaaaaa7789);
    assert_int_equal(RUN(0xed), EMUL_DONE);
    assert_int_equal(regs.rax, 0x5566778a);
    regs.rax = 0x123456789abcdef0;
    assert_int_equal(RUN(0xee), EMUL_DONE);
    assert_int_equal(w.val, 0xf0);
    assert_int_equal(RUN(0x66, 0xef), EMUL_DONE);
    assert_int_equal(w.val, 0xdef0);
    assert_int_equal(RUN(0xe7, 0xcf), EMUL_DONE);
    assert_int_equal(w.val, 0x9abcdef0);
    assert_int_equal(w.nr, 0xcf);
    assert_int_equal(regs.rip, 0x1000 + 1 + 3 + 1 + 1 + 2 + 2);
}

static void refused_means_gp_and_no_change(void **state)
{
    struct cpu_regs before = regs;

    w.refuse = true;
    assert_int_equal(RUN(0xec), EMUL_FAULT);
    assert_int_equal(ctx.fault.vector, X86_VEC_GP);
    assert_int_equal(ctx.fault.error_code, 0);
    assert_int_equal(RUN(0x0f, 0x32), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x30), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x20, 0xc0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x01, 0xd1), EMUL_FAULT);
    assert_memory_equal(&regs, &before, sizeof(regs));
}

static void user_mode_has_no_privilege(void **state)
{
    struct cpu_regs before = regs;

    ctx.kernel = false;
    assert_int_equal(RUN(0x0f, 0x32), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x30), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x20, 0xc0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x22, 0xc0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x21, 0xc0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x23, 0xc0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x06), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x01, 0xf0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x08), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x09), EMUL_FAULT);
    assert_int_equal(RUN(0xf4), EMUL_UNHANDLED);           /* a guest halts by hypercall */
    assert_int_equal(RUN(0xfa), EMUL_FAULT);
    assert_int_equal(RUN(0xfb), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x01, 0xd1), EMUL_FAULT);
    assert_int_equal(w.calls + w.flushed, 0);
    assert_memory_equal(&regs, &before, sizeof(regs));
    assert_int_equal(RUN(0x0f, 0xa2), EMUL_DONE);
    assert_int_equal(RUN(0x0f, 0x31), EMUL_DONE);
    assert_int_equal(RUN(0xec), EMUL_DONE);
    assert_int_equal(RUN(0x0f, 0x01, 0xe0), EMUL_DONE);         /* smsw %eax */
    assert_int_equal(RUN(0x0f, 0x01, 0xd0), EMUL_DONE);
    w.answer = 0x500000006;
    assert_int_equal(RUN(0x0f, 0x33), EMUL_DONE);               /* rdpmc */
    assert_int_equal(w.asked, 'p');
    assert_int_equal(regs.rax, 6);
    assert_int_equal(regs.rdx, 5);
}

static void msrs_cpuid_tsc(void **state)
{
    assert_int_equal(RUN(0x0f, 0x32), EMUL_DONE);
    assert_int_equal(w.nr, 0xc0000080);
    assert_int_equal(regs.rax, 0x55667788);
    assert_int_equal(regs.rdx, 0x11223344);
    regs.rax = 0xfffffffff0000001;
    regs.rdx = 0xffffffff00000002;
    assert_int_equal(RUN(0x0f, 0x30), EMUL_DONE);
    assert_int_equal(w.asked, 'M');
    assert_int_equal(w.val, 0x00000002f0000001);
    assert_int_equal(RUN(0x0f, 0x01, 0xf9), EMUL_DONE);
    assert_int_equal(regs.rcx, 77);
    assert_int_equal(regs.rdx, 0x11223344);
    regs.rax = 0xf00000004;
    regs.rcx = 0xf00000001;
    assert_int_equal(RUN(0x0f, 0xa2), EMUL_DONE);
    assert_int_equal(w.nr, 4);
    assert_int_equal(w.val, 1);
    assert_int_equal(regs.rax, 0x80000001);
    assert_int_equal(regs.rbx, 2);
    assert_int_equal(regs.rcx, 3);
    assert_int_equal(regs.rdx, 4);
}

static void control_and_debug_registers(void **state)
{
    w.answer = 0x8005003b;
    assert_int_equal(RUN(0x0f, 0x20, 0xc3), EMUL_DONE);         /* mov %cr0,%rbx */
    assert_int_equal(regs.rbx, 0x8005003b);
    assert_int_equal(RUN(0x41, 0x0f, 0x22, 0xe1), EMUL_DONE);   /* mov %r9,%cr4 */
    assert_int_equal(w.nr, 4);
    assert_int_equal(w.val, 9);
    assert_int_equal(RUN(0x0f, 0x20, 0xc8), EMUL_FAULT);        /* cr1 */
    assert_int_equal(ctx.fault.vector, X86_VEC_UD);
    assert_int_equal(RUN(0x44, 0x0f, 0x21, 0xc0), EMUL_FAULT);  /* db8 */
    assert_int_equal(ctx.fault.vector, X86_VEC_UD);
    assert_int_equal(RUN(0x0f, 0x06), EMUL_DONE);               /* clts */
    assert_int_equal(w.asked, 'C');
    assert_int_equal(w.val, 0x80050033);
    regs.rax = 0xfff4;
    assert_int_equal(RUN(0x0f, 0x01, 0xf0), EMUL_DONE);         /* lmsw %ax: PE stays */
    assert_int_equal(w.val, 0x80050035);
    assert_int_equal(RUN(0x0f, 0x01, 0x27), EMUL_DONE);         /* smsw (%rdi) */
    assert_int_equal(w.memory[0] | w.memory[1] << 8, 0x003b);
    assert_int_equal(w.memory[2], 0);
    assert_int_equal(RUN(0x0f, 0x01, 0x37), EMUL_DONE);         /* lmsw (%rdi) */
    assert_int_equal(w.val, 0x8005003b);
    assert_int_equal(RUN(0x0f, 0x23, 0xfa), EMUL_DONE);         /* mov %rdx,%db7 */
    assert_int_equal(w.asked, 'D');
    assert_int_equal(w.nr, 7);
    assert_int_equal(w.val, regs.rdx);
    assert_int_equal(RUN(0x0f, 0x21, 0xf8), EMUL_DONE);
    assert_int_equal(w.asked, 'd');
    assert_int_equal(w.nr, 7);
    regs.rax = 7;
    regs.rcx = regs.rdx = 0;
    assert_int_equal(RUN(0x0f, 0x01, 0xd1), EMUL_DONE);         /* xsetbv */
    assert_int_equal(w.asked, 'X');
    assert_int_equal(w.val, 7);
    w.answer = 0x300000007;
    assert_int_equal(RUN(0x0f, 0x01, 0xd0), EMUL_DONE);         /* xgetbv */
    assert_int_equal(w.asked, 'x');
    assert_int_equal(regs.rax, 7);
    assert_int_equal(regs.rdx, 3);
}

static void msw_in_memory_can_fault(void **state)
{
    w.readable = 1;
    assert_int_equal(RUN(0x0f, 0x01, 0x37), EMUL_FAULT);        /* lmsw (%rdi) */
    assert_int_equal(ctx.fault.vector, X86_VEC_PF);
    assert_int_equal(ctx.fault.error_code, 0);
    assert_int_equal(RUN(0x0f, 0x01, 0x27), EMUL_FAULT);        /* smsw (%rdi) */
    assert_int_equal(ctx.fault.error_code, X86_PFEC_WRITE);
    assert_int_equal(regs.rip, 0x1000);
    w.refuse = true;
    assert_int_equal(RUN(0x0f, 0x01, 0xf0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x01, 0xe0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x01, 0xd0), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x33), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x31), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x21, 0xc0), EMUL_FAULT);
    assert_int_equal(regs.rip, 0x1000);
}

static void quiet_instructions(void **state)
{
    uint64_t flags = regs.rflags = X86_EFLAGS_IF | X86_EFLAGS_RF;

    assert_int_equal(RUN(0xfa), EMUL_DONE);
    assert_int_equal(RUN(0xfb), EMUL_DONE);
    assert_int_equal(regs.rflags, flags & ~X86_EFLAGS_RF);
    assert_int_equal(RUN(0x0f, 0x09), EMUL_DONE);
    assert_int_equal(w.flushed, 1);
    assert_int_equal(w.calls, 0);
    assert_int_equal(regs.rip, 0x1004);
    assert_false(ctx.single_step);
    regs.rflags |= X86_EFLAGS_TF;
    assert_int_equal(RUN(0xfa), EMUL_DONE);
    assert_true(ctx.single_step);
}

static void string_output(void **state)
{
    memcpy(w.memory, "abcdef", 6);
    regs.rcx = 6;
    assert_int_equal(RUN(0xf3, 0x6e), EMUL_AGAIN);      /* rep outsb, budget 4 */
    assert_int_equal(w.calls, 4);
    assert_int_equal(w.val, 'd');
    assert_int_equal(regs.rcx, 2);
    assert_int_equal(regs.rsi, 0x5004);
    assert_int_equal(regs.rip, 0x1000);
    assert_int_equal(RUN(0xf3, 0x6e), EMUL_DONE);
    assert_int_equal(w.calls, 6);
    assert_int_equal(w.val, 'f');
    assert_int_equal(regs.rip, 0x1002);
    assert_int_equal(RUN(0xf3, 0x6e), EMUL_DONE);       /* rcx is 0 */
    assert_int_equal(w.calls, 6);
    regs.rflags |= X86_EFLAGS_DF;
    assert_int_equal(RUN(0x66, 0x6f), EMUL_DONE);
    assert_int_equal(regs.rsi, 0x5004);
}

static void string_input_faults_before_reading_the_port(void **state)
{
    regs.rcx = 3;
    w.answer = 0x41;
    w.readable = 4;
    assert_int_equal(RUN(0xf3, 0x66, 0x6d), EMUL_FAULT);        /* rep insw */
    assert_int_equal(w.calls, 2);
    assert_int_equal(ctx.fault.vector, X86_VEC_PF);
    assert_int_equal(ctx.fault.cr2, 0x5004);
    assert_int_equal(ctx.fault.error_code, X86_PFEC_WRITE);
    assert_int_equal(regs.rcx, 1);
    assert_int_equal(regs.rdi, 0x5004);
    assert_int_equal(regs.rip, 0x1000);
    assert_int_equal(w.memory[0], 0x41);
    assert_int_equal(w.memory[2], 0x42);
}

static void address_size_limits_the_count(void **state)
{
    regs.rcx = 0x100000001;
    assert_int_equal(RUN(0xf3, 0x67, 0x6e), EMUL_DONE);
    assert_int_equal(w.calls, 1);
    assert_int_equal(regs.rcx, 0);
    ctx.decode.code64 = false;
    ctx.decode.seg_base[SEG_DS] = 0xfffff000;
    regs.rsi = 0x6000;
    regs.rip = 0xffffffff;
    regs.rdx = 0x10;
    assert_int_equal(RUN(0x6e), EMUL_DONE);
    assert_int_equal(regs.rsi, 0x6001);
    assert_int_equal(regs.rip, 0);
}

/* FS and GS have bases in 64-bit code, the others do not; INS always goes to ES. */
static void string_segments(void **state)
{
    unsigned int n;

    for (n = 0; n < SEG_COUNT; n++)
        ctx.decode.seg_base[n] = 8 * n + 1;
    for (n = 0; n < sizeof(w.memory); n++)
        w.memory[n] = n;
    assert_int_equal(RUN(0x65, 0x6c), EMUL_DONE);       /* insb */
    assert_int_equal(w.memory[0], 0x88);
    regs.rsi = 0x5001;
    assert_int_equal(RUN(0x6e), EMUL_DONE);             /* outsb */
    assert_int_equal(w.val, 1);
    assert_int_equal(RUN(0x64, 0x6e), EMUL_DONE);
    assert_int_equal(w.val, 2 + 8 * SEG_FS + 1);
    assert_int_equal(RUN(0x65, 0x6e), EMUL_DONE);
    assert_int_equal(w.val, 3 + 8 * SEG_GS + 1);
}

static void stores_are_not_privileged(void **state)
{
    struct cpu_regs before = regs;

    assert_int_equal(RUN(0x48, 0x89, 0x07), EMUL_UNHANDLED);
    assert_int_equal(RUN(0xaa), EMUL_UNHANDLED);
    assert_memory_equal(&regs, &before, sizeof(regs));
}

static void missing_callbacks_mean_gp(void **state)
{
    static const struct emul_ops bare = { .cpuid = cpuid };

    ctx.ops = &bare;
    assert_int_equal(RUN(0x0f, 0x32), EMUL_FAULT);
    assert_int_equal(RUN(0xec), EMUL_FAULT);
    assert_int_equal(RUN(0x6c), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x31), EMUL_FAULT);
    assert_int_equal(RUN(0x0f, 0x09), EMUL_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_match_the_cpu),
        cmocka_unit_test(string_stores_match_the_cpu),
        cmocka_unit_test(rep_stores_take_one_step),
        cmocka_unit_test(stores_across_entries_are_refused),
        cmocka_unit_test_setup(ports, new_world),
        cmocka_unit_test_setup(refused_means_gp_and_no_change, new_world),
        cmocka_unit_test_setup(user_mode_has_no_privilege, new_world),
        cmocka_unit_test_setup(msrs_cpuid_tsc, new_world),
        cmocka_unit_test_setup(control_and_debug_registers, new_world),
        cmocka_unit_test_setup(msw_in_memory_can_fault, new_world),
        cmocka_unit_test_setup(quiet_instructions, new_world),
        cmocka_unit_test_setup(string_output, new_world),
        cmocka_unit_test_setup(string_input_faults_before_reading_the_port, new_world),
        cmocka_unit_test_setup(address_size_limits_the_count, new_world),
        cmocka_unit_test_setup(string_segments, new_world),
        cmocka_unit_test_setup(stores_are_not_privileged, new_world),
        cmocka_unit_test_setup(missing_callbacks_mean_gp, new_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
