/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder: prefixes, one row of a table per opcode, then operands.
 *
 * A row says what the instruction does (op) and how the rest of its bytes are laid out
 * (shape). Opcodes whose meaning depends on ModRM.reg point to a group of eight rows.
 * Reading past the bytes given is impossible because only next() moves the cursor; it
 * yields zeros at the end and marks the instruction as short.
 */
#include "x86/model/decode.h"
#include "lib/types.h"

/* The layout of an instruction, and how its operands' width is found. */
enum {
    SH_MODRM   = 1u << 0,
    SH_MEM     = 1u << 1,   /* ModRM must name memory */
    SH_BYTE    = 1u << 2,   /* one-byte operand */
    SH_IO      = 1u << 3,   /* never wider than 4 */
    SH_FULL    = 1u << 4,   /* width of a general register in this mode */
    SH_SRC_REG = 1u << 5,   /* source or target: the register in ModRM.reg, or rAX */
    SH_IMM8    = 1u << 6,   /* signed byte */
    SH_IMMU8   = 1u << 7,   /* unsigned byte */
    SH_IMMZ    = 1u << 8,   /* 2 or 4 bytes, sign-extended */
    SH_LOCK    = 1u << 9,   /* may carry a LOCK prefix */
    SH_STRING  = 1u << 10,  /* rSI and/or rDI; may carry REP */
    SH_DX      = 1u << 11,
    SH_BIT     = 1u << 12,  /* source is a bit number, and may point outside the operand */
    SH_PAIR    = 1u << 13,  /* operand of twice the general width */
    SH_NO66    = 1u << 14,  /* 66, F2 and F3 would make it another instruction */
    SH_GROUP   = 1u << 15,  /* op is a number of a group */
};

struct row {
    uint8_t  op;
    uint16_t shape;
};

enum group { GRP_ALU_B, GRP_ALU_Z, GRP_ALU_8, GRP_UNARY_B, GRP_UNARY, GRP_INC_B, GRP_INC,
             GRP_MOV_B, GRP_MOV, GRP_BIT, GRP_CX8, GRP_01, GRP_COUNT };

#define M_STORE   (SH_MODRM | SH_MEM)
#define M_RMW     (M_STORE | SH_LOCK)
#define GROUP(n)  { n, SH_MODRM | SH_GROUP }
#define PLAIN(n)  { n, SH_NO66 }

#define ALU_ROWS(extra)                                                             \
    { { INSN_ADD, M_RMW | (extra) }, { INSN_OR, M_RMW | (extra) },                  \
      { INSN_ADC, M_RMW | (extra) }, { INSN_SBB, M_RMW | (extra) },                 \
      { INSN_AND, M_RMW | (extra) }, { INSN_SUB, M_RMW | (extra) },                 \
      { INSN_XOR, M_RMW | (extra) }, { INSN_NONE, 0 } }

static const struct row groups[GRP_COUNT][8] = {
    [GRP_ALU_B]   = ALU_ROWS(SH_BYTE | SH_IMM8),
    [GRP_ALU_Z]   = ALU_ROWS(SH_IMMZ),
    [GRP_ALU_8]   = ALU_ROWS(SH_IMM8),
    [GRP_UNARY_B] = { [2] = { INSN_NOT, M_RMW | SH_BYTE }, [3] = { INSN_NEG, M_RMW | SH_BYTE } },
    [GRP_UNARY]   = { [2] = { INSN_NOT, M_RMW }, [3] = { INSN_NEG, M_RMW } },
    [GRP_INC_B]   = { [0] = { INSN_INC, M_RMW | SH_BYTE }, [1] = { INSN_DEC, M_RMW | SH_BYTE } },
    [GRP_INC]     = { [0] = { INSN_INC, M_RMW }, [1] = { INSN_DEC, M_RMW } },
    [GRP_MOV_B]   = { [0] = { INSN_MOV, M_STORE | SH_BYTE | SH_IMM8 } },
    [GRP_MOV]     = { [0] = { INSN_MOV, M_STORE | SH_IMMZ } },
    [GRP_BIT]     = { [5] = { INSN_BTS, M_RMW | SH_IMMU8 | SH_BIT },
                      [6] = { INSN_BTR, M_RMW | SH_IMMU8 | SH_BIT },
                      [7] = { INSN_BTC, M_RMW | SH_IMMU8 | SH_BIT } },
    [GRP_CX8]     = { [1] = { INSN_CMPXCHG8B, M_RMW | SH_PAIR } },
    [GRP_01]      = { [4] = { INSN_SMSW, SH_MODRM }, [6] = { INSN_LMSW, SH_MODRM } },
};

