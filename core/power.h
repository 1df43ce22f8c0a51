/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleep states of the machine, as XENPF_enter_acpi_sleep asks for them; x86/power.c makes it. */
#ifndef CORE_POWER_H
#define CORE_POWER_H

#include "lib/types.h"

/*
 * dom0 prepared everything: enter S`state` by writing val_a and val_b to the PM1 control registers. For S5
 * it does not return; -EOPNOTSUPP for other states, -ENODEV without such registers.
 */
int power_sleep(unsigned state, uint16_t val_a, uint16_t val_b);

#endif
