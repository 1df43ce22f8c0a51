/* SPDX-License-Identifier: BSD-2-Clause */
/* The console: who gets what is typed, dom0 or the hypervisor's debug keys; and what guests print early. */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "lib/types.h"

struct domain;

/*
 * Ctrl with this letter (a to z), three times, switches what is typed between dom0 and the debug keys; at first it is
 * the letter a, and dom0 has the input. @input_stays: the debug keys have it. Called once, before there is input.
 */
void console_switch_by(char letter, bool input_stays);

/* One character was typed. From an interrupt's or timer's handler, no lock held; raises VIRQ_CONSOLE. */
void console_input(char c);

/* Takes up to n characters typed for dom0; returns how many. */
size_t console_read(char *to, size_t n);

/*
 * What a domain without the console's privilege prints: whole lines go to the log as "(dN) line", unprintable
 * characters replaced, so many in a time.
 */
void console_guest_write(struct domain *d, const char *s, size_t n);

#endif
