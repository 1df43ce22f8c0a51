/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unpacking libraries expect of a C library, in the image.
 */
#ifndef KRYPTON_BOOT_UNPACK_SHIM_H
#define KRYPTON_BOOT_UNPACK_SHIM_H

/* Run the libraries' constructors, once, before the first unpack_kernel(). SSE must work by then. */
void unpack_shim_start(void);

#endif
