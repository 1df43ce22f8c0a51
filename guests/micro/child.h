/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain that is this guest once more, unprivileged: built from our own image by the calls that a
 * toolstack makes.
 *
 * child_build() copies text and pristine data, makes start_info, page tables and the console ring, pins the
 * tables and sets the first vCPU. child_run() lets it run and relays its console until it shuts down.
 */
#ifndef MICRO_CHILD_H
#define MICRO_CHILD_H

#include "micro.h"

/* Keeps a copy of .data before anything changes it; the first thing guest_main() does. */
void child_keep_data(void);

/* Gives the domain id or a negative errno; the domain is paused. */
long child_build(const char *cmd_line);
/* The same, of a child that runs the destructive test `test` with the word attack=`name`. */
long child_attacks(const char *test, const char *name);

/* Called, if set, with the first vCPU's context before it is given to the hypervisor. */
struct vcpu_guest_context;
extern void (*child_context)(struct vcpu_guest_context *c);

/*
 * Unpauses; prints what the child writes, each line after "domU ", and counts the lines that say "not ok"
 * into *failures (may be NULL). Gives the shutdown reason, -1 on time-out.
 */
long child_run(domid_t dom, unsigned int seconds, unsigned int *failures);
long child_run_ms(domid_t dom, unsigned int ms, unsigned int *failures);

#endif
