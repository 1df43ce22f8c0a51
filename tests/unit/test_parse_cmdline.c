/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines: every option's forms, what is said about the rest, and how much memory dom0 gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot/parse/cmdline.h"
#include "core/ids.h"
#include "lib/errno.h"
#include "lib/string.h"

#define M (1UL << 20)
#define G (1UL << 30)

static struct boot_options o;
static unsigned int lines;
static char last[512];

static void say(const char *line)
{
    lines++;
    strlcpy(last, line, sizeof(last));
}

/* Parse; nothing may be said. */
static void quiet(const char *line)
{
    const char *why = NULL;

    lines = 0;
    assert_int_equal(cmdline_parse(line, &o, say, &why), 0);
    assert_int_equal(lines, 0);
}

/* Parse; exactly one line must be said, with @part in it. */
static void says(const char *line, const char *part)
{
    const char *why = NULL;

    lines = 0;
    assert_int_equal(cmdline_parse(line, &o, say, &why), 0);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(last, part));
}

static void nothing_given(void **state)
{
    (void)state;
    quiet("");
    assert_string_equal(o.line, "");
    assert_false(o.dom0_mem.given || o.dom0_mem_min.given || o.dom0_mem_max.given || o.noreboot);
    assert_int_equal(o.dom0_vcpus_max, 0);
    assert_int_equal(o.console, OPTION_CONSOLE_COM1 | OPTION_CONSOLE_VGA);
    assert_int_equal(o.com1.data_bits, 8);
    assert_int_equal(o.com1.irq, -1);
    assert_int_equal(o.switch_char, 'a');
    assert_int_equal(o.loglvl.always, OPTION_LOG_WARNING);
    assert_int_equal(o.guest_loglvl.always, OPTION_LOG_NONE);
    quiet("   \t ");
}

static void a_usual_line(void **state)
{
    const char *line = "dom0_mem=512M,max:1G  dom0_max_vcpus=2 dom0-vcpus-pin com1=115200,8n1 "
                       "console=com1,vga loglvl=all guest_loglvl=all noreboot maxcpus=4 mem=8G ";

    (void)state;
    quiet(line);
    assert_string_equal(o.line, line);
    assert_int_equal(o.dom0_mem.bytes, 512 * M);
    assert_false(o.dom0_mem.negative);
    assert_int_equal(o.dom0_mem_max.bytes, G);
    assert_int_equal(o.dom0_vcpus_max, 2);
    assert_true(o.dom0_vcpus_pin);
    assert_int_equal(o.com1.baud, 115200);
    assert_int_equal(o.loglvl.limited, OPTION_LOG_ALL);
    assert_true(o.noreboot);
    assert_int_equal(o.maxcpus, 4);
    assert_true(o.mem == 8 * G);
}

static void truth_values(void **state)
{
    static const char *const yes[] = { "noreboot", "noreboot=1", "noreboot=yes", "noreboot=on",
                                       "noreboot=true",
                                       "noreboot=enable", "no-noreboot noreboot" };
    static const char *const no[] = { "no-noreboot", "noreboot=0", "noreboot=no", "noreboot=off",
                                      "noreboot=false", "noreboot=disable", "noreboot noreboot=0" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        quiet(yes[i]);
        assert_true(o.noreboot);
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        quiet(no[i]);
        assert_false(o.noreboot);
    }
    says("noreboot=maybe", "noreboot=maybe: not a value");
    quiet("smep=0 smap");
    assert_int_equal(o.smep, OPTION_OFF);
    assert_int_equal(o.smap, OPTION_ON);
    quiet("smep=hvm no-smap");
    assert_int_equal(o.smep, OPTION_OFF);
    assert_int_equal(o.smap, OPTION_OFF);
}

static void words_that_do_nothing(void **state)
{
    (void)state;
    says("bogus", "bogus: unknown option");
    says("bogus=1,2", "bogus=1,2: unknown option");
    says("no-bogus", "no-bogus: unknown option");
    says("=1", "=1: unknown option");
    says("no-", "no-: unknown option");
    says("no-maxcpus=1", "unknown option");
    says("ucode=scan", "ucode=scan: has no effect: no microcode is loaded");
    says("no-sched", "no-sched: has no effect yet");
    says("pv_l1tf=0", "no effect");
    says("Noreboot", "unknown");
    assert_int_equal(cmdline_parse("bogus ucode=1 maxcpus=x noreboot", &o, NULL, &(const char *){ NULL }), 0);
    assert_true(o.noreboot);
}

