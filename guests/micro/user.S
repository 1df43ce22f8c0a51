/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Little user-mode programs, one instruction each. They live in the page that user_init() maps at USER_VA;
 * tests start them with run_user() and see how they end: by a trap at the instruction or by the `syscall`
 * behind it.
 */

    .section .user, "ax", @progbits

.macro PROGRAM name, insn:vararg
    .globl \name, \name\()_end
\name:
    \insn
\name\()_end:
    syscall
    ud2
.endm

PROGRAM user_nop,     nop
PROGRAM user_ud2,     ud2
PROGRAM user_int3,    int3
PROGRAM user_int80,   int $0x80
PROGRAM user_read,    mov (%rax), %rax
PROGRAM user_write,   mov %rbx, (%rax)
PROGRAM user_jump,    call *%rax
PROGRAM user_in,      in (%dx), %al
PROGRAM user_out,     out %al, (%dx)
PROGRAM user_cli,     cli
PROGRAM user_hlt,     hlt
PROGRAM user_cpuid,   cpuid
PROGRAM user_xen_cpuid, .byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2
PROGRAM user_rdmsr,   rdmsr
PROGRAM user_cr0,     mov %cr0, %rax
PROGRAM user_fpu,     fnop
PROGRAM user_rdtsc,   rdtsc
PROGRAM user_read_gs, mov %gs:(0), %rax
PROGRAM user_read_fs, mov %fs:(0), %rax
PROGRAM user_sysenter, sysenter
PROGRAM user_lgdt,    lgdt (%rax)

    .globl user_spin
user_spin:                      /* until the kernel makes it stop: rax counts down */
    dec     %rax
    jnz     user_spin
    syscall
    ud2

    /* With NT and AC set, which sysenter leaves as they are. */
    .globl user_sysenter_flags
user_sysenter_flags:
    pushfq
    orl     $0x44000, (%rsp)
    popfq
    sysenter

    /* Changes every register, so that what the kernel sees can be compared. */
    .globl user_registers
user_registers:
    mov     $0x1111, %ebx
    mov     $0x2222, %ebp
    mov     $0x3333, %r9d
    mov     $0x4444, %r12d
    mov     $0x5555, %r15d
    mov     $0x6666, %eax
    syscall
    ud2

    .section .note.GNU-stack, "", @progbits
