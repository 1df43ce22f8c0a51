/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores to a write-protected page-table entry, computed.
 *
 * The operand is a field of 1, 2, 4 or 8 bytes inside the entry. Each operation gives
 * the field's new value, and changes registers and flags, of which those that it can
 * change were noted first, for the case that the entry turns out to have changed meanwhile.
 */
#include "x86/model/emulate.h"
#include "lib/types.h"

struct store {
    const struct insn *insn;
    struct cpu_regs *regs;
    uint64_t mask;          /* of the operand's width */
    uint64_t sign;          /* its top bit */
    uint64_t old, src;      /* within mask */
    uint64_t new;
    bool write;
};

static uint64_t width_mask(unsigned int bytes)
{
    return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

static void set_flags(struct store *s, uint64_t which, uint64_t on)
{
    s->regs->rflags = (s->regs->rflags & ~which) | (on & which);
}

/* ZF, SF and PF as this result sets them. */
static uint64_t result_flags(const struct store *s, uint64_t result)
{
    return (result & s->mask ? 0 : X86_EFLAGS_ZF) |
           (result & s->sign ? X86_EFLAGS_SF : 0) |
           (__builtin_parityll(result & 0xff) ? 0 : X86_EFLAGS_PF);
}

/* a + b + carry, within the width; sets all six flags, or all but CF for INC. */
static uint64_t add_flags(struct store *s, uint64_t a, uint64_t b, bool carry, uint64_t which)
{
    uint64_t r = (a + b + carry) & s->mask;
    uint64_t carries = (a & b) | ((a | b) & ~r);
    uint64_t on = result_flags(s, r);

    if (carries & s->sign)
        on |= X86_EFLAGS_CF;
    if (carries & 8)
        on |= X86_EFLAGS_AF;
    if ((a ^ r) & (b ^ r) & s->sign)
        on |= X86_EFLAGS_OF;
    set_flags(s, which, on);
    return r;
}

/* a - b - borrow, likewise. */
static uint64_t sub_flags(struct store *s, uint64_t a, uint64_t b, bool borrow, uint64_t which)
{
    uint64_t r = (a - b - borrow) & s->mask;
    uint64_t borrows = (~a & b) | ((~a | b) & r);
    uint64_t on = result_flags(s, r);

    if (borrows & s->sign)
        on |= X86_EFLAGS_CF;
    if (borrows & 8)
        on |= X86_EFLAGS_AF;
    if ((a ^ b) & (a ^ r) & s->sign)
        on |= X86_EFLAGS_OF;
    set_flags(s, which, on);
    return r;
}

/* AND, OR, XOR: CF and OF clear; AF, undefined by the manuals, clear as CPUs do. */
static uint64_t logic_flags(struct store *s, uint64_t r)
{
    set_flags(s, X86_EFLAGS_ARITH, result_flags(s, r));
    return r;
}

static void arithmetic(struct store *s)
{
    bool carry = s->regs->rflags & X86_EFLAGS_CF;
    const uint64_t all = X86_EFLAGS_ARITH, no_carry = all & ~X86_EFLAGS_CF;
    uint64_t a = s->old, b = s->src;

    switch (s->insn->op) {
    case INSN_ADD: s->new = add_flags(s, a, b, false, all); break;
    case INSN_ADC: s->new = add_flags(s, a, b, carry, all); break;
    case INSN_SUB: s->new = sub_flags(s, a, b, false, all); break;
    case INSN_SBB: s->new = sub_flags(s, a, b, carry, all); break;
    case INSN_INC: s->new = add_flags(s, a, 1, false, no_carry); break;
    case INSN_DEC: s->new = sub_flags(s, a, 1, false, no_carry); break;
    case INSN_NEG: s->new = sub_flags(s, 0, a, false, all); break;
    case INSN_NOT: s->new = ~a; break;
    case INSN_AND: s->new = logic_flags(s, a & b); break;
    case INSN_OR:  s->new = logic_flags(s, a | b); break;
    case INSN_XOR: s->new = logic_flags(s, a ^ b); break;
    }
}

/* Bit instructions: CF is the old bit; the other flags stay. */
static void bit(struct store *s)
{
    uint64_t m = 1ull << s->insn->imm;

    set_flags(s, X86_EFLAGS_CF, s->old & m ? X86_EFLAGS_CF : 0);
    if (s->insn->op == INSN_BTS)
        s->new = s->old | m;
    else if (s->insn->op == INSN_BTR)
        s->new = s->old & ~m;
    else
        s->new = s->old ^ m;
}

/* The named register, or a part of it, becomes val. */
static void put_operand(struct store *s, unsigned int nr, bool high, uint64_t val)
{
    uint64_t *reg = cpu_reg(s->regs, nr);

    if (high)
        *reg = (*reg & ~0xff00ull) | (val & 0xff) << 8;
    else if (s->insn->size >= 4)
        *reg = val & s->mask;
    else
        *reg = (*reg & ~s->mask) | (val & s->mask);
}

static void exchange(struct store *s)
{
    s->new = s->src;
    put_operand(s, s->insn->reg, s->insn->reg_high, s->old);
}

static void exchange_add(struct store *s)
{
    s->new = add_flags(s, s->old, s->src, false, X86_EFLAGS_ARITH);
    put_operand(s, s->insn->reg, s->insn->reg_high, s->old);
}

static void compare_exchange(struct store *s)
{
    uint64_t expected = s->regs->rax & s->mask;

    sub_flags(s, expected, s->old, false, X86_EFLAGS_ARITH);
    if (expected == s->old) {
        s->new = s->src;
    } else {
        s->write = false;
        put_operand(s, 0, false, s->old);
    }
}

static void compare_exchange_pair(struct store *s)
{
    struct cpu_regs *regs = s->regs;
    uint64_t expected = regs->rdx << 32 | (uint32_t)regs->rax;

    set_flags(s, X86_EFLAGS_ZF, expected == s->old ? X86_EFLAGS_ZF : 0);
    if (expected == s->old) {
        s->new = regs->rcx << 32 | (uint32_t)regs->rbx;
    } else {
        s->write = false;
        regs->rax = (uint32_t)s->old;
        regs->rdx = s->old >> 32;
    }
}

static void advance(const struct insn *i, uint64_t *reg, uint64_t by)
{
    uint64_t mask = width_mask(i->addr_size), v = (*reg + by) & mask;

    *reg = i->addr_size >= 4 ? v : (*reg & ~mask) | v;
}

/* One step of a string store. True if the instruction is finished with it. */
static bool string_step(struct store *s)
{
    const struct insn *i = s->insn;
    struct cpu_regs *regs = s->regs;
    uint64_t step = regs->rflags & X86_EFLAGS_DF ? -(uint64_t)i->size : i->size;

    if (i->rep && !(regs->rcx & width_mask(i->addr_size))) {
        s->write = false;
        return true;
    }
    s->new = s->src;
    advance(i, &regs->rdi, step);
    if (i->op == INSN_MOVS)
        advance(i, &regs->rsi, step);
    if (!i->rep)
        return true;
    advance(i, &regs->rcx, -1ull);
    return !(regs->rcx & width_mask(i->addr_size));
}

static uint64_t source(const struct insn *i, const struct cpu_regs *regs, uint64_t movs_source)
{
    if (i->op == INSN_MOVS)
        return movs_source;
    if (i->src == INSN_SRC_IMM)
        return i->imm;
    return cpu_reg_get(regs, i->reg) >> (i->reg_high ? 8 : 0);
}

/* Runs the operation; true if rip is to move on. */
static bool apply(struct store *s)
{
    switch (s->insn->op) {
    case INSN_MOV:        s->new = s->src; return true;
    case INSN_XCHG:       exchange(s); return true;
    case INSN_XADD:       exchange_add(s); return true;
    case INSN_CMPXCHG:    compare_exchange(s); return true;
    case INSN_CMPXCHG8B:  compare_exchange_pair(s); return true;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:        bit(s); return true;
    case INSN_MOVS:
    case INSN_STOS:       return string_step(s);
    default:              arithmetic(s); return true;
    }
}

static void note_registers(struct ptwrite *w, const struct insn *i, const struct cpu_regs *regs)
{
    w->before.rip = regs->rip;
    w->before.rflags = regs->rflags;
    w->reg_nr = i->reg;
    w->before.reg = cpu_reg_get(regs, i->reg);
    w->before.rax = regs->rax;
    w->before.rcx = regs->rcx;
    w->before.rdx = regs->rdx;
    w->before.rsi = regs->rsi;
    w->before.rdi = regs->rdi;
}

void emul_ptwrite_undo(const struct ptwrite *w, struct cpu_regs *regs)
{
    regs->rip = w->before.rip;
    regs->rflags = w->before.rflags;
    *cpu_reg(regs, w->reg_nr) = w->before.reg;
    regs->rax = w->before.rax;
    regs->rcx = w->before.rcx;
    regs->rdx = w->before.rdx;
    regs->rsi = w->before.rsi;
    regs->rdi = w->before.rdi;
}

bool emul_ptwrite(struct ptwrite *out, const struct insn *i, struct cpu_regs *regs,
                  uint64_t old, uint64_t movs_source, bool code64)
{
    unsigned int shift = (i->ea & 7) * 8;
    uint64_t mask = width_mask(i->size);
    struct store s = {
        .insn = i, .regs = regs, .mask = mask, .sign = mask ^ mask >> 1,
        .old = old >> shift & mask, .write = true,
    };

    if (!insn_is_store(i) || !i->mem || (i->ea & 7) + i->size > 8)
        return false;
    note_registers(out, i, regs);
    s.src = source(i, regs, movs_source) & mask;
    out->single_step = apply(&s) && emul_step_over(regs, i->length, code64);
    out->write = s.write;
    out->new_pte = (old & ~(mask << shift)) | (s.new & mask) << shift;
    if (!s.write)
        out->new_pte = old;
    return true;
}
