/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the hypervisor and out of it. Assembly moves registers and calls C; it decides nothing.
 *
 * The most frequent passages that end in the guest again without C are x86/short.S.
 *
 * From a guest the frame (struct cpu_regs) is built at the top of the CPU's main stack, where TSS.rsp0 points behind it.
 * Interrupts are off from here to the iret. All general registers are zeroed once they are saved.
 *
 * While a guest with an exit root (x86/xpti.c) runs, only this section, the IDT and this CPU's 2 MiB
 * (layout.h) are mapped: FULL_ROOT comes before the first call, and after the last one nothing else is
 * touched.
 */
#include "x86/entry_asm.h"

        .section .text.entry, "ax", @progbits

/* One stub a vector, 16 bytes each: vector and error code on the stack, then the common path, or the short way first. */
        .align  16
        .globl  trap_stubs
trap_stubs:
        vector = 0
        .rept   256
        .align  16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
        push    $0
        .endif
        movl    $vector, 4(%rsp)
        .if vector == 1 || vector == 2 || vector == 8 || vector == 18
        jmp     trap_ist
        .elseif vector == 6
        jmp     short_ud
        .elseif vector == 14
        jmp     short_pf
        .else
        jmp     trap_common
        .endif
        vector = vector + 1
        .endr

/* #DB, NMI, #DF, #MC come on stacks of their own. From a guest the frame moves to the main stack. */
        .align  16
trap_ist:
        testb   $3, REGS_cs - REGS_error_code(%rsp)
        jz      trap_common
        push    %rdi
        mov     %rsp, %rdi              /* IST frame: rdi, error, rip, cs, rflags, rsp, ss */
        or      $(STACK_AREA_SIZE - 1), %rsp
        sub     $(TOP_self_to_end - 1), %rsp
        push    48(%rdi)
        push    40(%rdi)
        push    32(%rdi)
        push    24(%rdi)
        push    16(%rdi)
        push    8(%rdi)
        mov     (%rdi), %rdi
        jmp     trap_common

        .align  16
        .globl  trap_common, trap_others
trap_common:
        SAVE_WORKING
trap_others:                            /* from x86/short.S */
        SAVE_OTHERS
        testb   $3, REGS_cs(%rdi)
        jz      from_hypervisor
        FULL_ROOT
        call    trap_from_guest
        .globl  return_to_guest
return_to_guest:                        /* rsp is at the frame */
        jmp     short_return
        .globl  leave_long
leave_long:                             /* from x86/short.S: there may be something to do */
        call    leave_to_guest          /* core_exit, then what must be true at the iret */
        mov     FRAME_exit_root(%rsp), %rax
        test    %rax, %rax
        jz      1f
        mov     %rax, %cr3
1:      RESTORE_REGS
        .globl  guest_iret
guest_iret:
        iretq

/* On the exit root if it hit in the first or last instructions of the hypervisor: then it goes back to it. */
from_hypervisor:
        mov     %rsp, %rbp
        mov     %rsp, %rax
        or      $(STACK_AREA_SIZE - 1), %rax
        sub     $(TOP_SIZE - 1), %rax   /* struct stack_top */
        mov     FRAME_exit_root(%rax), %rbx
        test    %rbx, %rbx
        jz      2f
        mov     %cr3, %rcx
        cmp     %rcx, %rbx
        je      1f
        xor     %ebx, %ebx
        jmp     2f
1:      mov     FRAME_full_root(%rax), %rcx
        mov     %rcx, %cr3
2:      and     $~15, %rsp
        call    trap_from_hypervisor
        mov     %rbp, %rsp
        test    %rbx, %rbx
        jz      3f
        mov     %rbx, %cr3
3:      RESTORE_REGS
        iretq

/*
 * The syscall instruction leaves all registers the guest's, rsp too. So each CPU has a stub of its own, which knows where that CPU
 * builds the guest's frame. Until it is there, only an NMI, #MC or #DB can come in, and each has a stack of its own.
 */
.macro SYSCALL_STUBS name, common
        .globl  \name
        .align  SYSCALL_STUB_SIZE
\name:
        at = PERCPU_FRAME + REGS_rsp
        .rept   MAX_CPUS
        .align  SYSCALL_STUB_SIZE
        mov     %rsp, percpu_area + at(%rip)
        lea     percpu_area + at(%rip), %rsp
        jmp     \common
        at = at + PERCPU_SIZE
        .endr
.endm
        SYSCALL_STUBS syscall_stubs, syscall_entry
        SYSCALL_STUBS syscall_stubs_xpti, syscall_entry_xpti
        SYSCALL_STUBS syscall32_stubs, syscall32_entry

/* From syscall_entry in x86/short.S. */
        .align  16
        .globl  syscall_others, hypercall_others
syscall_others:
        SAVE_OTHERS
        FULL_ROOT
        call    syscall_from_guest
        jmp     return_to_guest
