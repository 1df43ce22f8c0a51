/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/decode.c: every instruction it claims to know, addresses as this CPU forms
 * them, and no byte read beyond those given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/types.h"
#include "tests/unit/native.h"
#include "x86/model/decode.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct cpu_regs random_regs(void)
{
    struct cpu_regs r;
    unsigned int n;

    memset(&r, 0, sizeof(r));
    for (n = 0; n < 16; n++)
        *cpu_reg(&r, n) = rnd();
    r.rip = rnd();
    return r;
}

/* Decodes from a heap block of exactly len bytes, so that ASan sees a longer look. */
static enum insn_status decode_exact(struct insn *i, const uint8_t *bytes, unsigned int len,
                                     const struct decode_ctx *ctx)
{
    uint8_t *copy = malloc(len ? len : 1);
    enum insn_status st;

    memcpy(copy, bytes, len);
    st = insn_decode(i, copy, len, ctx);
    free(copy);
    return st;
}

#define B(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

/* Privileged instructions, 64-bit code unless said otherwise. */
static const struct known {
    uint8_t bytes[INSN_MAX_BYTES];
    unsigned int len;
    uint8_t op, size, src, reg, rm;
    uint64_t imm;
    bool code32;
} known[] = {
    { B(0xe4, 0x61),             INSN_IN,     1, INSN_SRC_IMM, 0, 0, 0x61, false },
    { B(0xe5, 0xff),             INSN_IN,     4, INSN_SRC_IMM, 0, 0, 0xff, false },
    { B(0x66, 0xe5, 0x10),       INSN_IN,     2, INSN_SRC_IMM, 0, 0, 0x10, false },
    { B(0x48, 0xe5, 0x10),       INSN_IN,     4, INSN_SRC_IMM, 0, 0, 0x10, false },
    { B(0x66, 0x48, 0xe5, 0x10), INSN_IN,     4, INSN_SRC_IMM, 0, 0, 0x10, false },
    { B(0xe6, 0x80),             INSN_OUT,    1, INSN_SRC_IMM, 0, 0, 0x80, false },
    { B(0xe7, 0x80),             INSN_OUT,    4, INSN_SRC_IMM, 0, 0, 0x80, false },
    { B(0xec),                   INSN_IN,     1, INSN_SRC_DX,  0, 0, 0, false },
    { B(0xed),                   INSN_IN,     4, INSN_SRC_DX,  0, 0, 0, false },
    { B(0x66, 0xed),             INSN_IN,     2, INSN_SRC_DX,  0, 0, 0, false },
    { B(0xee),                   INSN_OUT,    1, INSN_SRC_DX,  0, 0, 0, false },
    { B(0xef),                   INSN_OUT,    4, INSN_SRC_DX,  0, 0, 0, false },
    { B(0xf3, 0x6c),             INSN_INS,    1, INSN_SRC_DX,  0, 0, 0, false },
    { B(0xf3, 0x66, 0x6d),       INSN_INS,    2, INSN_SRC_DX,  0, 0, 0, false },
    { B(0x6e),                   INSN_OUTS,   1, INSN_SRC_DX,  0, 0, 0, false },
    { B(0x48, 0x6f),             INSN_OUTS,   4, INSN_SRC_DX,  0, 0, 0, false },
    { B(0x0f, 0xa2),             INSN_CPUID,  4, 0, 0, 0, 0, false },
    { B(0x0f, 0x32),             INSN_RDMSR,  4, 0, 0, 0, 0, false },
    { B(0x0f, 0x30),             INSN_WRMSR,  4, 0, 0, 0, 0, false },
    { B(0x0f, 0x31),             INSN_RDTSC,  4, 0, 0, 0, 0, false },
    { B(0x0f, 0x01, 0xf9),       INSN_RDTSCP, 4, 0, 0, 0, 0, false },
    { B(0x0f, 0x33),             INSN_RDPMC,  4, 0, 0, 0, 0, false },
    { B(0x0f, 0x20, 0xc0),       INSN_RDCR,   8, 0, 0, 0, 0, false },       /* mov %cr0,%rax */
    { B(0x0f, 0x20, 0xe3),       INSN_RDCR,   8, 0, 4, 3, 0, false },       /* mov %cr4,%rbx */
    { B(0x44, 0x0f, 0x20, 0xc1), INSN_RDCR,   8, 0, 8, 1, 0, false },       /* mov %cr8,%rcx */
    { B(0x41, 0x0f, 0x22, 0xe7), INSN_WRCR,   8, 0, 4, 15, 0, false },      /* mov %r15,%cr4 */
    { B(0x0f, 0x22, 0x1f),       INSN_WRCR,   8, 0, 3, 7, 0, false },       /* mod is ignored */
    { B(0x0f, 0x21, 0xf8),       INSN_RDDR,   8, 0, 7, 0, 0, false },       /* mov %db7,%rax */
    { B(0x0f, 0x23, 0xf2),       INSN_WRDR,   8, 0, 6, 2, 0, false },       /* mov %rdx,%db6 */
    { B(0x0f, 0x06),             INSN_CLTS,   4, 0, 0, 0, 0, false },
    { B(0x0f, 0x01, 0xf0),       INSN_LMSW,   4, 0, 6, 0, 0, false },
    { B(0x0f, 0x01, 0xe1),       INSN_SMSW,   4, 0, 4, 1, 0, false },
    { B(0x0f, 0x08),             INSN_INVD,   4, 0, 0, 0, 0, false },
    { B(0x0f, 0x09),             INSN_WBINVD, 4, 0, 0, 0, 0, false },
    { B(0xf4),                   INSN_HLT,    4, 0, 0, 0, 0, false },
    { B(0xfa),                   INSN_CLI,    4, 0, 0, 0, 0, false },
    { B(0xfb),                   INSN_STI,    4, 0, 0, 0, 0, false },
    { B(0x0f, 0x01, 0xd0),       INSN_XGETBV, 4, 0, 0, 0, 0, false },
    { B(0x0f, 0x01, 0xd1),       INSN_XSETBV, 4, 0, 0, 0, 0, false },
    { B(0xed),                   INSN_IN,     4, INSN_SRC_DX,  0, 0, 0, true },
    { B(0x66, 0xef),             INSN_OUT,    2, INSN_SRC_DX,  0, 0, 0, true },
    { B(0x0f, 0xa2),             INSN_CPUID,  4, 0, 0, 0, 0, true },
    { B(0x0f, 0x20, 0xd8),       INSN_RDCR,   4, 0, 3, 0, 0, true },
};

