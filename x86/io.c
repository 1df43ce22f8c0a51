/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports and MSRs, for guests' instructions that core/privop.c has allowed. */
#include "core/machine.h"
#include "x86/asm.h"
#include "x86/traps.h"

uint32_t machine_port_read(uint16_t port, unsigned bytes)
{
    switch (bytes) {
    case 1: return inb(port);
    case 2: return inw(port);
    default: return inl(port);
    }
}

void machine_port_write(uint16_t port, unsigned bytes, uint32_t value)
{
    switch (bytes) {
    case 1:
        outb(port, (uint8_t)value);
        break;
    case 2:
        outw(port, (uint16_t)value);
        break;
    default:
        outl(port, value);
    }
}

bool machine_msr_read(uint32_t msr, uint64_t *value)
{
    return rdmsr_safe(msr, value) == 0;
}

bool machine_msr_write(uint32_t msr, uint64_t value)
{
    return wrmsr_safe(msr, value) == 0;
}

unsigned machine_maddr_bits(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000008 ? cpuid(0x80000008, 0).eax & 0xff : 36;
}
