/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shortest ways through the guest kernel: a trap or call is answered and left at once, so that a row shows the
 * hypervisor's part. Frames as in traps.S.
 */

#include "../bench_mark.h"

#include <xen/xen.h>

    .text

/* Back by the iret hypercall; on the stack is rip ... ss, the flags are $flags. rax, rcx, r11 are the interrupted one's. */
.macro LEAVE flags=0
    push    $\flags
    push    %rcx
    push    %r11
    push    %rax
    mov     $__HYPERVISOR_iret, %eax
    syscall
    ud2
.endm

.macro ENTRY name
    .balign 16
    .globl \name
\name:
    pop     %rcx
    pop     %r11
.endm

ENTRY bench_ud_iretq                /* steps over the ud2; the kernel's cs comes with RPL 0 and is wanted with 3 */
    addq    $2, (%rsp)
    orb     $3, 8(%rsp)
    iretq

ENTRY bench_ud_iret
    addq    $2, (%rsp)
    LEAVE

ENTRY bench_pf_iretq                /* steps over a 3-byte mov */
    add     $8, %rsp
    addq    $3, (%rsp)
    orb     $3, 8(%rsp)
    iretq

ENTRY bench_pf_iret
    add     $8, %rsp
    addq    $3, (%rsp)
    LEAVE

ENTRY bench_syscall
    LEAVE   VGCF_in_syscall

ENTRY bench_upcall                  /* takes bench_port, the only one there is */
    push    %rax
    push    %rdx
    mov     bench_info(%rip), %rax
    movb    $0, (%rax)              /* evtchn_upcall_pending */
    movq    $0, 8(%rax)             /* evtchn_pending_sel */
    mov     bench_port(%rip), %rdx
    mov     bench_pending(%rip), %rax
    lock btr %rdx, (%rax)
    pop     %rdx
    pop     %rax
    LEAVE

/*
 * User programs: r12 samples of one operation, the least number of TSC ticks into r13, then int3. Both reads of the
 * TSC and what stands between them and the operation are the same as in an empty measurement but for two moves.
 */
    .section .user, "ax", @progbits

.macro MARK what
    nopl    (BENCH_MARK + \what)(%rax)
.endm

.macro SAMPLES name, operation:vararg
    .globl \name
\name:
    mov     $24, %r12d
    mov     $-1, %r13d
1:  MARK    BENCH_SAMPLE_BEGINS
    lfence
    rdtsc
    mov     %eax, %r14d
    \operation
    lfence
    rdtsc
    MARK    BENCH_SAMPLE_ENDS
    sub     %r14d, %eax
    cmp     %r13d, %eax
    cmovb   %eax, %r13d
    dec     %r12d
    jnz     1b
    int3
.endm

SAMPLES bench_user_nothing, nop
SAMPLES bench_user_syscall, syscall
SAMPLES bench_user_fault,   mov (%rdi), %rsi

    .bss
    .balign 8
    .globl bench_port, bench_info, bench_pending
bench_port:
    .skip   8
bench_info:
    .skip   8
bench_pending:
    .skip   8

    .section .note.GNU-stack, "", @progbits
