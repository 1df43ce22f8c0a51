/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's memory map; see boot/parse/e820.h.
 *
 * Normalising walks upwards from border to border: between two neighbouring borders of any ranges the same
 * ranges apply, and the most restrictive of them decides. Quadratic in the number of ranges, of which there
 * are at most 1024.
 */
#include "boot/parse/e820.h"
#include "lib/errno.h"

/* How restrictive @type is. */
static unsigned int rank(uint32_t type)
{
    switch (type) {
    case MEM_RAM:      return 1;
    case MEM_HELD:     return 2;
    case MEM_PMEM:     return 3;
    case MEM_ACPI:     return 4;
    case MEM_NVS:      return 5;
    case MEM_RESERVED: return 7;
    case MEM_UNUSABLE: return 8;
    default:           return 6;
    }
}

const char *mem_type_name(uint32_t type)
{
    switch (type) {
    case MEM_RAM:      return "RAM";
    case MEM_HELD:     return "held";
    case MEM_PMEM:     return "persistent";
    case MEM_ACPI:     return "ACPI data";
    case MEM_NVS:      return "ACPI NVS";
    case MEM_RESERVED: return "reserved";
    case MEM_UNUSABLE: return "unusable";
    default:           return "unknown";
    }
}

int mem_map_add(struct mem_map *map, uint64_t base, uint64_t size, uint32_t type)
{
    if (size == 0)
        return 0;
    if (map->count == ARRAY_SIZE(map->range))
        return -ENOSPC;
    map->range[map->count++] = (struct mem_range){ .base = base, .size = size, .type = type };
    return 0;
}

/* The pages of @r: inward for RAM, outward for the rest. Empty if *@start >= *@end. */
static void page_span(const struct mem_range *r, uint64_t *start, uint64_t *end)
{
    uint64_t base = MIN(r->base, MEM_ADDRESS_END);
    uint64_t stop = base + MIN(r->size, MEM_ADDRESS_END - base);

    if (r->type == MEM_RAM) {
        *start = ROUNDUP(base, PAGE_SIZE);
        *end = ROUNDDOWN(stop, PAGE_SIZE);
    } else {
        *start = ROUNDDOWN(base, PAGE_SIZE);
        *end = ROUNDUP(stop, PAGE_SIZE);
    }
}

/*
 * What holds at @at: the most restrictive type, 0 if no range covers it. *@next is the closest border above
 * @at, MEM_ADDRESS_END if there is none.
 */
static uint32_t type_at(const struct mem_map *map, uint64_t at, uint64_t *next)
{
    uint32_t type = 0;

    *next = MEM_ADDRESS_END;
    for (unsigned int i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];
        uint64_t start, end;

        page_span(r, &start, &end);
        if (start >= end)
            continue;
        if (start > at)
            *next = MIN(*next, start);
        else if (end > at)
            *next = MIN(*next, end);
        if (start <= at && at < end && (!type || rank(r->type) > rank(type)))
            type = r->type;
    }
    return type;
}

/* Add a range that starts at or after the end of the last; grow that one if they are one. */
static int append(struct mem_map *map, uint64_t base, uint64_t size, uint32_t type)
{
    struct mem_range *last = map->count ? &map->range[map->count - 1] : NULL;

    if (last && last->type == type && last->base + last->size == base) {
        last->size += size;
        return 0;
    }
    return mem_map_add(map, base, size, type);
}

int mem_map_normalise(struct mem_map *map, struct mem_map *scratch, const char **why)
{
    uint64_t at = 0, next;

    scratch->count = 0;
    for (; at < MEM_ADDRESS_END; at = next) {
        uint32_t type = type_at(map, at, &next);

        if (type && append(scratch, at, next - at, type)) {
            *why = "the memory map is too fragmented";
            return -ENOSPC;
        }
    }
    map->count = scratch->count;
    for (unsigned int i = 0; i < map->count; i++)
        map->range[i] = scratch->range[i];
    return 0;
}

void mem_map_limit(struct mem_map *map, uint64_t end)
{
    unsigned int kept = 0;

    end = ROUNDDOWN(end, PAGE_SIZE);
    for (unsigned int i = 0; i < map->count; i++) {
        struct mem_range r = map->range[i];

        if (r.type == MEM_RAM && r.base >= end)
            continue;
        if (r.type == MEM_RAM)
            r.size = MIN(r.size, end - r.base);
        map->range[kept++] = r;
    }
    map->count = kept;
}

int mem_map_reserve(struct mem_map *map, uint64_t base, uint64_t size, uint32_t type,
                    struct mem_map *scratch, const char **why)
{
    int err;

    if (size == 0)
        return 0;
    if (mem_map_add(map, base, size, type)) {
        *why = "the memory map is too fragmented";
        return -ENOSPC;
    }
    err = mem_map_normalise(map, scratch, why);
    if (err)
        map->count--;
    return err;
}

uint64_t mem_map_ram(const struct mem_map *map)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < map->count; i++) {
        if (map->range[i].type == MEM_RAM)
            sum += map->range[i].size;
    }
    return sum;
}

uint64_t mem_map_ram_end(const struct mem_map *map)
{
    uint64_t end = 0;

    for (unsigned int i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];

        if (r->type == MEM_RAM)
            end = MAX(end, r->base + r->size);
    }
    return end;
}

bool mem_map_is_ram(const struct mem_map *map, uint64_t base, uint64_t size)
{
    for (unsigned int i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];

        if (r->type == MEM_RAM && base >= r->base && base - r->base <= r->size &&
            size <= r->size - (base - r->base))
            return true;
    }
    return false;
}
