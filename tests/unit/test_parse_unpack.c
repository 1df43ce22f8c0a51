/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/bzimage.c and boot/parse/unpack.c: kernels packed here with each library, whole and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "boot/parse/bzimage.h"
#include "boot/parse/unpack.h"
#include "lib/errno.h"

#define KERNEL_SIZE (100 * 1000UL)
#define ROOM        (200 * 1000UL)
#define ARENA       (4UL << 20)

static uint8_t kernel[KERNEL_SIZE];
static uint8_t packed[ROOM];
static size_t packed_size;          /* with the trailing length */
static uint8_t unpacked[ROOM];
static uint8_t file[ROOM + 4096];
static size_t file_size;

/* Something that packs, but not to nothing. */
static int make_kernel(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < KERNEL_SIZE; i++) {
        seed = seed * 1664525 + 1013904223;
        kernel[i] = i % 64 < 40 ? (uint8_t)(i / 64) : (uint8_t)(seed >> 24);
    }
    memcpy(kernel, "\x7f" "ELF", 4);
    return 0;
}

static void add_length(void)
{
    memcpy(packed + packed_size, &(uint32_t){ KERNEL_SIZE }, 4);
    packed_size += 4;
}

static void pack_elf(void)
{
    memcpy(packed, kernel, KERNEL_SIZE);
    packed_size = KERNEL_SIZE;
}

static void pack_gzip(void)
{
    z_stream s = { .next_in = kernel, .avail_in = KERNEL_SIZE, .next_out = packed, .avail_out = ROOM };

    assert_int_equal(deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    packed_size = s.total_out;
    deflateEnd(&s);
}

/* As Linux does: x86 filter, LZMA2. */
static void pack_xz_with(lzma_check check, uint32_t dictionary)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {
        { .id = LZMA_FILTER_X86 },
        { .id = LZMA_FILTER_LZMA2, .options = &options },
        { .id = LZMA_VLI_UNKNOWN },
    };

    lzma_lzma_preset(&options, 1);
    options.dict_size = dictionary;
    packed_size = 0;
    assert_int_equal(lzma_stream_buffer_encode(filters, check, NULL, kernel, KERNEL_SIZE,
                                               packed, &packed_size, ROOM), LZMA_OK);
    add_length();
}

static void pack_xz(void)
{
    pack_xz_with(LZMA_CHECK_CRC32, 1 << 20);
}

static void pack_xz_crc64(void)
{
    pack_xz_with(LZMA_CHECK_CRC64, 1 << 20);
}

static void pack_zstd(void)
{
    packed_size = ZSTD_compress(packed, ROOM, kernel, KERNEL_SIZE, 3);
    assert_false(ZSTD_isError(packed_size));
    add_length();
}

/* In blocks of less than the format's 8 MiB, so that there are several. */
static void pack_lz4(void)
{
    memcpy(packed, "\x02\x21\x4c\x18", 4);
    packed_size = 4;
    for (size_t at = 0; at < KERNEL_SIZE; at += 30000) {
        int in = (int)MIN(KERNEL_SIZE - at, 30000UL);
        int n = LZ4_compress_default((char *)kernel + at, (char *)packed + packed_size + 4, in, 40000);

        assert_true(n > 0);
        memcpy(packed + packed_size, &n, 4);
        packed_size += 4 + (size_t)n;
    }
    add_length();
}

static const struct {
    enum kernel_format format;
    const char *name;
    void (*pack)(void);
} packers[] = {
    { KERNEL_ELF,  "ELF",  pack_elf },
    { KERNEL_GZIP, "gzip", pack_gzip },
    { KERNEL_XZ,   "xz",   pack_xz },
    { KERNEL_XZ,   "xz",   pack_xz_crc64 },
    { KERNEL_ZSTD, "zstd", pack_zstd },
    { KERNEL_LZ4,  "lz4",  pack_lz4 },
};

static void put(size_t at, uint32_t v)
{
    memcpy(file + at, &v, 4);
}

/* The payload at an odd place of a bzImage with three set-up sectors, and something after it. */
static void make_bzimage(void)
{
    memset(file, 0, sizeof(file));
    file[0x1f1] = 3;
    file[0x1fe] = 0x55;
    file[0x1ff] = 0xaa;
    memcpy(file + 0x202, "HdrS", 4);
    put(0x206, 0x20f);
    put(0x248, 0x101);
    put(0x24c, (uint32_t)packed_size);
    memcpy(file + 2048 + 0x101, packed, packed_size);
    file_size = 2048 + 0x101 + packed_size + 77;
}

