/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a decoded instruction does, on a register frame.
 *
 *   emul_privop()    runs a privileged instruction; asks its world through callbacks
 *   emul_ptwrite()   computes a store to one page-table entry, but does not store it
 *
 * Both are pure but for their arguments and callbacks: the caller owns locks, guest
 * memory and policy. Neither trusts anything in the frame.
 */
#ifndef X86_MODEL_EMULATE_H
#define X86_MODEL_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/model/cpuid.h"
#include "x86/model/decode.h"
#include "x86/model/regs.h"

/* An exception for the guest. Error code 0 is sent where the vector has one. */
struct emul_fault {
    uint8_t  vector;
    uint32_t error_code;
    uint64_t cr2;           /* of a page fault */
};

enum emul_outcome {
    EMUL_DONE,              /* executed; rip is behind it. If single_step: raise #DB(BS) */
    EMUL_AGAIN,             /* part of a rep string is done, rip stays: simply resume the guest */
    EMUL_FAULT,             /* nothing of the failing step happened: inject fault */
    EMUL_UNHANDLED,         /* not an instruction for here; nothing happened */
};

/*
 * The world of one vCPU, by callback; c is the context's cookie. Those that return bool
 * return false to refuse; *f is then injected, which is #GP(0) unless they change it.
 * They must not touch the register frame. Any pointer but cpuid may be NULL: #GP(0).
 */
struct emul_ops {
    /* Port access of 1, 2 or 4 bytes, permission included: all-ones for what is denied
     * to a guest kernel, false (#GP) for what is denied to its user. */
    bool (*port_read)(void *c, uint16_t port, unsigned int size, uint32_t *val, struct emul_fault *f);
    bool (*port_write)(void *c, uint16_t port, unsigned int size, uint32_t val, struct emul_fault *f);
    bool (*read_msr)(void *c, uint32_t msr, uint64_t *val, struct emul_fault *f);
    bool (*write_msr)(void *c, uint32_t msr, uint64_t val, struct emul_fault *f);
    bool (*read_pmc)(void *c, uint32_t counter, uint64_t *val, struct emul_fault *f);
    /* nr is 0, 2, 3, 4 or 8. */
    bool (*read_cr)(void *c, unsigned int nr, uint64_t *val, struct emul_fault *f);
    bool (*write_cr)(void *c, unsigned int nr, uint64_t val, struct emul_fault *f);
    /* nr is 0..7. */
    bool (*read_dr)(void *c, unsigned int nr, uint64_t *val, struct emul_fault *f);
    bool (*write_dr)(void *c, unsigned int nr, uint64_t val, struct emul_fault *f);
    bool (*read_xcr)(void *c, uint32_t nr, uint64_t *val, struct emul_fault *f);
    bool (*write_xcr)(void *c, uint32_t nr, uint64_t val, struct emul_fault *f);
    /* Guest TSC; with aux also what RDTSCP puts in ECX. */
    bool (*read_tsc)(void *c, uint64_t *tsc, uint32_t *aux, struct emul_fault *f);
    void (*cpuid)(void *c, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out);
    /* Optional effects; NULL does nothing. */
    void (*flush_caches)(void *c);  /* WBINVD or INVD by the guest kernel */
    /*
     * Guest memory with the guest's own rights: all or nothing. len <= 4. A false return
     * has set *f to the page fault. probe_write says whether copy_to would succeed.
     */
    bool (*copy_from)(void *c, void *to, uint64_t va, unsigned int len, struct emul_fault *f);
    bool (*copy_to)(void *c, uint64_t va, const void *from, unsigned int len, struct emul_fault *f);
    bool (*probe_write)(void *c, uint64_t va, unsigned int len, struct emul_fault *f);
};

struct emul_ctx {
    const struct emul_ops *ops;
    void *cookie;
    struct cpu_regs *regs;          /* changed only by what was really executed */
    struct decode_ctx decode;       /* the one that insn was decoded with; its regs is unused here */
    bool kernel;                    /* the guest runs in its kernel mode */
    unsigned int budget;            /* string elements that one call may move, at least 1 */
    /* Out: */
    struct emul_fault fault;        /* for EMUL_FAULT */
    bool single_step;               /* for EMUL_DONE: RFLAGS.TF was set */
};

/*
 * Executes the privileged instruction i, which is length bytes long in all (any forced
 * prefix included). Stores to page tables are EMUL_UNHANDLED here. CLI and STI of the
 * guest kernel do nothing: event delivery is masked in shared memory only.
 */
enum emul_outcome emul_privop(struct emul_ctx *ctx, const struct insn *i, unsigned int length);

/*
 * Steps over an instruction that was executed by other means: rip += length, RF cleared.
 * True if the guest is single-stepping and a #DB is due. Code that is not 64-bit keeps
 * a 32-bit rip.
 */
static inline bool emul_step_over(struct cpu_regs *regs, unsigned int length, bool code64)
{
    regs->rip += length;
    if (!code64)
        regs->rip = (uint32_t)regs->rip;
    regs->rflags &= ~X86_EFLAGS_RF;
    return regs->rflags & X86_EFLAGS_TF;
}

/* The effect of a store, and what of the frame it may have changed, as that was before. */
struct ptwrite {
    uint64_t new_pte;       /* the whole entry after the store */
    bool     write;         /* false: the instruction compares only, or counts to zero */
    bool     single_step;   /* a #DB is due once it is done */
    uint8_t  reg_nr;        /* the instruction's own register: before.reg */
    struct { uint64_t rip, rflags, rax, rcx, rdx, rsi, rdi, reg; } before;
};

/* Is *i a store of a register to a whole entry, which is the new entry whatever the old one is? */
static inline bool emul_ptwrite_whole(const struct insn *i)
{
    return (i->op == INSN_MOV || i->op == INSN_XCHG) && i->mem && i->src == INSN_SRC_REG && i->size == 8 && !(i->ea & 7);
}

/*
 * The source of a MOVS must be fetched by the caller before emul_ptwrite(): true if *i
 * has one, at i->src_ea, i->size bytes.
 */
static inline bool emul_ptwrite_needs_source(const struct insn *i)
{
    return i->op == INSN_MOVS;
}

/*
 * Computes the store *i (from insn_decode() with the same regs) on the 8-byte entry old that holds the address i->ea, and has
 * *regs as they are behind it. movs_source is the fetched source of a MOVS, else ignored. False, and nothing changed, if the store
 * is not within one aligned entry, or no store.
 *
 * Meant for a loop: read old; emul_ptwrite(); if write, check new_pte and compare-and-swap the entry; if that fails,
 * emul_ptwrite_undo(), and again from the start if it changed meanwhile.
 */
bool emul_ptwrite(struct ptwrite *out, const struct insn *i, struct cpu_regs *regs,
                  uint64_t old, uint64_t movs_source, bool code64);

/* Has *regs as they were before emul_ptwrite() made *w of them. */
void emul_ptwrite_undo(const struct ptwrite *w, struct cpu_regs *regs);

#endif
