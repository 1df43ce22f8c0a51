/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/pte.h and x86/model/desc.c: any entry of a page table at any level, any address, any descriptor.
 */
#include "x86/model/desc.c"
#include "x86/model/pte.h"
#include "__fc_builtin.h"

int main(void)
{
    uint64_t pte = Frama_C_unsigned_long_interval(0, UINT64_MAX), va = Frama_C_unsigned_long_interval(0, UINT64_MAX);
    uint64_t len = Frama_C_unsigned_long_interval(0, UINT64_MAX), frames = Frama_C_unsigned_long_interval(0, UINT64_MAX);
    unsigned int level = Frama_C_unsigned_int_interval(1, PT_LEVELS), nr = Frama_C_unsigned_int_interval(0, PT_ENTRIES - 1);
    uint64_t desc = pte;
    unsigned int index;

    pte_cache_index(pte);
    pte_flags_ok(pte, level);
    pte_for_hardware(pte);
    pte_make(pte, len);
    pte_names_ram(pte, Frama_C_unsigned_int_interval(32, 52), frames);
    index = pt_index(va, level);
    //@ assert index < PT_ENTRIES;
    pt_span(level);
    va_canonical(va);
    va_range_guest(va, len);
    pt_slot_guest(nr);
    desc_fix(&desc);
    desc_base(desc);
    desc_limit(desc);
    return 0;
}
