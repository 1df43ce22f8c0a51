/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NUMA: which CPUs and which memory are near to each other, by the firmware's SRAT and SLIT (ACPI 6.4, 5.2.16 and
 * 5.2.17).
 *
 * Firmware names proximity domains by any numbers; nodes are numbered without gaps, in the order in which CPUs,
 * then memory ranges, name them. Only what is there makes a node: CPUs that can be used, and ranges that hold
 * RAM (those kept for memory that is plugged in later do not).
 *
 * Nothing of an SRAT that is wrong anywhere is believed: the machine is one node then. A wrong SLIT costs only the
 * distances.
 */
#ifndef KRYPTON_BOOT_PARSE_NUMA_H
#define KRYPTON_BOOT_PARSE_NUMA_H

#include "boot/parse/acpi.h"
#include "boot/parse/bytes.h"
#include "boot/parse/e820.h"
#include "core/numa.h"

/* Copy what the table @t, header included, says to @info; for acpi_parse(). */
void acpi_read_srat(struct acpi_info *info, struct bytes t);
void acpi_read_slit(struct acpi_info *info, struct bytes t);

/*
 * The nodes of the machine that @acpi describes and whose RAM @map, normalised, has; sets the node of each CPU
 * in @acpi, too. *@why says what was wrong, else NULL.
 */
void numa_parse(struct acpi_info *acpi, const struct mem_map *map, struct numa *out, const char **why);

#endif
