/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The current guest's memory. Copy once into a local, then judge the local: no guest byte is read twice.
 * All return 0 or -EFAULT; a copy may have been done in part when it fails.
 */
#ifndef CORE_GUEST_H
#define CORE_GUEST_H

#include "core/machine.h"
#include "lib/errno.h"

__must_check static inline int guest_read(void *to, guest_ptr_t from, size_t n)
{
    return machine_copy_from_guest(to, from, n) ? -EFAULT : 0;
}

__must_check static inline int guest_write(guest_ptr_t to, const void *from, size_t n)
{
    return machine_copy_to_guest(to, from, n) ? -EFAULT : 0;
}

/* The pointer inside an XEN_GUEST_HANDLE field of a copied-in structure. */
#define handle_ptr(h) gptr((uint64_t)(uintptr_t)(h).p)
/* XEN_GUEST_HANDLE_64 (domctl, sysctl) is the same thing for 64-bit callers. */

/* The frame behind a guest address, by the current vCPU's kernel page tables, with a reference (and, if writable, a
 * WRITABLE type reference) on it; the frame must be the current domain's own. 0, -EFAULT, -EINVAL. */
__must_check int guest_frame_get(guest_ptr_t p, bool writable, mfn_t *out);

#endif