static void knows_privileged_instructions(void **state)
{
    struct cpu_regs regs = random_regs();
    unsigned int n, len;

    for (n = 0; n < ARRAY_SIZE(known); n++) {
        const struct known *k = &known[n];
        struct decode_ctx ctx = { .regs = &regs, .code64 = !k->code32 };
        struct insn i;

        assert_int_equal(decode_exact(&i, k->bytes, k->len, &ctx), INSN_OK);
        assert_int_equal(i.op, k->op);
        assert_int_equal(i.length, k->len);
        assert_int_equal(i.size, k->size);
        assert_int_equal(i.src, k->src);
        assert_int_equal(i.reg, k->reg);
        assert_int_equal(i.rm, k->rm);
        assert_int_equal(i.imm, k->imm);
        assert_false(insn_is_store(&i));
        for (len = 0; len < k->len; len++)
            assert_int_equal(decode_exact(&i, k->bytes, len, &ctx), INSN_SHORT);
    }
}

static void refuses_the_rest(void **state)
{
    static const struct { uint8_t bytes[INSN_MAX_BYTES]; unsigned int len; bool code32; } no[] = {
        { B(0x90), false }, { B(0xc3), false }, { B(0x0f, 0x0b), false }, { B(0x0f, 0x05), false },
        { B(0x8b, 0x07), false },                   /* a load */
        { B(0x01, 0xc0), false },                   /* register destination */
        { B(0xf0, 0x89, 0x07), false },             /* LOCK on MOV */
        { B(0xf0, 0x0f, 0x20, 0xc0), false },       /* LOCK on MOV from CR0 */
        { B(0xf0, 0xec), false },
        { B(0x0f, 0x01, 0xf8), false },             /* SWAPGS */
        { B(0x0f, 0x01, 0x38), false },             /* INVLPG */
        { B(0xf3, 0x0f, 0x09), false },             /* WBNOINVD */
        { B(0x66, 0x0f, 0xc3, 0x07), false },
        { B(0x48, 0x0f, 0xc7, 0x0f), false },       /* CMPXCHG16B */
        { B(0x0f, 0xba, 0x27, 0x01), false },       /* BT */
        { B(0x80, 0x3f, 0x01), false },             /* CMP */
        { B(0x89, 0x07), true },                    /* memory operand in 32-bit code */
        { B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66), false },
    };
    struct cpu_regs regs = random_regs();
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(no); n++) {
        struct decode_ctx ctx = { .regs = &regs, .code64 = !no[n].code32 };
        struct insn i;

        assert_int_equal(decode_exact(&i, no[n].bytes, no[n].len, &ctx), INSN_UNHANDLED);
        assert_int_equal(i.op, INSN_NONE);
    }
}

