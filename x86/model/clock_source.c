/* SPDX-License-Identifier: BSD-2-Clause */
/* See x86/model/clock_source.h. */
#include "x86/model/clock_source.h"

#include "lib/types.h"

#define TSC_HZ_MIN 1000000ull
#define TSC_HZ_MAX 100000000000ull

unsigned clock_order(enum clock_source first, enum clock_source order[CLOCK_SOURCES])
{
    static const enum clock_source usual[] = { CLOCK_HPET, CLOCK_ACPI, CLOCK_PIT, CLOCK_TSC };
    unsigned n = 0;

    if (first != CLOCK_DEFAULT)
        order[n++] = first;
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        if (usual[i] != first)
            order[n++] = usual[i];
    return n;
}

uint64_t clock_tsc_hz(struct cpuid_leaf ratio, struct cpuid_leaf speed)
{
    uint64_t hz;

    if (!ratio.a || !ratio.b)
        return 0;
    hz = ratio.c ? (uint64_t)ratio.c * ratio.b / ratio.a : (speed.a & 0xffff) * 1000000ull;
    return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : 0;
}