static void dom0_mem_forms(void **state)
{
    static const char *const bad[] = { "", "0", "x", "1G,", ",1G", "min:", "max:x", "1X", "1G,,2G", "100%",
                                       "0%",
                                       "1G+", "1G+5", "--1G", "10%+1G", "99999999999999999999G", "-" };
    const char *why;
    char line[64];

    (void)state;
    quiet("dom0_mem=524288");
    assert_int_equal(o.dom0_mem.bytes, 512 * M);
    quiet("dom0_mem=min:256M,max:2G,-128M");
    assert_true(o.dom0_mem.negative);
    assert_int_equal(o.dom0_mem.bytes, 128 * M);
    assert_int_equal(o.dom0_mem_min.bytes, 256 * M);
    assert_int_equal(o.dom0_mem_max.bytes, 2 * G);
    quiet("dom0_mem=max:25%");
    assert_false(o.dom0_mem.given);
    assert_int_equal(o.dom0_mem_max.percent, 25);
    quiet("dom0_mem=1G+10%");
    assert_int_equal(o.dom0_mem.bytes, G);
    assert_int_equal(o.dom0_mem.percent, 10);
    quiet("dom0_mem=1G dom0_mem=2G");
    assert_int_equal(o.dom0_mem.bytes, 2 * G);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        strlcpy(line, "maxcpus=2 dom0_mem=", sizeof(line));
        strlcpy(line + strlen(line), bad[i], 32);
        why = NULL;
        lines = 0;
        assert_int_equal(cmdline_parse(line, &o, say, &why), -EINVAL);
        assert_non_null(strstr(why, "dom0_mem="));
        assert_false(o.dom0_mem.given);
        assert_int_equal(o.maxcpus, 2);
    }
}

static void vcpus(void **state)
{
    static const struct { const char *line; unsigned int min, max; } t[] = {
        { "dom0_max_vcpus=4", 4, 4 }, { "dom0_max_vcpus=2-8", 2, 8 }, { "dom0_max_vcpus=-8", 0, 8 },
        { "dom0_max_vcpus=2-", 2, 0 },
    };
    static const char *const bad[] = { "dom0_max_vcpus", "dom0_max_vcpus=0", "dom0_max_vcpus=-",
                                       "dom0_max_vcpus=8-2", "dom0_max_vcpus=1-2-3", "dom0_max_vcpus=2x",
                                       "dom0_max_vcpus=4294967296", "dom0_max_vcpus=-0" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        quiet(t[i].line);
        assert_int_equal(o.dom0_vcpus_min, t[i].min);
        assert_int_equal(o.dom0_vcpus_max, t[i].max);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        says(bad[i], "not a value");
        assert_int_equal(o.dom0_vcpus_max, 0);
    }
}

static void serial_ports(void **state)
{
    static const char *const bad[] = { "com1=x", "com1=9600,9n1", "com1=9600,8x1", "com1=9600,8n3",
                                       "com1=9600,8n",
                                       "com1=9600,8n1,zz", "com1=9600,8n1,0x3f8,2000", "com1=1,8n1,1,1,1",
                                       "com1=9600/", "com1=9600x", "com1=9600,8n1,0x3f8x", "com1=autox" };

    (void)state;
    quiet("com1=57600/1843200,7e2,0x2f8,3");
    assert_true(o.com1.given);
    assert_false(o.com2.given);
    assert_int_equal(o.com1.baud, 57600);
    assert_int_equal(o.com1.base_baud, 1843200);
    assert_int_equal(o.com1.data_bits, 7);
    assert_int_equal(o.com1.parity, 'e');
    assert_int_equal(o.com1.stop_bits, 2);
    assert_int_equal(o.com1.io_base, 0x2f8);
    assert_int_equal(o.com1.irq, 3);
    quiet("com2=auto,,0xfe030000 com2=,,,0");
    assert_int_equal(o.com2.baud, 0);
    assert_int_equal(o.com2.data_bits, 8);
    assert_int_equal(o.com2.io_base, 0xfe030000);
    assert_int_equal(o.com2.irq, 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        says(bad[i], "not a value");
        assert_false(o.com1.given);
    }
}

