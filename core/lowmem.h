/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VIRQ_ENOMEM: free memory is short. It is raised when domains took so much that less than 64 MiB are free, and once
 * more at each half of what it was raised at last, down to 2 MiB. A level at which it was raised counts again after
 * one and a half times as much was free.
 */
#ifndef CORE_LOWMEM_H
#define CORE_LOWMEM_H

/* Looks at how much is free. Any CPU, no lock below PORT held. */
void lowmem_check(void);

#endif
