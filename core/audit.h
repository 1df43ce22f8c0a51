/* SPDX-License-Identifier: BSD-2-Clause */
/* The self-audit: all references to all frames, counted again from what refers to them. */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

/*
 * Walks page tables, vCPUs, grants and ports of all domains and compares with struct frame; logs the first differences. All
 * other CPUs are out of the hypervisor and no guest changes anything: domains are paused, or this is a test. Takes long.
 * The number of differences, 0 if all is well; -ENOMEM.
 */
long audit_run(void);

/* Debug key: pauses all domains, audits, lets them go on. */
void audit_show(void);

#endif
