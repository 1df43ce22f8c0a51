/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices: a machine with sixteen interrupt pins, no PCI, a console that is stdout, and an end that a test can watch. */
#include "host/inside.h"

#include "abi/identity.h"
#include "core/irqs.h"
#include "core/log.h"
#include "core/port.h"
#include "core/power.h"
#include "lib/errno.h"
#include "lib/printf.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PINS 16u
#define LINES 64u
#define HV_PORT 0x3f8u /* eight ports of the hypervisor's own: its serial line */

void (*host_ended)(enum machine_end how);
void (*host_panicked)(const char *text);
bool host_verbose;

static struct line { struct domain *_Atomic d; _Atomic bool bound; } line_of[LINES];

/* ---- Firmware ---- */

uint64_t (*host_efi)(enum efi_service service, const uint64_t arg[5]);

bool machine_has_efi(void)                                                     { return host_efi; }
uint64_t machine_efi_call(enum efi_service service, const uint64_t arg[5]) { return host_efi(service, arg); }

/* ---- Interrupt lines ---- */

unsigned irqs_count(void) { return LINES; }
unsigned irqs_gsi_count(void) { return PINS; }
int irqs_setup_gsi(unsigned gsi, bool level, bool active_low) { return gsi < PINS ? 0 : -EINVAL; }
unsigned irqs_vector(unsigned pirq) { return 0x30 + pirq; }
bool irqs_needs_eoi(unsigned pirq) { return false; }
void irqs_fill_eoi_page(struct domain *d) { }
int irqs_ioapic_read(uint64_t maddr, uint32_t reg, uint32_t *value) { return -EINVAL; }
int irqs_restore_msi(uint16_t seg, uint8_t bus, uint8_t devfn) { return -ENODEV; }
int irqs_map_msi(struct domain *d, int pirq, const struct irqs_msi *msi) { return -ENODEV; }
bool irqs_is_mapped(const struct domain *d, unsigned pirq) { return pirq < LINES && line_of[pirq].d == d; }
int irqs_eoi(struct domain *d, unsigned pirq) { return irqs_is_mapped(d, pirq) ? 0 : -EINVAL; }

int irqs_map_gsi(struct domain *d, unsigned gsi)
{
    if (gsi >= PINS)
        return -EINVAL;
    if (line_of[gsi].d && line_of[gsi].d != d)
        return -EBUSY;
    line_of[gsi].d = d;
    return (int)gsi;
}

int irqs_reserve(struct domain *d)
{
    for (unsigned i = PINS; i < LINES; i++) {
        struct domain *nobody = NULL;

        if (atomic_compare_exchange_strong(&line_of[i].d, &nobody, d))
            return (int)i;
    }
    return -ENOSPC;
}

int irqs_unmap(struct domain *d, unsigned pirq)
{
    if (!irqs_is_mapped(d, pirq))
        return -EINVAL;
    if (line_of[pirq].bound)
        return -EBUSY;
    line_of[pirq].d = NULL;
    return 0;
}

void irqs_unmap_all(struct domain *d)
{
    for (unsigned i = 0; i < LINES; i++)
        (void)irqs_unmap(d, i);
}

int machine_pirq_bind(struct domain *d, unsigned pirq, bool share)
{
    if (!irqs_is_mapped(d, pirq))
        return -EINVAL;
    if (line_of[pirq].bound)
        return -EBUSY;
    line_of[pirq].bound = true;
    return 0;
}

void machine_pirq_unbind(struct domain *d, unsigned pirq) { line_of[pirq].bound = false; }

/* ---- Registers: nothing answers ---- */

uint32_t machine_port_read(uint16_t port, unsigned bytes) { return ~0u >> (32 - 8 * bytes); }
void machine_port_write(uint16_t port, unsigned bytes, uint32_t value) { }
uint32_t machine_pci_read(uint32_t address, uint16_t port, unsigned bytes) { return ~0u >> (32 - 8 * bytes); }
void machine_pci_write(uint32_t address, uint16_t port, unsigned bytes, uint32_t value) { }
bool machine_keeps_port(unsigned port, unsigned bytes) { return port + bytes > HV_PORT && port < HV_PORT + 8; }
bool machine_keeps_mmio(mfn_t m, uint64_t n) { return m.n + n > 0xfee00 && m.n <= 0xfee00; }

uint64_t *(*host_msr)(uint32_t msr);

bool machine_msr_read(uint32_t msr, uint64_t *value)
{
    const uint64_t *r = host_msr ? host_msr(msr) : NULL;

    if (r)
        *value = *r;
    return r;
}

bool machine_msr_write(uint32_t msr, uint64_t value)
{
    uint64_t *r = host_msr ? host_msr(msr) : NULL;

    if (r)
        *r = value;
    return r;
}

uint32_t identity_build_id(const uint8_t **id)
{
    static const uint8_t bytes[] = { 0x4b, 0x52, 0x59, 0x50 };

    *id = bytes;
    return sizeof(bytes);
}

/* ---- Console and ends ---- */

void machine_console_write(const char *s, size_t n)
{
    if (host_verbose)
        fwrite(s, 1, n, stdout);
}

_Noreturn void machine_end(enum machine_end how)
{
    if (host_ended)
        host_ended(how);
    fprintf(stderr, "the machine ended: %d\n", (int)how);
    abort();
}

int power_sleep(unsigned state, uint16_t val_a, uint16_t val_b)
{
    if (state == 5)
        machine_end(MACHINE_OFF);
    return -EOPNOTSUPP;
}

_Noreturn void panic(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    kvsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (host_panicked)
        host_panicked(text);
    fprintf(stderr, "panic: %s\n", text);
    abort();
}
