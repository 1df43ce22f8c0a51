/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's command line: Xen's options, with Xen's names, values and units.
 *
 * Words are separated by blanks; each is name, name=value or no-name, and '-' and '_' in names are the same.
 * A later word overrides an earlier one. Sizes without a unit are KiB.
 */
#ifndef KRYPTON_BOOT_PARSE_CMDLINE_H
#define KRYPTON_BOOT_PARSE_CMDLINE_H

#include "lib/types.h"
#include "x86/model/clock_source.h"
#include "x86/model/reboot.h"

enum option_choice { OPTION_DEFAULT, OPTION_OFF, OPTION_ON };

enum option_log { OPTION_LOG_NONE, OPTION_LOG_ERROR, OPTION_LOG_WARNING, OPTION_LOG_INFO,
                  OPTION_LOG_DEBUG, OPTION_LOG_ALL };

#define OPTION_CONSOLE_COM1 BIT(0)
#define OPTION_CONSOLE_COM2 BIT(1)
#define OPTION_CONSOLE_VGA  BIT(2)

/* [-]bytes + percent of the machine's memory; negative: so much less than there is. */
struct option_size {
    bool given, negative;
    uint64_t bytes;
    unsigned int percent;
};

struct option_serial {
    bool given;
    uint32_t baud;              /* 0: as the firmware left it */
    uint32_t base_baud;         /* 0: the usual 115200 */
    uint8_t data_bits, stop_bits;
    char parity;                /* 'n', 'o', 'e', 'm', 's' */
    uint64_t io_base;           /* a port if below 0x10000, else a maddr; 0: the usual one */
    int irq;                    /* 0: polled, -1: the usual one */
};

/* Messages up to @always are printed, those up to @limited as long as there are not too many. */
struct option_levels {
    enum option_log always, limited;
};

struct boot_options {
    char line[1024];            /* as given, for xen_version's XENVER_commandline; cut to fit */

    struct option_size dom0_mem, dom0_mem_min, dom0_mem_max;
    unsigned int dom0_vcpus_min, dom0_vcpus_max;    /* max 0: one for each pCPU */
    bool dom0_vcpus_pin;

    struct option_serial com1, com2;
    unsigned int console;       /* OPTION_CONSOLE_*; default COM1 and VGA */
    char switch_char;           /* Ctrl with this letter, three times, switches input */
    bool input_stays;           /* input is not given to dom0 when it starts */
    bool vga_keep;              /* the screen is written to while dom0 runs, too */
    struct option_levels loglvl, guest_loglvl;

    bool watchdog;
    unsigned int watchdog_timeout; /* seconds; 0: no watchdog */
    bool mce;                   /* look for machine checks; default yes */
    bool noreboot;
    enum reboot_way reboot;
    bool warm;

    uint64_t mem;               /* RAM at and above this maddr is left alone; 0: none */
    unsigned int maxcpus;       /* 0: all */
    bool numa;                  /* the firmware's nodes are used; default true */
    enum clock_source clock;    /* to measure the TSC by, before others */
    bool cpuidle;               /* dom0's idle states are used; default true */
    unsigned int max_cstate, max_substate; /* no deeper than this; UINT_MAX: no limit */
    bool x2apic;                /* where the CPU has it; default true */
    enum option_choice smep, smap, xpti_dom0, xpti_domu;
};

/*
 * Read @line into *@o. @say gets one line, without newline, for each option that is unknown, that has no
 * effect yet, or whose value makes no sense; those are then ignored. A dom0_mem= that makes no sense is not
 * ignored: -EINVAL, *@why saying so, the other options read all the same. @say may be NULL: a first
 * reading, before there is a console.
 */
int cmdline_parse(const char *line, struct boot_options *o, void (*say)(const char *line), const char **why);

/*
 * Calls @each once for every option of @line that has an effect: its own name, and the last value given, "" if
 * there was none. Cut to fit.
 */
void cmdline_each(const char *line, void (*each)(const char *name, const char *value));

struct dom0_memory {
    uint64_t bytes;             /* to start with */
    uint64_t max;               /* may grow to this; UINT64_MAX: no limit */
};

/*
 * How much memory the options give to dom0 on a machine of @total bytes of which @available are free; whole
 * pages. Never more than @available; 0 if nothing is left.
 */
struct dom0_memory cmdline_dom0_memory(const struct boot_options *o, uint64_t available, uint64_t total);

#endif
