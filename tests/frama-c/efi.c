/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/efi.c: any system table, any runtime services' table, any vendor's name, each of which may not be there.
 */
#include "boot/parse/efi.c"
#include "tests/frama-c/memory.h"

int main(void)
{
    struct firmware_efi efi;
    const char *why;

    efi_parse(memory_at, Frama_C_unsigned_long_interval(0, UINT64_MAX), &efi, &why);
    return 0;
}
