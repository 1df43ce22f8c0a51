/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error numbers, from the ABI's own list: a function returns 0 (or a count) or one of these, negated.
 *
 * Where the C library's <errno.h> came first its macros are used: they have the same values.
 */
#ifndef KRYPTON_LIB_ERRNO_H
#define KRYPTON_LIB_ERRNO_H

#ifndef EPERM
enum {
#define XEN_ERRNO(name, value) name = value,
#include <xen/errno.h>
#ifndef __XEN__
    ERESTART = 85,      /* internal: run the hypercall again with what is left; no guest sees it */
#endif
};
#endif

#endif