#define ALU_STORE(base, insn)                                                       \
    [(base)]     = { insn, M_RMW | SH_BYTE | SH_SRC_REG },                          \
    [(base) + 1] = { insn, M_RMW | SH_SRC_REG }

static const struct row one_byte[256] = {
    ALU_STORE(0x00, INSN_ADD), ALU_STORE(0x08, INSN_OR),  ALU_STORE(0x10, INSN_ADC),
    ALU_STORE(0x18, INSN_SBB), ALU_STORE(0x20, INSN_AND), ALU_STORE(0x28, INSN_SUB),
    ALU_STORE(0x30, INSN_XOR),
    [0x6c] = { INSN_INS,  SH_STRING | SH_BYTE | SH_DX },
    [0x6d] = { INSN_INS,  SH_STRING | SH_IO | SH_DX },
    [0x6e] = { INSN_OUTS, SH_STRING | SH_BYTE | SH_DX },
    [0x6f] = { INSN_OUTS, SH_STRING | SH_IO | SH_DX },
    [0x80] = GROUP(GRP_ALU_B), [0x81] = GROUP(GRP_ALU_Z), [0x83] = GROUP(GRP_ALU_8),
    [0x86] = { INSN_XCHG, M_RMW | SH_BYTE | SH_SRC_REG },
    [0x87] = { INSN_XCHG, M_RMW | SH_SRC_REG },
    [0x88] = { INSN_MOV,  M_STORE | SH_BYTE | SH_SRC_REG },
    [0x89] = { INSN_MOV,  M_STORE | SH_SRC_REG },
    [0xa4] = { INSN_MOVS, SH_STRING | SH_BYTE },
    [0xa5] = { INSN_MOVS, SH_STRING },
    [0xaa] = { INSN_STOS, SH_STRING | SH_BYTE | SH_SRC_REG },
    [0xab] = { INSN_STOS, SH_STRING | SH_SRC_REG },
    [0xc6] = GROUP(GRP_MOV_B), [0xc7] = GROUP(GRP_MOV),
    [0xe4] = { INSN_IN,  SH_BYTE | SH_IMMU8 },
    [0xe5] = { INSN_IN,  SH_IO | SH_IMMU8 },
    [0xe6] = { INSN_OUT, SH_BYTE | SH_IMMU8 },
    [0xe7] = { INSN_OUT, SH_IO | SH_IMMU8 },
    [0xec] = { INSN_IN,  SH_BYTE | SH_DX },
    [0xed] = { INSN_IN,  SH_IO | SH_DX },
    [0xee] = { INSN_OUT, SH_BYTE | SH_DX },
    [0xef] = { INSN_OUT, SH_IO | SH_DX },
    [0xf4] = { INSN_HLT, 0 },
    [0xf6] = GROUP(GRP_UNARY_B), [0xf7] = GROUP(GRP_UNARY),
    [0xfa] = { INSN_CLI, 0 }, [0xfb] = { INSN_STI, 0 },
    [0xfe] = GROUP(GRP_INC_B), [0xff] = GROUP(GRP_INC),
};

