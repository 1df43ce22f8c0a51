/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU (TCG, version 7.2 and later) that counts how many instructions were executed in each block of the range
 * of addresses FROM to TO, and writes `ADDRESS INSTRUCTIONS` (hexadecimal, decimal) a line to FILE when the machine ends:
 *   -plugin profile.so,out=FILE,from=HEX,to=HEX
 */

#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int qemu_plugin_version = 1;

/* A block that was translated; the same address may be translated again. Never freed: QEMU writes to the count. */
struct block {
    struct block *next;
    uint64_t address, instructions;
};

static struct block *blocks;
static uint64_t from, to = UINT64_MAX;
static const char *file;

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    struct block *b;

    (void)id;
    if (address < from || address >= to || !(b = calloc(1, sizeof(*b))))
        return;
    *b = (struct block){ blocks, address, 0 };
    blocks = b;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->instructions, qemu_plugin_tb_n_insns(tb));
}

static void at_exit(plugin_id id, void *argument)
{
    FILE *out = fopen(file, "w");
    const struct block *b;

    (void)id, (void)argument;
    for (b = blocks; out && b; b = b->next)
        fprintf(out, "%lx %lu\n", b->address, b->instructions);
    if (!out || fclose(out))
        perror(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *name = plugin_options(argc, argv, &from, &to);

    (void)info;
    file = name ? strdup(name) : NULL;
    if (!file)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
