/* SPDX-License-Identifier: BSD-2-Clause */
/* EFI's runtime services, as <xen/platform.h> offers them to who holds PRIV_SYSTEM. */
#ifndef ABI_EFI_CALL_H
#define ABI_EFI_CALL_H

#include "abi/hypercall.h"

struct xenpf_efi_runtime_call;

/*
 * Calls the service that *c names and puts its EFI status and results there. 0, -ENOSYS if there are no services,
 * -EOPNOTSUPP for one that is not offered, -E2BIG, -EINVAL, -EFAULT or -ENOMEM for what it would be called with.
 */
long efi_call(struct hypercall *hc, struct xenpf_efi_runtime_call *c);

#endif
