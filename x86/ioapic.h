/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APICs: their pins, numbered as global system interrupts. */
#ifndef X86_IOAPIC_H
#define X86_IOAPIC_H

#include "lib/types.h"

struct acpi_info;

/* At boot: finds and masks all pins. */
void ioapic_init(const struct acpi_info *acpi);
/* One more than the highest GSI. */
unsigned ioapic_gsi_count(void);
bool ioapic_has(unsigned gsi);
/* Are the registers of one in frames [first, end)? */
bool ioapic_in(uint64_t first, uint64_t end);

struct ioapic_route {
    uint8_t vector;
    bool level, active_low, masked;
    uint32_t apic_id;
};
/* Programs the pin of gsi. Takes the DEVICE lock; the caller holds the line's. */
void ioapic_route(unsigned gsi, const struct ioapic_route *route);
void ioapic_mask(unsigned gsi, bool masked);

/* Debug key 'z', see core/keys.h. */
uint64_t ioapic_show(uint64_t at);

/* Registers 0 to 2 and the redirection entries, read back. 0 or -EINVAL. */
int ioapic_read_register(uint64_t maddr, uint32_t reg, uint32_t *value);

#endif
