/* SPDX-License-Identifier: BSD-2-Clause */
/* The dispatcher: registers to struct hypercall, table lookup, privilege, run, result or continuation. */
#include "abi/hypercall.h"

#include "abi/handlers.h"
#include "core/budget.h"
#include "core/trace_hypercall.h"
#include "lib/string.h"

#define HYPERCALL(nr, name, args, needs, run) \
    [nr] = { name, args, needs, (needs) == PRIV_NONE && (nr) != __HYPERVISOR_iret,                                  \
             TRC_PV_HYPERCALL_V2 | TRACE_HYPERCALL(nr, args), run },
const struct hypercall_row hypercall_table[HYPERCALL_ROWS] = {
#include "abi/table.def"
};
#undef HYPERCALL

_Static_assert(HYPERCALL_ROWS <= PERF_HYPERCALL_MAX, "each is counted");

#define SYSCALL_BYTES 2 /* length of the instruction that brought us here */

#define NO_SUBCALL 0u
#define SUBCALL    (TRC_PV_HYPERCALL_V2 ^ TRC_PV_HYPERCALL_SUBCALL)

/* Runs hc, counts, traces; `subcall` makes its kind for the recorder of the row's. */
static inline __attribute__((always_inline)) long run(struct hypercall *hc, uint32_t subcall)
{
    size_t nr = clamp_index(hc->nr, HYPERCALL_ROWS);
    const struct hypercall_row *r = &hypercall_table[nr];
    struct pcpu *c = this_pcpu();
    struct trace_cpu *t = c->trace;
    struct trace_mark mark;
    long rc;

    if (unlikely(hc->nr >= HYPERCALL_ROWS || !r->run))
        return -ENOSYS;
    if (unlikely(!domain_may(hc->d, r->needs)))
        return refuse(hc->v, -EPERM, "%s: not privileged", r->name);
    c->perf[PERF_HYPERCALLS + nr]++;
    mark = trace_hypercall(t, hc->v, r->head ^ subcall, hc->arg);
    rc = r->run(hc);
    trace_result(t, mark, rc);
    return rc;
}

long hypercall_run(struct hypercall *hc)
{
    return run(hc, NO_SUBCALL);
}

/* In a family whose numbers have no gaps each stands at its own. */
static const struct subop *subop_find(const struct subop *rows, unsigned n, uint64_t cmd)
{
    if (likely(cmd < n)) {
        const struct subop *r = &rows[clamp_index(cmd, n)];

        if (likely(r->cmd == cmd))
            return r;
    }
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].cmd == cmd)
            return &rows[i];
    }
    return NULL;
}

/* Not inline, so that a sub-operation without a structure needs no frame for one. */
static __attribute__((noinline)) long run_on_structure(struct hypercall *hc, const struct subop *r, guest_ptr_t arg)
{
    uint64_t local[SUBOP_MAX_SIZE / sizeof(uint64_t)];
    long rc;

    ASSERT(r->size <= sizeof(local));
    if (r->copy == ARG_OUT)
        memset(local, 0, r->size);
    else if (guest_read(local, arg, r->size))
        return -EFAULT;

    rc = r->run(hc, local);

    if (rc == -ERESTART || r->copy == ARG_IN || (rc < 0 && r->copy != ARG_INOUT_ALWAYS))
        return rc;
    return guest_write(arg, local, r->size) ? -EFAULT : rc;
}

static __attribute__((noinline)) long not_privileged(struct hypercall *hc, const char *name)
{
    return refuse(hc->v, -EPERM, "%s: not privileged", name);
}

long subop_run(struct hypercall *hc, const struct subop *rows, unsigned n, uint64_t cmd, guest_ptr_t arg)
{
    const struct subop *r = subop_find(rows, n, cmd);

    if (!r)
        return -ENOSYS;
    if (unlikely(!domain_may(hc->d, r->needs)))
        return not_privileged(hc, r->name);
    return r->copy == ARG_NONE ? r->run(hc, NULL) : run_on_structure(hc, r, arg);
}

/* The guest executes its syscall again, after interrupts and other vCPUs had their turn. */
void hypercall_again(const struct hypercall *hc)
{
    struct cpu_regs *r = hc->v->regs;

    perf_count(PERF_CONTINUED);
    r->rip -= SYSCALL_BYTES;
    r->rdi = hc->arg[0];
    r->rsi = hc->arg[1];
    r->rdx = hc->arg[2];
    r->r10 = hc->arg[3];
    r->r8 = hc->arg[4];
}

void hypercall_entry(struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    struct hypercall hc;
    long rc;

    /* Each once: an initialiser would clear it all first. */
    hc.v = v;
    hc.d = v->domain;
    hc.nr = r->rax;
    hc.arg[0] = r->rdi;
    hc.arg[1] = r->rsi;
    hc.arg[2] = r->rdx;
    hc.arg[3] = r->r10;
    hc.arg[4] = r->r8;
    hc.in_multicall = hc.no_result = false;
    rc = run(&hc, NO_SUBCALL);

    if (unlikely(hc.no_result))
        return;
    if (likely(rc != -ERESTART))
        r->rax = (uint64_t)rc;
    else
        hypercall_again(&hc);
}

/*
 * multicall(entries, count): an entry at a time, results written as they come. A nested multicall is refused. An entry that
 * needs a continuation leaves what is left of it in its own arguments, and the multicall goes on there.
 */
long do_multicall(struct hypercall *hc)
{
    uint64_t *ptr = &hc->arg[0], *count = &hc->arg[1];

    if (hc->in_multicall)
        return -EINVAL;
    for (; (uint32_t)*count; (*count)--, *ptr += sizeof(struct multicall_entry)) {
        struct multicall_entry e;
        struct hypercall one;
        long rc;

        if (guest_read(&e, gptr(*ptr), sizeof(e)))
            return -EFAULT;
        one.v = hc->v;
        one.d = hc->d;
        one.nr = e.op;
        __builtin_memcpy(one.arg, e.args, sizeof(one.arg));
        one.in_multicall = true;
        one.no_result = false;
        perf_count(PERF_MULTICALLED);
        rc = run(&one, SUBCALL);
        if (one.no_result)
            return -EINVAL;
        if (rc == -ERESTART) {
            memcpy(e.args, one.arg, sizeof(one.arg));
            return guest_write(gptr(*ptr), &e, sizeof(e)) ? -EFAULT : -ERESTART;
        }
        e.result = (unsigned long)rc;
        if (guest_write(gptr(*ptr + offsetof(struct multicall_entry, result)), &e.result, sizeof(e.result)))
            return -EFAULT;
        if (!budget_take(8) && (uint32_t)*count > 1) {
            (*count)--;
            *ptr += sizeof(e);
            return -ERESTART;
        }
    }
    return 0;
}
