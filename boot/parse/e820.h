/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's memory map: who may use which physical addresses, in the types of the firmware's E820.
 *
 * A map comes as the firmware left it: in any order, overlapping, not on page borders. mem_map_normalise()
 * makes it one that can be relied on:
 *
 *   M1  sorted by base, no range empty, no overlap, nothing past 2^52
 *   M2  every border on a page; pages that are not wholly RAM are not RAM
 *   M3  neighbours that touch have different types
 *
 * Where ranges overlap, the more restrictive type holds: UNUSABLE, RESERVED, unknown types, NVS, ACPI, PMEM,
 * HELD, RAM.
 */
#ifndef KRYPTON_BOOT_PARSE_E820_H
#define KRYPTON_BOOT_PARSE_E820_H

#include "lib/types.h"

#define MEM_RAM         1U
#define MEM_RESERVED    2U
#define MEM_ACPI        3U      /* tables; RAM once they have been read */
#define MEM_NVS         4U      /* firmware's, kept over sleep */
#define MEM_UNUSABLE    5U      /* broken */
#define MEM_PMEM        7U
#define MEM_HELD        0x4b520001U /* ours: RAM that boot holds something in; never from firmware */

#define MEM_ADDRESS_END (1UL << 52)

struct mem_range {
    uint64_t base, size;        /* maddr, bytes */
    uint32_t type;
};

struct mem_map {
    unsigned int count;
    struct mem_range range[1024];
};

/* Note one more range, as it is; one of size 0 is dropped. -ENOSPC if the map is full. */
int __must_check mem_map_add(struct mem_map *map, uint64_t base, uint64_t size, uint32_t type);

/*
 * Make M1 to M3 hold. @scratch is working space. -ENOSPC with *@why set if the result has too many ranges;
 * @map is then unchanged.
 */
int __must_check mem_map_normalise(struct mem_map *map, struct mem_map *scratch, const char **why);

/* Take RAM at and above @end, as `mem=` says, off a map for which M1 to M3 hold; they still do. */
void mem_map_limit(struct mem_map *map, uint64_t end);

/*
 * Mark [@base, @base + @size), grown to whole pages, as @type, not RAM, where nothing more restrictive holds,
 * in a map for which M1 to M3 hold; they still do. Errors as mem_map_normalise().
 */
int __must_check mem_map_reserve(struct mem_map *map, uint64_t base, uint64_t size, uint32_t type,
                                 struct mem_map *scratch, const char **why);

/* Bytes of RAM in the map. */
uint64_t mem_map_ram(const struct mem_map *map);

/* The end of the highest range of RAM; 0 if there is none. */
uint64_t mem_map_ram_end(const struct mem_map *map);

/* Whether all of [@base, @base + @size) is RAM; the map is normalised. */
bool mem_map_is_ram(const struct mem_map *map, uint64_t base, uint64_t size);

/* A short name for messages. */
const char *mem_type_name(uint32_t type);

#endif
