/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI capabilities and MSI-X tables.
 *
 * Address, data and masks are ours; the enable bits in the capability belong to the device's driver, in dom0.
 * A table page is mapped once and stays mapped: dom0 says where it is, and it must not be RAM.
 */
#include "x86/msi.h"

#include "core/frame.h"
#include "core/lock.h"
#include "lib/errno.h"
#include "x86/asm.h"
#include "x86/mm.h"

#define MSI_CONTROL        2u
#define MSI_ADDRESS        4u
#define CONTROL_COUNT(c)   (1u << ((c) >> 1 & 7)) /* vectors that it can have */
#define CONTROL_COUNT_MASK 0x70u
#define CONTROL_64         0x80u
#define CONTROL_MASKABLE   0x100u

#define MSIX_CONTROL       2u
#define MSIX_TABLE         4u
#define MSIX_SIZE(c)       (((c) & 0x7ff) + 1u)
#define MSIX_ENTRY_BYTES   16u
#define ENTRY_ADDRESS      0u
#define ENTRY_ADDRESS_HIGH 4u
#define ENTRY_DATA         8u
#define ENTRY_CONTROL      12u
#define ENTRY_MASKED       1u

#define TABLE_PAGES        256u

/* ---- Table pages mapped so far ---- */

static struct { uint64_t maddr; volatile uint8_t *va; } pages[TABLE_PAGES];
static struct lock pages_lock = LOCK_INIT(DEVICE);

static volatile uint8_t *table_page(uint64_t maddr)
{
    volatile uint8_t *va = NULL;
    unsigned i;

    lock(&pages_lock);
    for (i = 0; i < TABLE_PAGES && pages[i].va && pages[i].maddr != maddr; i++)
        ;
    if (i < TABLE_PAGES) {
        if (!pages[i].va)
            pages[i].va = io_map(maddr, PAGE_SIZE);
        pages[i].maddr = maddr;
        va = pages[i].va;
    }
    unlock(&pages_lock);
    return va;
}

/* ---- Finding ---- */

static int find_msix(const struct irqs_msi *want, struct msi *out)
{
    uint32_t control = pci_read(out->device, out->cap + MSIX_CONTROL, 2);
    uint32_t offset = pci_read(out->device, out->cap + MSIX_TABLE, 4) & ~7u;
    uint64_t at = want->table_base + offset + (uint64_t)want->entry * MSIX_ENTRY_BYTES;
    volatile uint8_t *page;

    if (want->entry >= MSIX_SIZE(control) || want->count != 1 || at < want->table_base ||
        want->table_base & 15 || at >> 52)
        return -EINVAL;
    if (mfn_is_ram(maddr_mfn(at)) || !(pci_read(out->device, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -EINVAL;
    page = table_page(at & PAGE_MASK);
    if (!page)
        return -ENOSPC;
    out->is_x = true;
    out->maskable = true;
    out->entry_nr = want->entry;
    out->entry = page + (at & ~PAGE_MASK);
    return 0;
}

static int find_msi(const struct irqs_msi *want, struct msi *out)
{
    uint32_t control = pci_read(out->device, out->cap + MSI_CONTROL, 2);

    if (want->entry || want->count & (want->count - 1) || want->count > CONTROL_COUNT(control))
        return -EINVAL;
    out->wide = control & CONTROL_64;
    out->maskable = control & CONTROL_MASKABLE;
    out->log2_count = (uint8_t)__builtin_ctz(want->count);
    return 0;
}

int msi_find(const struct irqs_msi *want, struct msi *out)
{
    unsigned cap;

    *out = (struct msi){ .device = pci_bdf(want->bus, want->devfn) };
    if (want->seg)
        return -ENODEV;
    cap = pci_find_cap(out->device, want->table_base ? PCI_CAP_MSIX : PCI_CAP_MSI);
    if (!cap)
        return -ENODEV;
    out->cap = (uint8_t)cap;
    return want->table_base ? find_msix(want, out) : find_msi(want, out);
}

/* ---- Writing ---- */

static uint32_t message_address(uint32_t apic_id)
{
    return 0xfee00000 | apic_id << 12;
}

static void write_entry(const struct msi *m, uint32_t address, uint32_t data)
{
    uint32_t control = mmio_read32(m->entry + ENTRY_CONTROL);

    mmio_write32(m->entry + ENTRY_CONTROL, control | ENTRY_MASKED); /* never half a message */
    mmio_write32(m->entry + ENTRY_ADDRESS, address);
    mmio_write32(m->entry + ENTRY_ADDRESS_HIGH, 0);
    mmio_write32(m->entry + ENTRY_DATA, data);
    mmio_write32(m->entry + ENTRY_CONTROL, control);
}

void msi_write(const struct msi *m, uint32_t apic_id, uint8_t vector)
{
    uint32_t control;

    if (m->is_x) {
        write_entry(m, message_address(apic_id), vector);
        return;
    }
    if (m->index)
        return; /* the first of the row speaks for all: the device adds the index */
    control = pci_read(m->device, m->cap + MSI_CONTROL, 2) & ~CONTROL_COUNT_MASK;
    pci_write(m->device, m->cap + MSI_CONTROL, 2, control | (uint32_t)m->log2_count << 4);
    pci_write(m->device, m->cap + MSI_ADDRESS, 4, message_address(apic_id));
    if (m->wide)
        pci_write(m->device, m->cap + MSI_ADDRESS + 4, 4, 0);
    pci_write(m->device, m->cap + MSI_ADDRESS + (m->wide ? 8 : 4), 2, vector);
}

bool msi_mask(const struct msi *m, bool masked)
{
    uint32_t old, bit = 1u << m->index;
    unsigned reg = m->cap + MSI_ADDRESS + (m->wide ? 12 : 8);

    if (!m->maskable)
        return false;
    if (m->is_x) {
        old = mmio_read32(m->entry + ENTRY_CONTROL) & ~ENTRY_MASKED;
        mmio_write32(m->entry + ENTRY_CONTROL, old | (masked ? ENTRY_MASKED : 0));
        mmio_read32(m->entry + ENTRY_CONTROL); /* it has arrived */
    } else {
        old = pci_read(m->device, reg, 4) & ~bit;
        pci_write(m->device, reg, 4, old | (masked ? bit : 0));
    }
    return true;
}
