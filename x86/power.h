/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's power: off, reset. What the firmware's tables do not say (sleep types) dom0 must. */
#ifndef X86_POWER_H
#define X86_POWER_H

#include "lib/types.h"

struct acpi_info;

/* At boot. `reset_on_crash`: MACHINE_CRASHED resets the machine after a while; else it stands still. */
void power_init(const struct acpi_info *acpi, bool reset_on_crash);

#endif