static void consoles_and_levels(void **state)
{
    (void)state;
    quiet("console=none");
    assert_int_equal(o.console, 0);
    quiet("console=com2L,vga");
    assert_int_equal(o.console, OPTION_CONSOLE_COM2 | OPTION_CONSOLE_VGA);
    says("console=tty0", "not a value");
    says("console=com1X", "not a value");
    says("console=com1,", "not a value");
    assert_false(o.vga_keep);
    quiet("vga=keep");
    assert_true(o.vga_keep);
    quiet("vga=gfx-1024x768x32,keep");
    assert_true(o.vga_keep);
    quiet("vga=keep vga=text-80x25");
    assert_false(o.vga_keep);
    says("vga=keep vga=keeps", "not a value");
    assert_true(o.vga_keep);
    says("vga=keep,", "not a value");
    says("vga", "not a value");
    quiet("loglvl=error/debug guest_loglvl=none");
    assert_int_equal(o.loglvl.always, OPTION_LOG_ERROR);
    assert_int_equal(o.loglvl.limited, OPTION_LOG_DEBUG);
    assert_int_equal(o.guest_loglvl.limited, OPTION_LOG_NONE);
    says("loglvl=loud", "not a value");
    says("loglvl=all/none", "not a value");
    says("loglvl=all/", "not a value");
    says("loglvl", "not a value");
    quiet("conswitch=bx");
    assert_int_equal(o.switch_char, 'b');
    assert_true(o.input_stays);
    says("conswitch=B", "not a value");
    says("conswitch=", "not a value");
    says("conswitch=ay", "not a value");
}

static void the_machine(void **state)
{
    (void)state;
    quiet("nosmp");
    assert_int_equal(o.maxcpus, 1);
    quiet("maxcpus=3 nosmp=0");
    assert_int_equal(o.maxcpus, 3);
    says("maxcpus=0", "not a value");
    says("maxcpus=4 maxcpus=4x", "not a value");
    assert_int_equal(o.maxcpus, 4);
    quiet("");
    assert_false(o.watchdog);
    assert_int_equal(o.watchdog_timeout, 5);
    quiet("watchdog=force watchdog_timeout=0");
    assert_true(o.watchdog);
    assert_int_equal(o.watchdog_timeout, 0);
    quiet("watchdog no-watchdog watchdog_timeout=3600");
    assert_false(o.watchdog);
    assert_int_equal(o.watchdog_timeout, 3600);
    says("watchdog=forced", "not a value");
    says("watchdog_timeout=3601", "not a value");
    says("watchdog_timeout=5s", "not a value");
    says("watchdog_timeout=", "not a value");
    quiet("");
    assert_true(o.mce);
    quiet("no-mce");
    assert_false(o.mce);
    quiet("mem=2097152");
    assert_true(o.mem == 2 * G);
    says("mem=0", "not a value");
    says("mem=17179869184G", "not a value");
    quiet("reboot=triple,cold");
    assert_int_equal(o.reboot, REBOOT_TRIPLE);
    assert_false(o.warm);
    quiet("reboot=warm,acpi");
    assert_int_equal(o.reboot, REBOOT_ACPI);
    assert_true(o.warm);
    quiet("reboot=no");
    assert_true(o.noreboot);
    says("reboot=", "not a value");
    says("reboot=a,zzz", "not a value");
    assert_int_equal(o.reboot, REBOOT_DEFAULT);
    quiet("xpti=dom0=0,domu=1");
    assert_int_equal(o.xpti_dom0, OPTION_OFF);
    assert_int_equal(o.xpti_domu, OPTION_ON);
    quiet("xpti=0");
    assert_int_equal(o.xpti_domu, OPTION_OFF);
    quiet("xpti=0,dom0=1");
    assert_int_equal(o.xpti_dom0, OPTION_ON);
    assert_int_equal(o.xpti_domu, OPTION_OFF);
    quiet("no-xpti xpti=default");
    assert_int_equal(o.xpti_dom0, OPTION_DEFAULT);
    says("xpti=dom1=1", "not a value");
    says("xpti=dom0=default", "not a value");
}

