/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the grant families share: our own grant table mapped, entries made and unmade, the three-field
 * operations.
 */
#ifndef MICRO_GRANT_H
#define MICRO_GRANT_H

#include "mm.h"

#include <xen/grant_table.h>

extern grant_entry_v1_t *gt1;           /* the table of version 1 */

/* Our own domain id, as others would name us. */
domid_t own_domid(void);

/* Maps the first frame of our grant table (version 1); false when that fails. */
bool grant_setup(void);

static inline long grant_op(unsigned int cmd, void *ops, unsigned int count)
{
    return hypercall(__HYPERVISOR_grant_table_op, cmd, ops, count);
}

/* Makes entry `ref` give page to domain `to` (flags: GTF_readonly or 0). */
void grant_page(grant_ref_t ref, const void *page, domid_t to, unsigned int flags);

/* Maps ref of domain `dom` at va; *handle is set. Gives the op's status, or the hypercall's error. */
long grant_map(void *va, domid_t dom, grant_ref_t ref, unsigned int flags, grant_handle_t *handle);
long grant_unmap(uint64_t host_addr, grant_handle_t handle);

/* One copy of len bytes; sides are {ref or mfn, domid,
    offset}, flags say which are refs. Gives the status. */
struct copy_side {
    uint64_t ref_or_mfn;
    domid_t domid;
    uint16_t offset;
};
long grant_copy(struct copy_side from, struct copy_side to, uint16_t len, uint16_t flags);

#endif
