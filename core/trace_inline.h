/* SPDX-License-Identifier: BSD-2-Clause */
/* trace() of core/trace.h, inline, for what is recorded most often. */
#ifndef CORE_TRACE_INLINE_H
#define CORE_TRACE_INLINE_H

#include "core/pcpu.h"
#include "core/trace.h"
#include "core/vcpu.h"

/* The record's words beyond those of the event are left as they were. */
static inline __attribute__((always_inline)) void trace_inline(uint32_t event, unsigned words, uint64_t w01, uint64_t w23, uint64_t w45,
                                                               uint64_t w6)
{
    const struct pcpu *c = this_pcpu();
    const struct vcpu *v = c->current;
    struct trace_cpu *t = c->trace;
    struct trace_record *r;

    if (unlikely(!t))
        return;
    r = &t->record[t->next++ % TRACE_RECORDS];
    __builtin_memcpy(&r->word[0], &w01, sizeof(w01));
    if (words > 2)
        __builtin_memcpy(&r->word[2], &w23, sizeof(w23));
    if (words > 4)
        __builtin_memcpy(&r->word[4], &w45, sizeof(w45));
    if (words > 6)
        r->word[6] = (uint32_t)w6;
    r->event = event | words << TRACE_EXTRA_SHIFT;
    machine_tsc_note(&r->tsc);
    r->result = TRACE_NO_RESULT;
    if (likely(v)) {
        r->who = v->who;
        r->rip = v->regs->rip;
    } else {
        r->who = TRACE_WHO(TRACE_DOM_IDLE, c->id);
        r->rip = 0;
    }
    if (unlikely(READ_ONCE(t->wanted)))
        trace_export(t, r);
}

#endif
