/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of parameters; see core/params.h. */
#include "core/params.h"

#include "core/lock.h"
#include "lib/errno.h"
#include "lib/string.h"

#define PARAMS 48u

static struct lock params_lock = LOCK_INIT(DOMCTL); /* the texts, once there is more than one CPU */
static struct param { char name[PARAM_NAME], text[PARAM_TEXT]; param_set_t *set; } params[PARAMS];
static unsigned count;

void param_register(const char *name, const char *text, param_set_t *set)
{
    struct param *p;

    if (count == PARAMS)
        return;
    p = &params[count++];
    strlcpy(p->name, name, sizeof(p->name));
    strlcpy(p->text, text, sizeof(p->text));
    p->set = set;
}

unsigned params_count(void)
{
    return count;
}

bool param_get(unsigned i, char name[PARAM_NAME], char text[PARAM_TEXT])
{
    const struct param *p = &params[i];

    strlcpy(name, p->name, PARAM_NAME);
    lock(&params_lock);
    strlcpy(text, p->text, PARAM_TEXT);
    unlock(&params_lock);
    return p->set;
}

static struct param *find(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(params[i].name, name))
            return &params[i];
    return NULL;
}

int param_set(const char *name, const char *value)
{
    struct param *p = find(name);
    char text[PARAM_TEXT];
    int err;

    if (!p)
        return -ENOENT;
    if (!p->set)
        return -EACCES;
    lock(&params_lock);
    err = p->set(value, text);
    if (!err)
        strlcpy(p->text, text, sizeof(p->text));
    unlock(&params_lock);
    return err;
}
