/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the loader jumps to: multiboot 1 and 2 headers, a PVH note; then from 32-bit protected mode to 64-bit code at the
 * link address.
 * In: eax = loader's magic, ebx = its information, paging off. Out: boot_main(magic, info) on the boot stack.
 *
 * The first page tables map the low 4 GiB by 2 MiB pages at three places: at 0 (until paging has been entered), in the
 * direct map, and the first of them at IMAGE_VA. x86/mm.c replaces them.
 */
#include "x86/layout.h"

#include <xen/elfnote.h>

#define PVH_MAGIC 0x336ec578    /* <xen/arch-x86/hvm/start_info.h>, whose structures are not for assembly */

#define PHYS(sym) ((sym) - 0xffff820000000000)

        /* For x86/entry.S, which reaches it by rip: so it must be a symbol, and of another file. */
        .globl  percpu_area
        .set    percpu_area, PERCPU_VA

        .section .head, "ax", @progbits
        .code32

/* Multiboot 1: flags 0 (modules page aligned), 1 (memory map), 16 (addresses below are valid). */
        .align 4
mb1_header:
        .long 0x1badb002
        .long 0x00010003
        .long -(0x1badb002 + 0x00010003)
        .long PHYS(mb1_header), PHYS(image_start), PHYS(load_end), PHYS(image_end), PHYS(start)

        .align 8
mb2_header:
        .long 0xe85250d6, 0, mb2_end - mb2_header, -(0xe85250d6 + (mb2_end - mb2_header))
        /* Address tag: same meaning as above. */
        .short 2, 0
        .long 24
        .long PHYS(mb2_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
        /* Entry address. */
        .short 3, 0
        .long 12
        .long PHYS(start)
        .align 8
        /* A framebuffer, if there can be one: of any size. Without the tag, GRUB on EFI does not say where one is. */
        .short 5, 1
        .long 20
        .long 0, 0, 0
        .align 8
        /* Modules page aligned. */
        .short 6, 0
        .long 8
        .align 8
        .short 0, 0
        .long 8
mb2_end:

        /* Says where loaders of the PVH boot ABI enter; they have the start information in ebx, and nothing in eax. */
        .section .note.Xen, "a", @note
        .align  4
        .long   2f - 1f, 4f - 3f, XEN_ELFNOTE_PHYS32_ENTRY
1:      .asciz  "Xen"
2:      .align  4
3:      .quad   PHYS(start_pvh)
4:      .previous

start_pvh:
        mov     $PVH_MAGIC, %eax
        .globl start
start:
        cli
        cld
        mov     %eax, %esi
        mov     $PHYS(boot_stack_end) - 256, %esp

        /* Four L2 tables: 2048 entries of 2 MiB. */
        mov     $PHYS(boot_l2), %edi
        mov     $0x83, %eax             /* present, writable, large */
        mov     $2048, %ecx
1:      mov     %eax, (%edi)
        add     $0x200000, %eax
        jnc     2f
2:      add     $8, %edi
        loop    1b

        mov     $PHYS(boot_l3), %edi
        mov     $PHYS(boot_l2) + 3, %eax
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $0x1000, %eax
        add     $8, %edi
        loop    1b

        mov     $PHYS(boot_l3) + 3, %eax
        mov     %eax, PHYS(boot_l4)
        mov     %eax, PHYS(boot_l4) + 260 * 8
        mov     %eax, PHYS(boot_l4) + 262 * 8

        /* Long mode at all? */
        mov     $0x80000000, %eax
        mov     %ebx, %ebp
        cpuid
        cmp     $0x80000001, %eax
        jb      no_long_mode
        mov     $0x80000001, %eax
        cpuid
        bt      $29, %edx
        jnc     no_long_mode
        bt      $20, %edx               /* NX */
        jnc     no_long_mode
        mov     %ebp, %ebx

        mov     %cr4, %eax
        or      $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT: the payload libraries use SSE */
        mov     %eax, %cr4
        mov     $PHYS(boot_l4), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x901, %eax            /* SCE, LME, NXE */
        wrmsr
        mov     $0x80010033, %eax       /* PG, WP, NE, ET, MP, PE */
        mov     %eax, %cr0
        lgdt    PHYS(boot_gdtr)
        ljmp    $8, $PHYS(enter64)

no_long_mode:
        mov     $PHYS(no_long_mode_msg), %esi
        mov     $0x3fd, %edx
1:      lodsb
        test    %al, %al
        jz      3f
        mov     %al, %ah
        mov     $65536, %ecx
2:      mov     $0x3fd, %edx
        in      %dx, %al
        test    $0x20, %al
        loopz   2b
        mov     $0x3f8, %edx
        mov     %ah, %al
        out     %al, %dx
        jmp     1b
3:      hlt
        jmp     3b

no_long_mode_msg:
        .asciz  "(XEN) Krypton needs a 64-bit CPU with NX: this one has none. Halted.\r\n"

        .code64
enter64:
        movabs  $1f, %rax
        jmp     *%rax
1:      mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        xor     %eax, %eax
        mov     %eax, %fs
        mov     %eax, %gs
        lea     boot_stack_end - 256(%rip), %rsp
        xor     %ebp, %ebp
        mov     %esi, %edi
        mov     %ebx, %esi
        call    boot_main
        ud2

        .align 8
boot_gdt:
        .quad   0
        .quad   0x00af9b000000ffff      /* 64-bit code */
        .quad   0x00cf93000000ffff      /* data */
boot_gdt_end:
boot_gdtr:
        .short  boot_gdt_end - boot_gdt - 1
        .quad   PHYS(boot_gdt)

        .section .bss.page_aligned, "aw", @nobits
        .align  4096
        .globl  boot_l4
boot_l4:        .skip 4096
boot_l3:        .skip 4096
boot_l2:        .skip 4096 * 4
        .globl  boot_stack, boot_stack_end
        /* 64 KiB, aligned to it, with a struct stack_top at the end: as every CPU's stacks are (x86/percpu.h). */
        .align  65536
boot_stack:     .skip 65536
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
