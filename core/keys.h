/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys: one letter on the console (after three Ctrl-A), or `xl debug-keys`, makes a part say how it is.
 *
 * The hypervisor runs with interrupts off, and a serial line takes milliseconds for a line of text. So a report is made of
 * pieces of a few lines, each told where the one before it ended; between them the CPU does all else that it has to do.
 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

#include "lib/types.h"

/*
 * Says a piece of the report, from position `at`; 0 is the beginning. Gives the position of the next piece, 0: that was all.
 * Any position may come, also one that is gone meanwhile. No lock held, interrupts off; prints with hv_log(LOG_ERR, ...).
 */
typedef uint64_t key_step(uint64_t at);
#define KEY_AT_BITS 56 /* of a position */

/* in_all: it is part of the report of key '*'. At boot, one CPU. */
void key_register(char key, const char *what, bool in_all, key_step *step);

/* One piece of the report of `key`, and *at is moved on; false: that was all of it. */
bool key_run(char key, uint64_t *at);

/* The whole report, soon, piece by piece from a timer. Keys pressed meanwhile follow it, as many as find room. Any context. */
void key_press(char key);

/* At boot, once CPU 0 has timers. */
void keys_init(void);

#endif
