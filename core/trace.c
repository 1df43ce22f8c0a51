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
    uint64_t tsc = machine_tsc(); /* both calls first: what is to be recorded then stays in registers */
    const struct pcpu *c = this_pcpu();
    const struct vcpu *v = c->current;
    struct trace_cpu *t = c->trace;
    struct trace_record *r;
    uint64_t *w;

    if (unlikely(!t))
        return;
    r = &t->record[t->next++ % TRACE_RECORDS];
    w = (uint64_t *)(void *)r->word;
    w[0] = w01;
    w[1] = w23;
    w[2] = w45;
    w[3] = w6;
    r->tsc = tsc;
    r->event = event | words << TRACE_EXTRA_SHIFT;
    r->result = TRACE_NO_RESULT;
    if (likely(v)) {
        r->dom = v->domain->id;
        r->vcpu = (uint16_t)v->id;
        r->rip = v->regs->rip;
    } else {
        r->dom = TRACE_DOM_IDLE;
        r->vcpu = (uint16_t)c->id;
        r->rip = 0;
    }
    if (unlikely(t->wanted) && wanted(event, t->wanted))
        t->export(t, r);
}

/* One of an op and three 64-bit arguments, whether all are meant or not: that is cheaper than to choose. */
uint32_t trace_hypercall(const struct pcpu *c, uint32_t event, uint32_t op, const uint64_t arg[3])
{
    uint64_t tsc = machine_tsc();
    const struct vcpu *v = c->current;
    struct trace_cpu *t = c->trace;
    struct trace_record *r;

    if (unlikely(!t))
        return 0;
    r = &t->record[t->next++ % TRACE_RECORDS];
    r->tsc = tsc;
    r->event = event;
    r->word[0] = op;
    __builtin_memcpy(&r->word[1], arg, 3 * sizeof(arg[0]));
    r->result = TRACE_NO_RESULT;
    r->dom = v->domain->id;
    r->vcpu = (uint16_t)v->id;
    r->rip = v->regs->rip;
    if (unlikely(t->wanted) && wanted(event, t->wanted))
        t->export(t, r);
    return t->next;
}