/* Opcodes that store a register to a ModRM operand, and what they are. */
static void knows_stores(void **state)
{
    static const struct {
        uint8_t bytes[8];
        unsigned int len;
        uint8_t op, size, reg;
        bool high, lock;
    } st[] = {
        { B(0x48, 0x89, 0x07),             INSN_MOV,     8, 0,  false, false },
        { B(0x88, 0x27),                   INSN_MOV,     1, 0,  true,  false }, /* mov %ah,(%rdi) */
        { B(0x40, 0x88, 0x27),             INSN_MOV,     1, 4,  false, false }, /* mov %spl,(%rdi) */
        { B(0x44, 0x88, 0x27),             INSN_MOV,     1, 12, false, false },
        { B(0x66, 0x89, 0x1f),             INSN_MOV,     2, 3,  false, false },
        { B(0x48, 0x87, 0x0f),             INSN_XCHG,    8, 1,  false, false },
        { B(0xf0, 0x48, 0x0f, 0xb1, 0x37), INSN_CMPXCHG, 8, 6,  false, true },
        { B(0xf0, 0x4c, 0x0f, 0xc1, 0x07), INSN_XADD,    8, 8,  false, true },
        { B(0x48, 0x0f, 0xc3, 0x07),       INSN_MOV,     8, 0,  false, false }, /* movnti */
        { B(0x0f, 0xc7, 0x0f),             INSN_CMPXCHG8B, 8, 1, false, false },
        { B(0xf0, 0x20, 0x17),             INSN_AND,     1, 2,  false, true },
    };
    struct cpu_regs regs = random_regs();
    struct decode_ctx ctx = { .regs = &regs, .code64 = true };
    struct insn i;
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(st); n++) {
        assert_int_equal(decode_exact(&i, st[n].bytes, st[n].len, &ctx), INSN_OK);
        assert_int_equal(i.op, st[n].op);
        assert_int_equal(i.size, st[n].size);
        assert_int_equal(i.reg, st[n].reg);
        assert_int_equal(i.reg_high, st[n].high);
        assert_int_equal(i.lock, st[n].lock);
        assert_int_equal(i.ea, regs.rdi);
        assert_true(i.mem && insn_is_store(&i));
    }
}

