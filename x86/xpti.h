/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit roots: while a guest runs, almost nothing of the hypervisor is mapped. See x86/xpti.c. */
#ifndef X86_XPTI_H
#define X86_XPTI_H

#include <stdatomic.h>

#include "lib/types.h"
#include "x86/percpu.h"

struct boot_options;
struct vcpu;

/* Boot, before any CPU is made: decides by options and CPU which domains get exit roots, and says so. */
void xpti_init(const struct boot_options *o);
/* Does any? */
bool xpti_in_use(void);
/* Makes the exit root of a CPU whose stacks and windows are mapped; idt: its page. Panics without memory. */
void xpti_init_cpu(struct x86_pcpu *c, const void *idt);
/* Boot, all CPUs are made: walks their exit roots; panics if one maps more than it should, else says what. */
void xpti_check(void);

/* This CPU has just loaded a root of v's, its current vCPU. */
void xpti_root_loaded(struct vcpu *v);

/* On the way to the guest, after everything that may change or load a root; on c. */
void xpti_fill(struct x86_pcpu *c);
static inline void xpti_before_guest(struct x86_pcpu *c)
{
    if (unlikely(atomic_load_explicit(&c->exit_stale, memory_order_relaxed)))
        xpti_fill(c);
}

#endif
