/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU (TCG, version 7.2) that counts, for each row of a benchmark, what instruction counting does not charge for:
 *   -plugin count.so,out=FILE,from=HEX,to=HEX
 * Code at FROM to TO is the system that is measured: a hypervisor, or a kernel on the bare machine. All else is its guest.
 *
 * The guest says where a sample begins and ends, and that a row is complete, by instructions without effect (guests/bench_mark.h).
 * Of a row's samples, that with the fewest instructions is taken, as the guest takes that with the least time. FILE gets a line a
 * row: the numbers in the order of `enum count`, nothing if it had no samples. A line `boot N` before them tells how many
 * instructions all CPUs executed from the first one at 1 to 16 MiB, where loaders put a kernel, to the first one of a guest's kernel.
 */

#include "plugin.h"

#include <stdio.h>
#include <string.h>

enum count {
    INSTRUCTIONS,       /* in the system and its guest; those of a block that faulted count as executed */
    INSIDE,             /* of these, in the system */
    HYPERCALLS,         /* entries by SYSCALL from the upper half of addresses: from a guest's kernel */
    SYSCALLS,           /* by SYSCALL from the lower half: from a program */
    TRAPS,              /* by exceptions and interrupts */
    CR3_LOADS,          /* each flushes the TLB but for global entries: this QEMU has no PCID */
    CR4_LOADS,          /* each flushes global entries too, if it changes PGE */
    INVLPGS,
    WRMSRS,
    IPIS,               /* stores to the local APIC's interrupt command register */
    BYTES_COPIED,       /* by string instructions */
    BYTES_CLEARED,
    COUNTS
};

#define APIC_ICR    0xfee00300UL
#define UPPER_HALF  (1UL << 63)
#define GUEST_ABOVE 0xffff880000000000UL        /* the ABI leaves what is below to hypervisors */
#define MAX_CPUS    64

/* One instruction, as far as it matters here. */
struct code {
    const uint8_t *op;          /* behind prefixes */
    size_t size;                /* from there */
    bool rep, wide, half;       /* F3, REX.W, 66 */
};

static uint64_t now[COUNTS], began[COUNTS], least[COUNTS];
static struct { bool inside, by_syscall; uint64_t from; } cpus[MAX_CPUS];
static uint64_t from, to, entered;
static bool entered_known, guest_known;
static FILE *out;

/* ---- What the guest says ---- */

static void forget(unsigned int cpu, void *data)
{
    (void)cpu, (void)data;
    memset(least, 0xff, sizeof(least));
}

static void sample_begins(unsigned int cpu, void *data)
{
    (void)cpu, (void)data;
    memcpy(began, now, sizeof(now));
}

static void sample_ends(unsigned int cpu, void *data)
{
    int i;

    (void)cpu, (void)data;
    if (now[INSTRUCTIONS] - began[INSTRUCTIONS] < least[INSTRUCTIONS])
        for (i = 0; i < COUNTS; i++)
            least[i] = now[i] - began[i];
}

static void row_ends(unsigned int cpu, void *data)
{
    int i;

    for (i = 0; i < COUNTS && least[INSTRUCTIONS] != UINT64_MAX; i++)
        fprintf(out, "%lu ", i == BYTES_COPIED ? least[i] / 2 : least[i]);      /* each was read and written */
    fputc('\n', out);
    forget(cpu, data);
}

static void (*const marks[])(unsigned int, void *) = {
    [BENCH_SAMPLE_BEGINS] = sample_begins,
    [BENCH_SAMPLE_ENDS] = sample_ends,
    [BENCH_ROW_ENDS] = row_ends,
    [BENCH_FORGET] = forget,
};

/* ---- What the system does ---- */

static void syscall_executed(unsigned int cpu, void *address)
{
    cpus[cpu].by_syscall = true;
    cpus[cpu].from = (uint64_t)address;
}

static void guest_executed(unsigned int cpu, void *data)
{
    (void)data;
    cpus[cpu].inside = false;
    cpus[cpu].by_syscall = false;
}

static void system_executed(unsigned int cpu, void *data)
{
    (void)data;
    if (!cpus[cpu].inside)
        now[!cpus[cpu].by_syscall ? TRAPS : cpus[cpu].from & UPPER_HALF ? HYPERCALLS : SYSCALLS]++;
    cpus[cpu].inside = true;
    cpus[cpu].by_syscall = false;
}

