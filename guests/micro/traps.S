/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways in and out of the guest kernel.
 *
 * The hypervisor delivers a trap as a frame on the guest stack, lowest address first:
 *     rcx, r11, [error code], rip, cs, rflags, rsp, ss
 * and the failsafe callback with ds, es, fs, gs between r11 and rip. Each stub brings that to one shape,
 * struct regs of trap.h, and calls trap(regs). Return is by the iret hypercall, which wants, lowest first:
 *     rax, r11, rcx, flags, rip, cs, rflags, rsp, ss
 */

#include <xen/xen.h>

#include "trap.h"

.macro SAVE
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %rax
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
.endm

.macro RESTORE_MOST                     /* all but rcx, r11 and rax, which stay in the frame */
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
.endm

    .text
    .balign 16
    .globl trap_stubs
trap_stubs:                             /* one of 16 bytes for each vector */
    vector = 0
    .rept TRAP_STUBS
    .balign 16, 0xcc
    pop     %rcx
    pop     %r11
    .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17))
    push    $0
    .endif
    push    $vector
    jmp     enter
    vector = vector + 1
    .endr

    .balign 16
enter:
    SAVE
    cld
    mov     %rsp, %rdi
    mov     %rsp, %rbp
    and     $-16, %rsp
    call    trap
    mov     %rbp, %rsp
resume:                                 /* rsp = struct regs */
    RESTORE_MOST
    add     $16, %rsp                   /* vector, error */
    push    resume_flags(%rip)
    movq    $0, resume_flags(%rip)
    push    %rcx
    push    %r11
    push    %rax
    mov     $__HYPERVISOR_iret, %eax
    syscall
    ud2

    .globl failsafe_stub
failsafe_stub:
    pop     %rcx
    pop     %r11
    popq    failsafe_selectors(%rip)
    popq    failsafe_selectors+8(%rip)
    popq    failsafe_selectors+16(%rip)
    popq    failsafe_selectors+24(%rip)
    push    $0
    push    $TRAP_FAILSAFE
    jmp     enter

/*
 * run_frame(const struct regs *r): go where r says by the iret hypercall; comes back when trap() calls
 * leave_frame(), with the callee-saved registers of the caller.
 */
    .globl run_frame
run_frame:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, leave_rsp(%rip)
    sub     $REGS_SIZE, %rsp
    mov     %rdi, %rsi
    mov     %rsp, %rdi
    mov     $REGS_SIZE / 8, %ecx
    rep movsq
    jmp     resume

    .globl leave_frame
leave_frame:
    mov     leave_rsp(%rip), %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

    .bss
    .balign 8
    .globl failsafe_selectors
failsafe_selectors:
    .skip   32
leave_rsp:
    .skip   8
    .globl resume_flags
resume_flags:                           /* VGCF_* of the next iret, once */
    .skip   8

    .section .note.GNU-stack, "", @progbits
