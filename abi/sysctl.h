/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handlers of sysctl that abi/table/sysctl.def names; `arg` is the dispatcher's copy of struct
 * xen_sysctl.
 */
#ifndef ABI_SYSCTL_H
#define ABI_SYSCTL_H

#include "abi/hypercall.h"

#include <xen/sysctl.h>

#define ROW(cmd, name, type, copy, needs, run) long run(struct hypercall *hc, void *arg);
#include "abi/table/sysctl.def"
#undef ROW

/* How the CPUs lie together: threads of one core, cores of one socket. */
struct cpu_place { uint32_t thread, core, socket; };
struct cpu_place sysctl_cpu_place(unsigned cpu);
/* How many CPUs share the first one's core, and how many cores its socket has. */
void sysctl_count_topology(uint32_t *threads, uint32_t *cores);

#endif
