/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/e820.c: memory maps with any number of any ranges, up to 8 for mem_map_limit(). Without the loop of
 * mem_map_normalise(): each step of it is here, and keeps the count in the array.
 *
 * OPTIONS: -eva-slevel-function mem_map_limit:500
 */
#include "boot/parse/e820.c"
#include "__fc_builtin.h"

static struct mem_map map;

/* That many ranges, and any. */
static void any_map(unsigned int count)
{
    Frama_C_make_unknown((char *)map.range, sizeof(map.range));
    map.count = count;
}

int main(void)
{
    uint64_t base = Frama_C_unsigned_long_interval(0, UINT64_MAX), size = Frama_C_unsigned_long_interval(0, UINT64_MAX);
    uint32_t type = Frama_C_unsigned_int_interval(0, UINT32_MAX);

    mem_type_name(type);
    any_map(Frama_C_unsigned_int_interval(0, ARRAY_SIZE(map.range)));
    mem_map_ram(&map);
    mem_map_ram_end(&map);
    mem_map_is_ram(&map, base, size);
    mem_map_add(&map, base, size, type);
    //@ assert map.count <= 1024;
    any_map(Frama_C_unsigned_int_interval(0, ARRAY_SIZE(map.range)));
    append(&map, base, size, type);
    //@ assert map.count <= 1024;
    any_map(Frama_C_unsigned_int_interval(0, ARRAY_SIZE(map.range)));
    type_at(&map, base, &size);
    //@ loop unroll 9;
    for (unsigned int n = 0; n <= 8; n++) {
        any_map(n);
        mem_map_limit(&map, base);
    }
    return 0;
}