static void immediates_are_extended(void **state)
{
    struct cpu_regs regs = random_regs();
    struct decode_ctx ctx = { .regs = &regs, .code64 = true };
    const uint8_t andb[] = { 0xf0, 0x80, 0x27, 0xfd };                  /* lock andb $0xfd,(%rdi) */
    const uint8_t movq[] = { 0x48, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff };
    const uint8_t orw[]  = { 0x66, 0x81, 0x0f, 0x34, 0x92 };
    struct insn i;

    assert_int_equal(decode_exact(&i, andb, sizeof(andb), &ctx), INSN_OK);
    assert_int_equal(i.op, INSN_AND);
    assert_int_equal(i.size, 1);
    assert_int_equal(i.imm & 0xff, 0xfd);
    assert_true(i.lock);
    assert_int_equal(decode_exact(&i, movq, sizeof(movq), &ctx), INSN_OK);
    assert_true(i.imm == ~0ull);
    assert_int_equal(decode_exact(&i, orw, sizeof(orw), &ctx), INSN_OK);
    assert_int_equal(i.length, 5);
    assert_int_equal(i.imm & 0xffff, 0x9234);
}

/* A store with random addressing, against LEA with the same ModRM bytes run on this CPU. */
static void addresses_match_the_cpu(void **state)
{
    unsigned int round;

    for (round = 0; round < 100000; round++) {
        struct cpu_regs regs = random_regs(), after;
        struct decode_ctx ctx = { .regs = &regs, .code64 = true };
        uint8_t code[16], len = 0, opcode;
        uint64_t r = rnd(), lea;
        struct insn i;

        if (r & 1)
            code[len++] = 0x67;
        code[len++] = 0x48 | (r >> 1 & 7);
        opcode = len;
        code[len++] = 0x8d;
        code[len++] = r >> 8 & 0xff;
        if (code[len - 1] >= 0xc0)
            code[len - 1] &= 0x7f;
        memcpy(code + len, &seed, 5);
        /* rsp is not ours to set natively: keep it out of the address... */
        if ((code[opcode + 1] & 7) == 4 && (code[len] & 7) == 4 && !(code[opcode - 1] & 1))
            code[len] ^= 1;
        if (((code[opcode + 1] & 0x38) | (code[opcode - 1] & 4)) == 0x20)
            code[opcode + 1] ^= 8;      /* ... and from being LEA's target */
        code[opcode] = 0x89;
        regs.rip = (uint64_t)native_page();
        assert_int_equal(insn_decode(&i, code, sizeof(code), &ctx), INSN_OK);
        assert_int_equal(i.op, INSN_MOV);
        code[opcode] = 0x8d;
        after = regs;
        native_run(&after, code, i.length);
        lea = cpu_reg_get(&after, i.reg);
        assert_int_equal(i.ea, lea);
    }
}

static void segments(void **state)
{
    struct cpu_regs regs = random_regs();
    struct decode_ctx ctx = { .regs = &regs, .code64 = true };
    const uint8_t fs[] = { 0x64, 0x48, 0x89, 0x07 }, gs[] = { 0x65, 0x48, 0x89, 0x07 };
    const uint8_t ds[] = { 0x64, 0x3e, 0x48, 0x89, 0x07 }, es[] = { 0x26, 0x48, 0x89, 0x07 };
    const uint8_t outs[] = { 0x65, 0x6e };
    struct insn i;
    unsigned int n;

    for (n = 0; n < SEG_COUNT; n++)
        ctx.seg_base[n] = 0x1000u << n;
    assert_int_equal(decode_exact(&i, fs, sizeof(fs), &ctx), INSN_OK);
    assert_int_equal(i.ea, regs.rdi + ctx.seg_base[SEG_FS]);
    assert_int_equal(decode_exact(&i, gs, sizeof(gs), &ctx), INSN_OK);
    assert_int_equal(i.ea, regs.rdi + ctx.seg_base[SEG_GS]);
    assert_int_equal(decode_exact(&i, ds, sizeof(ds), &ctx), INSN_OK);
    assert_int_equal(i.ea, regs.rdi + ctx.seg_base[SEG_FS]);
    assert_int_equal(decode_exact(&i, es, sizeof(es), &ctx), INSN_OK);
    assert_int_equal(i.ea, regs.rdi);
    assert_int_equal(decode_exact(&i, outs, sizeof(outs), &ctx), INSN_OK);
    assert_int_equal(i.seg, SEG_GS);
    assert_int_equal(i.src_ea, regs.rsi + ctx.seg_base[SEG_GS]);

    ctx.code64 = false;
    assert_int_equal(decode_exact(&i, outs, sizeof(outs), &ctx), INSN_OK);
    assert_int_equal(i.src_ea, (uint32_t)(regs.rsi + ctx.seg_base[SEG_GS]));
    assert_int_equal(i.addr_size, 4);
}

