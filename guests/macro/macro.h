/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the benchmark share: each is a set-up and the rows that need it. */
#ifndef MACRO_H
#define MACRO_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define PAGE 4096UL
#define BIG  (256 * 1024UL)

/* One operation; `before` (may be NULL) is done before each sample and does not count. A list ends with one without a name. */
struct row {
    const char *name;
    void (*op)(void), (*before)(void);
    unsigned int samples;
};

/* Each part sets up what it needs and gives its rows; NULL when the machine has not what they need. */
const struct row *kernel_rows(void);
const struct row *compute_rows(void);
const struct row *disk_rows(void);
const struct row *several_rows(void);
const struct row *io_rows(void);
const struct row *net_rows(void);

extern unsigned char source[BIG], target[2 * BIG];      /* as compressible as text; scratch */

/* Says what failed and ends the machine, unless ok. */
void need(int ok, const char *what);
/* `/init compile N` does this: /source/N.c to /object/N.o. Gives the exit status. */
int compile(const char *number);
/* Of drivers.c: gives 0 when the initrd has none. */
int load_drivers(void);
/* Until there is such a file. */
void wait_for(const char *device);
/* Of net.c: gives eth0 that address; is a neighbour for ever. */
void bring_up(const char *own);
void answer(void);
/* Of kernel.c: the partner answers each byte of op_ping_pong(); a new one takes the place of the last. */
pid_t begin_partner(void);
void op_ping_pong(void);
void op_fork_exec(void);
void touch_16(void);
void op_mprotect_16(void);

#endif
