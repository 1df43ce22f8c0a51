/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console input: a ring of what was typed for dom0, and the switch (Ctrl-A three times) to the debug keys
 * and back.
 *
 * Characters that find the ring full are lost, as on a UART nobody reads.
 */
#include "core/console.h"

#include "core/keys.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/port.h"

#define RING          1024u /* power of two */
#define SWITCH_CHAR   '\x01'
#define SWITCH_COUNT  3u

static struct lock input_lock = LOCK_INIT(CONSOLE);
static char ring[RING];
static uint32_t head, tail;   /* written, read: differ by at most RING */
static unsigned switches;     /* Ctrl-A seen in a row */
static bool to_hypervisor;

static void put(char c)
{
    lock(&input_lock);
    if (head - tail < RING)
        ring[head++ % RING] = c;
    unlock(&input_lock);
}

/* True if c was part of a completed switch. */
static bool switched(char c)
{
    switches = c == SWITCH_CHAR ? switches + 1 : 0;
    if (switches < SWITCH_COUNT)
        return false;
    switches = 0;
    to_hypervisor = !to_hypervisor;
    hv_log(LOG_ERR, "console input goes to %s now; Ctrl-A three times changes that",
           to_hypervisor ? "the hypervisor (h: help)" : "dom0");
    return true;
}

void console_input(char c)
{
    if (switched(c))
        return;
    if (to_hypervisor) {
        if (c != SWITCH_CHAR)
            key_press(c);
        return;
    }
    put(c);
    virq_raise_global(VIRQ_CONSOLE);
}

size_t console_read(char *to, size_t n)
{
    size_t done;

    lock(&input_lock);
    for (done = 0; done < n && tail != head; done++)
        to[done] = ring[tail++ % RING];
    unlock(&input_lock);
    return done;
}

bool console_pending(void)
{
    return READ_ONCE(head) != READ_ONCE(tail);
}