static void nodes_or_not(void **state)
{
    (void)state;
    quiet("");
    assert_true(o.numa);
    quiet("numa=on numa=off");
    assert_false(o.numa);
    quiet("numa=off numa");
    assert_true(o.numa);
    quiet("numa=noacpi");
    assert_false(o.numa);
    quiet("no-numa");
    assert_false(o.numa);
    says("numa=fake=2", "not a value");
    assert_true(o.numa);
}

static void clocks_and_controllers(void **state)
{
    (void)state;
    quiet("");
    assert_int_equal(o.clock, CLOCK_DEFAULT);
    assert_true(o.x2apic);
    quiet("clocksource=tsc clocksource=pit x2apic=off");
    assert_int_equal(o.clock, CLOCK_PIT);
    assert_false(o.x2apic);
    quiet("clocksource=acpi no-x2apic");
    assert_int_equal(o.clock, CLOCK_ACPI);
    assert_false(o.x2apic);
    quiet("clocksource=hpet");
    assert_int_equal(o.clock, CLOCK_HPET);
    quiet("cpuidle=off max_cstate=2");
    assert_false(o.cpuidle);
    assert_int_equal(o.max_cstate, 2);
    assert_int_equal(o.max_substate, UINT32_MAX);
    quiet("max_cstate=3,1");
    assert_true(o.cpuidle);
    assert_int_equal(o.max_cstate, 3);
    assert_int_equal(o.max_substate, 1);
    quiet("max-cstate=0 no-cpuidle cpuidle");
    assert_int_equal(o.max_cstate, 0);
    assert_true(o.cpuidle);
    says("max_cstate=", "not a value");
    says("max_cstate=1,", "not a value");
    says("max_cstate=1,2,3", "not a value");
    says("max_cstate=c2", "not a value");
    assert_int_equal(o.max_cstate, UINT32_MAX);
    says("clocksource=hpe", "not a value");
    says("clocksource=hpets", "not a value");
    says("clocksource", "not a value");
    assert_int_equal(o.clock, CLOCK_DEFAULT);
}

/* What the manual page says of each option is so: its example is understood, its default changes nothing. */
static void the_manual_page(void **state)
{
    static const struct { const char *name, *value, *example; } t[] = {
#define OPTION(name, reader, field, form, value, example, help) { name, value, example },
#define IGNORED(name)
#define MISSING(name, what)
#include "boot/parse/options.def"
#undef OPTION
    };
    static const char *const ignored[] = {
#define OPTION(...)
#undef IGNORED
#define IGNORED(name) name,
#include "boot/parse/options.def"
    };
    static const struct { const char *name, *what; } missing[] = {
#undef IGNORED
#undef MISSING
#define IGNORED(name)
#define MISSING(name, what) { name, what },
#include "boot/parse/options.def"
    };
    _Static_assert(MAX_CPUS == 64, "as maxcpus' help says");
    struct boot_options without;
    char line[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        quiet(t[i].example);
        assert_int_equal(strncmp(t[i].example, t[i].name, strlen(t[i].name)), 0);
        if (!t[i].value[0])
            continue;
        quiet("");
        without = o;
        strlcpy(line, t[i].name, sizeof(line));
        strlcpy(line + strlen(line), "=", 2);
        strlcpy(line + strlen(line), t[i].value, 64);
        quiet(line);
        memcpy(o.line, without.line, sizeof(o.line));
        assert_memory_equal(&o, &without, sizeof(o));
        quiet(t[i].example);
        memcpy(o.line, without.line, sizeof(o.line));
        assert_memory_not_equal(&o, &without, sizeof(o));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        says(ignored[i], "has no effect yet");
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
        says(missing[i].name, missing[i].what);
        assert_non_null(strstr(last, ": has no effect: "));
    }
}

static void long_lines(void **state)
{
    static char line[5000];

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    says(line, "too long");
    assert_int_equal(strlen(o.line), sizeof(o.line) - 1);
    memset(line, ' ', sizeof(line) - 1);
    memcpy(line + 4900, "noreboot", 8);
    quiet(line);
    assert_true(o.noreboot);
    memset(line, 'y', 255);
    line[255] = '\0';
    says(line, "unknown option");
}

static void dom0_gets(const char *line, uint64_t available, uint64_t total, uint64_t bytes, uint64_t max)
{
    struct dom0_memory m;

    quiet(line);
    m = cmdline_dom0_memory(&o, available, total);
    assert_true(m.bytes == bytes);
    assert_true(m.max == max);
}

