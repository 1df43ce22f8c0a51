/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's serial line: a 16550 at an I/O port. */
#ifndef X86_SERIAL_H
#define X86_SERIAL_H

#include "lib/types.h"

struct serial_config {
    uint32_t baud;       /* 0: as the firmware left it         */
    uint8_t data_bits;   /* 5..8                               */
    uint8_t stop_bits;   /* 1 or 2                             */
    char parity;         /* 'n', 'o', 'e', 'm', 's'            */
    uint16_t io;         /* first of its eight ports           */
    uint8_t irq;         /* ISA interrupt; 0: polled by timer  */
};

#define SERIAL_COM1 ((struct serial_config){ 115200, 8, 1, 'n', 0x3f8, 4 })
#define SERIAL_COM2 ((struct serial_config){ 115200, 8, 1, 'n', 0x2f8, 3 })

/* Sets the line up for output. False if there is no UART. Called once, before anything is logged. */
bool serial_init(const struct serial_config *config);

/* Input from now on: by interrupt, or by a timer if there is none. After interrupts and timers are up. */
void serial_start_input(void);

/* Waits for the UART for a bounded time per byte; then gives up on the byte. "\n" goes out as "\r\n". */
void serial_write(const char *s, size_t n);

/* Ports that nobody else may have: the first, and how many. 0 if there is no line. */
unsigned serial_ports(uint16_t *first);

#endif
