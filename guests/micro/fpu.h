/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of one's own in every register of the FPU, SSE and AVX; see hostile_fpu.c. */
#ifndef MICRO_FPU_H
#define MICRO_FPU_H

#include <stdbool.h>

void fpu_take(unsigned int who);        /* below 8: vCPUs 1 and up take others */
bool fpu_kept(unsigned int who);

#endif
