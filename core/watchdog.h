/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watchdogs of a domain (SCHEDOP_watchdog): two timers; one that runs out ends the domain with
 * SHUTDOWN_watchdog. A zeroed domain has none set. Ids count from 1.
 */
#ifndef CORE_WATCHDOG_H
#define CORE_WATCHDOG_H

#include "lib/types.h"

struct domain;

/* Sets up a free one: its id, or -ENOSPC. */
int watchdog_start(struct domain *d, uint32_t seconds);
/* Puts `id` off, or frees it. 0 or -EINVAL: no such, or not in use. */
int watchdog_poke(struct domain *d, uint32_t id, uint32_t seconds);
int watchdog_stop(struct domain *d, uint32_t id);
/* d dies: frees both, and waits for their functions. Its vCPUs are off their CPUs for good; no lock held. */
void watchdogs_kill(struct domain *d);

#endif
