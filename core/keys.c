/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of debug keys: letter to function; 'h' lists them, '*' runs those that only look. */
#include "core/keys.h"

#include "core/lock.h"
#include "core/log.h"
#include "core/time.h"
#include "core/timer.h"

#define KEYS    128u
#define PIECE   MS(5)   /* of printing, then others have their turn */
#define PAUSE   MS(2)
#define PRESSED 16u     /* keys that wait; power of two */

static struct key { const char *what; key_step *step; bool in_all; } keys[KEYS];

void key_register(char key, const char *what, bool in_all, key_step *step)
{
    BUG_ON((uint8_t)key >= KEYS || keys[(uint8_t)key].step);
    keys[(uint8_t)key] = (struct key){ what, step, in_all };
}

static uint64_t help(uint64_t at)
{
    for (unsigned i = 0; i < KEYS; i++)
        if (keys[i].step)
            hv_log(LOG_ERR, " key '%c' (ascii '%02x') => %s", (int)i, i, keys[i].what);
    return 0;
}

bool key_run(char key, uint64_t *at)
{
    const struct key *k = (uint8_t)key < KEYS ? &keys[clamp_index((uint8_t)key, KEYS)] : NULL;

    if (!k || !k->step)
        return false;
    if (!*at)
        hv_log(LOG_ERR, "'%c' pressed -> %s", key, k->what);
    *at = k->step(*at);
    return *at != 0;
}

/* The position: of what key, and where in its report. */
static uint64_t run_all(uint64_t at)
{
    unsigned i = (unsigned)(at >> KEY_AT_BITS);
    uint64_t inner = at & ((1ull << KEY_AT_BITS) - 1);

    while (i < KEYS && !keys[i].in_all)
        i++;
    if (i >= KEYS)
        return 0;
    if (!key_run((char)i, &inner)) {
        i++;
        inner = 0;
    }
    return (uint64_t)i << KEY_AT_BITS | inner;
}

/* ---- Typed keys ---- */

static struct lock pressed_lock = LOCK_INIT(CONSOLE);
static char pressed[PRESSED];
static uint32_t head, tail; /* written, read: differ by at most PRESSED */
static uint64_t position;   /* in the report of the key at `tail` */
static struct timer more;

/* The key whose report is going on, or begins now; 0: none waits. */
static char first(void)
{
    char key;

    lock(&pressed_lock);
    key = tail != head ? pressed[tail % PRESSED] : 0;
    unlock(&pressed_lock);
    return key;
}

static void next(void *data)
{
    uint64_t until = now_ns() + PIECE;
    char key;

    do {
        key = first();
        if (!key)
            return;
        if (!key_run(key, &position)) {
            position = 0;
            lock(&pressed_lock);
            tail++;
            unlock(&pressed_lock);
        }
    } while (now_ns() < until);
    timer_set(&more, now_ns() + PAUSE);
}

void key_press(char key)
{
    bool begin;

    if (!key)
        return;
    lock(&pressed_lock);
    begin = head == tail;
    if (head - tail < PRESSED)
        pressed[head++ % PRESSED] = key;
    unlock(&pressed_lock);
    if (begin)
        timer_set(&more, now_ns());
}

void keys_init(void)
{
    timer_init(&more, next, NULL, 0);
    key_register('h', "show this message", false, help);
    key_register('*', "print all diagnostics", false, run_all);
}
