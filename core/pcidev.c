/* SPDX-License-Identifier: BSD-2-Clause */
/* One bit a function of segment 0. */
#include "core/pcidev.h"

#include "lib/errno.h"

#include <stdatomic.h>

static _Atomic uint64_t known[65536 / 64];

static _Atomic uint64_t *word_of(uint8_t bus, uint8_t devfn)
{
    return &known[bus * 4u + devfn / 64];
}

int pcidev_add(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    if (seg)
        return -ENODEV;
    atomic_fetch_or(word_of(bus, devfn), BIT(devfn % 64));
    return 0;
}

int pcidev_remove(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    if (seg || !(atomic_fetch_and(word_of(bus, devfn), ~BIT(devfn % 64)) & BIT(devfn % 64)))
        return -ENODEV;
    return 0;
}

bool pcidev_known(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    return !seg && *word_of(bus, devfn) & BIT(devfn % 64);
}