static const struct row two_byte[256] = {
    [0x01] = GROUP(GRP_01),
    [0x06] = PLAIN(INSN_CLTS), [0x08] = PLAIN(INSN_INVD), [0x09] = PLAIN(INSN_WBINVD),
    [0x20] = { INSN_RDCR, SH_MODRM | SH_FULL }, [0x21] = { INSN_RDDR, SH_MODRM | SH_FULL },
    [0x22] = { INSN_WRCR, SH_MODRM | SH_FULL }, [0x23] = { INSN_WRDR, SH_MODRM | SH_FULL },
    [0x30] = PLAIN(INSN_WRMSR), [0x31] = PLAIN(INSN_RDTSC),
    [0x32] = PLAIN(INSN_RDMSR), [0x33] = PLAIN(INSN_RDPMC),
    [0xa2] = { INSN_CPUID, 0 },
    [0xab] = { INSN_BTS, M_RMW | SH_SRC_REG | SH_BIT },
    [0xb0] = { INSN_CMPXCHG, M_RMW | SH_BYTE | SH_SRC_REG },
    [0xb1] = { INSN_CMPXCHG, M_RMW | SH_SRC_REG },
    [0xb3] = { INSN_BTR, M_RMW | SH_SRC_REG | SH_BIT },
    [0xba] = GROUP(GRP_BIT),
    [0xbb] = { INSN_BTC, M_RMW | SH_SRC_REG | SH_BIT },
    [0xc0] = { INSN_XADD, M_RMW | SH_BYTE | SH_SRC_REG },
    [0xc1] = { INSN_XADD, M_RMW | SH_SRC_REG },
    [0xc3] = { INSN_MOV,  M_STORE | SH_SRC_REG | SH_NO66 },     /* MOVNTI */
    [0xc7] = GROUP(GRP_CX8),
};

/* 0F 01 with these whole ModRM bytes: instructions of their own. */
static const struct { uint8_t modrm, op; } special_01[] = {
    { 0xd0, INSN_XGETBV }, { 0xd1, INSN_XSETBV }, { 0xf9, INSN_RDTSCP },
};

struct cursor {
    const uint8_t *bytes;
    unsigned int len, at;
    bool is_short;
};

struct state {
    struct cursor cur;
    const struct decode_ctx *ctx;
    struct insn *insn;
    uint8_t rex, modrm;
    bool opsize, addrsize, repne, repe;
    bool rip_relative;
    int seg;                /* enum insn_seg of the last override prefix, or -1 */
};

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

static uint8_t next(struct cursor *c)
{
    if (c->at >= c->len) {
        c->is_short = true;
        return 0;
    }
    return c->bytes[c->at++];
}

/* A little-endian number of 1, 2 or 4 bytes, sign-extended. */
static int64_t next_signed(struct cursor *c, unsigned int size)
{
    uint64_t v = 0;
    unsigned int i;

    for (i = 0; i < size; i++)
        v |= (uint64_t)next(c) << (8 * i);
    switch (size) {
    case 1:
        return (int8_t)v;
    case 2:
        return (int16_t)v;
    default:
        return (int32_t)v;
    }
}

/* The last override counts; 64-bit code has only those of FS and GS, others are ignored. */
static void take_override(struct state *s, enum insn_seg seg)
{
    if (!s->ctx->code64 || seg == SEG_FS || seg == SEG_GS)
        s->seg = (int)seg;
}

static bool take_prefix(struct state *s, uint8_t b)
{
    switch (b) {
    case 0x26: take_override(s, SEG_ES); break;
    case 0x2e: take_override(s, SEG_CS); break;
    case 0x36: take_override(s, SEG_SS); break;
    case 0x3e: take_override(s, SEG_DS); break;
    case 0x64: take_override(s, SEG_FS); break;
    case 0x65: take_override(s, SEG_GS); break;
    case 0x66: s->opsize = true; break;
    case 0x67: s->addrsize = true; break;
    case 0xf0: s->insn->lock = true; break;
    case 0xf2: s->repne = true; s->repe = false; break;
    case 0xf3: s->repe = true; s->repne = false; break;
    default:
        return false;
    }
    return true;
}

/* Prefixes, and the first opcode byte after them. REX counts only right before it. */
static uint8_t take_prefixes(struct state *s)
{
    uint8_t b;

    for (;;) {
        b = next(&s->cur);
        if (s->ctx->code64 && (b & 0xf0) == 0x40) {
            s->rex = b;
            continue;
        }
        if (!take_prefix(s, b))
            return b;
        s->rex = 0;
    }
}

static uint64_t segment_base(const struct state *s, unsigned int seg)
{
    if (s->ctx->code64 && seg != SEG_FS && seg != SEG_GS)
        return 0;
    return s->ctx->seg_base[seg];
}

static uint64_t truncate(uint64_t v, unsigned int bytes)
{
    return bytes == 8 ? v : v & ((1ull << (8 * bytes)) - 1);
}

