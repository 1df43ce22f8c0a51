/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The micro guest's life: choose tests from the command line, run them in link order, report, shut down.
 *
 * Command line words:
 *   only=hello          print one line and shut down; nothing but console_io and sched_op is used
 *   only=FAMILY         one family; only=FAMILY.TEST one test; several joined by +
 *   only=hostile        all families whose name begins so; they, and those of frontends, run only when they are named
 *   but=FAMILY          not that one, whatever only= says; written as only='s
 *   destructive=TEST    run that destructive test (it does not come back) and nothing else
 *   bench=FAMILY        measure instead of testing: rows of the benchmark (bench.h); several joined by +, or all
 *   keys=KEYS           at the end, these debug keys of the hypervisor
 *   end=REASON          poweroff, reboot, crash, suspend or none; dom0 reboots unless told, others power off
 *
 * Output, one line each: `ok N FAMILY.TEST`, `not ok N FAMILY.TEST: EXPRESSION (got X want Y)`, `obs NAME
 * VALUE`,
 * and last `N passed, N failed`.
 */

#include "micro.h"

#include <xen/sched.h>

#include "bench.h"
#include "child.h"
#include "domctl.h"
#include "event.h"
#include "mm.h"
#include "trap.h"

extern const struct test tests_start[], tests_end[];

struct start_info *start_info;

static const struct test *running;
static unsigned int number, failures, passed, failed;

void guest_main(struct start_info *si) __attribute__((noreturn));

const struct test *test_running(void)
{
    return running;
}

bool is_dom0(void)
{
    return start_info->flags & SIF_INITDOMAIN;
}

const char *option(const char *key)
{
    const char *s = (const char *)start_info->cmd_line;
    size_t len = strlen(key);

    while (*s) {
        if (!strncmp(s, key, len) && s[len] == '=')
            return s + len + 1;
        while (*s && *s != ' ')
            s++;
        while (*s == ' ')
            s++;
    }
    return NULL;
}

/* Does `word` end at a separator right after the first len characters? */
static bool ends(const char *word, size_t len)
{
    return word[len] == '\0' || word[len] == ' ' || word[len] == '+';
}

static bool option_is(const char *key, const char *value)
{
    const char *o = option(key);

    return o && !strncmp(o, value, strlen(value)) && ends(o, strlen(value));
}

bool check(int line, bool ok, const char *what, long got, long want, bool show)
{
    if (ok)
        return true;
    failures++;
    if (show)
        print("not ok %u %s.%s: %s (got %ld=0x%lx want %ld=0x%lx) line %d\n", number, running->family,
              running->name, what, got, (unsigned long)got, want, (unsigned long)want, line);
    else
        print("not ok %u %s.%s: %s line %d\n", number, running->family, running->name, what, line);
    return false;
}

void obs(const char *name, long value)
{
    print("obs %s.%s.%s %ld\n", running->family, running->name, name, value);
}

void obs_str(const char *name, const char *value)
{
    print("obs %s.%s.%s \"%s\"\n", running->family, running->name, name, value);
}

void shutdown(unsigned int reason)
{
    struct sched_shutdown s = { .reason = reason };

    for (;;)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &s);
}

static bool hostile(const struct test *t)
{
    return !strncmp(t->family, "hostile", 7);
}

/* They take long, or want devices. */
static bool only_if_named(const struct test *t)
{
    return hostile(t) || !strncmp(t->family, "front", 5);
}

/* Is t named by one of the words, joined by +, of `list`? */
static bool listed(const struct test *t, const char *list)
{
    size_t family = strlen(t->family), name = strlen(t->name);

    for (;;) {
        if (!strncmp(list, t->family, family)) {
            if (ends(list, family))
                return true;
            if (list[family] == '.' && !strncmp(list + family + 1, t->name, name) && ends(list,
                    family + 1 + name))
                return true;
        }
        while (!ends(list, 0))
            list++;
        if (*list++ != '+')
            return false;
    }
}

static bool selected(const struct test *t)
{
    const char *only = option("only");
    const char *destructive = option("destructive"), *but = option("but");

    if (destructive)
        return t->destructive && option_is("destructive", t->name);
    if (t->destructive || (but && listed(t, but)))
        return false;
    if (hostile(t) && option_is("only", "hostile"))
        return true;
    return only ? listed(t, only) : !only_if_named(t);
}

static void run(const struct test *t)
{
    running = t;
    number++;
    failures = 0;
    events_on();                        /* whatever an earlier test left pending */
    events_off();
    t->run();
    if (failures) {
        failed++;
    } else {
        passed++;
        print("ok %u %s.%s\n", number, t->family, t->name);
    }
}

static void finish(void) __attribute__((noreturn));
static void finish(void)
{
    unsigned int reason = is_dom0() ? SHUTDOWN_reboot : SHUTDOWN_poweroff;

    if (option("keys") && press_keys(option("keys")))
        print("the keys were refused\n");
    if (option_is("end", "none"))
        for (;;)
            hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
    if (option_is("end", "poweroff"))
        reason = SHUTDOWN_poweroff;
    else if (option_is("end", "reboot"))
        reason = SHUTDOWN_reboot;
    else if (option_is("end", "crash"))
        reason = SHUTDOWN_crash;
    shutdown(reason);
}

void guest_main(struct start_info *si)
{
    const struct test *t;

    child_keep_data();
    start_info = si;
    console_init();
    print("hello from the micro guest\n");
    if (option_is("only", "hello"))
        finish();
    mm_init();
    trap_init();
    event_init();
    if (option("bench")) {
        bench_run(option("bench"));
        finish();
    }
    for (t = tests_start; t < tests_end; t++)
        if (selected(t))
            run(t);
    print("%u passed, %u failed\n", passed, failed);
    finish();
}
