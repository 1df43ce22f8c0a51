/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command line gave becomes parameters that tools see (core/params.h), and the levels of the log such that they set. */
#ifndef BOOT_PARAMS_H
#define BOOT_PARAMS_H

struct boot_options;

/* The log gets the levels of the options. Later, once all options are read, params_register() makes the list. */
void params_log_levels(const struct boot_options *o);
void params_register(const struct boot_options *o);

#endif
