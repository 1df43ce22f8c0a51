/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration mechanism 1: an address register and a data window, under one lock. */
#include "x86/pci.h"

#include "core/lock.h"
#include "core/machine.h"
#include "x86/asm.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u
#define MAX_CAPS       48u     /* more would not fit into 256 bytes: a loop */

static struct lock pci_lock = LOCK_INIT(DEVICE);

uint32_t machine_pci_read(uint32_t address, uint16_t port, unsigned bytes)
{
    uint32_t v;

    lock(&pci_lock);
    outl(CONFIG_ADDRESS, address);
    v = bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
    unlock(&pci_lock);
    return v;
}

void machine_pci_write(uint32_t address, uint16_t port, unsigned bytes, uint32_t v)
{
    lock(&pci_lock);
    outl(CONFIG_ADDRESS, address);
    if (bytes == 1)
        outb(port, (uint8_t)v);
    else if (bytes == 2)
        outw(port, (uint16_t)v);
    else
        outl(port, v);
    unlock(&pci_lock);
}

static uint32_t address_of(pci_bdf_t f, unsigned offset)
{
    return CONFIG_ENABLE | (uint32_t)f << 8 | (offset & 0xfc);
}

uint32_t pci_read(pci_bdf_t f, unsigned offset, unsigned bytes)
{
    return machine_pci_read(address_of(f, offset), CONFIG_DATA + (offset & 3), bytes);
}

void pci_write(pci_bdf_t f, unsigned offset, unsigned bytes, uint32_t v)
{
    machine_pci_write(address_of(f, offset), CONFIG_DATA + (offset & 3), bytes, v);
}

bool pci_present(pci_bdf_t f)
{
    return pci_read(f, 0, 2) != 0xffff;
}

unsigned pci_find_cap(pci_bdf_t f, uint8_t id)
{
    unsigned at;

    if (!pci_present(f) || !(pci_read(f, PCI_STATUS, 2) & PCI_STATUS_CAPS))
        return 0;
    at = pci_read(f, PCI_CAP_LIST, 1) & ~3u;
    for (unsigned i = 0; i < MAX_CAPS && at >= 0x40; i++) {
        uint32_t head = pci_read(f, at, 2);

        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & ~3u;
    }
    return 0;
}
