/* SPDX-License-Identifier: BSD-2-Clause */
/* Macros of the assembly that enters and leaves the hypervisor: x86/entry.S, x86/short.S. */
#ifndef X86_ENTRY_ASM_H
#define X86_ENTRY_ASM_H

#include "offsets.h"
#include "x86/layout.h"

/* A three-byte place for clac or stac, filled in at boot if the CPU has SMAP (x86/mm.c). kind 0: clac, 1: stac. */
.macro SMAP_SITE kind
8:      .byte 0x0f, 0x1f, 0x00
        .pushsection .smap_sites, "a"
        .quad 8b, \kind
        .popsection
.endm

/* An instruction on guest memory; if it faults, the trap handler goes on at `fix`. */
.macro GUEST fix, insn:vararg
7:      \insn
        .pushsection .extable, "a"
        .quad   7b, \fix
        .popsection
.endm

/* Below rip..ss and the error word: the registers that x86/short.S works with. */
.macro SAVE_WORKING
        .irp r, rdi, rsi, rdx, rcx, rax, r8
        push    %\r
        .endr
.endm

/* Then the others, whose values are still the guest's. */
.macro PUSH_OTHERS
        .irp r, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
        push    %\r
        .endr
.endm

.macro ZERO registers:vararg
        .irp r, \registers
        xor     %\r, %\r
        .endr
.endm

/* All are zeroed behind us, and DF and AC are clear. Leaves rdi = the frame. */
.macro SAVE_OTHERS
        cld
        SMAP_SITE 0
        PUSH_OTHERS
        ZERO    eax, ebx, ecx, edx, esi, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
        mov     %rsp, %rdi
.endm

.macro SAVE_REGS
        SAVE_WORKING
        SAVE_OTHERS
.endm

/* Without rcx: it stays. */
.macro POP_BUT_RCX
        pop     %r8
        pop     %rax
        add     $8, %rsp
        pop     %rdx
        pop     %rsi
        pop     %rdi
.endm

.macro POP_WORKING
        .irp r, r8, rax, rcx, rdx, rsi, rdi
        pop     %\r
        .endr
.endm

.macro RESTORE_WORKING
        POP_WORKING
        add     $8, %rsp
.endm

.macro RESTORE_OTHERS
        .irp r, r15, r14, r13, r12, rbp, rbx, r11, r10, r9
        pop     %\r
        .endr
.endm

.macro RESTORE_REGS
        RESTORE_OTHERS
        RESTORE_WORKING
.endm

/*
 * Back by SYSRET: rcx = rip, r11 = the flags, rsp = the frame, from the error word on; to the flat 64-bit selectors.
 *
 * A rip that is not canonical would fault here, in the hypervisor on the guest's stack: so it was looked at. NMI, #MC and #DB
 * have stacks of their own. Only what came in by SYSCALL, #PF or #UD goes back so: SYSRET does not end an NMI, iret does.
 */
.macro SYSRET
        mov     REGS_rsp - REGS_error_code(%rsp), %rsp
        sysretq
.endm

/* rdi: the frame of the guest that we come from, on the main stack. Off its exit root, if it has one. */
.macro FULL_ROOT
        cmpq    $0, FRAME_exit_root(%rdi)
        je      9f
        mov     FRAME_full_root(%rdi), %rax
        mov     %rax, %cr3
        xor     %eax, %eax
9:
.endm

#endif
