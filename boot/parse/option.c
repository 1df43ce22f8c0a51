/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers of option values; see boot/parse/option.h. The forms are those of Xen's command line document.
 */
#include "boot/parse/option.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/strtou.h"

/* The next element of a list, up to @stop or the end; *@rest is then after it, NULL at the last. */
static size_t element(const char *text, char stop, const char **rest)
{
    const char *end = strchr(text, stop);

    *rest = end ? end + 1 : NULL;
    return end ? (size_t)(end - text) : strlen(text);
}

static bool is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(text, word, len) == 0;
}

/* If @text starts with @prefix, what comes after it, else NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* 1 or 0 for a word that means yes or no, -1 for another; no word at all is yes. */
static int truth(const char *text, size_t len)
{
    static const char *const yes[] = { "", "1", "on", "yes", "true", "enable" };
    static const char *const no[] = { "0", "off", "no", "false", "disable" };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (is(text, len, yes[i]))
            return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        if (is(text, len, no[i]))
            return 0;
    }
    return -1;
}

int option_bool(const char *value, void *field, struct boot_options *o)
{
    int on = truth(value, strlen(value));

    (void)o;
    if (on < 0)
        return -EINVAL;
    *(bool *)field = on;
    return 0;
}

/* A truth value, or "hvm": on, but not for PV guests, of which the hypervisor's own setting is one. */
int option_choice(const char *value, void *field, struct boot_options *o)
{
    int on = strcmp(value, "hvm") == 0 ? 0 : truth(value, strlen(value));

    (void)o;
    if (on < 0)
        return -EINVAL;
    *(enum option_choice *)field = on ? OPTION_ON : OPTION_OFF;
    return 0;
}

/* A number at *@text that fits an unsigned int. */
static int number(const char **text, unsigned int *n)
{
    uint64_t value;

    if (strtou(text, &value) || value > UINT32_MAX)
        return -EINVAL;
    *n = (unsigned int)value;
    return 0;
}

int option_number(const char *value, void *field, struct boot_options *o)
{
    unsigned int n;

    (void)o;
    if (number(&value, &n) || *value || n == 0)
        return -EINVAL;
    *(unsigned int *)field = n;
    return 0;
}

int option_seconds(const char *value, void *field, struct boot_options *o)
{
    unsigned int n;

    (void)o;
    if (number(&value, &n) || *value || n > 3600)
        return -EINVAL;
    *(unsigned int *)field = n;
    return 0;
}

/* A truth value, or "force": on. */
int option_watchdog(const char *value, void *field, struct boot_options *o)
{
    return option_bool(strcmp(value, "force") == 0 ? "on" : value, field, o);
}

int option_memory(const char *value, void *field, struct boot_options *o)
{
    uint64_t n;

    (void)o;
    if (strtosize(&value, &n) || *value || n == 0)
        return -EINVAL;
    *(uint64_t *)field = n;
    return 0;
}

