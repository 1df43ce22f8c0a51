/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen as the boot loader left it: the hypervisor's messages until dom0 starts, and those of its end, for machines without
 * a serial line.
 */
#ifndef X86_SCREEN_H
#define X86_SCREEN_H

#include "lib/types.h"

struct boot_info;
struct boot_options;

/*
 * Uses the screen if console= has vga: pixels or VGA text as @info says; VGA text of 80x25 at its usual place if it says
 * nothing, and someone is there. On the first page tables.
 */
void screen_init(const struct boot_options *options, const struct boot_info *info);

/* The screen's memory, maddr and bytes, which mm_build() is to map; size 0 if there is none. */
uint64_t screen_base(void);
uint64_t screen_size(void);

/* Text to the screen, if there is one and it is ours. Under the log's lock. */
void screen_write(const char *s, size_t n);

/* dom0 is about to start: nothing is written any more, unless vga=keep. */
void screen_give_up(void);

/*
 * The hypervisor ends: the screen is ours again as it was at boot, blank; dom0 may have put it into another mode, then nothing
 * is seen. What is written first stays, what it has no room for is left out. Any context; nobody waits for the log's lock.
 */
void screen_take_back(void);

#endif
