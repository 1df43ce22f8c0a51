/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosted machine answers by ordinary calls. */
#ifndef HOST_MACHINE_INLINE_H
#define HOST_MACHINE_INLINE_H

struct pcpu *machine_pcpu(void);
uint32_t machine_flush_stamp(void);
static inline void *machine_ram(mfn_t m) { return machine_frame(m); }
static inline uint64_t machine_tsc_soon(void) { return machine_tsc(); }

#endif
