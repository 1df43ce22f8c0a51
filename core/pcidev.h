/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI functions that dom0 has told us of. */
#ifndef CORE_PCIDEV_H
#define CORE_PCIDEV_H

#include "lib/types.h"

/* Notes the function; again is no error. -ENODEV: only segment 0 is known here. */
int pcidev_add(uint16_t seg, uint8_t bus, uint8_t devfn);
/* 0, or -ENODEV if it was not there. */
int pcidev_remove(uint16_t seg, uint8_t bus, uint8_t devfn);
bool pcidev_known(uint16_t seg, uint8_t bus, uint8_t devfn);

#endif
