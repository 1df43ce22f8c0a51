/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU (TCG, version 7.2 and later) that counts how many instructions were executed in each block of the range
 * of addresses FROM to TO within samples of a benchmark (guests/bench_mark.h), and writes `ADDRESS INSTRUCTIONS` (hexadecimal,
 * decimal) a line to FILE when the machine ends:
 *   -plugin profile.so,out=FILE,from=HEX,to=HEX
 */

#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int qemu_plugin_version = 1;

/* A block that was translated; the same address may be translated again. Never freed: QEMU writes to `executed`. */
struct block {
    struct block *next;
    uint64_t address, executed, began, in_samples;
};

static struct block *blocks;
static uint64_t from, to = UINT64_MAX;
static const char *file;

static void sample_begins(unsigned int cpu, void *data)
{
    struct block *b;

    (void)cpu, (void)data;
    for (b = blocks; b; b = b->next)
        b->began = b->executed;
}

static void sample_ends(unsigned int cpu, void *data)
{
    struct block *b;

    (void)cpu, (void)data;
    for (b = blocks; b; b = b->next)
        b->in_samples += b->executed - b->began;
}

static void watch_marks(struct qemu_plugin_tb *tb)
{
    size_t i, n = qemu_plugin_tb_n_insns(tb);

    for (i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t mark = mark_of(insn);

        if (mark == BENCH_SAMPLE_BEGINS || mark == BENCH_SAMPLE_ENDS)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark == BENCH_SAMPLE_BEGINS ? sample_begins : sample_ends,
                                                   CALLBACK_NO_REGISTERS, NULL);
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    struct block *b;

    (void)id;
    if (address < from || address >= to) {
        watch_marks(tb);
        return;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        return;
    *b = (struct block){ .next = blocks, .address = address };
    blocks = b;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->executed, qemu_plugin_tb_n_insns(tb));
}

static void at_exit(plugin_id id, void *argument)
{
    FILE *out = fopen(file, "w");
    const struct block *b;

    (void)id, (void)argument;
    for (b = blocks; out && b; b = b->next)
        fprintf(out, "%lx %lu\n", b->address, b->in_samples);
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
