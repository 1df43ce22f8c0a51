/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to restart a machine, and the order in which they are tried. */
#ifndef X86_MODEL_REBOOT_H
#define X86_MODEL_REBOOT_H

#include "lib/types.h"

enum reboot_way {
    REBOOT_DEFAULT, /* none in particular: the usual order */
    REBOOT_ACPI,    /* the reset register that the FADT names */
    REBOOT_KBD,     /* the keyboard controller's reset line */
    REBOOT_PCI,     /* the chipset's register at port 0xcf9 */
    REBOOT_POWER,   /* the same with the power switched off and on */
    REBOOT_EFI,     /* the firmware's ResetSystem() */
    REBOOT_TRIPLE,  /* a triple fault; it always works, or nothing does */
    REBOOT_WAYS,
};

/*
 * All that is to be tried, one after the other: `first`, then the usual ways that are left; a triple fault comes last, unless it
 * is first. The firmware and the power are tried only if they are first. Gives how many, at most REBOOT_WAYS.
 */
unsigned reboot_order(enum reboot_way first, enum reboot_way order[REBOOT_WAYS]);

#endif
