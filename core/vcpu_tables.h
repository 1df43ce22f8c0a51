/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's descriptor tables: frames of its domain, typed as such while the CPU may read them. */
#ifndef CORE_VCPU_TABLES_H
#define CORE_VCPU_TABLES_H

#include "core/vcpu.h"

/* v is current, or off its CPU. `frames`: as many as `ents` entries need. 0 or -EINVAL; nothing changed then. */
int vcpu_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned ents);
/* Can an LDT of so many entries be there? Page-aligned, in the guest's part of the address space. */
bool vcpu_ldt_fits(uint64_t va, uint64_t ents);
/*
 * MMUEXT_SET_LDT: `va` in v's own address space; v is current, or off its CPU. 0 or -EINVAL (it does not fit; nothing changed).
 * Pages that can't be descriptor pages now are looked at again when one of their selectors is used.
 */
int vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned ents);
/* The current vCPU's fault with `error`: true if it named a selector in an LDT page that is there now. Then it runs again. */
bool vcpu_ldt_fault(struct vcpu *v, uint32_t error);
/* Gives both back. */
void vcpu_drop_tables(struct vcpu *v);

#endif
