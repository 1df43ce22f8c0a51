/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A load of SS from a word under a breakpoint: the trap waits until after the next instruction, and that is one that enters
 * the hypervisor. A test each: Debian's Xen ends the guest at some.
 */

#include "hostile.h"

#include <xen/version.h>

static uint64_t selector __attribute__((aligned(8)));

#define MOV_SS(name, insn)                                                                                           \
    TEST(name)                                                                                                       \
    {                                                                                                                \
        uint64_t rax = __HYPERVISOR_xen_version;                                                                     \
                                                                                                                     \
        selector = KERNEL_SS;                                                                                        \
        break_on(&selector, BREAK_READ_WRITE);                                                                       \
        __asm__ volatile("mov %1, %%ss; " insn                                                                       \
                         : "+a"(rax) : "m"(selector), "D"(XENVER_version), "S"(0) : "rcx", "r11", "memory");         \
        breaks_off();                                                                                                \
        verdict("then", #name, 0, 0);                                                                                \
    }

MOV_SS(int3, "int3")
MOV_SS(icebp, "1: .byte 0xf1\n2:\n" FIXUP)
MOV_SS(int80, "int $0x80")
MOV_SS(int4, ".byte 0xcd, 4")
MOV_SS(hypercall, "syscall")
MOV_SS(ud2, "1: ud2\n2:\n" FIXUP)
MOV_SS(cli, "cli; sti")
MOV_SS(mov_ss, "mov %%ss, %%ecx; mov %%ecx, %%ss; nop")
