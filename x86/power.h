/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's power: off, reset. What the firmware's tables do not say (sleep types) dom0 must. */
#ifndef X86_POWER_H
#define X86_POWER_H

#include "lib/types.h"

struct acpi_info;
struct boot_options;

/* At boot. The options say whether MACHINE_CRASHED resets the machine after a while or stands still, and how to reset. */
void power_init(const struct acpi_info *acpi, const struct boot_options *options);

#endif
