/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine keeps per vCPU. */
#ifndef X86_SWITCH_H
#define X86_SWITCH_H

#include "core/vcpu.h"

struct machine_vcpu {
    int bad_segment;    /* a selector did not load at the last switch: failsafe is due */
    uint8_t fpu[] __attribute__((aligned(64))); /* XSAVE area */
};

#endif
