/* SPDX-License-Identifier: BSD-2-Clause */
/* Waking the other CPUs. */
#ifndef X86_SMP_H
#define X86_SMP_H

#include "lib/types.h"

struct acpi_info;
struct mem_map;
struct pcpu;

/*
 * On the boot CPU, after apic_init() and clock_init(), before any guest runs: builds and starts every CPU of
 * the tables, at most `max` in all (0: no limit). Each is entered into pcpus[] and pcpu_online, and goes to
 * smp_ap_main(). One that does not come is logged and left out. `map` says where RAM is, for a page below
 * 1 MiB to start from.
 */
void smp_init(const struct acpi_info *acpi, const struct mem_map *map, unsigned max);

/* Fills in apic_id and acpi_id of the boot CPU. */
void smp_identify_boot_cpu(struct pcpu *c, const struct acpi_info *acpi);

/* What a CPU does once it is up (with interrupts off, on its own stack); made by whoever runs guests. */
_Noreturn void smp_ap_main(struct pcpu *c);

#endif
