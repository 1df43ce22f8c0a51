/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts: vectors, and the lines (I/O APIC pins, MSIs) behind them.
 *
 * A line belongs to nobody, to the hypervisor (a handler), or to a domain as one of its pirqs.
 */
#ifndef X86_IRQ_H
#define X86_IRQ_H

#include "core/ids.h"

struct acpi_info;

/* Vectors. Exceptions and the entries below 0x30 are the trap code's. */
enum {
    VECTOR_DEVICE_FIRST = 0x30,
    VECTOR_DEVICE_LAST  = 0xef,
    VECTOR_TIMER        = 0xf0, /* local APIC timer                                       */
    VECTOR_KICK         = 0xf1, /* machine_kick: nothing but a passage                    */
    VECTOR_FLUSH        = 0xf2, /* somebody waits for this CPU's answer to a TLB flush    */
    VECTOR_STOP         = 0xf3, /* the machine ends: stop here                            */
    VECTOR_ERROR        = 0xfe, /* local APIC error                                       */
    VECTOR_SPURIOUS     = 0xff,
};

/* At boot, after the local APIC: the I/O APICs and the lines. All lines start masked. */
void irq_init(const struct acpi_info *acpi);

/*
 * Vectors 0x20..0xff, from the entry code with interrupts off and no lock held. Handlers and pirq_raise()
 * run inside. VECTOR_FLUSH is answered by tlb_answer().
 */
void irq_dispatch(unsigned vector);

/* The hypervisor takes an ISA interrupt for itself. 0, -EINVAL, -EBUSY, -ENOSPC (no vector). */
int irq_claim_isa(unsigned isa_irq, void (*handler)(void *), void *data);

/* Registers the debug keys about interrupts; at boot. */
void irq_keys_init(void);

#endif