static int level(const char *text, size_t len, enum option_log *l)
{
    static const char *const names[] = { "none", "error", "warning", "info", "debug", "all" };

    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        if (is(text, len, names[i])) {
            *l = (enum option_log)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* <level>[/<level up to which messages are limited in rate>] */
int option_levels(const char *value, void *field, struct boot_options *o)
{
    struct option_levels l;
    const char *rest;

    (void)o;
    if (level(value, element(value, '/', &rest), &l.always))
        return -EINVAL;
    l.limited = l.always;
    if (rest && level(rest, strlen(rest), &l.limited))
        return -EINVAL;
    if (l.limited < l.always)
        return -EINVAL;
    *(struct option_levels *)field = l;
    return 0;
}

/* A list of vga, com1, com2 and none; the letter H or L after a port's name chooses what we do not share. */
int option_console(const char *value, void *field, struct boot_options *o)
{
    unsigned int set = 0;

    (void)o;
    while (value) {
        const char *rest;
        size_t len = element(value, ',', &rest);
        bool half = len == 5 && (value[4] == 'H' || value[4] == 'L');

        if (is(value, len, "vga"))
            set |= OPTION_CONSOLE_VGA;
        else if (is(value, half ? 4 : len, "com1"))
            set |= OPTION_CONSOLE_COM1;
        else if (is(value, half ? 4 : len, "com2"))
            set |= OPTION_CONSOLE_COM2;
        else if (!is(value, len, "none"))
            return -EINVAL;
        value = rest;
    }
    *(unsigned int *)field = set;
    return 0;
}

/* A list of keep, and of modes, which we do not set. */
int option_vga(const char *value, void *field, struct boot_options *o)
{
    static const char *const modes[] = { "text-", "gfx-", "mode-" };
    bool keep = false;

    (void)o;
    while (value) {
        const char *rest;
        size_t len = element(value, ',', &rest);
        bool mode = is(value, len, "current") || is(value, len, "ask");

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
            mode |= after(value, modes[i]) != NULL;
        if (is(value, len, "keep"))
            keep = true;
        else if (!mode)
            return -EINVAL;
        value = rest;
    }
    *(bool *)field = keep;
    return 0;
}

/* <baud>[/<base baud>] or auto */
static int serial_baud(const char *text, size_t len, struct option_serial *s)
{
    const char *end = text + len;

    s->given = true;
    if (len == 0)
        return 0;
    s->baud = 0;
    if (is(text, len, "auto"))
        return 0;
    if (number(&text, &s->baud))
        return -EINVAL;
    if (text == end)
        return 0;
    return *text++ == '/' && number(&text, &s->base_baud) == 0 && text == end ? 0 : -EINVAL;
}

/* Data bits, parity, stop bits, as in 8n1. */
static int serial_format(const char *text, size_t len, struct option_serial *s)
{
    if (len == 0)
        return 0;
    if (len != 3 || text[0] < '5' || text[0] > '8' || !strchr("noems", text[1]) ||
        (text[2] != '1' && text[2] != '2'))
        return -EINVAL;
    s->data_bits = (uint8_t)(text[0] - '0');
    s->parity = text[1];
    s->stop_bits = (uint8_t)(text[2] - '0');
    return 0;
}

static int serial_base(const char *text, size_t len, struct option_serial *s)
{
    const char *end = text + len;

    return len == 0 || (strtou(&text, &s->io_base) == 0 && text == end) ? 0 : -EINVAL;
}

static int serial_irq(const char *text, size_t len, struct option_serial *s)
{
    const char *end = text + len;
    unsigned int irq;

    if (len == 0)
        return 0;
    if (number(&text, &irq) || text != end || irq > 1023)
        return -EINVAL;
    s->irq = (int)irq;
    return 0;
}

/* <baud>[,[DPS][,[<base>][,[<irq>]]]], each part as it was if empty */
int option_serial(const char *value, void *field, struct boot_options *o)
{
    static int (*const parts[])(const char *, size_t, struct option_serial *) = {
        serial_baud, serial_format, serial_base, serial_irq,
    };
    struct option_serial s = *(struct option_serial *)field;

    (void)o;
    for (size_t i = 0; value; i++) {
        const char *rest;
        size_t len = element(value, ',', &rest);

        if (i == ARRAY_SIZE(parts) || parts[i](value, len, &s))
            return -EINVAL;
        value = rest;
    }
    *(struct option_serial *)field = s;
    return 0;
}

/* [-]<size>, [-][<size>+]<fraction>%; up to @end, and not nothing. */
static int read_size(const char *text, const char *end, struct option_size *s)
{
    const char *p = text;
    uint64_t n = 0;

    *s = (struct option_size){ .given = true, .negative = *p == '-' };
    p += s->negative;
    text = p;
    if (strtou(&p, &n) == 0 && *p != '%') {
        p = text;
        if (strtosize(&p, &s->bytes))
            return -EINVAL;
        if (p == end)
            return s->bytes ? 0 : -EINVAL;
        if (*p++ != '+' || strtou(&p, &n))
            return -EINVAL;
    }
    if (p == text || *p != '%' || p + 1 != end || n == 0 || n >= 100)
        return -EINVAL;
    s->percent = (unsigned int)n;
    return 0;
}

int option_dom0_mem(const char *value, void *field, struct boot_options *o)
{
    struct option_size exact = o->dom0_mem, min = o->dom0_mem_min, max = o->dom0_mem_max;

    (void)field;
    while (value) {
        const char *rest, *end = value + element(value, ',', &rest);
        const char *at_least = after(value, "min:"), *at_most = after(value, "max:");
        int err;

        if (at_least)
            err = read_size(at_least, end, &min);
        else if (at_most)
            err = read_size(at_most, end, &max);
        else
            err = read_size(value, end, &exact);
        if (err)
            return err;
        value = rest;
    }
    o->dom0_mem = exact;
    o->dom0_mem_min = min;
    o->dom0_mem_max = max;
    return 0;
}

/* <n>, <min>-<max>, <min>- or -<max> */
int option_vcpus(const char *value, void *field, struct boot_options *o)
{
    unsigned int min = 0, max = 0;

    (void)field;
    if (*value != '-' && (number(&value, &min) || min == 0))
        return -EINVAL;
    if (!*value)
        max = min;
    else if (*value++ != '-')
        return -EINVAL;
    if (*value && (number(&value, &max) || max == 0 || max < min))
        return -EINVAL;
    if (*value || (min == 0 && max == 0))
        return -EINVAL;
    o->dom0_vcpus_min = min;
    o->dom0_vcpus_max = max;
    return 0;
}

/* <letter>[x] */
int option_switch(const char *value, void *field, struct boot_options *o)
{
    size_t len = strlen(value);

    (void)field;
    if (len < 1 || len > 2 || value[0] < 'a' || value[0] > 'z' || (len == 2 && value[1] != 'x'))
        return -EINVAL;
    o->switch_char = value[0];
    o->input_stays = len == 2;
    return 0;
}

int option_nosmp(const char *value, void *field, struct boot_options *o)
{
    bool on;
    int err = option_bool(value, &on, o);

    (void)field;
    if (!err && on)
        o->maxcpus = 1;
    return err;
}

/* A truth value, or "noacpi": the only tables that there are, are not read. */
int option_numa(const char *value, void *field, struct boot_options *o)
{
    return option_bool(strcmp(value, "noacpi") == 0 ? "no" : value, field, o);
}

/* A way, warm or cold, or "no"; the first letter decides, as the names' endings are optional. */
int option_reboot(const char *value, void *field, struct boot_options *o)
{
    static const struct { char letter; enum reboot_way way; } ways[] = {
        { 't', REBOOT_TRIPLE }, { 'k', REBOOT_KBD }, { 'a', REBOOT_ACPI }, { 'p', REBOOT_PCI },
        { 'P', REBOOT_POWER }, { 'e', REBOOT_EFI },
    };
    enum reboot_way way = o->reboot;
    bool warm = o->warm, no = o->noreboot;

    (void)field;
    while (value) {
        const char *rest;
        size_t len = element(value, ',', &rest), i = 0;

        while (i < ARRAY_SIZE(ways) && ways[i].letter != *value)
            i++;
        if (len && i < ARRAY_SIZE(ways))
            way = ways[i].way;
        else if (len && (*value == 'w' || *value == 'c'))
            warm = *value == 'w';
        else if (len && *value == 'n')
            no = true;
        else
            return -EINVAL;
        value = rest;
    }
    o->reboot = way;
    o->warm = warm;
    o->noreboot = no;
    return 0;
}

int option_clocksource(const char *value, void *field, struct boot_options *o)
{
    static const char *const names[CLOCK_SOURCES] = {
        [CLOCK_HPET] = "hpet", [CLOCK_ACPI] = "acpi", [CLOCK_PIT] = "pit", [CLOCK_TSC] = "tsc",
    };

    (void)o;
    for (unsigned i = CLOCK_DEFAULT + 1; i < CLOCK_SOURCES; i++) {
        if (strcmp(value, names[i]) == 0) {
            *(enum clock_source *)field = (enum clock_source)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* <type>[,<sub-state>]; without the second there is no limit to that. */
int option_cstate(const char *value, void *field, struct boot_options *o)
{
    unsigned int type, substate = UINT32_MAX;

    (void)field;
    if (number(&value, &type) || (*value == ',' && (value++, number(&value, &substate))) || *value)
        return -EINVAL;
    o->max_cstate = type;
    o->max_substate = substate;
    return 0;
}

/* default, a truth value for both, or a list of dom0=<truth> and domu=<truth> */
int option_xpti(const char *value, void *field, struct boot_options *o)
{
    enum option_choice dom0 = o->xpti_dom0, domu = o->xpti_domu;

    (void)field;
    while (value) {
        const char *rest, *end = value + element(value, ',', &rest);
        const char *for_dom0 = after(value, "dom0="), *for_domu = after(value, "domu=");
        const char *word = for_dom0 ? for_dom0 : for_domu ? for_domu : value;
        int on = truth(word, (size_t)(end - word));
        enum option_choice choice = on ? OPTION_ON : OPTION_OFF;

        if (word == value && is(word, (size_t)(end - word), "default"))
            choice = OPTION_DEFAULT;
        else if (on < 0)
            return -EINVAL;
        if (!for_domu)
            dom0 = choice;
        if (!for_dom0)
            domu = choice;
        value = rest;
    }
    o->xpti_dom0 = dom0;
    o->xpti_domu = domu;
    return 0;
}
