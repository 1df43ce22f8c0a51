/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypercall edge. abi/table.def lists the hypercalls, abi/table/FAMILY.def the sub-operations of each; the dispatcher, the
 * checks before any lock, the counters, the tracer and the reference (docs/hypercalls.md) are made from these tables.
 *
 * A sub-operation's handler gets its argument structure as a private copy, checked for privilege, and leaves its results in
 * it; the dispatcher copied it in once and copies it out once.
 */
#ifndef ABI_HYPERCALL_H
#define ABI_HYPERCALL_H

#include "core/domain.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "lib/errno.h"

/* -ERESTART from a handler: "call me again" with hc->arg[] as it left them; never seen by a guest. */

struct hypercall {
    struct vcpu *v;       /* the caller: the current vCPU */
    struct domain *d;     /* its domain                   */
    uint64_t nr;
    uint64_t arg[5];      /* as passed; a handler that returns -ERESTART changes them to what is left to do */
    bool in_multicall;
    bool no_result;       /* the registers were set by the handler (iret): leave rax alone */
};

enum subop_copy {
    ARG_NONE,  /* no structure: the handler gets the raw pointer in hc->arg */
    ARG_IN,    /* copied in                                   */
    ARG_OUT,   /* zeroed before, copied out when rc >= 0      */
    ARG_INOUT, /* copied in, copied out when rc >= 0          */
    ARG_INOUT_ALWAYS, /* copied out whatever rc is (not on -EFAULT) */
};

struct subop {
    uint32_t cmd;
    const char *name;
    uint16_t size;          /* of the structure */
    uint8_t copy;           /* enum subop_copy  */
    uint8_t needs;          /* enum privilege, checked before anything is read */
    long (*run)(struct hypercall *hc, void *arg);
};

#define SUBOP_MAX_SIZE 256

/* A row: ROW(command, name, structure, copy, privilege, handler). */
#define SUBOP_ROW(cmd, name, type, copy, needs, run) { (cmd), (name), sizeof(type), (copy), (needs), (run) },
#define SUBOP_ROW0(cmd, name, needs, run)            { (cmd), (name), 0, ARG_NONE, (needs), (run) },

/* Finds `cmd` in rows and runs it on the structure at `arg`. -ENOSYS, -EPERM, -EFAULT, or what it returned. */
long subop_run(struct hypercall *hc, const struct subop *rows, unsigned n, uint64_t cmd, guest_ptr_t arg);

/* The handlers that abi/table.def names. */
#define HYPERCALL(nr, name, args, needs, handler) long handler(struct hypercall *hc);
#include "abi/table.def"
#undef HYPERCALL

/* A row of the table, by number; x86/short.S reads it. `run` NULL: there is no such hypercall. */
struct hypercall_row {
    const char *name;
    uint8_t args;  /* how many registers it reads */
    uint8_t needs; /* enum privilege */
    bool plain;    /* there is one, anyone may, and it has a result: it is not iret */
    uint64_t head; /* as it is recorded: core/trace.h */
    long (*run)(struct hypercall *hc);
};
#define HYPERCALL_ROWS (__HYPERVISOR_arch_0 + 1u)
extern const struct hypercall_row hypercall_table[HYPERCALL_ROWS];

/*
 * One hypercall of the current vCPU: registers in, registers out, continuation included. Called by the machine. hypercall_again:
 * only the end of it, for one whose handler said -ERESTART.
 */
void hypercall_entry(struct vcpu *v);
void hypercall_again(const struct hypercall *hc);
/* The inside of it, for tests: runs hc, counts, traces. */
long hypercall_run(struct hypercall *hc);

#endif
