/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What our plugins use of QEMU's interface for them (TCG plugins, version 1: QEMU 7.2; its docs say what each call does). Debian's
 * packages have no header for it.
 */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guests/bench_mark.h"

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
typedef uint64_t plugin_id;
typedef uint32_t meminfo;

enum { INLINE_ADD_U64 = 0 };
enum { CALLBACK_NO_REGISTERS = 0 };
enum { MEMORY_ACCESSED = 3 };   /* QEMU 7.2 takes 2, writes alone, for the same */

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int, meminfo, uint64_t, void *), int flags,
                                      int access, void *data);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *insn, int access, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *argument);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(meminfo info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(meminfo info, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address);
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

/*
 * The options of all of them: out=FILE, and from=HEX and to=HEX, which stay as they are if they are not given. Gives FILE, which is
 * good only during qemu_plugin_install(), or NULL.
 */
static inline const char *plugin_options(int argc, char **argv, uint64_t *from, uint64_t *to)
{
    const char *out = NULL;
    int i;

    for (i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4))
            out = argv[i] + 4;
        else if (!strncmp(argv[i], "from=", 5))
            *from = strtoull(argv[i] + 5, NULL, 16);
        else if (!strncmp(argv[i], "to=", 3))
            *to = strtoull(argv[i] + 3, NULL, 16);
    return out;
}

/* What the guest says with an instruction (guests/bench_mark.h): NOPL with a 32-bit displacement from rax; another: no number of it. */
static inline uint32_t mark_of(const struct qemu_plugin_insn *insn)
{
    const uint8_t *op = qemu_plugin_insn_data(insn);
    uint32_t mark;

    if (qemu_plugin_insn_size(insn) != 7 || memcmp(op, "\x0f\x1f\x80", 3))
        return ~0u;
    memcpy(&mark, op + 3, sizeof(mark));
    return mark - BENCH_MARK;
}

#endif
