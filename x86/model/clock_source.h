/* SPDX-License-Identifier: BSD-2-Clause */
/* What the speed of the TSC can be known by, and the order in which that is tried. */
#ifndef X86_MODEL_CLOCK_SOURCE_H
#define X86_MODEL_CLOCK_SOURCE_H

#include "x86/model/cpuid.h"

enum clock_source {
    CLOCK_DEFAULT, /* none in particular: the usual order */
    CLOCK_HPET,
    CLOCK_ACPI,    /* the PM timer */
    CLOCK_PIT,     /* its channel 2 */
    CLOCK_TSC,     /* CPUID says how fast it is */
    CLOCK_SOURCES,
};

/* All of them, once each: `first`, then the usual ones that are left, the one that is read fastest and exactly before others. */
unsigned clock_order(enum clock_source first, enum clock_source order[CLOCK_SOURCES]);

/*
 * Ticks of the TSC in a second by CPUID's leaves 0x15 (ratio to the crystal, and the crystal's own speed) and 0x16 (base speed,
 * which stands for the TSC's where the crystal's is not told). 0: they don't say, or what can't be.
 */
uint64_t clock_tsc_hz(struct cpuid_leaf ratio, struct cpuid_leaf speed);

#endif
