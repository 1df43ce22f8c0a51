/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpacking a kernel with zlib, liblzma, libzstd or liblz4.
 *
 * The libraries are the distribution's static ones, compiled for ordinary processes. In the image they run
 * on the boot CPU's terms only if boot has seen to this before it calls unpack_kernel():
 *
 *   - SSE works: CR0.EM and CR0.TS clear, CR0.MP, CR4.OSFXSR and CR4.OSXMMEXCPT set (they are built for
 *     plain x86-64, which has SSE2; nothing in them uses AVX);
 *   - FS base points at 48 or more readable bytes: their stack protector reads %fs:0x28, any value will do;
 *   - interrupts are off, and NMI and machine check have stacks of their own: they use the red zone;
 *   - unpack_shim_start() of boot/unpack_shim.h has been called: liblzma picks its CRC64 in a constructor;
 *   - there are UNPACK_STACK bytes of stack.
 */
#ifndef KRYPTON_BOOT_PARSE_UNPACK_H
#define KRYPTON_BOOT_PARSE_UNPACK_H

#include "lib/types.h"

/* Working memory for a kernel packed as Linux packs it: xz with a dictionary of up to 32 MiB, or less. */
#define UNPACK_ARENA (33UL << 20)
#define UNPACK_STACK (16UL << 10)

/*
 * Unpack @payload of @len bytes, of any format in enum kernel_format but without a trailing length word,
 * into @out of @out_cap bytes; *@out_len is what it came to. @arena is working memory, free again afterwards.
 * -EINVAL if the data is damaged, -ENOSPC if it unpacks to more than @out_cap, -ENOMEM if @arena is too
 * small, -EOPNOTSUPP for another format; *@why then says so, and @out has no meaning.
 */
int unpack_kernel(const void *payload, size_t len, void *out, size_t out_cap, size_t *out_len,
                  void *arena, size_t arena_len, const char **why);

#endif
