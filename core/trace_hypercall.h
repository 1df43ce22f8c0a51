/* SPDX-License-Identifier: BSD-2-Clause */
/* A hypercall in the flight recorder (core/trace.h): inline, because it is done at each of them. */
#ifndef CORE_TRACE_HYPERCALL_H
#define CORE_TRACE_HYPERCALL_H

#include "core/pcpu.h"
#include "core/trace.h"
#include "core/vcpu.h"

/*
 * Records a hypercall of v, which runs on this CPU, c. `event` has its number of words; `op` is the first of them: the
 * hypercall's number, and which of the three arguments are meant; all are kept, which is cheaper than to choose. Gives a mark
 * of the record for trace_result().
 */
static inline uint32_t trace_hypercall(const struct pcpu *c, const struct vcpu *v, uint32_t event, uint32_t op, const uint64_t *arg)
{
    struct trace_cpu *t = c->trace;
    struct trace_record *r;

    if (unlikely(!t))
        return 0;
    r = &t->record[t->next++ % TRACE_RECORDS];
    r->tsc = machine_tsc_soon();
    r->event = event;
    r->word[0] = op;
    __builtin_memcpy(&r->word[1], arg, 3 * sizeof(arg[0]));
    r->who = v->who;
    r->rip = v->regs->rip;
    r->result = TRACE_NO_RESULT;
    if (unlikely(t->wanted))
        trace_export(t, r);
    return t->next;
}

/* The result of the call with that mark, on the same CPU; unless so many records came after it that its place is taken. */
static inline void trace_result(const struct pcpu *c, uint32_t mark, int64_t result)
{
    struct trace_cpu *t = c->trace;

    if (likely(t) && t->next - mark < TRACE_RECORDS)
        t->record[(mark - 1) % TRACE_RECORDS].result = result;
}

#endif