static void bit_offsets_reach_beyond_the_operand(void **state)
{
    static const struct {
        uint8_t bytes[5];
        unsigned int len;
        uint64_t reg;           /* the bit number, in rcx */
        int64_t delta;          /* from rdi to the operand */
        unsigned int bit;       /* within it */
    } t[] = {
        { B(0x48, 0x0f, 0xb3, 0x0f), 5,               0,    5  },
        { B(0x48, 0x0f, 0xb3, 0x0f), 64,              8,    0  },
        { B(0x48, 0x0f, 0xb3, 0x0f), (uint64_t)-1,    -8,   63 },
        { B(0x48, 0x0f, 0xab, 0x0f), 1ull << 63,      -(1ll << 60), 0 },
        { B(0x0f, 0xbb, 0x0f),       100,             12,   4  },
        { B(0x0f, 0xbb, 0x0f),       0xffffffff,      -4,   31 },
        { B(0x66, 0x0f, 0xb3, 0x0f), 0x8000,          -4096, 0 },
        { B(0x48, 0x0f, 0xba, 0x37, 0xff), 0,         0,    63 },
        { B(0x0f, 0xba, 0x37, 0x21), 0,               0,    1  },
    };
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(t); n++) {
        struct cpu_regs regs = random_regs();
        struct decode_ctx ctx = { .regs = &regs, .code64 = true };
        struct insn i;

        regs.rcx = t[n].reg;
        assert_int_equal(decode_exact(&i, t[n].bytes, t[n].len, &ctx), INSN_OK);
        assert_int_equal(i.ea, regs.rdi + (uint64_t)t[n].delta);
        assert_int_equal(i.imm, t[n].bit);
    }
}

/* Whatever the short form takes, the long one takes just so: all prefixes, opcodes and ModRM bytes, with random bytes around. */
static void the_short_form_agrees(void **state)
{
    static const uint8_t prefixes[] = { 0xf0, 0x66, 0x67, 0xf2, 0x64 };
    unsigned int n, taken[INSN_OP_COUNT] = { 0 };

    for (n = 0; n < 16u << 16; n++) {
        struct cpu_regs regs = random_regs();
        struct decode_ctx ctx = { .regs = &regs, .code64 = true };
        uint8_t bytes[INSN_MAX_BYTES], at = 0, k;
        struct insn brief, whole;
        bool two;

        for (k = 0; k < INSN_MAX_BYTES; k++)
            bytes[k] = (uint8_t)rnd();
        if (rnd() & 1)
            bytes[at++] = rnd() & 1 ? 0xf0 : prefixes[rnd() % ARRAY_SIZE(prefixes)];
        if (rnd() % 8)
            bytes[at++] = (uint8_t)(0x40 | (n >> 16));
        if (rnd() & 1)
            bytes[at++] = 0x0f;
        two = at && bytes[at - 1] == 0x0f;
        bytes[at++] = rnd() & 1 ? (uint8_t)(n >> 8) : two ? 0xb1 : n & 256 ? 0x87 : 0x89;
        bytes[at] = (uint8_t)n;
        if (!insn_decode_plain(&brief, bytes, &regs))
            continue;
        assert_int_equal(insn_decode(&whole, bytes, sizeof(bytes), &ctx), INSN_OK);
        assert_memory_equal(&brief, &whole, offsetof(struct insn, reg_high) + 1);
        assert_int_equal(brief.ea, whole.ea);
        assert_int_equal(brief.src_ea, whole.src_ea);
        assert_int_equal(brief.imm, whole.imm);
        taken[brief.op]++;
    }
    assert_true(taken[INSN_MOV] > 1000 && taken[INSN_XCHG] > 1000 && taken[INSN_CMPXCHG] > 1000);
}

