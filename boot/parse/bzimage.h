/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in a kernel file the kernel is, and what it is packed with.
 *
 * Understood: a bzImage (boot protocol 2.08 and later) with its payload, a bare ELF file, a gzip file.
 */
#ifndef KRYPTON_BOOT_PARSE_BZIMAGE_H
#define KRYPTON_BOOT_PARSE_BZIMAGE_H

#include "lib/types.h"

enum kernel_format {
    KERNEL_ELF,         /* not packed */
    KERNEL_GZIP,
    KERNEL_XZ,
    KERNEL_ZSTD,
    KERNEL_LZ4,         /* the legacy frame */
};

struct kernel_payload {
    enum kernel_format format;
    const void *data;       /* inside the file */
    size_t size;            /* bytes of it, without a trailing length word */
    uint64_t unpacked;      /* size once unpacked, as the file says; for gzip modulo 2^32 */
};

/*
 * Find the kernel in @file. -EINVAL if it is no kernel file or a damaged one, -EOPNOTSUPP if it is packed
 * with something that nothing here unpacks; *@why then says which.
 */
int bzimage_payload(const void *file, size_t size, struct kernel_payload *out, const char **why);

/* What @data starts like: an enum kernel_format, or an error as above. */
int kernel_format(const void *data, size_t size, const char **why);

/* "xz", "ELF" and so on, for messages. */
const char *kernel_format_name(enum kernel_format format);

#endif
