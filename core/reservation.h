/* SPDX-License-Identifier: BSD-2-Clause */
/* How much memory a domain has and may have: frames given, taken back and exchanged. */
#ifndef CORE_RESERVATION_H
#define CORE_RESERVATION_H

#include "core/frame.h"

#include <xen/memory.h>

/* One entry of a memory map as the ABI has it: 20 bytes. */
struct e820entry { uint64_t addr, size; uint32_t type; } __attribute__((packed));
#define RESERVATION_MAX_E820 128u

/*
 * The largest extent of one call: 2 MiB, and all of it is scrubbed in one go. The ABI leaves the limit to us, and a PV
 * domain has no use for more: its pages are small ones.
 */
#define RESERVATION_MAX_ORDER 9u

/*
 * 2^order contiguous frames for d, which calls them pfn.. (M2P_INVALID: no name yet). mem_flags, of XENMEMF_*: how many bits an
 * address may have, and the node that they come from, if it has some, or (exact) in any case; else from d's nodes, if they have
 * some. MFN_NONE: beyond d's limit, or no memory.
 */
mfn_t reservation_add(struct domain *d, unsigned order, unsigned mem_flags, uint64_t pfn);
/* n single ones, n <= FRAMES_AT_ONCE: list[] has their names, and then their frames. Gives how many there were. */
unsigned reservation_add_pages(struct domain *d, unsigned mem_flags, uint64_t *list, unsigned n);
/* d gives a frame back. False: not d's. It is free when its last mapping goes. The caller holds d. */
bool reservation_remove(struct domain *d, mfn_t m);
/* The same for n numbers, n <= FRAMES_AT_ONCE, up to the first that is no frame of d's; gives how many. */
unsigned reservation_remove_pages(struct domain *d, const uint64_t *mfns, unsigned n);
/*
 * XENMEM_exchange of the caller's own frames, from extent x->nr_exchanged on, which it raises by those that are done.
 * -ERESTART: go on from there. What failed did nothing: -EINVAL, -EFAULT, -ENOMEM.
 */
long reservation_exchange(struct domain *d, struct xen_memory_exchange *x);
/*
 * Sets `pages` (of which what d has already is no claim any more) aside for d; 0: nothing. -EINVAL: beyond d's limit, or it has
 * a claim; -ENOMEM: not so many are free.
 */
long reservation_claim(struct domain *d, uint64_t pages);
uint64_t reservation_claimed(void); /* by all domains */
/* What XENMEM_memory_map answers from now on, read from the caller; and a copy of it: false, none was set. */
long reservation_set_map(struct domain *d, guest_ptr_t entries, unsigned count);
bool reservation_get_map(struct domain *d, struct e820entry out[RESERVATION_MAX_E820], unsigned *count);

#endif
