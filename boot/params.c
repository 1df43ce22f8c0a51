/* SPDX-License-Identifier: BSD-2-Clause */
/* From options to parameters; see boot/params.h. */
#include "boot/params.h"

#include "boot/parse/cmdline.h"
#include "boot/parse/option.h"
#include "core/log.h"
#include "core/params.h"
#include "lib/printf.h"
#include "lib/string.h"

static struct option_levels host_levels, guest_levels; /* as they are now */

static enum loglevel level_of(enum option_log l)
{
    return l <= OPTION_LOG_ERROR ? LOG_ERR : l == OPTION_LOG_WARNING ? LOG_WARN : l == OPTION_LOG_INFO ? LOG_INFO : LOG_DEBUG;
}

static void apply(void)
{
    log_levels(level_of(host_levels.always), level_of(guest_levels.always));
}

void params_log_levels(const struct boot_options *o)
{
    host_levels = o->loglvl;
    guest_levels = o->guest_loglvl;
    apply();
}

static void levels_text(const struct option_levels *l, char *text)
{
    static const char *const names[] = { "none", "error", "warning", "info", "debug", "all" };

    ksnprintf(text, PARAM_TEXT, "%s/%s", names[l->always], names[l->limited]);
}

static int set_levels(const char *value, char *text, struct option_levels *l)
{
    int err = option_levels(value, l, NULL);

    if (!err)
        apply();
    levels_text(l, text);
    return err;
}

static int set_loglvl(const char *value, char *text)       { return set_levels(value, text, &host_levels); }
static int set_guest_loglvl(const char *value, char *text) { return set_levels(value, text, &guest_levels); }

static void register_given(const char *name, const char *value)
{
    if (strcmp(name, "loglvl") != 0 && strcmp(name, "guest_loglvl") != 0)
        param_register(name, value, NULL);
}

void params_register(const struct boot_options *o)
{
    char text[PARAM_TEXT];

    cmdline_each(o->line, register_given);
    levels_text(&guest_levels, text);
    param_register("guest_loglvl", text, set_guest_loglvl);
    levels_text(&host_levels, text);
    param_register("loglvl", text, set_loglvl);
}
