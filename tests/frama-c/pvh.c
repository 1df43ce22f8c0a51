/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/pvh.c and boot_text(): any start information with 0 to 6 ranges of memory and 0 to 6 modules, and any memory behind
 * its addresses. Without the search for " -- " in the command line.
 */
#include "tests/frama-c/memory.h"

#include "boot/parse/bootinfo.c"
#include "boot/parse/e820.c"
#include "boot/parse/pvh.c"

#define INFO 0x9500
#define RSDP 0xe0000

static struct hvm_start_info given;
static struct boot_info info;
static bool has_rsdp;

/* For the root pointer the parser asks twice: the answer is one and the same. */
static const void *at(uint64_t maddr, size_t len)
{
    if (maddr == RSDP)
        return has_rsdp && len <= ROOM ? memory + ROOM - len : NULL;
    return maddr == INFO && len <= sizeof(given) ? &given : memory_at(maddr, len);
}

char *strstr(const char *s, const char *what) { return NULL; }

int main(void)
{
    const char *why;

    Frama_C_make_unknown((char *)&given, sizeof(given));
    //@ loop unroll 7;
    for (unsigned int n = 0; n <= 6; n++) {
        Frama_C_make_unknown((char *)memory, ROOM);
        given.memmap_entries = n;
        given.nr_modules = n;
        given.rsdp_paddr = n == 1 ? 0 : RSDP;
        has_rsdp = n > 2;
        pvh_parse(at, INFO, &info, &why);
    }
    return 0;
}
