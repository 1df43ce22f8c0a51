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
unsigned long long ZSTD_trace_decompress_begin(const void *dctx);
void ZSTD_trace_decompress_end(unsigned long long ctx, const void *trace);

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

/*
 * libzstd's tracing hooks. It takes them as absent if the linker gives them address 0, but the image is
 * linked too far from there for its calls to reach. 0 says that this context is not traced.
 */
unsigned long long ZSTD_trace_decompress_begin(const void *dctx)
{
    (void)dctx;
    return 0;
}

void ZSTD_trace_decompress_end(unsigned long long ctx, const void *trace)
{
    (void)ctx;
    (void)trace;
}

extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

void unpack_shim_start(void)
{
    for (void (*const *run)(void) = __init_array_start; run < __init_array_end; run++)
        (*run)();
}