static void refused(int err, const char *what)
{
    struct kernel_payload p;
    const char *why = "";
    uint8_t *exact = malloc(file_size ? file_size : 1);

    memcpy(exact, file, file_size);
    assert_int_equal(bzimage_payload(exact, file_size, &p, &why), err);
    assert_non_null(strstr(why, what));
    free(exact);
}

/* Unpack into a block of exactly @room bytes, with an arena of @arena bytes that starts at an odd place. */
static int unpack(const void *data, size_t size, size_t room, size_t arena, size_t *len, const char **why)
{
    uint8_t *out = malloc(room ? room : 1), *work = malloc(arena + 1), *in = malloc(size ? size : 1);
    int err;

    memcpy(in, data, size);
    *len = 0;
    err = unpack_kernel(in, size, out, room, len, work + 1, arena, why);
    if (!err)
        memcpy(unpacked, out, *len);
    free(out);
    free(work);
    free(in);
    return err;
}

static void every_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
        struct kernel_payload p;
        const char *why = "";
        size_t len;

        packers[i].pack();
        make_bzimage();
        assert_int_equal(bzimage_payload(file, file_size, &p, &why), 0);
        assert_int_equal(p.format, packers[i].format);
        assert_string_equal(kernel_format_name(p.format), packers[i].name);
        assert_int_equal(p.unpacked, KERNEL_SIZE);
        assert_int_equal(unpack(p.data, p.size, KERNEL_SIZE, ARENA, &len, &why), 0);
        assert_int_equal(len, KERNEL_SIZE);
        assert_memory_equal(unpacked, kernel, KERNEL_SIZE);
        assert_int_equal(unpack(p.data, p.size, ROOM, ARENA, &len, &why), 0);
        assert_int_equal(len, KERNEL_SIZE);
        assert_int_equal(unpack(p.data, p.size, KERNEL_SIZE - 1, ARENA, &len, &why), -ENOSPC);
    }
}

static void bare_files(void **state)
{
    struct kernel_payload p;
    const char *why;

    (void)state;
    assert_int_equal(bzimage_payload(kernel, KERNEL_SIZE, &p, &why), 0);
    assert_int_equal(p.format, KERNEL_ELF);
    assert_int_equal(p.size, KERNEL_SIZE);
    pack_gzip();
    assert_int_equal(bzimage_payload(packed, packed_size, &p, &why), 0);
    assert_int_equal(p.format, KERNEL_GZIP);
    assert_int_equal(p.unpacked, KERNEL_SIZE);
}

static void not_kernels(void **state)
{
    (void)state;
    pack_xz();
    make_bzimage();
    file[0x202] = 'h';
    refused(-EINVAL, "neither a bzImage nor an ELF file");
    file[0x202] = 'H';
    file[0x1ff] = 0;
    refused(-EINVAL, "neither a bzImage nor an ELF file");
    file[0x1ff] = 0xaa;
    put(0x206, 0x207);
    refused(-EINVAL, "2.08");
    put(0x206, 0x20f);
    put(0x248, 0xffffffff);
    refused(-EINVAL, "cut short");
    put(0x248, 0x101);
    put(0x24c, 0xffffffff);
    refused(-EINVAL, "cut short");
    put(0x24c, 3);
    refused(-EINVAL, "no format known");
    put(0x24c, 15);
    refused(-EINVAL, "cut short");
    put(0x248, 0x100);
    refused(-EINVAL, "no format known");
    put(0x248, 0x101);
    put(0x24c, (uint32_t)packed_size);
    memcpy(file + 2048 + 0x101, "BZh9", 4);
    refused(-EOPNOTSUPP, "bzip2");
    memcpy(file + 2048 + 0x101, "\x5d\0\0\0", 4);
    refused(-EOPNOTSUPP, "lzma");
    memcpy(file + 2048 + 0x101, "\x89LZO", 4);
    refused(-EOPNOTSUPP, "lzo");
    file_size = 0;
    refused(-EINVAL, "neither a bzImage nor an ELF file");
}

static void old_setup_has_four_sectors(void **state)
{
    struct kernel_payload p;
    const char *why;

    (void)state;
    pack_xz();
    make_bzimage();
    file[0x1f1] = 0;
    put(0x248, 0x101 - 512);
    assert_int_equal(bzimage_payload(file, file_size, &p, &why), -EINVAL);  /* 32 bits do not wrap around */
    memmove(file + 2560 + 1, file + 2048 + 0x101, packed_size);
    put(0x248, 1);
    assert_int_equal(bzimage_payload(file, file_size + 512, &p, &why), 0);
    assert_int_equal(p.format, KERNEL_XZ);
}

