/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message-signalled interrupts: where a device keeps address, data and mask of one, and how they are
 * written.
 */
#ifndef X86_MSI_H
#define X86_MSI_H

#include "core/irqs.h"
#include "x86/pci.h"

struct msi {
    pci_bdf_t device;
    uint8_t cap;               /* offset of the capability                              */
    bool is_x;                 /* MSI-X: `entry` is the table entry, already mapped     */
    bool wide, maskable;       /* MSI: 64-bit address; has mask bits                    */
    uint8_t index, log2_count; /* MSI: which of how many consecutive vectors            */
    uint16_t entry_nr;
    volatile uint8_t *entry;
};

/*
 * Looks at the device; changes nothing. 0, -ENODEV (no device, or no capability), -EINVAL, -ENOSPC. Takes
 * DEVICE.
 */
int msi_find(const struct irqs_msi *want, struct msi *out);

/* Makes it send `vector` to the CPU; the mask stays as it is. Takes DEVICE. */
void msi_write(const struct msi *m, uint32_t apic_id, uint8_t vector);
/* False if it can't be masked. */
bool msi_mask(const struct msi *m, bool masked);

#endif
