/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC of each CPU: end of interrupt, messages between CPUs, the timer. xAPIC (MMIO) or x2APIC
 * (MSRs).
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include "lib/types.h"

/*
 * On the boot CPU, once, after io_map() works: finds the mode, masks the 8259s, enables the APIC. `maddr`: of
 * the registers. The mode is x2APIC if the CPU has it and `may_be_x2`, or if the firmware left it on.
 */
void apic_init(uint64_t maddr, bool may_be_x2);
/* On every other CPU, when it comes up. */
void apic_init_cpu(void);

bool apic_is_x2(void);
/* A message can be sent to that id: in xAPIC mode ids have 8 bits, and 0xff is all CPUs. */
bool apic_reaches(uint32_t id);
uint32_t apic_id(void);
void apic_eoi(void);

/* Messages; never wait for the other CPU. */
void apic_send_ipi(unsigned cpu, uint8_t vector);
/* By APIC id, for CPUs that do not run yet. */
void apic_send_init(uint32_t id);
void apic_send_startup(uint32_t id, uint8_t page);
void apic_send_others(uint8_t vector);

/* Reads and clears the error status. */
uint32_t apic_errors(void);

/* The timer, one shot on VECTOR_TIMER. Calibrated against the TSC once, on the boot CPU (clock.c). */
void apic_timer_init(void);              /* on each CPU */
bool apic_timer_has_deadline(void);
void apic_timer_deadline(uint64_t tsc);  /* 0 stops it; only with deadline mode */
void apic_timer_count(uint32_t ticks);   /* 0 stops it; only without */
uint32_t apic_timer_left(void);

#endif
