/* SPDX-License-Identifier: BSD-2-Clause */
/* What x86 keeps for each CPU, and how code finds its own. */
#ifndef X86_PERCPU_H
#define X86_PERCPU_H

#include "core/pcpu.h"
#include "x86/layout.h"
#include "x86/model/regs.h"

/*
 * The top of the main stack. TSS.rsp0 points behind `regs`, so the CPU and the entry code build the guest's register frame
 * right there; `self` is what rsp0 points at.
 */
struct stack_top {
    struct cpu_regs regs;
    uint64_t self;       /* its own address */
    struct x86_pcpu *cpu;
    uint64_t scratch;    /* CR2, while a page fault is on its way to the guest (x86/short.S) */
    _Atomic uint64_t full_root; /* CR3 while in the hypervisor */
    uint64_t exit_root;  /* CR3 while the guest runs; 0: the same, it has no root of its own (x86/xpti.c) */
    uint64_t pad;
};
_Static_assert(sizeof(struct stack_top) - offsetof(struct stack_top, cpu) == CPU_WORD_TO_END && STACK_AREA_SIZE == CPU_AREA_SIZE,
               "machine_pcpu() reads it");
_Static_assert(RAM_VA == DIRECT_VA, "machine_ram() adds it");
_Static_assert((STACK_AREA_SIZE - sizeof(struct stack_top) + offsetof(struct stack_top, self)) % 16 == 0, "the CPU aligns its frame");

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

/* Behind a guest's descriptor table: 16 entries, of which the first so many have pages of the guest's. */
struct window { uint64_t *ptes; unsigned used; };

/* The segment registers. other: of the mode that the vCPU is not in (x86/switch.c). */
struct segments {
    uint16_t ds, es, fs, gs;
    uint64_t fs_base, gs_base, gs_base_other;
};

struct x86_pcpu {
    struct pcpu core;            /* first: the two pointers are one */
    struct tss *tss;
    struct stack_top *top;
    struct window gdt, ldt;      /* while that of the LDT has no pages, LDTR is null */
    struct segments segments;    /* what the registers hold while no vCPU is loaded */
    _Atomic uint64_t flush_clock;/* value of the flush clock at this CPU's last full flush */
    /* A request from another CPU, see x86/tlb.c. */
    _Atomic uint32_t flush_asked;
    uint32_t nmi_count;
    uint64_t *exit_table;        /* the root behind top->exit_root; NULL: no domain needs one */
    _Atomic bool exit_stale;     /* it has to be filled from full_root before it is used */
};

/* All stacks of a CPU lie in one aligned area, whose top word block names the CPU. */
static inline struct stack_top *stack_top(void)
{
    uint64_t sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct stack_top *)((sp | (STACK_AREA_SIZE - 1)) + 1) - 1;
}

static inline struct x86_pcpu *this_cpu(void) { return stack_top()->cpu; }

#define SYSCALL_STUB_SIZE 32 /* of each CPU's entry in syscall_stubs, x86/entry.S */

/* Builds the CPU's structure, stacks and windows; the CPU itself does not run yet. NULL without memory. */
struct x86_pcpu *percpu_create(unsigned id);
/* The structure that the boot stack belongs to, until CPU 0 has its own. */
void percpu_early(void);
/* Goes on in fn on c's own main stack; nothing of the present one is kept. */
_Noreturn void percpu_enter(struct x86_pcpu *c, void (*fn)(void));

/* On the CPU itself: loads GDT, IDT, TSS, MSRs, control registers. */
void percpu_load(struct x86_pcpu *c);

#endif
