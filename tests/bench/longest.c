/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU (TCG, version 7.2) that finds the longest stays in the hypervisor: instructions from the first one in the range
 * of addresses FROM to TO to the next one outside of it, or to one that lets interrupts in (STI, HLT, IRET, SYSRET).
 *   -plugin longest.so,out=FILE,from=HEX,to=HEX
 * FILE gets a line for each of the longest, when the machine ends: how many, and where it was every EVERY of them, in hexadecimal.
 * The way to the first instruction of a guest is not counted.
 */

#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 64
#define KEPT     8              /* longest stays */
#define EVERY    256            /* instructions */
#define SAMPLES  1024

int qemu_plugin_version = 1;

struct stay {
    uint64_t instructions;
    unsigned int n;             /* of where */
    uint64_t where[SAMPLES];    /* blocks */
};

static struct stay now[MAX_CPUS], longest[KEPT];      /* the latter from the longest on */
static uint64_t from, to;
static bool guest_seen;
static FILE *out;

/* A block's: how long it is and where; never freed, for QEMU hands it over with each execution. */
struct block { uint64_t address, instructions; bool ends; };

static void end(struct stay *s)
{
    int at = KEPT;

    while (at > 0 && longest[at - 1].instructions < s->instructions)
        at--;
    if (at < KEPT && guest_seen) {
        memmove(&longest[at + 1], &longest[at], (size_t)(KEPT - 1 - at) * sizeof(*s));
        longest[at] = *s;
    }
    s->instructions = 0;
    s->n = 0;
}

static void outside(unsigned int cpu, void *data)
{
    (void)data;
    if (now[cpu].instructions)
        end(&now[cpu]);
    guest_seen = true;
}

static void inside(unsigned int cpu, void *data)
{
    const struct block *b = data;
    struct stay *s = &now[cpu];

    if (s->n < SAMPLES && s->instructions >= (uint64_t)s->n * EVERY)
        s->where[s->n++] = b->address;
    s->instructions += b->instructions;
    if (b->ends)
        end(s);
}

static bool lets_interrupts_in(const struct qemu_plugin_insn *insn)
{
    const uint8_t *op = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn);

    return *op == 0xfb || *op == 0xf4 || (size == 2 && !memcmp(op, "\x48\xcf", 2)) || (size == 3 && !memcmp(op, "\x48\x0f\x07", 3));
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
    struct block *b;

    (void)id;
    if (address < 1UL << 47) {  /* the loader's, and guests' programs */
        if (guest_seen)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, outside, CALLBACK_NO_REGISTERS, NULL);
        return;
    }
    if (address < from || address >= to) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, outside, CALLBACK_NO_REGISTERS, NULL);
        return;
    }
    b = malloc(sizeof(*b));
    if (!b)
        abort();
    *b = (struct block){ address, n, lets_interrupts_in(last) };
    qemu_plugin_register_vcpu_tb_exec_cb(tb, inside, CALLBACK_NO_REGISTERS, b);
}

static void at_exit(plugin_id id, void *argument)
{
    const struct stay *s;
    unsigned int i;

    (void)id, (void)argument;
    for (s = longest; s < longest + KEPT; s++) {
        fprintf(out, "%lu", s->instructions);
        for (i = 0; i < s->n; i++)
            fprintf(out, " %lx", s->where[i]);
        fputc('\n', out);
    }
    if (fclose(out))
        perror("longest");
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *name = plugin_options(argc, argv, &from, &to);

    (void)info;
    out = name ? fopen(name, "w") : NULL;
    if (!out)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
