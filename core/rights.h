/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O ports and MMIO frames that a domain was given: a few ranges of each. A domain with all_io needs none
 * of this. What the hypervisor keeps for itself can't be had by anybody; who asks for access looks at that
 * too.
 */
#ifndef CORE_RIGHTS_H
#define CORE_RIGHTS_H

#include "lib/types.h"

struct domain;

enum rights_kind { RIGHTS_PORTS, RIGHTS_MMIO, RIGHTS_KINDS };

/*
 * Gives or takes [first, first + n). DOMCTL lock. 0; -EINVAL: an empty or wrapping range; -ENOMEM: too many
 * pieces.
 */
int rights_set(struct domain *d, enum rights_kind kind, uint64_t first, uint64_t n, bool give);
/* Has d all of it? Any CPU, locks above DEVICE. */
bool rights_has(const struct domain *d, enum rights_kind kind, uint64_t first, uint64_t n);
/* d goes. */
void rights_free(struct domain *d);

#endif
