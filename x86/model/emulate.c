/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Privileged instructions, executed: one short function each, found in one table.
 *
 * Every function reads the frame, asks the world through one callback, and changes the
 * frame only if that succeeded. A row also says whether guest user code may use the
 * instruction; if not it gets #GP(0), as from hardware.
 */
#include "x86/model/emulate.h"
#include "lib/types.h"

#define CR0_TS      (1ull << 3)
#define CR0_LMSW    0xfull      /* what LMSW can change */
#define CR0_PE      1ull        /* what LMSW cannot clear */

typedef bool handler(struct emul_ctx *x, const struct insn *i);

/* Asks the world; false if it refuses or has no answer. */
#define ASK(x, cb, ...) ((x)->ops->cb && (x)->ops->cb((x)->cookie, __VA_ARGS__, &(x)->fault))

static uint64_t low_mask(unsigned int bytes)
{
    return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

/* Writes a general register the way hardware does: 32-bit results clear the upper half. */
static void put_reg(uint64_t *reg, uint64_t val, unsigned int bytes)
{
    if (bytes >= 4)
        *reg = val & low_mask(bytes);
    else
        *reg = (*reg & ~low_mask(bytes)) | (val & low_mask(bytes));
}

static void put_edx_eax(struct cpu_regs *regs, uint64_t val)
{
    regs->rax = (uint32_t)val;
    regs->rdx = val >> 32;
}

static uint64_t edx_eax(const struct cpu_regs *regs)
{
    return regs->rdx << 32 | (uint32_t)regs->rax;
}

static bool undefined(struct emul_ctx *x)
{
    x->fault.vector = X86_VEC_UD;
    return false;
}

static uint16_t port_of(const struct emul_ctx *x, const struct insn *i)
{
    return i->src == INSN_SRC_DX ? x->regs->rdx : i->imm;
}

static bool do_in(struct emul_ctx *x, const struct insn *i)
{
    uint32_t val = 0;

    if (!ASK(x, port_read, port_of(x, i), i->size, &val))
        return false;
    put_reg(&x->regs->rax, val, i->size);
    return true;
}

static bool do_out(struct emul_ctx *x, const struct insn *i)
{
    return ASK(x, port_write, port_of(x, i), i->size, x->regs->rax & low_mask(i->size));
}

static bool do_cpuid(struct emul_ctx *x, const struct insn *i)
{
    struct cpu_regs *regs = x->regs;
    struct cpuid_leaf out = { 0 };

    x->ops->cpuid(x->cookie, regs->rax, regs->rcx, &out);
    regs->rax = out.a;
    regs->rbx = out.b;
    regs->rcx = out.c;
    regs->rdx = out.d;
    return true;
}

static bool do_rdmsr(struct emul_ctx *x, const struct insn *i)
{
    uint64_t val = 0;

    if (!ASK(x, read_msr, x->regs->rcx, &val))
        return false;
    put_edx_eax(x->regs, val);
    return true;
}

static bool do_wrmsr(struct emul_ctx *x, const struct insn *i)
{
    return ASK(x, write_msr, x->regs->rcx, edx_eax(x->regs));
}

static bool do_rdtsc(struct emul_ctx *x, const struct insn *i)
{
    uint64_t tsc = 0;
    uint32_t aux = 0;

    if (!ASK(x, read_tsc, &tsc, &aux))
        return false;
    put_edx_eax(x->regs, tsc);
    if (i->op == INSN_RDTSCP)
        x->regs->rcx = aux;
    return true;
}

static bool do_rdpmc(struct emul_ctx *x, const struct insn *i)
{
    uint64_t val = 0;

    if (!ASK(x, read_pmc, x->regs->rcx, &val))
        return false;
    put_edx_eax(x->regs, val);
    return true;
}

static bool cr_exists(unsigned int nr)
{
    return nr == 0 || nr == 2 || nr == 3 || nr == 4 || nr == 8;
}

static bool do_rdcr(struct emul_ctx *x, const struct insn *i)
{
    uint64_t val = 0;

    if (!cr_exists(i->reg))
        return undefined(x);
    if (!ASK(x, read_cr, i->reg, &val))
        return false;
    put_reg(cpu_reg(x->regs, i->rm), val, i->size);
    return true;
}

static bool do_wrcr(struct emul_ctx *x, const struct insn *i)
{
    if (!cr_exists(i->reg))
        return undefined(x);
    return ASK(x, write_cr, i->reg, cpu_reg_get(x->regs, i->rm) & low_mask(i->size));
}

static bool do_rddr(struct emul_ctx *x, const struct insn *i)
{
    uint64_t val = 0;

    if (i->reg > 7)
        return undefined(x);
    if (!ASK(x, read_dr, i->reg, &val))
        return false;
    put_reg(cpu_reg(x->regs, i->rm), val, i->size);
    return true;
}

static bool do_wrdr(struct emul_ctx *x, const struct insn *i)
{
    if (i->reg > 7)
        return undefined(x);
    return ASK(x, write_dr, i->reg, cpu_reg_get(x->regs, i->rm) & low_mask(i->size));
}

static bool do_clts(struct emul_ctx *x, const struct insn *i)
{
    uint64_t cr0 = 0;

    return ASK(x, read_cr, 0, &cr0) && ASK(x, write_cr, 0, cr0 & ~CR0_TS);
}

static bool do_lmsw(struct emul_ctx *x, const struct insn *i)
{
    uint64_t cr0 = 0;
    uint16_t msw = cpu_reg_get(x->regs, i->rm);

    if (i->mem && !ASK(x, copy_from, &msw, i->ea, sizeof(msw)))
        return false;
    if (!ASK(x, read_cr, 0, &cr0))
        return false;
    return ASK(x, write_cr, 0, (cr0 & ~(CR0_LMSW & ~CR0_PE)) | (msw & CR0_LMSW));
}

static bool do_smsw(struct emul_ctx *x, const struct insn *i)
{
    uint64_t cr0 = 0;
    uint16_t msw;

    if (!ASK(x, read_cr, 0, &cr0))
        return false;
    msw = cr0;
    if (i->mem)
        return ASK(x, copy_to, i->ea, &msw, sizeof(msw));
    put_reg(cpu_reg(x->regs, i->rm), cr0, i->size);
    return true;
}

static bool do_cache(struct emul_ctx *x, const struct insn *i)
{
    if (x->ops->flush_caches)
        x->ops->flush_caches(x->cookie);
    return true;
}

static bool do_nothing(struct emul_ctx *x, const struct insn *i)
{
    return true;
}

static bool do_xgetbv(struct emul_ctx *x, const struct insn *i)
{
    uint64_t val = 0;

    if (!ASK(x, read_xcr, x->regs->rcx, &val))
        return false;
    put_edx_eax(x->regs, val);
    return true;
}

static bool do_xsetbv(struct emul_ctx *x, const struct insn *i)
{
    return ASK(x, write_xcr, x->regs->rcx, edx_eax(x->regs));
}

/* One element of a string instruction between the port in DX and linear address va. */
static bool move_element(struct emul_ctx *x, const struct insn *i, uint64_t va)
{
    uint32_t val = 0;
    uint16_t port = x->regs->rdx;

    if (i->op == INSN_OUTS)
        return ASK(x, copy_from, &val, va, i->size) && ASK(x, port_write, port, i->size, val);
    return ASK(x, probe_write, va, i->size) && ASK(x, port_read, port, i->size, &val) &&
           ASK(x, copy_to, va, &val, i->size);
}

static uint64_t element_address(const struct emul_ctx *x, const struct insn *i, uint64_t offset)
{
    unsigned int seg = i->op == INSN_INS ? SEG_ES : i->seg;
    uint64_t base = x->decode.seg_base[seg];

    offset &= low_mask(i->addr_size);
    if (!x->decode.code64)
        return (uint32_t)(base + offset);
    return seg == SEG_FS || seg == SEG_GS ? base + offset : offset;
}

/* INS and OUTS: elements until the count, the budget or the guest's luck ends. */
static enum emul_outcome do_string(struct emul_ctx *x, const struct insn *i)
{
    struct cpu_regs *regs = x->regs;
    uint64_t *index = i->op == INSN_INS ? &regs->rdi : &regs->rsi;
    uint64_t step = regs->rflags & X86_EFLAGS_DF ? -(uint64_t)i->size : i->size;
    unsigned int budget = x->budget ? x->budget : 1;

    for (;;) {
        if (i->rep && !(regs->rcx & low_mask(i->addr_size)))
            return EMUL_DONE;
        if (!budget--)
            return EMUL_AGAIN;
        if (!move_element(x, i, element_address(x, i, *index)))
            return EMUL_FAULT;
        put_reg(index, *index + step, i->addr_size);
        if (!i->rep)
            return EMUL_DONE;
        put_reg(&regs->rcx, regs->rcx - 1, i->addr_size);
    }
}

static const struct {
    handler *run;
    bool user;              /* not only for the guest kernel */
} table[INSN_FIRST_STORE] = {
    [INSN_IN]     = { do_in,      true  }, [INSN_OUT]    = { do_out,     true  },
    [INSN_CPUID]  = { do_cpuid,   true  },
    [INSN_RDMSR]  = { do_rdmsr,   false }, [INSN_WRMSR]  = { do_wrmsr,   false },
    [INSN_RDTSC]  = { do_rdtsc,   true  }, [INSN_RDTSCP] = { do_rdtsc,   true  },
    [INSN_RDPMC]  = { do_rdpmc,   true  },
    [INSN_RDCR]   = { do_rdcr,    false }, [INSN_WRCR]   = { do_wrcr,    false },
    [INSN_RDDR]   = { do_rddr,    false }, [INSN_WRDR]   = { do_wrdr,    false },
    [INSN_CLTS]   = { do_clts,    false }, [INSN_LMSW]   = { do_lmsw,    false },
    [INSN_SMSW]   = { do_smsw,    true  },
    [INSN_INVD]   = { do_cache,   false }, [INSN_WBINVD] = { do_cache,   false },
    [INSN_CLI]    = { do_nothing, false }, [INSN_STI]    = { do_nothing, false },
    [INSN_XGETBV] = { do_xgetbv,  true  }, [INSN_XSETBV] = { do_xsetbv,  false },
};

enum emul_outcome emul_privop(struct emul_ctx *x, const struct insn *i, unsigned int length)
{
    enum emul_outcome out;

    x->fault = (struct emul_fault){ .vector = X86_VEC_GP };
    x->single_step = false;
    if (i->op == INSN_INS || i->op == INSN_OUTS) {
        out = do_string(x, i);
    } else {
        if (i->op >= INSN_FIRST_STORE || !table[i->op].run)
            return EMUL_UNHANDLED;
        if (!x->kernel && !table[i->op].user)
            return EMUL_FAULT;
        out = table[i->op].run(x, i) ? EMUL_DONE : EMUL_FAULT;
    }
    if (out == EMUL_DONE)
        x->single_step = emul_step_over(x->regs, length, x->decode.code64);
    return out;
}
