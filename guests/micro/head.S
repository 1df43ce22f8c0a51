/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the micro guest begins, and the ELF notes by which a Xen-ABI loader knows it.
 *
 * On entry: rsi = start_info, rsp = the loader's boot stack, events masked, page tables of the loader.
 * The code below moves to its own stack and calls guest_main(start_info), which never returns.
 */

#include <xen/elfnote.h>

.macro NOTE type, desc:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f                   /* length of the name  */
    .long 4f - 3f                   /* length of the value */
    .long \type
1:  .asciz "Xen"
2:  .balign 4
3:  \desc
4:  .balign 4
    .popsection
.endm

NOTE XEN_ELFNOTE_GUEST_OS,           .asciz "micro"
NOTE XEN_ELFNOTE_GUEST_VERSION,      .asciz "1"
NOTE XEN_ELFNOTE_XEN_VERSION,        .asciz "xen-3.0"
NOTE XEN_ELFNOTE_LOADER,             .asciz "generic"
NOTE XEN_ELFNOTE_VIRT_BASE,          .quad 0xffffffff80000000
NOTE XEN_ELFNOTE_PADDR_OFFSET,       .quad 0
NOTE XEN_ELFNOTE_ENTRY,              .quad start
NOTE XEN_ELFNOTE_HYPERCALL_PAGE,     .quad hypercall_page
NOTE XEN_ELFNOTE_FEATURES,           .asciz "!writable_page_tables|pae_pgdir_above_4gb"
NOTE XEN_ELFNOTE_SUPPORTED_FEATURES, .long 0x801       /* bit 11: able to be dom0 */
NOTE XEN_ELFNOTE_PAE_MODE,           .asciz "yes"
NOTE XEN_ELFNOTE_L1_MFN_VALID,       .quad 1, 1        /* {mask, value} */
NOTE XEN_ELFNOTE_HV_START_LOW,       .quad 0xffff800000000000
NOTE XEN_ELFNOTE_SUSPEND_CANCEL,     .long 1

    .section .text.head, "ax", @progbits
    .globl start
start:
    mov     %rsp, boot_rsp(%rip)
    lea     boot_stack_end(%rip), %rsp
    xor     %ebp, %ebp
    mov     %rsi, %rdi
    call    guest_main
    ud2

    /* Filled by the hypervisor: 32 bytes for each hypercall number. */
    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip   4096, 0xcc

    .bss
    .balign 8
    .globl boot_rsp
boot_rsp:
    .skip   8
    .balign 16
boot_stack:
    .skip   32768
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
