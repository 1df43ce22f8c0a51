/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring of the last 128 KiB that was said, for `xl dmesg`; each line also goes to the console.
 *
 * Positions in the ring are absolute: the number of bytes ever written before that byte. A reader that comes
 * too late is moved up to the oldest byte kept. Everything here is under one lock, the last in the order, so
 * anyone may print.
 */
#include "core/log.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/lock.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "lib/printf.h"
#include "lib/string.h"

#define RING_SIZE    (128u * 1024)
#define LINE_MAX     256u        /* longer lines are cut */
#define GUEST_WINDOW SEC(5)
#define GUEST_LINES  64u         /* messages about one domain in one window */

static struct lock log_lock = LOCK_INIT(CONSOLE);
static char ring[RING_SIZE];
static uint64_t ring_end;        /* bytes ever written                    */
static uint64_t ring_cleared;    /* nothing before it is shown any more   */
static bool mid_line;            /* the console's cursor is inside a line */
static bool unlocked;            /* a panic is going on: wait for nobody  */
static enum loglevel hv_level = LOG_INFO, guest_level = LOG_WARN;

static void log_take(void)
{
    if (!unlocked)
        lock(&log_lock);
}

static void log_give(void)
{
    if (!unlocked)
        unlock(&log_lock);
}

void log_unlock_for_panic(void)
{
    unlocked = true;
}

void log_levels(enum loglevel hv, enum loglevel guest)
{
    hv_level = hv;
    guest_level = guest;
}

static void to_ring(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ring[ring_end++ % RING_SIZE] = s[i];
}

static void to_console(const char *s, size_t n)
{
    if (!n)
        return;
    machine_console_write(s, n);
    mid_line = s[n - 1] != '\n';
}

/* One line, to both; starts a new one on the console if somebody's is unfinished. */
static void line_out(const char *s, size_t n)
{
    if (mid_line)
        to_console("\n", 1);
    to_console(s, n);
    to_ring(s, n);
}

/* "(XEN) " + "dN: " (d not NULL) + text + newline. */
static void say(const struct domain *d, const char *fmt, va_list args)
{
    char line[LINE_MAX];
    size_t n;

    n = d ? ksnprintf(line, sizeof(line), "(XEN) d%u: ", d->id) : ksnprintf(line, sizeof(line), "(XEN) ");
    n += kvsnprintf(line + n, sizeof(line) - n, fmt, args);
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    line_out(line, n);
}

__attribute__((format(printf, 2, 3)))
static void say_about(const struct domain *d, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(d, fmt, args);
    va_end(args);
}

void hv_log(enum loglevel level, const char *fmt, ...)
{
    va_list args;

    if (level > hv_level)
        return;
    va_start(args, fmt);
    log_take();
    say(NULL, fmt, args);
    log_give();
    va_end(args);
}

/* May d have one more message in this window? Tells how many were left out of the last one. Lock held. */
static bool guest_may_say(struct domain *d)
{
    uint64_t now = now_ns();

    if (now - d->refused_window >= GUEST_WINDOW) {
        if (d->refused > GUEST_LINES)
            say_about(d, "%lu more messages left out", d->refused - GUEST_LINES);
        d->refused_window = now;
        d->refused = 0;
    }
    return d->refused++ < GUEST_LINES;
}

static void guest_say(struct domain *d, enum loglevel level, const char *fmt, va_list args)
{
    if (level > guest_level)
        return;
    log_take();
    if (guest_may_say(d)) {
        say(d, fmt, args);
        budget_spend(); /* a serial line takes milliseconds for it */
    }
    log_give();
}

void guest_log(struct domain *d, enum loglevel level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    guest_say(d, level, fmt, args);
    va_end(args);
}

long refuse(struct vcpu *v, long err, const char *fmt, ...)
{
    char why[LINE_MAX];
    va_list args;

    if (guest_level < LOG_DEBUG)
        return err;
    va_start(args, fmt);
    kvsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    guest_log(v->domain, LOG_DEBUG, "v%u refused (%ld): %s", v->id, err, why);
    return err;
}

void log_text(const char *s, size_t n)
{
    log_take();
    line_out(s, n);
    log_give();
}

void log_console(const char *s, size_t n)
{
    log_take();
    to_console(s, n);
    log_give();
}

/* The oldest byte that is kept. Lock held. */
static uint64_t ring_oldest(void)
{
    uint64_t kept = ring_end > RING_SIZE ? ring_end - RING_SIZE : 0;

    return MAX(kept, ring_cleared);
}

size_t log_ring_read(uint64_t *at, char *to, size_t n)
{
    size_t done;

    log_take();
    if (*at < ring_oldest())
        *at = ring_oldest();
    for (done = 0; done < n && *at < ring_end; done++)
        to[done] = ring[(*at)++ % RING_SIZE];
    log_give();
    return done;
}

uint64_t log_ring_start(void)
{
    uint64_t start;

    log_take();
    start = ring_oldest();
    log_give();
    return start;
}

void log_ring_clear(void)
{
    log_take();
    ring_cleared = ring_end;
    log_give();
}
