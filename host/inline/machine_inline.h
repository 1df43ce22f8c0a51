/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosted machine answers by ordinary calls. */
#ifndef HOST_MACHINE_INLINE_H
#define HOST_MACHINE_INLINE_H

struct pcpu *machine_pcpu(void);
uint32_t machine_flush_stamp(void);
size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n);
size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n);
static inline void *machine_ram(mfn_t m) { return machine_frame(m); }
static inline void machine_tsc_note(uint64_t *at) { *at = machine_tsc(); }

#endif
