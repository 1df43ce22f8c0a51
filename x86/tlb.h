/* SPDX-License-Identifier: BSD-2-Clause */
/* This CPU's own translations; other CPUs' are reached through machine_flush(). */
#ifndef X86_TLB_H
#define X86_TLB_H

#include "lib/types.h"

void tlb_flush_local(void);
/* Loads CR3, which flushes. */
void tlb_load_root(uint64_t maddr);
/* Does what another CPU asked of this one: from the flush interrupt, and while waiting. */
void tlb_answer(void);

#endif