/* And it takes what it is there for. */
static void the_short_form_is_short(void **state)
{
    static const uint8_t mov[INSN_MAX_BYTES] = { 0x48, 0x89, 0x07 }, xchg[INSN_MAX_BYTES] = { 0x49, 0x87, 0x45, 0xf8 },
                         cmpxchg[INSN_MAX_BYTES] = { 0xf0, 0x4c, 0x0f, 0xb1, 0x8e, 0x10, 0, 0, 0 };
    struct cpu_regs regs = { .rdi = 0x1000, .r13 = 0x2008, .rsi = 0x3000 };
    struct insn i;

    assert_true(insn_decode_plain(&i, mov, &regs));
    assert_true(i.op == INSN_MOV && i.reg == 0 && i.ea == 0x1000 && i.length == 3 && !i.lock);
    assert_true(insn_decode_plain(&i, xchg, &regs));
    assert_true(i.op == INSN_XCHG && i.reg == 0 && i.ea == 0x2000 && i.length == 4);
    assert_true(insn_decode_plain(&i, cmpxchg, &regs));
    assert_true(i.op == INSN_CMPXCHG && i.reg == 9 && i.ea == 0x3010 && i.length == 9 && i.lock);
}

static void forced_prefix(void **state)
{
    const uint8_t cpuid[] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
    const uint8_t other[] = { 0x0f, 0x0b, 'x', 'e', 'm', 0x0f, 0xa2 };
    unsigned int len;

    for (len = 0; len <= sizeof(cpuid); len++) {
        assert_int_equal(insn_forced_prefix(cpuid, len), len >= 5 ? 5 : 0);
        assert_int_equal(insn_forced_cpuid(cpuid, len), len == 7 ? 7 : 0);
    }
    assert_int_equal(insn_forced_prefix(other, sizeof(other)), 0);
}

/* Random bytes: the result fits what was given, and more bytes change nothing. */
static void random_bytes(void **state)
{
    unsigned int round, len;

    for (round = 0; round < 200000; round++) {
        struct cpu_regs regs = random_regs();
        struct decode_ctx ctx = { .regs = &regs, .code64 = rnd() & 1 };
        uint8_t bytes[INSN_MAX_BYTES];
        struct insn whole, cut;
        enum insn_status st;

        for (len = 0; len < sizeof(bytes); len++)
            bytes[len] = rnd();
        st = decode_exact(&whole, bytes, sizeof(bytes), &ctx);
        assert_int_not_equal(st, INSN_SHORT);
        if (st != INSN_OK)
            continue;
        assert_true(whole.op != INSN_NONE && whole.op < INSN_OP_COUNT);
        assert_true(whole.size == 1 || whole.size == 2 || whole.size == 4 || whole.size == 8);
        assert_int_equal(decode_exact(&cut, bytes, whole.length, &ctx), INSN_OK);
        assert_memory_equal(&cut, &whole, sizeof(cut));
        for (len = 0; len < whole.length; len++)
            assert_int_equal(decode_exact(&cut, bytes, len, &ctx), INSN_SHORT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_privileged_instructions),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(knows_stores),
        cmocka_unit_test(immediates_are_extended),
        cmocka_unit_test(addresses_match_the_cpu),
        cmocka_unit_test(segments),
        cmocka_unit_test(bit_offsets_reach_beyond_the_operand),
        cmocka_unit_test(the_short_form_agrees),
        cmocka_unit_test(the_short_form_is_short),
        cmocka_unit_test(forced_prefix),
        cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
