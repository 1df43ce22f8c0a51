/* SPDX-License-Identifier: BSD-2-Clause */
/* XENPF_set_processor_pminfo; `arg` is the dispatcher's copy of struct xen_platform_op. */
#ifndef ABI_PROCESSOR_INFO_H
#define ABI_PROCESSOR_INFO_H

#include "abi/hypercall.h"

long platform_pminfo(struct hypercall *hc, void *arg);

#endif