static void how_much_dom0_gets(void **state)
{
    (void)state;
    dom0_gets("", 16 * G, 16 * G, 16 * G - 128 * M, UINT64_MAX);
    dom0_gets("", 512 * M, 512 * M, 480 * M, UINT64_MAX);
    dom0_gets("dom0_mem=1G", 4 * G, 4 * G, G, UINT64_MAX);
    dom0_gets("dom0_mem=1G,max:1G", 4 * G, 4 * G, G, G);
    dom0_gets("dom0_mem=1G,max:512M", 4 * G, 4 * G, 512 * M, 512 * M);
    dom0_gets("dom0_mem=8G", 4 * G, 4 * G, 4 * G, UINT64_MAX);
    dom0_gets("dom0_mem=-1G", 4 * G, 5 * G, 3 * G, UINT64_MAX);
    dom0_gets("dom0_mem=-8G", 4 * G, 5 * G, 0, UINT64_MAX);
    dom0_gets("dom0_mem=min:1G,-8G", 4 * G, 5 * G, G, UINT64_MAX);
    dom0_gets("dom0_mem=min:2G,max:1G", 4 * G, 5 * G, G, G);
    dom0_gets("dom0_mem=10%", 90 * G, 100 * G, 10 * G, UINT64_MAX);
    dom0_gets("dom0_mem=1G+10%", 90 * G, 100 * G, 11 * G, UINT64_MAX);
    dom0_gets("dom0_mem=max:-1G", 4 * G, 5 * G, 3 * G, 3 * G);
    dom0_gets("dom0_mem=4097B", 4 * G, 4 * G, 4096, UINT64_MAX);
    dom0_gets("dom0_mem=16777215T+99%", 4 * G, UINT64_MAX, 4 * G, UINT64_MAX);
    dom0_gets("", 0, 0, 0, UINT64_MAX);
}

/* Lines made of pieces of good ones: nothing may break, and the answer is 0 or -EINVAL with a reason. */
static void noise(void **state)
{
    static const char *const pieces[] = { "dom0_mem=", "min:", "max:", "1G", "-", "+", "5%", ",", " ",
                                          "com1=", "8n1",
                                       "/", "=", "loglvl=", "all", "no-", "xpti=", "dom0=", "console=",
                                       "0x", "9",
                                       "conswitch=", "reboot=", "dom0_max_vcpus=", "\xff", "" };
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        const char *why = NULL;
        char *line, text[200] = "";
        int err;

        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            strlcpy(text + strlen(text), pieces[(seed >> 8) % ARRAY_SIZE(pieces)], 16);
        }
        line = strdup(text);
        err = cmdline_parse(line, &o, say, &why);
        free(line);
        assert_true(err == 0 || (err == -EINVAL && why));
    }
}

static char given[256];

static void collect(const char *name, const char *value)
{
    strcat(strcat(strcat(strcat(given, name), "="), value), ";");
}

static void each_option_is_told_once_with_its_last_value(void **state)
{
    given[0] = 0;
    cmdline_each("  loglvl=all dom0-mem=1G noreboot no-smep loglvl=info unknown=1 sched loglvlx=2 dom0_memx", collect);
    assert_string_equal(given, "dom0_mem=1G;loglvl=info;noreboot=;smep=no;");
    given[0] = 0;
    cmdline_each("", collect);
    assert_string_equal(given, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given),
        cmocka_unit_test(a_usual_line),
        cmocka_unit_test(truth_values),
        cmocka_unit_test(words_that_do_nothing),
        cmocka_unit_test(dom0_mem_forms),
        cmocka_unit_test(vcpus),
        cmocka_unit_test(serial_ports),
        cmocka_unit_test(consoles_and_levels),
        cmocka_unit_test(the_machine),
        cmocka_unit_test(nodes_or_not),
        cmocka_unit_test(clocks_and_controllers),
        cmocka_unit_test(the_manual_page),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(how_much_dom0_gets),
        cmocka_unit_test(noise),
        cmocka_unit_test(each_option_is_told_once_with_its_last_value),
    };

    return cmocka_run_group_tests_name("boot/parse/cmdline", tests, NULL, NULL);
}
