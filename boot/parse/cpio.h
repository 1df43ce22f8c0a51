/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An initrd that has the kernel in it, for loaders that take one module only.
 *
 * Linux takes several archives in a row as its initrd, so one with the kernel may stand in front of any initrd:
 *     (cd /boot && echo vmlinuz-VERSION | cpio -o -H newc; cat initrd.img-VERSION) >both
 */
#ifndef KRYPTON_BOOT_PARSE_CPIO_H
#define KRYPTON_BOOT_PARSE_CPIO_H

#include "boot/parse/bytes.h"

/* The first file in @archive (cpio's "newc" form, with or without checksums); data is NULL if there is none. */
struct bytes cpio_first_file(struct bytes archive);

#endif
