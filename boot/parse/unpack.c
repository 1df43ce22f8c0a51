/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpacking a kernel: one function for each library, all from memory to memory; see boot/parse/unpack.h.
 *
 * The libraries get their working memory from the caller's arena, through the allocator hooks that they
 * have, so none of them calls malloc(). Nothing is freed one by one: the arena goes as a whole.
 */
#define ZLIB_CONST                      /* input is const */
#define ZSTD_STATIC_LINKING_ONLY        /* for ZSTD_initStaticDCtx() */
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "boot/parse/bytes.h"
#include "boot/parse/bzimage.h"
#include "boot/parse/unpack.h"
#include "lib/errno.h"

struct arena {
    uint8_t *base;
    size_t size, used;
};

struct job {
    struct bytes in;
    void *out;
    size_t room, done;
    struct arena arena;
    const char **why;
};

static int fail(struct job *j, int err, const char *what)
{
    *j->why = what;
    return err;
}

static void *take(struct arena *a, size_t count, size_t size)
{
    size_t bytes, at = a->used;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > a->size - at)
        return NULL;
    a->used = MIN(ROUNDUP(at + bytes, 16), a->size);
    return a->base + at;
}

static void *lzma_take(void *arena, size_t count, size_t size)
{
    return take(arena, count, size);
}

static void *zlib_take(void *arena, unsigned int count, unsigned int size)
{
    return take(arena, count, size);
}

static void give(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

static int unpack_elf(struct job *j)
{
    if (j->in.size > j->room)
        return fail(j, -ENOSPC, "kernel: it is larger than the memory for it");
    memcpy(j->out, j->in.data, j->in.size);
    j->done = j->in.size;
    return 0;
}

static int unpack_gzip(struct job *j)
{
    z_stream s = {
        .next_in = j->in.data,
        .avail_in = (unsigned int)MIN(j->in.size, (size_t)UINT32_MAX),
        .next_out = j->out,
        .avail_out = (unsigned int)MIN(j->room, (size_t)UINT32_MAX),
        .zalloc = zlib_take,
        .zfree = give,
        .opaque = &j->arena,
    };
    int err = inflateInit2(&s, 16 + MAX_WBITS);

    if (err == Z_OK)
        err = inflate(&s, Z_FINISH);
    j->done = s.total_out;
    if (err == Z_STREAM_END)
        return 0;
    if (err == Z_MEM_ERROR)
        return fail(j, -ENOMEM, "kernel: not enough memory to unpack it with gzip");
    if (err == Z_BUF_ERROR && s.avail_out == 0)
        return fail(j, -ENOSPC, "kernel: its gzip data unpacks to more than it says");
    return fail(j, -EINVAL, "kernel: its gzip data is damaged");
}

static int unpack_xz(struct job *j)
{
    const lzma_allocator hooks = { .alloc = lzma_take, .free = give, .opaque = &j->arena };
    uint64_t limit = j->arena.size;
    size_t in = 0;

    switch (lzma_stream_buffer_decode(&limit, LZMA_TELL_UNSUPPORTED_CHECK, &hooks, j->in.data, &in,
                                      j->in.size, j->out, &j->done, j->room)) {
    case LZMA_OK:
        return 0;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        return fail(j, -ENOMEM, "kernel: its xz dictionary is larger than the memory set aside for it");
    case LZMA_BUF_ERROR:
        return fail(j, -ENOSPC, "kernel: its xz data unpacks to more than it says");
    case LZMA_OPTIONS_ERROR:
    case LZMA_UNSUPPORTED_CHECK:
        return fail(j, -EOPNOTSUPP, "kernel: its xz data uses a filter or check that is not supported");
    default:
        return fail(j, -EINVAL, "kernel: its xz data is damaged");
    }
}

static int unpack_zstd(struct job *j)
{
    size_t size = ZSTD_estimateDCtxSize();
    void *work = take(&j->arena, 1, size);
    ZSTD_DCtx *z = work ? ZSTD_initStaticDCtx(work, size) : NULL;
    size_t n;

    if (!z)
        return fail(j, -ENOMEM, "kernel: not enough memory to unpack it with zstd");
    n = ZSTD_decompressDCtx(z, j->out, j->room, j->in.data, j->in.size);
    if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
        return fail(j, -ENOSPC, "kernel: its zstd data unpacks to more than it says");
    if (ZSTD_isError(n))
        return fail(j, -EINVAL, "kernel: its zstd data is damaged");
    j->done = n;
    return 0;
}

/* The legacy frame: a magic number, then blocks, each behind its packed length and 8 MiB or less unpacked. */
static int unpack_lz4(struct job *j)
{
    const uint32_t block_max = LZ4_COMPRESSBOUND(8U << 20);
    uint64_t off = 4;

    while (off < j->in.size) {
        uint32_t len = bytes_u32(j->in, off);
        struct bytes block = bytes_sub(j->in, off + 4, len);
        size_t room = MIN(j->room - j->done, (size_t)8 << 20);
        int n;

        if (!block.data || len == 0 || len > block_max)
            return fail(j, -EINVAL, "kernel: its lz4 data is damaged");
        n = LZ4_decompress_safe((const char *)block.data, (char *)j->out + j->done, (int)len, (int)room);
        if (n < 0 && room < (size_t)8 << 20)
            return fail(j, -ENOSPC, "kernel: its lz4 data is damaged or unpacks to more than it says");
        if (n < 0)
            return fail(j, -EINVAL, "kernel: its lz4 data is damaged");
        j->done += (size_t)n;
        off += 4 + (uint64_t)len;
    }
    return 0;
}

static int (*const unpackers[])(struct job *j) = {
    [KERNEL_ELF]  = unpack_elf,
    [KERNEL_GZIP] = unpack_gzip,
    [KERNEL_XZ]   = unpack_xz,
    [KERNEL_ZSTD] = unpack_zstd,
    [KERNEL_LZ4]  = unpack_lz4,
};

int unpack_kernel(const void *payload, size_t len, void *out, size_t out_cap, size_t *out_len,
                  void *arena, size_t arena_len, const char **why)
{
    size_t skip = MIN((size_t)(0 - (uintptr_t)arena % 16) % 16, arena_len);
    struct job j = {
        .in = bytes(payload, len),
        .out = out,
        .room = out_cap,
        .arena = { .base = (uint8_t *)arena + skip, .size = arena_len - skip },
        .why = why,
    };
    int format = kernel_format(payload, len, why), err;

    if (format < 0)
        return format;
    err = unpackers[format](&j);
    if (!err)
        *out_len = j.done;
    return err;
}
