/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine checks: what the hardware noticed of its own errors, as the banks of registers of each CPU tell it (Intel SDM volume 3,
 * "Machine-check architecture"; AMD APM volume 2, the same).
 *
 * Errors that were corrected, and those that nobody has to act on, are found by looking every few seconds: each is a line in the
 * log, and a record that dom0 fetches when VIRQ_MCA says so. An exception is for errors that were not: it is the end of the
 * hypervisor, for nobody knows what they spoilt.
 */
#ifndef CORE_MCE_H
#define CORE_MCE_H

#include "core/ids.h"

#define MCE_BANKS 15u /* a record for dom0 has room for so many (struct mc_info) */

struct mce_bank {
    uint32_t bank;
    uint64_t status, addr, misc; /* 0 where status says that there is none */
};

struct mce_event {
    unsigned cpu;
    uint32_t flags;     /* MC_FLAG_* of <xen/arch-x86/xen-mca.h> */
    uint64_t global;    /* MCG_STATUS */
    uint64_t tsc;       /* when it was found */
    unsigned count;
    struct mce_bank bank[MCE_BANKS];
};

/*
 * On each CPU when it comes up, its timers ready: tells what the banks still hold from before the machine was reset, makes them
 * note all errors, and looks at them from now on.
 */
void mce_start_cpu(void);

/*
 * In the exception: what this CPU's banks say, the first of them; true if the hypervisor must end. False: no error of this CPU's was
 * the reason, it may go on; corrected ones stay in the banks for the next look. Takes no lock.
 */
bool mce_exception(struct mce_event *e);

/* This CPU's MCG_CAP; 0: it has no banks. */
uint64_t mce_capabilities(void);

/* The oldest record that was not acknowledged, and its number; false: there is none. */
bool mce_fetch(struct mce_event *e, uint64_t *id);
/* Record `id` may go, if it is the oldest. */
void mce_acknowledge(uint64_t id);

#endif
