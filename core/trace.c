/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a record; see core/trace.h. This is called a few times at each entry: it is short. */
#include "core/trace.h"

#include "core/domain.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

/* An event passes a mask that has one of its classes and one of its subclasses. */
static bool wanted(uint32_t event, uint32_t mask)
{
    uint32_t both = event & mask;

    return (both >> TRC_CLS_SHIFT & 0xfff) && (both >> TRC_SUBCLS_SHIFT & 0xf);
}

void trace(uint32_t event, unsigned words, uint64_t w01, uint64_t w23, uint64_t w45, uint64_t w6)
{
    const struct pcpu *c = this_pcpu();
    const struct vcpu *v = c->current;
    struct trace_cpu *t = c->trace;
    struct trace_record *r;

    if (unlikely(!t))
        return;
    r = &t->record[t->next++ % TRACE_RECORDS];
    __builtin_memcpy(&r->word[0], &w01, sizeof(w01));
    __builtin_memcpy(&r->word[2], &w23, sizeof(w23));
    __builtin_memcpy(&r->word[4], &w45, sizeof(w45));
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

__attribute__((noinline)) void trace_export(struct trace_cpu *t, const struct trace_record *r)
{
    if (wanted(r->event, READ_ONCE(t->wanted)))
        t->export(t, r);
}