/* Segment base plus an offset of the current address size, as this mode forms it. */
static uint64_t linear(const struct state *s, unsigned int seg, uint64_t offset)
{
    uint64_t va = segment_base(s, seg) + truncate(offset, s->insn->addr_size);

    return s->ctx->code64 ? va : (uint32_t)va;
}

/* The offset of the ModRM memory operand; 64-bit mode only. */
static uint64_t modrm_offset(struct state *s)
{
    const struct cpu_regs *regs = s->ctx->regs;
    unsigned int mod = s->modrm >> 6, rm = s->modrm & 7, base = rm, seg = SEG_DS;
    uint64_t offset = 0;

    if (rm == 4) {
        uint8_t sib = next(&s->cur);
        unsigned int index = (sib >> 3 & 7) | (s->rex & REX_X ? 8 : 0);

        base = sib & 7;
        if (index != 4)
            offset = cpu_reg_get(regs, index) << (sib >> 6);
    }
    if (mod == 0 && rm == 5) {
        s->rip_relative = true;
    } else if (mod != 0 || base != 5) {
        offset += cpu_reg_get(regs, base | (s->rex & REX_B ? 8 : 0));
        if (!(s->rex & REX_B) && (base == 4 || base == 5))
            seg = SEG_SS;
    }
    if (mod == 1)
        offset += (uint64_t)next_signed(&s->cur, 1);
    else if (mod == 2 || base == 5)
        offset += (uint64_t)next_signed(&s->cur, 4);
    s->insn->seg = s->seg >= 0 ? s->seg : (int)seg;
    return offset;
}

static unsigned int operand_size(const struct state *s, uint16_t shape)
{
    if (shape & SH_BYTE)
        return 1;
    if (shape & SH_FULL)
        return s->ctx->code64 ? 8 : 4;
    if (shape & SH_PAIR)
        return s->rex & REX_W ? 0 : 8;
    if (s->rex & REX_W)
        return shape & SH_IO ? 4 : 8;
    return s->opsize ? 2 : 4;
}

/* ModRM.reg as a general register; without REX, byte registers 4..7 are AH, CH, DH, BH. */
static void set_reg(struct state *s, unsigned int nr)
{
    struct insn *i = s->insn;

    i->reg = nr | (s->rex & REX_R ? 8 : 0);
    if (i->size == 1 && !s->rex && nr >= 4 && i->src == INSN_SRC_REG) {
        i->reg = nr - 4;
        i->reg_high = true;
    }
}

/*
 * A bit number from a register is signed and counts from the operand's first bit: move
 * the operand to the word that holds the bit. An immediate one is taken modulo the width.
 */
static uint64_t bit_operand(struct state *s, uint64_t offset)
{
    struct insn *i = s->insn;
    unsigned int bits = i->size * 8u;
    uint64_t raw;
    int64_t nr;

    if (i->src == INSN_SRC_IMM) {
        i->imm &= bits - 1;
        return offset;
    }
    raw = cpu_reg_get(s->ctx->regs, i->reg);
    nr = i->size == 8 ? (int64_t)raw : i->size == 4 ? (int32_t)raw : (int16_t)raw;
    i->imm = raw & (bits - 1);
    i->src = INSN_SRC_IMM;
    return offset + (uint64_t)((nr - (int64_t)i->imm) / 8);
}

static void take_immediate(struct state *s, uint16_t shape)
{
    struct insn *i = s->insn;

    if (!(shape & (SH_IMM8 | SH_IMMU8 | SH_IMMZ)))
        return;
    i->src = INSN_SRC_IMM;
    if (shape & SH_IMMU8)
        i->imm = next(&s->cur);
    else
        i->imm = (uint64_t)next_signed(&s->cur, shape & SH_IMM8 ? 1 : i->size == 2 ? 2 : 4);
}

static void string_operands(struct state *s)
{
    struct insn *i = s->insn;
    const struct cpu_regs *regs = s->ctx->regs;

    i->mem = true;
    i->rep = s->repe || s->repne;
    i->seg = s->seg >= 0 ? s->seg : SEG_DS;
    if (i->op == INSN_MOVS || i->op == INSN_OUTS)
        i->src_ea = linear(s, i->seg, regs->rsi);
    if (i->op != INSN_OUTS)
        i->ea = linear(s, SEG_ES, regs->rdi);
}

