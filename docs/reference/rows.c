/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the tables of hypercalls for docs/reference/write, a row a line, its fields between tabs:
 *   row FAMILY COMMAND NUMBER NAME STRUCTURE SIZE COPY PRIVILEGE HANDLER
 *   meaning FAMILY NAME TEXT
 *   takes FAMILY NAME STRUCTURE SIZE
 * The numbers and sizes are the compiler's, from the public headers.
 */
#include "abi/hypercall.h"

#include <stdio.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hypfs.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

static void row(const char *family, const char *cmd, unsigned long nr, const char *name, const char *type, size_t size,
                const char *copy, const char *needs, const char *handler)
{
    printf("row\t%s\t%s\t%lu\t%s\t%s\t%zu\t%s\t%s\t%s\n", family, cmd, nr, name, type, size, copy, needs, handler);
}

static void meaning(const char *family, const char *name, const char *text)
{
    printf("meaning\t%s\t%s\t%s\n", family, name, text);
}

/* A command's name is the argument itself, so each macro takes it down: in another's argument it would be its number. */
#define ROW0(cmd, name, needs, run) row(family, #cmd, cmd, name, "", 0, "ARG_NONE", #needs, #run);

static void families(void)
{
    const char *family;

#define ROW(cmd, name, type, copy, needs, run) row(family, #cmd, cmd, name, #type, sizeof(type), #copy, #needs, #run);
    family = "callback_op";
#include "abi/table/callback_op.def"
    family = "event_channel_op";
#include "abi/table/event_channel.def"
    family = "grant_table_op";
#include "abi/table/grant_table.def"
    family = "vcpu_op";
#include "abi/table/vcpu_op.def"
    family = "sched_op";
#include "abi/table/sched_op.def"
    family = "physdev_op";
#include "abi/table/physdev_op.def"
    family = "platform_op";
#include "abi/table/platform_op.def"
    family = "mca";
#include "abi/table/mca.def"
    family = "sysctl";
#include "abi/table/sysctl.def"
#undef ROW
#define ROW(cmd, name, copy, needs, target, run) \
    row(family, #cmd, cmd, name, "struct xen_domctl", sizeof(struct xen_domctl), #copy, #needs, #run);
    family = "domctl";
#include "abi/table/domctl.def"
#undef ROW
}

int main(void)
{
#define HYPERCALL(nr, name, args, needs, run) row("hypercall", #nr, nr, name, #args, 0, "ARG_NONE", #needs, #run);
#include "abi/table.def"
    families();
#define MEANING(family, name, text)       meaning(#family, name, text);
#define TAKES(family, name, type)         printf("takes\t%s\t%s\t%s\t%zu\n", #family, name, #type, sizeof(type));
#define SWITCH(family, cmd, name, type, copy, needs, run, text)                             \
    row(#family, #cmd, cmd, name, #type, sizeof(type), #copy, #needs, #run); \
    meaning(#family, name, text);
#include "docs/reference/meaning.def"
    return 0;
}