static void accessed(unsigned int cpu, meminfo info, uint64_t address, void *data)
{
    const struct qemu_plugin_hwaddr *where;

    (void)cpu, (void)data;
    if ((address & 0xfff) != (APIC_ICR & 0xfff) || !qemu_plugin_mem_is_store(info))
        return;
    where = qemu_plugin_get_hwaddr(info, address);
    if (where && qemu_plugin_hwaddr_is_io(where) && qemu_plugin_hwaddr_phys_addr(where) == APIC_ICR)
        now[IPIS]++;
}

/* ---- Which instructions matter ---- */

static struct code decode(const struct qemu_plugin_insn *insn)
{
    struct code c = { qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn), false, false, false };

    for (; c.size > 1; c.op++, c.size--) {
        if (*c.op == 0xf3)
            c.rep = true;
        else if (*c.op == 0x66)
            c.half = true;
        else if (*c.op >> 4 == 4)               /* REX: the last prefix */
            c.wide = *c.op & 8;
        else if (*c.op != 0xf2 && *c.op != 0x2e && *c.op != 0x3e && *c.op != 0x64 && *c.op != 0x65 && *c.op != 0xf0)
            break;
    }
    return c;
}

/* The count that grows by one with each execution, or COUNTS. */
static enum count counted(const struct code *c)
{
    unsigned int reg = c->size > 2 ? c->op[2] >> 3 & 7 : 0;

    if (c->op[0] != 0x0f || c->size < 2)
        return COUNTS;
    switch (c->op[1]) {
    case 0x01:
        return c->size > 2 && reg == 7 && c->op[2] >> 6 != 3 ? INVLPGS : COUNTS;
    case 0x22:
        return reg == 3 ? CR3_LOADS : reg == 4 ? CR4_LOADS : COUNTS;
    case 0x30:
        return WRMSRS;
    }
    return COUNTS;
}

static void watch_system(struct qemu_plugin_insn *insn, const struct code *c)
{
    enum count n = counted(c);
    uint64_t bytes = c->op[0] & 1 ? c->wide ? 8 : c->half ? 2 : 4 : 1;

    if (n != COUNTS)
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &now[n], 1);
    else if (c->rep && (c->op[0] & 0xfe) == 0xa4)
        qemu_plugin_register_vcpu_mem_inline(insn, MEMORY_ACCESSED, INLINE_ADD_U64, &now[BYTES_COPIED], bytes);
    else if (c->rep && (c->op[0] & 0xfe) == 0xaa)
        qemu_plugin_register_vcpu_mem_inline(insn, MEMORY_ACCESSED, INLINE_ADD_U64, &now[BYTES_CLEARED], bytes);
    else if (c->op[0] == 0x87 || c->op[0] == 0x89 || c->op[0] == 0xc7)      /* what stores 32 bits in a device's register */
        qemu_plugin_register_vcpu_mem_cb(insn, accessed, CALLBACK_NO_REGISTERS, MEMORY_ACCESSED, NULL);
}

static void watch_mark(struct qemu_plugin_insn *insn)
{
    uint32_t mark = mark_of(insn);

    if (mark < sizeof(marks) / sizeof(marks[0]))
        qemu_plugin_register_vcpu_insn_exec_cb(insn, marks[mark], CALLBACK_NO_REGISTERS, NULL);
}

static void watch_guest(struct qemu_plugin_insn *insn, const struct code *c)
{
    if (c->size == 2 && c->op[0] == 0x0f && c->op[1] == 0x05)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, syscall_executed, CALLBACK_NO_REGISTERS, (void *)qemu_plugin_insn_vaddr(insn));
}

/* A block is translated just before it is executed for the first time. */
static void watch_boot(uint64_t address)
{
    if (!entered_known && address >= 1UL << 20 && address < 1UL << 24) {
        entered = now[INSTRUCTIONS];
        entered_known = true;
    } else if (entered_known && !guest_known && address >= GUEST_ABOVE) {
        fprintf(out, "boot %lu\n", now[INSTRUCTIONS] - entered);
        guest_known = true;
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    bool inside = address >= from && address < to;
    size_t i, n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    watch_boot(address);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &now[INSTRUCTIONS], n);
    if (inside)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &now[INSIDE], n);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, inside ? system_executed : guest_executed, CALLBACK_NO_REGISTERS, NULL);
    for (i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct code c = decode(insn);

        if (inside)
            watch_system(insn, &c);
        else
            watch_guest(insn, &c);
        watch_mark(insn);
    }
}

static void at_exit(plugin_id id, void *argument)
{
    (void)id, (void)argument;
    if (fclose(out))
        perror("count");
}

int qemu_plugin_version = 1;

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *name = plugin_options(argc, argv, &from, &to);

    (void)info;
    out = name ? fopen(name, "w") : NULL;
    if (!out)
        return 1;
    forget(0, NULL);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
