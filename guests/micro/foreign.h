/* SPDX-License-Identifier: BSD-2-Clause */
/* Another domain's memory from dom0: populating it, and a window of pages through which to see its frames. */
#ifndef MICRO_FOREIGN_H
#define MICRO_FOREIGN_H

#include "mm.h"

#define WINDOW (SCRATCH + 0x200000000UL)

/* XENMEM_populate_physmap: frames are pfns in, mfns out; gives the number done. */
long populate(domid_t dom, xen_pfn_t *frames, unsigned int n, unsigned int order);

/* Maps frame mfn of the domain with these entry flags at WINDOW + index pages; 0 or a negative errno. */
long window_map(domid_t dom, unsigned int index, uint64_t mfn, uint64_t flags);
void window_unmap(unsigned int index);
static inline void *window(unsigned int index) { return (void *)(WINDOW + index * PAGE_SIZE); }

#endif
