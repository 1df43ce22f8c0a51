/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's serial line: a 16550 at an I/O port. */
#ifndef X86_SERIAL_H
#define X86_SERIAL_H

#include "lib/types.h"

struct boot_options;

/*
 * Sets up for output the line that console= names (com1= or com2= say how); again, if it was done before with
 * other options. False if there is none: the console has no line then.
 */
bool serial_init(const struct boot_options *options);

/* Input from now on: by interrupt, or by a timer if there is none. After interrupts and timers are up. */
void serial_start_input(void);

/* Waits for the UART for a bounded time per byte; then gives up on the byte. "\n" goes out as "\r\n". */
void serial_write(const char *s, size_t n);

/* Ports that nobody else may have: the first, and how many. 0 if there is no line. */
unsigned serial_ports(uint16_t *first);

#endif
