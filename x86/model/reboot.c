/* SPDX-License-Identifier: BSD-2-Clause */
/* See x86/model/reboot.h. */
#include "x86/model/reboot.h"

unsigned reboot_order(enum reboot_way first, enum reboot_way order[REBOOT_WAYS])
{
    static const enum reboot_way usual[] = { REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI, REBOOT_TRIPLE };
    unsigned n = 0;

    if (first != REBOOT_DEFAULT)
        order[n++] = first;
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        if (usual[i] != first)
            order[n++] = usual[i];
    return n;
}
