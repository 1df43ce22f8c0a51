/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: a serial line and a screen, each if there is one. */
#include "core/machine.h"
#include "x86/screen.h"
#include "x86/serial.h"

void machine_console_write(const char *s, size_t n)
{
    serial_write(s, n);
    screen_write(s, n);
}
