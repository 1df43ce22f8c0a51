/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From 64-bit code with the firmware's paging to what a multiboot 2 loader leaves: 32-bit protected mode, paging off.
 * In: rdi = struct jump. No stack is used. See efi/jump.h.
 */
#include "boot/parse/multiboot.h"

#define CODE32 0x08
#define DATA32 0x10

        .section .rodata, "a"
        .globl  jump_code, jump_code_end
        .align  16
        .code64
jump_code:
        cli
        cld
        mov     0(%rdi), %rax
        mov     %rax, %cr3
        mov     40(%rdi), %rbp
        mov     48(%rdi), %rbx
        mov     32(%rdi), %rdx
        mov     24(%rdi), %rcx
        mov     16(%rdi), %rsi
        mov     8(%rdi), %rdi
        rep movsb
        mov     %rdx, %rcx
        xor     %eax, %eax
        rep stosb

        lea     gdt(%rip), %rax
        mov     %rax, gdtr + 2(%rip)
        lgdt    gdtr(%rip)
        lea     code32(%rip), %rax
        mov     %eax, code32_at(%rip)
        ljmpl   *code32_at(%rip)

        .code32
code32:
        mov     $DATA32, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %cr0, %eax
        and     $0x7fffffff, %eax       /* PG */
        mov     %eax, %cr0
        xor     %eax, %eax              /* five levels of tables among what goes */
        mov     %eax, %cr4
        mov     $0xc0000080, %ecx       /* EFER: LME */
        rdmsr
        and     $~0x100, %eax
        wrmsr
        mov     $MULTIBOOT2_BOOT_MAGIC, %eax
        jmp     *%ebp

        .align  8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 32-bit code */
        .quad   0x00cf93000000ffff      /* data */
gdtr:
        .short  gdtr - gdt - 1
        .quad   0
code32_at:
        .long   0
        .short  CODE32
jump_code_end:

/* The image itself. */
        .globl  image, image_end
        .align  16
image:
        .incbin IMAGE
image_end:

        .section .note.GNU-stack, "", @progbits
