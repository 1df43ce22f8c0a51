/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's words against the table of options; see boot/parse/cmdline.h. What each option's value
 * may look like is in boot/parse/option.c.
 */
#include "boot/parse/cmdline.h"
#include "boot/parse/option.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

#define WORD_MAX 256
#define WHAT_MAX 128 /* what is said of a word */

/* Every option known. One without a reader is accepted and has no effect. */
static const struct {
    const char *name;
    option_reader_t read;
    size_t field;
    const char *missing; /* what is so instead of the effect; NULL: nothing to be said of that */
} options[] = {
#define FIELD(f) offsetof(struct boot_options, f)
#define NONE 0
#define OPTION(name, reader, field, ...) { name, reader, field, NULL },
#define IGNORED(name) { name, NULL, 0, NULL },
#define MISSING(name, what) { name, NULL, 0, "has no effect: " what },
#include "boot/parse/options.def"
#undef MISSING
#undef IGNORED
#undef OPTION
#undef NONE
#undef FIELD
};

/* Whether @name, of @len bytes, is @option, '-' being as good as '_'. */
static bool same_name(const char *option, const char *name, size_t len)
{
    if (strlen(option) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char a = option[i] == '-' ? '_' : option[i], b = name[i] == '-' ? '_' : name[i];

        if (a != b)
            return false;
    }
    return true;
}

static int find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (same_name(options[i].name, name, len))
            return (int)i;
    }
    return -1;
}

static void report(void (*say)(const char *), const char *word, const char *what)
{
    char line[WORD_MAX + WHAT_MAX];

    if (!say)
        return;
    ksnprintf(line, sizeof(line), "command line: %s: %s", word, what);
    say(line);
}

/* One word; -EINVAL only for a dom0_mem= that makes no sense. */
static int read_word(const char *word, struct boot_options *o, void (*say)(const char *))
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const char *value = equals ? equals + 1 : "";
    int i = find(word, len);

    if (i < 0 && !equals && len > 3 && strncmp(word, "no-", 3) == 0) {
        i = find(word + 3, len - 3);
        value = "no";
    }
    if (i < 0)
        report(say, word, "unknown option, ignored");
    else if (!options[i].read)
        report(say, word, options[i].missing ? options[i].missing : "has no effect yet");
    else if (options[i].read(value, (char *)o + options[i].field, o) == 0)
        return 0;
    else if (options[i].read == option_dom0_mem)
        return -EINVAL;
    else
        report(say, word, "not a value for this option, ignored");
    return 0;
}

static void set_defaults(struct boot_options *o)
{
    static const struct option_serial serial = { .data_bits = 8, .stop_bits = 1, .parity = 'n', .irq = -1 };

    memset(o, 0, sizeof(*o));
    o->com1 = o->com2 = serial;
    o->console = OPTION_CONSOLE_COM1 | OPTION_CONSOLE_VGA;
    o->switch_char = 'a';
    o->numa = true;
    o->x2apic = true;
    o->cpuidle = true;
    o->max_cstate = o->max_substate = UINT32_MAX;
    o->watchdog_timeout = 5;
    o->mce = true;
    o->loglvl = (struct option_levels){ OPTION_LOG_WARNING, OPTION_LOG_WARNING };
    o->guest_loglvl = (struct option_levels){ OPTION_LOG_NONE, OPTION_LOG_WARNING };
}

/* Copies the next word of *@line, cut to @size, and moves behind it. Its whole length; 0: there is none. */
static size_t next_word(const char **line, char *word, size_t size)
{
    const char *at = *line;
    size_t len = 0;

    while (*at == ' ' || *at == '\t')
        at++;
    while (at[len] && at[len] != ' ' && at[len] != '\t')
        len++;
    strlcpy(word, at, MIN(len + 1, size));
    *line = at + len;
    return len;
}

int cmdline_parse(const char *line, struct boot_options *o, void (*say)(const char *), const char **why)
{
    char word[WORD_MAX];
    size_t len;
    int err = 0;

    set_defaults(o);
    strlcpy(o->line, line, sizeof(o->line));
    while ((len = next_word(&line, word, sizeof(word))) != 0) {
        if (len >= sizeof(word)) {
            report(say, word, "option too long, ignored");
        } else if (read_word(word, o, say)) {
            *why = "command line: dom0_mem= takes [min:SIZE,][max:SIZE,]SIZE, for example dom0_mem=1G,max:1G";
            err = -EINVAL;
        }
    }
    return err;
}

/* The value of @word if it gives option @i, else NULL. */
static const char *value_for(size_t i, const char *word)
{
    size_t len = strlen(options[i].name);
    const char *equals = strchr(word, '=');

    if (!equals && strncmp(word, "no-", 3) == 0 && same_name(options[i].name, word + 3, strlen(word) - 3))
        return "no";
    if (!same_name(options[i].name, word, equals ? (size_t)(equals - word) : strlen(word)))
        return NULL;
    return word[len] == '=' ? word + len + 1 : "";
}

void cmdline_each(const char *line, void (*each)(const char *name, const char *value))
{
    char word[WORD_MAX], last[WORD_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const char *rest = line, *value;
        bool given = false;

        while (options[i].read && next_word(&rest, word, sizeof(word))) {
            value = value_for(i, word);
            if (value) {
                strlcpy(last, value, sizeof(last));
                given = true;
            }
        }
        if (given)
            each(options[i].name, last);
    }
}

/* @s as bytes on a machine of @total bytes of which @available are free. */
static uint64_t resolve(const struct option_size *s, uint64_t available, uint64_t total)
{
    uint64_t part = total / 100 * s->percent, sum;

    if (__builtin_add_overflow(s->bytes, part, &sum))
        sum = UINT64_MAX;
    if (s->negative)
        sum = sum < available ? available - sum : 0;
    return sum;
}

struct dom0_memory cmdline_dom0_memory(const struct boot_options *o, uint64_t available, uint64_t total)
{
    uint64_t reserve = MIN(available / 16, 128UL << 20);
    struct dom0_memory m = { .bytes = available - reserve, .max = UINT64_MAX };

    if (o->dom0_mem.given)
        m.bytes = resolve(&o->dom0_mem, available, total);
    if (o->dom0_mem_min.given)
        m.bytes = MAX(m.bytes, resolve(&o->dom0_mem_min, available, total));
    if (o->dom0_mem_max.given) {
        m.max = ROUNDDOWN(resolve(&o->dom0_mem_max, available, total), PAGE_SIZE);
        m.bytes = MIN(m.bytes, m.max);
    }
    m.bytes = ROUNDDOWN(MIN(m.bytes, available), PAGE_SIZE);
    return m;
}
