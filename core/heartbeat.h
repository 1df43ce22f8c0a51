/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watchdog of the machine: does every CPU still come to its timers? (Those of domains are core/watchdog.h.)
 *
 * Each CPU has a timer that beats its heart, and watches the heart of the next CPU, the last that of the first. One that has
 * not beaten for the timeout gets an NMI, whose handler tells by a panic where it hangs. So a CPU that makes no progress
 * in the hypervisor is seen between one and one and a quarter timeouts later. What is not seen: all CPUs at once in loops
 * that do not wait, and the only CPU of a machine.
 */
#ifndef CORE_HEARTBEAT_H
#define CORE_HEARTBEAT_H

#include "lib/types.h"

/* At boot, when all CPUs are up and before guests run. seconds: the timeout, not 0. A line in the log says what it does. */
void heartbeat_start(unsigned seconds);

/* The hypervisor ends: nobody is missed any more. Any context. */
void heartbeat_stop(void);

/*
 * This CPU looks after the one it watches: by its timer, and while it waits for another CPU, as its own timers must wait
 * then too. May not return. Any lock held, interrupts off.
 */
void heartbeat_watch(void);

/* In an NMI: the seconds that this CPU has been missed for when the NMI was sent, if its heart has not beaten since; else 0. */
unsigned heartbeat_missed(void);

#endif
