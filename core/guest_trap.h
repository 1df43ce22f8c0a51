/* SPDX-License-Identifier: BSD-2-Clause */
/* An exception of the running guest: emulated if it is one of the instructions that we stand in for, bounced otherwise. */
#ifndef CORE_GUEST_TRAP_H
#define CORE_GUEST_TRAP_H

#include "lib/types.h"

struct vcpu;

/* Any exception but #PF and #DB. */
void guest_trap(struct vcpu *v, unsigned vector, uint32_t error);
void guest_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error);

#endif