hypercall_others:                       /* on the full root, in the guest's kernel */
        SAVE_OTHERS
        mov     FRAME_cpu(%rdi), %rdi
        mov     PCPU_current(%rdi), %rdi
        call    hypercall_entry
        jmp     return_to_guest

/* syscall from 32-bit user code (AMD): rsp = the frame, from rsp on. */
        .align  16
syscall32_entry:
        movq    $0xe02b, 8(%rsp)
        push    %r11
        push    $0xe023
        push    %rcx
        push    $0
        movl    $0x101, 4(%rsp)
        SAVE_REGS
        FULL_ROOT
        call    syscall32_from_guest
        jmp     return_to_guest

/*
 * sysenter (Intel): the CPU says nothing of where it came from, and of the flags it clears only IF, VM and RF; our own
 * iret would fault with NT.
 */
        .align  16
        .globl  sysenter_entry
sysenter_entry:
        push    $0xe02b                 /* SYSENTER_ESP is stack_top.self */
        push    $0
        pushf
        push    $0xe023
        push    $0
        push    $0
        movl    $0x102, 4(%rsp)
        push    $2                      /* X86_EFLAGS_MBS */
        popf
        SAVE_REGS
        FULL_ROOT
        call    sysenter_from_guest
        jmp     return_to_guest

/* A CPU that starts, and a guest frame thrown away: in rdi, the frame to leave by. */
        .globl  leave_by_frame
leave_by_frame:
        mov     %rdi, %rsp
        jmp     return_to_guest

/* ---- Functions, and nothing of the ways in and out, from here on ---- */

        .text

/*
 * size_t copy_user(void *to, const void *from, size_t n): bytes not copied. One side is guest memory: a fault there ends the
 * copy (the table below tells the trap handler where to go on; rcx is what is left). Changes its arguments, rax and rcx.
 */
        .globl  copy_user
copy_user:
        SMAP_SITE 1
        mov     %rdx, %rcx
        cmp     $8, %rcx
        jb      2f
        shr     $3, %rcx
        and     $7, %edx
1:      rep movsq
        mov     %edx, %ecx
2:      rep movsb
3:      SMAP_SITE 0
        mov     %rcx, %rax
        ret
4:      lea     (%rdx, %rcx, 8), %rcx   /* words left, and the odd bytes */
        jmp     3b
        .pushsection .extable, "a"
        .quad   1b, 4b
        .quad   2b, 3b
        .popsection

/* int cmpxchg_user{8,16,32,64}(void *p, uint64_t *old, uint64_t new): 0, or 1 after a fault. */
.macro CMPXCHG_USER name, reg
        .globl  \name
\name:  SMAP_SITE 1
        mov     (%rsi), %rax
1:      lock cmpxchg \reg, (%rdi)
        SMAP_SITE 0
        mov     %rax, (%rsi)
        xor     %eax, %eax
        ret
2:      SMAP_SITE 0
        mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection
.endm
        CMPXCHG_USER cmpxchg_user8, %dl
        CMPXCHG_USER cmpxchg_user16, %dx
        CMPXCHG_USER cmpxchg_user32, %edx
        CMPXCHG_USER cmpxchg_user64, %rdx

/* int wrmsr_safe / rdmsr_safe: 0, or 1 after #GP. */
        .globl  wrmsr_safe
wrmsr_safe:                             /* (uint32_t msr, uint64_t value) */
        mov     %edi, %ecx
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
1:      wrmsr
        xor     %eax, %eax
        ret
2:      mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection

        .globl  rdmsr_safe
rdmsr_safe:                             /* (uint32_t msr, uint64_t *value) */
        mov     %edi, %ecx
1:      rdmsr
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, (%rsi)
        xor     %eax, %eax
        ret
2:      mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection

/* uint16_t load_{ds,es,fs,gs}(uint16_t sel): 0, or 1 if it faults (the register is then null). */
.macro LOAD_SEG seg
        .globl  load_\seg
load_\seg:
1:      mov     %edi, %\seg
        xor     %eax, %eax
        ret
2:      xor     %edi, %edi
        mov     %edi, %\seg
        mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection
.endm
        LOAD_SEG ds
        LOAD_SEG es
        LOAD_SEG fs
        LOAD_SEG gs

/* int xrstor_safe(const void *area, uint64_t mask); int xsetbv_safe(uint64_t value). 1 after a fault. */
        .globl  xrstor_safe
xrstor_safe:
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
1:      xrstor64 (%rdi)
        xor     %eax, %eax
        ret
2:      mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection

        .globl  fxrstor_safe
fxrstor_safe:
1:      fxrstor64 (%rdi)
        xor     %eax, %eax
        ret
2:      mov     $1, %eax
        ret
        .pushsection .extable, "a"
        .quad   1b, 2b
        .popsection

        .section .note.GNU-stack, "", @progbits
