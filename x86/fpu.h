/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU, SSE and AVX state: saved and loaded eagerly at each switch, so that none ever leaks between vCPUs. */
#ifndef X86_FPU_H
#define X86_FPU_H

#include "lib/types.h"

struct vcpu;

void fpu_init_cpu(void);
/* Bytes of a save area, and the XCR0 bits that guests may use (1|2 without XSAVE). */
size_t fpu_area_size(void);
uint64_t fpu_xcr0_max(void);
/* A save area as the CPU has after reset. */
void fpu_area_init(void *area);
/* Replaces the x87 and SSE part by what FXSAVE wrote. */
void fpu_set_legacy(void *area, const void *state, size_t n);
void fpu_save(void *area);
/* A state that the CPU refuses (set by a tool) is replaced by the initial one. */
void fpu_load(void *area, uint64_t xcr0);
void fpu_set_xcr0(uint64_t xcr0);
/* x87 and SSE as after reset, for code that is no guest's. */
void fpu_reset(void);

#endif
