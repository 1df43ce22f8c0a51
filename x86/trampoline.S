/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where another CPU starts: real mode, at the beginning of a page below 1 MiB that this was copied to.
 * Through protected mode to long mode, then to smp_ap_entry(cpu) on the CPU's own stack. x86/smp.c fills in
 * the parameters. Addresses are relative to the page (T) until paging is on; its root maps the page at its
 * physical address.
 */
#define T(sym) ((sym) - trampoline_start)

        .section .rodata.trampoline, "a", @progbits
        .balign 16
        .code16
        .globl  trampoline_start
trampoline_start:
        cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        xor     %ebx, %ebx
        mov     %ax, %bx
        shl     $4, %ebx                /* ebx = maddr of the page, from here on */
        lgdtl   T(gdtr)
        mov     $0x11, %eax             /* PE, ET; caches on */
        mov     %eax, %cr0
        ljmpl   *T(to32)

        .code32
start32:
        mov     $0x10, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        mov     %eax, %cr4
        mov     T(trampoline_cr3)(%ebx), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x901, %eax            /* SCE, LME, NXE */
        wrmsr
        mov     $0x80010033, %eax       /* PG, WP, NE, ET, MP, PE */
        mov     %eax, %cr0
        ljmp    *T(to64)(%ebx)

        .code64
start64:
        mov     T(trampoline_stack)(%rbx), %rsp
        mov     T(trampoline_cpu)(%rbx), %rdi
        xor     %ebp, %ebp
        call    *T(trampoline_entry)(%rbx)
        ud2

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 0x08: 32-bit code */
        .quad   0x00cf93000000ffff      /* 0x10: data        */
        .quad   0x00af9b000000ffff      /* 0x18: 64-bit code */
gdtr:   .short  gdtr - gdt - 1
        .globl  trampoline_gdt
trampoline_gdt:
        .long   T(gdt)                  /* plus T's address, like the two below */
        .balign 4
        .globl  trampoline_to32
trampoline_to32:
to32:   .long   T(start32)
        .short  0x08
        .balign 4
        .globl  trampoline_to64
trampoline_to64:
to64:   .long   T(start64)
        .short  0x18
        .balign 8
        .globl  trampoline_cr3, trampoline_stack, trampoline_cpu, trampoline_entry
trampoline_cr3:   .quad 0
trampoline_stack: .quad 0
trampoline_cpu:   .quad 0
trampoline_entry: .quad 0
        .globl  trampoline_end
trampoline_end:
