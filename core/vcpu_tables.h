/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's descriptor tables: frames of its domain, typed as such while the CPU may read them. */
#ifndef CORE_VCPU_TABLES_H
#define CORE_VCPU_TABLES_H

#include "core/vcpu.h"

/* v is current, or off its CPU. `frames`: as many as `ents` entries need. 0 or -EINVAL; nothing changed then. */
int vcpu_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned ents);
/*
 * MMUEXT_SET_LDT: `va` page-aligned in v's (the current vCPU's) own address space. 0 or -EINVAL. Pages that can't be descriptor
 * pages now are looked at again when one of their selectors is used.
 */
int vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned ents);
/* The current vCPU's fault with `error`: true if it named a selector in an LDT page that is there now. Then it runs again. */
bool vcpu_ldt_fault(struct vcpu *v, uint32_t error);
/* Gives both back. */
void vcpu_drop_tables(struct vcpu *v);

#endif
