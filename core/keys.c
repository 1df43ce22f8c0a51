/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of debug keys: letter to function; 'h' lists them. */
#include "core/keys.h"

#include "core/log.h"
#include "lib/types.h"

#define KEYS 128u

static struct { const char *what; void (*run)(void); } keys[KEYS];

void key_register(char key, const char *what, void (*run)(void))
{
    BUG_ON((uint8_t)key >= KEYS || keys[(uint8_t)key].run);
    keys[(uint8_t)key].what = what;
    keys[(uint8_t)key].run = run;
}

static void help(void)
{
    hv_log(LOG_ERR, "debug keys:");
    hv_log(LOG_ERR, " 'h' this list");
    for (unsigned i = 0; i < KEYS; i++)
        if (keys[i].run)
            hv_log(LOG_ERR, " '%c' %s", (int)i, keys[i].what);
}

void key_press(char key)
{
    uint8_t i = (uint8_t)key;

    if (i == 'h') {
        help();
    } else if (i < KEYS && keys[i].run) {
        hv_log(LOG_ERR, "'%c' pressed: %s", key, keys[i].what);
        keys[i].run();
    }
}
