/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APICs: an index and a data register each, behind which the pins' redirection entries lie. */
#include "x86/ioapic.h"

#include "boot/parse/acpi.h"
#include "core/lock.h"
#include "core/log.h"
#include "lib/errno.h"
#include "x86/asm.h"
#include "x86/mm.h"

#define MAX_IOAPICS   16u
#define IOAPIC_BYTES  0x1000u
#define SELECT        0x00u
#define WINDOW        0x10u
#define REG_ID        0u
#define REG_VERSION   1u
#define REG_ARB       2u
#define REG_PIN(n)    (0x10u + (n) * 2)

#define RTE_LOW       (1u << 13)
#define RTE_LEVEL     (1u << 15)
#define RTE_MASKED    (1u << 16)

static struct ioapic {
    volatile uint8_t *mmio;
    uint64_t maddr;
    unsigned gsi_base, pins;
} ioapics[MAX_IOAPICS];

static unsigned nr_ioapics, gsi_count;
static struct lock ioapic_lock = LOCK_INIT(DEVICE);

static uint32_t ioapic_read(const struct ioapic *a, uint32_t reg)
{
    mmio_write32(a->mmio + SELECT, reg);
    return mmio_read32(a->mmio + WINDOW);
}

static void ioapic_write(const struct ioapic *a, uint32_t reg, uint32_t v)
{
    mmio_write32(a->mmio + SELECT, reg);
    mmio_write32(a->mmio + WINDOW, v);
}

static struct ioapic *find(unsigned gsi)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

static void add(uint64_t maddr, unsigned gsi_base)
{
    struct ioapic *a = &ioapics[nr_ioapics];

    *a = (struct ioapic){ io_map(maddr, IOAPIC_BYTES), maddr, gsi_base, 0 };
    if (!a->mmio || ioapic_read(a, REG_VERSION) == 0xffffffff) {
        hv_log(LOG_WARN, "no I/O APIC at %#lx", maddr);
        return;
    }
    a->pins = (ioapic_read(a, REG_VERSION) >> 16 & 0xff) + 1;
    for (unsigned pin = 0; pin < a->pins; pin++) {
        ioapic_write(a, REG_PIN(pin), RTE_MASKED);
        ioapic_write(a, REG_PIN(pin) + 1, 0);
    }
    gsi_count = MAX(gsi_count, gsi_base + a->pins);
    nr_ioapics++;
    hv_log(LOG_INFO, "I/O APIC at %#lx: interrupts %u to %u", maddr, gsi_base, gsi_base + a->pins - 1);
}

void ioapic_init(const struct acpi_info *acpi)
{
    for (unsigned i = 0; i < acpi->nr_ioapics && nr_ioapics < MAX_IOAPICS; i++)
        add(acpi->ioapic[i].base, acpi->ioapic[i].gsi_base);
}

unsigned ioapic_gsi_count(void)
{
    return gsi_count;
}

bool ioapic_has(unsigned gsi)
{
    return find(gsi);
}

bool ioapic_in(uint64_t first, uint64_t end)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if (ioapics[i].maddr >> PAGE_SHIFT >= first && ioapics[i].maddr >> PAGE_SHIFT < end)
            return true;
    return false;
}

void ioapic_route(unsigned gsi, const struct ioapic_route *r)
{
    struct ioapic *a = find(gsi);
    uint32_t pin = gsi - a->gsi_base;
    uint32_t low = r->vector | (r->level ? RTE_LEVEL : 0) | (r->active_low ? RTE_LOW : 0);

    lock(&ioapic_lock);
    ioapic_write(a, REG_PIN(pin), RTE_MASKED | low);
    ioapic_write(a, REG_PIN(pin) + 1, r->apic_id << 24);
    if (!r->masked)
        ioapic_write(a, REG_PIN(pin), low);
    unlock(&ioapic_lock);
}

void ioapic_mask(unsigned gsi, bool masked)
{
    struct ioapic *a = find(gsi);
    uint32_t reg = REG_PIN(gsi - a->gsi_base), low;

    lock(&ioapic_lock);
    low = ioapic_read(a, reg) & ~RTE_MASKED;
    ioapic_write(a, reg, low | (masked ? RTE_MASKED : 0));
    unlock(&ioapic_lock);
}

int ioapic_read_register(uint64_t maddr, uint32_t reg, uint32_t *value)
{
    for (unsigned i = 0; i < nr_ioapics; i++) {
        struct ioapic *a = &ioapics[i];

        if (a->maddr != maddr)
            continue;
        if (reg != REG_ID && reg != REG_VERSION && reg != REG_ARB &&
            (reg < REG_PIN(0) || reg >= REG_PIN(a->pins)))
            return -EINVAL;
        lock(&ioapic_lock);
        *value = ioapic_read(a, reg);
        unlock(&ioapic_lock);
        return 0;
    }
    return -EINVAL;
}

/* Four pins, from GSI `at` on. */
uint64_t ioapic_show(uint64_t at)
{
    uint64_t end = MIN(at + 4, (uint64_t)gsi_count);

    for (; at < end; at++) {
        const struct ioapic *a = find((unsigned)at);
        uint32_t low, high;

        if (!a)
            continue;
        lock(&ioapic_lock);
        low = ioapic_read(a, REG_PIN((unsigned)at - a->gsi_base));
        high = ioapic_read(a, REG_PIN((unsigned)at - a->gsi_base) + 1);
        unlock(&ioapic_lock);
        hv_log(LOG_ERR, "   GSI %2lu (I/O APIC at %#lx): vec:%02x dest:%02x %s %s%s", at, a->maddr, low & 0xff, high >> 24,
               low & RTE_LEVEL ? "level" : "edge", low & RTE_LOW ? "low" : "high", low & RTE_MASKED ? " masked" : "");
    }
    return at < gsi_count ? at : 0;
}
