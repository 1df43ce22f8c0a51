/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys: one letter on the console (after three Ctrl-A), or `xl debug-keys`, makes a part say how it
 * is.
 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

/*
 * At boot, one CPU: `run` is called with no lock held, interrupts off; it prints with hv_log(LOG_ERR, ...)
 * .
 */
void key_register(char key, const char *what, void (*run)(void));

/* Runs the function of `key`, if there is one. */
void key_press(char key);

#endif
