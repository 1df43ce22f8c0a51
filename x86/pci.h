/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space through ports 0xcf8 and 0xcfc, one access at a time. */
#ifndef X86_PCI_H
#define X86_PCI_H

#include "lib/types.h"

#define PCI_COMMAND      0x04u
#define PCI_COMMAND_MEMORY 0x02u
#define PCI_STATUS       0x06u
#define PCI_STATUS_CAPS  0x10u
#define PCI_CAP_LIST     0x34u
#define PCI_CAP_MSI      0x05u
#define PCI_CAP_MSIX     0x11u

/* A function of segment 0: bus << 8 | devfn. */
typedef uint16_t pci_bdf_t;

static inline pci_bdf_t pci_bdf(uint8_t bus, uint8_t devfn) { return (pci_bdf_t)(bus << 8 | devfn); }

/*
 * 1, 2 or 4 bytes at a naturally aligned offset below 256; all ones if nobody answers. Takes the DEVICE
 * lock.
 */
uint32_t pci_read(pci_bdf_t f, unsigned offset, unsigned bytes);
void pci_write(pci_bdf_t f, unsigned offset, unsigned bytes, uint32_t v);

bool pci_present(pci_bdf_t f);
/* Offset of the capability, 0: not there. */
unsigned pci_find_cap(pci_bdf_t f, uint8_t id);

#endif
