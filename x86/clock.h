/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks of the machine: how fast the TSC is, what the battery clock says, and the timer that wakes a CPU. */
#ifndef X86_CLOCK_H
#define X86_CLOCK_H

#include "lib/types.h"
#include "x86/model/clock_source.h"

struct acpi_info;

/*
 * On the boot CPU after apic_init(): measures the TSC and the APIC timer against the best reference there is
 * and calls time_init(). `first` is tried before the others. Takes about 50 ms; panics if no reference runs.
 */
void clock_init(const struct acpi_info *acpi, enum clock_source first);

/* Busy-waits; for bringing up hardware only. After clock_init(). */
void clock_delay_us(uint32_t us);

/* Seconds since 1970 by the battery clock (UTC); 0 if it says nonsense. */
uint64_t clock_read_rtc(void);

#endif