/* The head of the file at every length: never a payload that is not all there. */
static void file_cut_at_every_byte(void **state)
{
    (void)state;
    pack_zstd();
    make_bzimage();
    for (file_size = 0; file_size < 3000; file_size++)
        refused(-EINVAL, file_size < 0x250 ? "neither a bzImage" : "cut short");
    file_size = 2048 + 0x101 + packed_size - 1;
    refused(-EINVAL, "cut short");
}

static void damaged_data(void **state)
{
    (void)state;
    for (size_t i = 1; i < ARRAY_SIZE(packers); i++) {
        size_t stream, len;
        const char *why;

        packers[i].pack();
        stream = packed_size - (packers[i].format == KERNEL_GZIP ? 0 : 4);
        for (size_t size = 0; size < stream; size += 1 + (size > 64) * 397) {
            why = NULL;
            if (unpack(packed, size, KERNEL_SIZE, ARENA, &len, &why) == 0)
                assert_true(len < KERNEL_SIZE);
            else
                assert_non_null(why);
        }
        for (size_t at = 4; at < stream; at += 1 + (at > 64) * 397) {
            why = NULL;
            packed[at] ^= 0x41;
            if (unpack(packed, stream, KERNEL_SIZE, ARENA, &len, &why))
                assert_non_null(why);
            packed[at] ^= 0x41;
        }
        assert_int_equal(unpack(packed, stream, KERNEL_SIZE, ARENA, &len, &why), 0);
    }
}

/* Checks find what the format itself cannot see. */
static void a_changed_byte_is_noticed(void **state)
{
    size_t len;
    const char *why = "";

    (void)state;
    pack_xz();
    packed[packed_size / 2] ^= 1;
    assert_int_equal(unpack(packed, packed_size - 4, KERNEL_SIZE, ARENA, &len, &why), -EINVAL);
    assert_non_null(strstr(why, "xz data is damaged"));
    pack_gzip();
    packed[packed_size - 6] ^= 1;
    assert_int_equal(unpack(packed, packed_size, KERNEL_SIZE, ARENA, &len, &why), -EINVAL);
    assert_non_null(strstr(why, "gzip data is damaged"));
}

static void every_small_arena(void **state)
{
    size_t len;
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
        bool needs_none = packers[i].format == KERNEL_ELF || packers[i].format == KERNEL_LZ4;

        packers[i].pack();
        packed_size -= packers[i].format == KERNEL_ELF || packers[i].format == KERNEL_GZIP ? 0 : 4;
        for (size_t arena = 0; arena < 4096; arena += 61)
            assert_int_equal(unpack(packed, packed_size, KERNEL_SIZE, arena, &len, &why),
                             needs_none ? 0 : -ENOMEM);
    }
    pack_xz_with(LZMA_CHECK_CRC32, 8 << 20);
    assert_int_equal(unpack(packed, packed_size - 4, KERNEL_SIZE, ARENA, &len, &why), -ENOMEM);
    assert_non_null(strstr(why, "dictionary"));
}

static void lengths_in_lz4_are_not_believed(void **state)
{
    static const uint32_t lengths[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 9 << 20 };
    size_t len;
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        pack_lz4();
        memcpy(packed + 4, &lengths[i], 4);
        assert_int_not_equal(unpack(packed, packed_size - 4, ROOM, ARENA, &len, &why), 0);
    }
    assert_int_equal(unpack("junk", 4, ROOM, ARENA, &len, &why), -EINVAL);
    assert_int_equal(unpack("BZh9", 4, ROOM, ARENA, &len, &why), -EOPNOTSUPP);
}

/* A dictionary of 32 MiB, as Debian's kernels have, fits the arena that the header promises to be enough. */
static void the_promised_arena_is_enough(void **state)
{
    size_t len;
    const char *why = "";

    (void)state;
    pack_xz_with(LZMA_CHECK_CRC32, 32 << 20);
    assert_int_equal(unpack(packed, packed_size - 4, KERNEL_SIZE, UNPACK_ARENA, &len, &why), 0);
    assert_int_equal(len, KERNEL_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format),
        cmocka_unit_test(bare_files),
        cmocka_unit_test(not_kernels),
        cmocka_unit_test(old_setup_has_four_sectors),
        cmocka_unit_test(file_cut_at_every_byte),
        cmocka_unit_test(damaged_data),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(every_small_arena),
        cmocka_unit_test(lengths_in_lz4_are_not_believed),
        cmocka_unit_test(the_promised_arena_is_enough),
    };

    return cmocka_run_group_tests_name("boot/parse/unpack", tests, make_kernel, NULL);
}
