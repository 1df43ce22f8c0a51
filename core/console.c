/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's two ways: a ring of what was typed for dom0, with the switch (Ctrl-A, or another, three times) to
 * the debug keys and back; and lines that guests print before they have a console of their own.
 *
 * Typed characters that find the ring full are lost, as on a UART nobody reads.
 */
#include "core/console.h"

#include "core/domain.h"
#include "core/keys.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/port.h"
#include "core/time.h"
#include "lib/printf.h"
#include "lib/string.h"

#define RING          1024u /* power of two */
#define SWITCH_COUNT  3u
#define GUEST_WINDOW  SEC(5)
#define GUEST_LINES   400u  /* a guest may print in one window */

static struct lock input_lock = LOCK_INIT(CONSOLE);
static char ring[RING];
static uint32_t head, tail;   /* written, read: differ by at most RING */
static char switch_letter = 'a'; /* with Ctrl; set before there is input */
static unsigned switches;     /* of them seen in a row */
static bool to_hypervisor;

static bool is_switch(char c)
{
    return c == (switch_letter & 0x1f);
}

void console_switch_by(char letter, bool input_stays)
{
    switch_letter = letter;
    to_hypervisor = input_stays;
}

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
    switches = is_switch(c) ? switches + 1 : 0;
    if (switches < SWITCH_COUNT)
        return false;
    switches = 0;
    to_hypervisor = !to_hypervisor;
    hv_log(LOG_ERR, "console input goes to %s now; Ctrl-%c three times changes that",
           to_hypervisor ? "the hypervisor (h: help)" : "dom0", switch_letter - 'a' + 'A');
    return true;
}

void console_input(char c)
{
    if (switched(c))
        return;
    if (to_hypervisor) {
        if (!is_switch(c))
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

/* Adds c to d's line; true if that completes it. Lock held. */
static bool guest_add(struct domain *d, char c)
{
    if (c == '\n')
        return true;
    if (c != '\r')
        d->console.text[d->console.len++] = (c >= ' ' && c < 0x7f) || c == '\t' ? c : '?';
    return d->console.len == sizeof(d->console.text) - 1;
}

/* May d have one more line now? Lock held. */
static bool guest_may_print(struct domain *d)
{
    uint64_t now = now_ns();

    if (now - d->console.window >= GUEST_WINDOW) {
        d->console.window = now;
        d->console.lines = 0;
    }
    if (d->console.lines >= GUEST_LINES)
        return false;
    d->console.lines++;
    return true;
}

/* Takes characters up to the end of a line, and gives the line in `out` ("": none). How many it took. */
static size_t guest_line(struct domain *d, const char *s, size_t n, char *out, size_t size)
{
    size_t i = 0;

    out[0] = 0;
    lock(&input_lock);
    while (i < n)
        if (guest_add(d, s[i++])) {
            d->console.text[d->console.len] = 0;
            if (guest_may_print(d))
                ksnprintf(out, size, "(d%u) %s\n", d->id, d->console.text);
            d->console.len = 0;
            break;
        }
    unlock(&input_lock);
    return i;
}

void console_guest_write(struct domain *d, const char *s, size_t n)
{
    char line[128];

    while (n) {
        size_t done = guest_line(d, s, n, line, sizeof(line));

        if (line[0])
            log_text(line, strlen(line));
        s += done;
        n -= done;
    }
}
