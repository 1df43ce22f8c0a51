/* SPDX-License-Identifier: BSD-2-Clause */
/* What of the machine is the hypervisor's own, and nobody else's, dom0's included. */
#include "core/machine.h"
#include "x86/ioapic.h"
#include "x86/serial.h"

/*
 * The 8259s stay masked; nobody is to find out what happens if not. The PIT may be what time is measured by.
 * PCI addresses (0xcf8) are kept per domain.
 */
static const struct { uint16_t first, last; } kept[] = {
    { 0x20, 0x21 }, { 0xa0, 0xa1 }, { 0x40, 0x43 }, { 0xcf8, 0xcff },
};

static bool overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
    return a < b_end && b < a_end;
}

bool machine_keeps_port(unsigned port, unsigned bytes)
{
    uint16_t serial;
    unsigned n = serial_ports(&serial);

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (overlap(port, port + bytes, kept[i].first, kept[i].last + 1u))
            return true;
    return n && overlap(port, port + bytes, serial, serial + n);
}

/* Local APICs with the window for messages to them, and I/O APICs. That it is not RAM the caller knows. */
bool machine_keeps_mmio(mfn_t m, uint64_t n)
{
    uint64_t end;

    if (__builtin_add_overflow(m.n, n, &end) || end > 1ull << (machine_maddr_bits() - PAGE_SHIFT))
        return true;
    return overlap(m.n, end, 0xfee00, 0xfef00) || ioapic_in(m.n, end);
}
