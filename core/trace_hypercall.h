/* SPDX-License-Identifier: BSD-2-Clause */
/* A hypercall in the flight recorder (core/trace.h): inline, because it is done at each of them. */
#ifndef CORE_TRACE_HYPERCALL_H
#define CORE_TRACE_HYPERCALL_H

#include "core/pcpu.h"
#include "core/trace.h"
#include "core/vcpu.h"

/* A record, and how many there were with it. */
struct trace_mark { struct trace_record *record; uint32_t next; };

/*
 * Records a hypercall of v, which runs on the CPU of t (NULL: it does not record). `head`: its kind, with TRACE_HYPERCALL().
 * All three arguments are kept, which is cheaper than to choose. Gives a mark of the record for trace_result().
 */
static inline struct trace_mark trace_hypercall(struct trace_cpu *t, const struct vcpu *v, uint64_t head, const uint64_t *arg)
{
    struct trace_record *r;

    if (unlikely(!t))
        return (struct trace_mark){ 0 };
    r = &t->record[t->next++ % TRACE_RECORDS];
    machine_tsc_note(&r->tsc);
    __builtin_memcpy((char *)r + offsetof(struct trace_record, event), &head, sizeof(head));
    __builtin_memcpy(&r->word[1], arg, 3 * sizeof(arg[0]));
    r->who = v->who;
    r->rip = v->regs->rip;
    r->result = TRACE_NO_RESULT;
    if (unlikely(READ_ONCE(t->wanted)))
        trace_export(t, r);
    return (struct trace_mark){ r, t->next };
}
_Static_assert(offsetof(struct trace_record, word) == offsetof(struct trace_record, event) + 4, "`head` fills both");

/* The result of the call with that mark; unless so many records came after it that its place is taken. */
static inline void trace_result(const struct trace_cpu *t, struct trace_mark mark, int64_t result)
{
    if (likely(t) && t->next - mark.next < TRACE_RECORDS)
        mark.record->result = result;
}

#endif
