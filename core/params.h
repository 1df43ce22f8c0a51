/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters of the hypervisor by name: what the command line gave, as text, and those among them that can be changed while it
 * runs. For hypfs (`xenhypfs`, `xl set-parameters`).
 */
#ifndef CORE_PARAMS_H
#define CORE_PARAMS_H

#include "lib/types.h"

#define PARAM_TEXT 128u /* of a value, with its end */
#define PARAM_NAME 32u

/*
 * Makes `value` the parameter's, and writes what it then is into text[PARAM_TEXT]. 0, or -EINVAL: nothing changed. One at a
 * time; it takes no lock above CONSOLE.
 */
typedef int param_set_t(const char *value, char *text);

/* A parameter with that value; set NULL: it can't be changed. At boot; more than there is room for are left out. */
void param_register(const char *name, const char *text, param_set_t *set);

unsigned params_count(void);
/* Name and value of the i-th, i < params_count(); true: it can be changed. */
bool param_get(unsigned i, char name[PARAM_NAME], char text[PARAM_TEXT]);
/* 0; -ENOENT, -EACCES: can't be changed, -EINVAL. */
int param_set(const char *name, const char *value);

#endif
