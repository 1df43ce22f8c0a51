/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the pretended machine share. */
#ifndef HOST_INSIDE_H
#define HOST_INSIDE_H

#include "host/host.h"

void host_ram_init(uint64_t frames);
void host_cpus_init(unsigned cpus);
/* The CPU's TLB is empty from now on, as after loading a root. */
void host_tlb_drop(unsigned cpu);
/* Memory of frames in the allocator becomes untouchable. */
void host_ram_poison(void);

#endif
