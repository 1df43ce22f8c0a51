/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of command line options: one reader for each form that a value can have.
 *
 * A reader takes the text after '=', "" if there was none, and stores what it means in @field, or in members
 * of @o by name. 0, or -EINVAL with nothing changed if the text is not of its form.
 */
#ifndef KRYPTON_BOOT_PARSE_OPTION_H
#define KRYPTON_BOOT_PARSE_OPTION_H

#include "boot/parse/cmdline.h"

typedef int (*option_reader_t)(const char *value, void *field, struct boot_options *o);

int option_bool(const char *value, void *field, struct boot_options *o);    /* bool */
int option_choice(const char *value, void *field, struct boot_options *o);  /* enum option_choice */
int option_number(const char *value, void *field, struct boot_options *o);  /* unsigned int, not 0 */
int option_memory(const char *value, void *field, struct boot_options *o);  /* uint64_t bytes, not 0 */
int option_vga(const char *value, void *field, struct boot_options *o);     /* bool: keep */
int option_levels(const char *value, void *field, struct boot_options *o);  /* struct option_levels */
int option_serial(const char *value, void *field, struct boot_options *o);  /* struct option_serial */
int option_console(const char *value, void *field, struct boot_options *o); /* unsigned int */
int option_seconds(const char *value, void *field, struct boot_options *o); /* unsigned int, up to an hour */
int option_watchdog(const char *value, void *field, struct boot_options *o); /* bool */

int option_dom0_mem(const char *value, void *field, struct boot_options *o);
int option_vcpus(const char *value, void *field, struct boot_options *o);
int option_switch(const char *value, void *field, struct boot_options *o);
int option_numa(const char *value, void *field, struct boot_options *o);
int option_nosmp(const char *value, void *field, struct boot_options *o);
int option_reboot(const char *value, void *field, struct boot_options *o);
int option_clocksource(const char *value, void *field, struct boot_options *o); /* enum clock_source */
int option_cstate(const char *value, void *field, struct boot_options *o);
int option_xpti(const char *value, void *field, struct boot_options *o);

#endif