/* ModRM and what it leads to. False: no instruction of ours. */
static bool modrm_operands(struct state *s, uint16_t shape)
{
    struct insn *i = s->insn;
    bool reg_form = s->modrm >> 6 == 3 || (shape & SH_FULL);
    uint64_t offset = 0;

    if (reg_form && (shape & SH_MEM))
        return false;
    set_reg(s, s->modrm >> 3 & 7);
    i->mem = !reg_form;
    if (reg_form)
        i->rm = (s->modrm & 7) | (s->rex & REX_B ? 8 : 0);
    else if (!s->ctx->code64)
        return false;
    else
        offset = modrm_offset(s);
    take_immediate(s, shape);
    if (shape & SH_BIT)
        offset = bit_operand(s, offset);
    if (s->rip_relative)
        offset += s->ctx->regs->rip + s->cur.at;
    if (i->mem)
        i->ea = linear(s, i->seg, offset);
    return true;
}

/* The row for the opcode at the cursor, groups resolved; op INSN_NONE if there is none. */
static struct row find_row(struct state *s)
{
    uint8_t b = take_prefixes(s);
    bool two = b == 0x0f;
    struct row r;
    unsigned int n;

    if (two)
        b = next(&s->cur);
    r = two ? two_byte[b] : one_byte[b];
    if (r.shape & SH_MODRM)
        s->modrm = next(&s->cur);
    if (two && b == 0x01) {
        for (n = 0; n < ARRAY_SIZE(special_01); n++)
            if (special_01[n].modrm == s->modrm)
                return (struct row)PLAIN(special_01[n].op);
    }
    if (r.shape & SH_GROUP)
        r = groups[r.op][s->modrm >> 3 & 7];
    return r;
}

static bool decode_row(struct state *s, struct row r)
{
    struct insn *i = s->insn;

    if (r.op == INSN_NONE || (i->lock && !(r.shape & SH_LOCK)))
        return false;
    if ((r.shape & SH_NO66) && (s->opsize || s->repe || s->repne))
        return false;
    i->op = r.op;
    i->size = operand_size(s, r.shape);
    i->addr_size = s->ctx->code64 ? (s->addrsize ? 4 : 8) : (s->addrsize ? 2 : 4);
    if (i->size == 0)
        return false;
    if (r.shape & SH_SRC_REG)
        i->src = INSN_SRC_REG;
    if (r.shape & SH_DX)
        i->src = INSN_SRC_DX;
    if (r.shape & SH_STRING)
        string_operands(s);
    if (r.shape & SH_MODRM)
        return modrm_operands(s, r.shape);
    take_immediate(s, r.shape);
    return true;
}

enum insn_status insn_decode(struct insn *out, const uint8_t *bytes, unsigned int len,
                             const struct decode_ctx *ctx)
{
    struct state s = {
        .cur = { bytes, len < INSN_MAX_BYTES ? len : INSN_MAX_BYTES, 0, false },
        .ctx = ctx, .insn = out, .seg = -1,
    };
    struct row r;
    bool known;

    *out = (struct insn){ 0 };
    r = find_row(&s);
    known = !s.cur.is_short && decode_row(&s, r);
    if (known && !s.cur.is_short) {
        out->length = s.cur.at;
        return INSN_OK;
    }
    *out = (struct insn){ 0 };
    return s.cur.is_short && len < INSN_MAX_BYTES ? INSN_SHORT : INSN_UNHANDLED;
}

static const uint8_t forced_prefix[] = { 0x0f, 0x0b, 'x', 'e', 'n' };

unsigned int insn_forced_prefix(const uint8_t *bytes, unsigned int len)
{
    unsigned int n;

    for (n = 0; n < sizeof(forced_prefix); n++)
        if (n >= len || bytes[n] != forced_prefix[n])
            return 0;
    return sizeof(forced_prefix);
}

unsigned int insn_forced_cpuid(const uint8_t *bytes, unsigned int len)
{
    unsigned int n = insn_forced_prefix(bytes, len);

    if (!n || len < n + 2 || bytes[n] != 0x0f || bytes[n + 1] != 0xa2)
        return 0;
    return n + 2;
}
