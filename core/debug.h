/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug keys that report on the core: domains, vCPUs, memory, ports, grants, time. */
#ifndef CORE_DEBUG_H
#define CORE_DEBUG_H

/* Registers them; once, at boot. */
void debug_keys_init(void);

#endif
