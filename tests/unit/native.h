/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU itself as an oracle: runs a few bytes of unprivileged code on a register frame.
 *
 * All general registers but rsp, and the arithmetic flags and DF, come from the frame and
 * go back to it. The code must end by falling off its end. Included once by a test.
 */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "x86/model/regs.h"

void native_enter(struct cpu_regs *regs, const void *code);
extern const char native_return[];
const void *native_target;

/* The numbers in the assembly below. */
static_assert(offsetof(struct cpu_regs, r15) == 0 && offsetof(struct cpu_regs, rbp) == 32 &&
              offsetof(struct cpu_regs, r8) == 72 && offsetof(struct cpu_regs, rdi) == 112 &&
              offsetof(struct cpu_regs, rflags) == 144, "native_enter knows the frame");

#define NATIVE_MOVE(X)                                                                  \
    X(0, r15) X(8, r14) X(16, r13) X(24, r12) X(32, rbp) X(40, rbx) X(48, r11) X(56, r10) \
    X(64, r9) X(72, r8) X(80, rax) X(88, rcx) X(96, rdx) X(104, rsi)
#define NATIVE_LOAD(at, reg)  "mov " #at "(%rdi), %" #reg "\n"
#define NATIVE_STORE(at, reg) "mov %" #reg ", " #at "(%rdi)\n"

asm(".pushsection .text\n"
    ".globl native_enter\n"
    "native_enter:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "push %rdi\n"
    "mov %rsi, native_target(%rip)\n"
    "push 144(%rdi)\n popfq\n"
    NATIVE_MOVE(NATIVE_LOAD)
    "mov 112(%rdi), %rdi\n"
    "jmp *native_target(%rip)\n"
    ".globl native_return\n"
    "native_return:\n"
    "xchg %rdi, (%rsp)\n"
    NATIVE_MOVE(NATIVE_STORE)
    "pushfq\n pop 144(%rdi)\n"
    "pop %rax\n mov %rax, 112(%rdi)\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "cld\n ret\n"
    ".popsection\n");

/* One writable and executable page for the code under test. */
static uint8_t *native_page(void)
{
    static uint8_t *page;

    if (!page) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            abort();
    }
    return page;
}

/* Runs len bytes at native_page(). Flags other than the arithmetic ones and DF stay out. */
static void native_run(struct cpu_regs *regs, const uint8_t *code, unsigned int len)
{
    static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };   /* jmp *0(%rip) */
    uint8_t *page = native_page();
    const void *back = native_return;
    uint64_t keep = X86_EFLAGS_ARITH | X86_EFLAGS_DF;

    memcpy(page, code, len);
    memcpy(page + len, jump, sizeof(jump));
    memcpy(page + len + sizeof(jump), &back, sizeof(back));
    regs->rflags = (regs->rflags & keep) | X86_EFLAGS_MBS | X86_EFLAGS_IF;
    native_enter(regs, page);
    regs->rflags &= keep;
}

#endif
