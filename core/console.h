/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's input: who gets what is typed, dom0 or the hypervisor's debug keys. */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "lib/types.h"

/* One character was typed. From an interrupt's or timer's handler; takes the CONSOLE lock, raises VIRQ_CONSOLE. */
void console_input(char c);

/* Takes up to n characters typed for dom0; returns how many. */
size_t console_read(char *to, size_t n);

/* Is there anything for console_read()? */
bool console_pending(void);

#endif
