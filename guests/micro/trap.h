/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps as the guest sees them, recorded so that a test can look.
 *
 *   TRY("insn", outputs, inputs, clobbers...)  runs one instruction; if it faults, execution goes on behind
 * it
 *   trap_forget()      clears the record
 *   trap_seen          the record: how many, and the last one
 *   run_frame()        leave the kernel as struct regs says; comes back at the next trap from user mode
 */
#ifndef MICRO_TRAP_H
#define MICRO_TRAP_H

/* Virtual vectors of the callbacks, behind the 256 of the trap table. */
#define TRAP_EVENT     256
#define TRAP_SYSCALL   257
#define TRAP_SYSCALL32 258
#define TRAP_SYSENTER  259
#define TRAP_NMI_CB    260
#define TRAP_STUBS     261
#define TRAP_FAILSAFE  261
#define TRAP_COUNT     262

#define REGS_SIZE      (22 * 8)

#define KERNEL_CS      0xe030           /* FLAT_RING3_CS64, RPL 0: iret stays in kernel mode */
#define KERNEL_SS      0xe02b
#define USER_CS        0xe033
#define USER_SS        0xe02b

#ifndef __ASSEMBLY__

#include "micro.h"

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == REGS_SIZE, "traps.S builds this");

struct trap_record {
    unsigned int count;                 /* traps since trap_forget(), events not counted */
    struct regs regs;                   /* the last one */
    uint64_t cr2;                       /* vcpu_info's, when it was a page fault */
    unsigned int mask;                  /* upcall mask inside the handler */
    uint64_t handler_rflags;            /* rflags the hypervisor entered the handler with */
    uint64_t handler_rsp;               /* address of the frame */
};

extern struct trap_record trap_seen;
extern uint64_t failsafe_selectors[4];  /* ds, es, fs, gs of the last failsafe frame */
extern uint64_t resume_flags;           /* VGCF_* in the frame of the next iret hypercall, once */
extern char trap_stubs[], failsafe_stub[];
extern char kernel_stack[16384];

/* A test's own handler, called before fixups are looked up; true = handled, go back to regs. */
extern bool (*trap_hook)(struct regs *regs);

void trap_init(void);
void trap_forget(void);
static inline void *trap_stub(unsigned int vector) { return trap_stubs + 16 * vector; }

/* Number of the last trap since trap_forget(), or -1. */
static inline int trap_vector(void)
{
    return trap_seen.count ? (int)trap_seen.regs.vector : -1;
}

/* Loads all of *r; when user mode traps next, *r becomes its state. Takes the kernel stack for the trap. */
void run_user(struct regs *r);
void run_frame(const struct regs *r);
void leave_frame(void) __attribute__((noreturn));

#define FIXUP ".pushsection .fixups,\"a\"\n .balign 8\n .quad 1b, 2b\n .popsection\n"
#define TRY(insn, ...)                                              \
    do {                                                            \
        trap_forget();                                              \
        __asm__ volatile("1: " insn "\n2:\n" FIXUP __VA_ARGS__);    \
    } while (0)

/* ---- CPUID by the forced-emulation prefix, which shows what the hypervisor lets a domain see ---- */

struct cpuid {
    uint32_t a, b, c, d;
};

static inline struct cpuid xen_cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;

    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

#endif
#endif
