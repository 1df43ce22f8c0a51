/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the physdev operations ask of the machine's interrupt lines; x86/irq.c and x86/msi.c make it.
 *
 * A line has one number in all domains: its pirq. The first are the pins of the I/O APICs (pirq == GSI), the
 * others are given out for MSIs. A line is mapped by at most one domain.
 */
#ifndef CORE_IRQS_H
#define CORE_IRQS_H

#include "core/ids.h"

struct domain;

/* How many pirqs there are, and how many of them are GSIs. */
unsigned irqs_count(void);
unsigned irqs_gsi_count(void);

/* Trigger and polarity of a pin. 0; -EEXIST if they were set before, and stay; -EINVAL. */
int irqs_setup_gsi(unsigned gsi, bool level, bool active_low);

/*
 * Gives the pin to d. The pirq, or -EINVAL, -EBUSY (somebody else has it), -EPERM (d gave it up once: the
 * right to it went with it), -ENOSPC (no vector).
 */
int irqs_map_gsi(struct domain *d, unsigned gsi);

struct irqs_msi {
    uint16_t seg;
    uint8_t bus, devfn;
    uint64_t table_base;   /* BAR of the MSI-X table, 0: MSI          */
    uint16_t entry;        /* MSI-X: which; MSI: 0                    */
    uint16_t count;        /* MSI: how many in a row; a power of two  */
};

/*
 * Programs the device's MSI (or one MSI-X entry) and gives it to d as `pirq` (-1: any; with count > 1 always
 * any), masked until it is bound. The (first) pirq, or -EINVAL, -ENODEV, -EBUSY, -ENOSPC.
 */
int irqs_map_msi(struct domain *d, int pirq, const struct irqs_msi *msi);

/* Sets a number aside for a later irqs_map_msi() of d. The pirq or -ENOSPC. */
int irqs_reserve(struct domain *d);

/* d gives the line back. 0; -EINVAL: not d's; -EBUSY: bound to a port. */
int irqs_unmap(struct domain *d, unsigned pirq);
/* All that d has goes; its ports are closed already. */
void irqs_unmap_all(struct domain *d);

bool irqs_is_mapped(const struct domain *d, unsigned pirq);
/* Must d say when it has handled the interrupt? */
bool irqs_needs_eoi(unsigned pirq);
/* d has handled it. 0, or -EINVAL if the line is not d's. */
int irqs_eoi(struct domain *d, unsigned pirq);
unsigned irqs_vector(unsigned pirq);
/* Writes d's needs-EOI page, which was just registered. */
void irqs_fill_eoi_page(struct domain *d);

/* A register of the I/O APIC at maddr, as a guest may see it. 0 or -EINVAL. */
int irqs_ioapic_read(uint64_t maddr, uint32_t reg, uint32_t *value);

/* Writes the device's MSI registers again, after it lost power. 0 or -ENODEV. */
int irqs_restore_msi(uint16_t seg, uint8_t bus, uint8_t devfn);

/* ---- core/irqs.c ---- */

/*
 * Frame m becomes d's needs-EOI page. `auto_unmask`: the end of an interrupt also unmasks its port. 0;
 * -EINVAL: not a frame that it may write; -EBUSY: has one. Takes d's lock.
 */
int irqs_set_eoi_page(struct domain *d, mfn_t m, bool auto_unmask);
/* Unmasks the port that d bound to the pirq, if there is one. 0. */
int irqs_unmask_port(struct domain *d, unsigned pirq);

#endif
