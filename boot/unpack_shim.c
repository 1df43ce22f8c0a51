/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few symbols that the unpacking libraries want from a C library, besides those of lib/string.c.
 *
 * unpack_kernel() gives each library its memory through the library's own hooks, so the allocator here is
 * never asked in earnest: it has nothing to give. The linker script keeps .init_array between
 * __init_array_start and __init_array_end.
 */
#include "boot/unpack_shim.h"
#include "lib/types.h"

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *p);
void __stack_chk_fail(void);

void *malloc(size_t size)
{
    (void)size;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    (void)count;
    (void)size;
    return NULL;
}

void free(void *p)
{
    (void)p;
}

/* A library overran its stack: nothing can be trusted any more, so stop where the trap handler shows it. */
void __stack_chk_fail(void)
{
    __builtin_trap();
}

extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

void unpack_shim_start(void)
{
    for (void (*const *run)(void) = __init_array_start; run < __init_array_end; run++)
        (*run)();
}
