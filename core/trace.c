/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a record; see core/trace.h. */
#include "core/trace.h"

#include "core/domain.h"
#include "core/trace_inline.h"

/* An event passes a mask that has one of its classes and one of its subclasses. */
static bool wanted(uint32_t event, uint32_t mask)
{
    uint32_t both = event & mask;

    return (both >> TRC_CLS_SHIFT & 0xfff) && (both >> TRC_SUBCLS_SHIFT & 0xf);
}

void trace(uint32_t event, unsigned words, uint64_t w01, uint64_t w23, uint64_t w45, uint64_t w6)
{
    trace_inline(event, words, w01, w23, w45, w6);
}

__attribute__((noinline)) void trace_export(struct trace_cpu *t, const struct trace_record *r)
{
    if (wanted(r->event, READ_ONCE(t->wanted)))
        t->export(t, r);
}
