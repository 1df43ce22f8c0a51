/* SPDX-License-Identifier: BSD-2-Clause */
/* A prototype for every handler that abi/table.def names. */
#ifndef ABI_HANDLERS_H
#define ABI_HANDLERS_H

struct hypercall;

#define HYPERCALL(nr, name, args, needs, run) long run(struct hypercall *hc);
#include "abi/table.def"
#undef HYPERCALL

#endif
