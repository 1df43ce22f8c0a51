/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short ways: what a guest does most often goes through the hypervisor here, with little C or none; and so does the way out
 * from C.
 *
 *   a system call of its user mode, to its kernel      core/bounce.c: bounce_syscall()
 *   #PF and #UD, to its kernel                         core/guest_trap.c, bounce_trap()
 *   HYPERVISOR_iret, back from it                      bounce_iret()
 *   any other hypercall, as far as its handler in C    abi/hypercall.c: hypercall_entry()
 *   an event, to the kernel                            bounce_pending()
 *   CPUID with the forced-emulation prefix             core/privop.c: privop_forced_cpuid()
 *
 * They do what the functions named do, for the plain case. Whatever is not plain (work to do on the way out, an exit root, a
 * log of written pages, a frame that is not in the upper half, a handler that is not there, ...) takes the long way, before
 * anything was changed; so does a fault at the guest's memory, with what was changed put back.
 *
 * Throughout: rsp = the frame, from r8 on (SAVE_WORKING); rdi = the CPU, rsi = its vCPU, r8 = where the guest's frame is;
 * rax, rcx, rdx are free, and all other registers are the guest's. None of them is ever an address here.
 */
#include "x86/entry_asm.h"

        .section .text.entry, "ax", @progbits

#define SLOT(field) (field - REGS_r8)(%rsp)     /* a field of struct cpu_regs or stack_top */

/* rdi and rsi. */
.macro WHO
        mov     SLOT(FRAME_cpu), %rdi
        mov     PCPU_current(%rdi), %rsi
.endm

/* Nothing of the hypervisor's but this section and the frame is mapped while there is an exit root. */
.macro NO_EXIT_ROOT others
        cmpq    $0, SLOT(FRAME_exit_root)
        jne     \others
.endm

/*
 * Nothing else is to be done on this passage: what core_exit_needed() asks, but for events, and nobody listens to the recorder
 * (which is there, where guests run). What comes later kicks us. The drain list is empty, for only C puts anything there.
 */
.macro NO_WORK others
        mov     VCPU_pause(%rsi), %rax          /* and nmi_pending */
        or      PCPU_work(%rdi), %rax           /* and listened */
        jnz     \others
.endm

/* Nobody logs the pages that are written. Leaves rdx = the domain. */
.macro NO_LOG others
        mov     VCPU_domain(%rsi), %rdx
        cmpq    $0, DOMAIN_dirty(%rdx)
        jne     \others
.endm

/* None waits, or the guest has them masked. */
.macro NO_EVENT others
        mov     VCPU_info(%rsi), %rax
        cmpb    $0, INFO_pending(%rax)
        je      9f
        cmpb    $0, INFO_mask(%rax)
        je      \others
9:
.endm

/* The next record of the flight recorder, as trace() takes it: rcx. Changes rax. */
.macro NEXT_RECORD
        mov     PCPU_trace(%rdi), %rax
        mov     TRACE_next(%rax), %ecx
        incl    TRACE_next(%rax)
        and     $(TRACE_RECORDS_EACH - 1), %ecx
        shl     $6, %ecx
        add     TRACE_record(%rax), %rcx
.endm

/* What is in each record. Leaves rax = rip, changes rdx. */
.macro RECORD_FRAME
        rdtsc
        mov     %eax, (%rcx)
        mov     %edx, 4(%rcx)
        mov     VCPU_who(%rsi), %eax
        mov     %eax, RECORD_who(%rcx)
        mov     SLOT(REGS_rip), %rax
        mov     %rax, RECORD_rip(%rcx)
        movq    $RECORD_NO_RESULT, RECORD_result(%rcx)
.endm

/* With the event; the words are still to be written. */
.macro RECORD event
        NEXT_RECORD
        RECORD_FRAME
        movl    $\event, RECORD_event(%rcx)
.endm

/* machine_set_mode(): GS base and root, which is none of the hypervisor's own while there is no exit root and no log. */
.macro SET_MODE root, kernel
        swapgs
        movb    $\kernel, VCPU_kernel_mode(%rsi)
        mov     \root(%rsi), %rcx
        shl     $12, %rcx
        mov     $1, %eax                /* as tlb_load_root() */
        lock xadd %rax, flush_clock(%rip)
        inc     %rax
        mov     %rcx, SLOT(FRAME_full_root)
        mov     %rcx, %cr3
        mov     %rax, PCPU_flush_clock(%rdi)
        incl    PCPU_perf + 4 * PERF_FLUSHES(%rdi)
.endm

/* From user mode, if the guest was in it. */
.macro TO_KERNEL user
        .if \user
        SET_MODE VCPU_root_kernel, 1
        .endif
.endm

/*
 * Can a frame of so many words be put on the kernel's stack for `handler`, a field of the vCPU? Leaves r8 = where it goes: all
 * of it in the upper half of the guest's addresses. Its own I/O privilege in the flags is not plain.
 */
.macro CAN_BOUNCE handler, words, user, others
        NO_LOG  \others
        testl   $VM_ASSIST_IOPL, DOMAIN_vm_assist(%rdx)
        jnz     \others
        mov     \handler(%rsi), %rdx       /* va_canonical(), and not 0 */
        test    %rdx, %rdx
        jz      \others
        sar     $47, %rdx
        inc     %rdx
        cmp     $1, %rdx
        ja      \others
        .if \user
        cmpq    $-1, VCPU_root_kernel(%rsi)
        je      \others
        mov     VCPU_kernel_sp(%rsi), %r8
        .else
        mov     SLOT(REGS_rsp), %r8
        .endif
        movabs  $(GUEST_UPPER + 16 * 8), %rax
        cmp     %rax, %r8
        jb      \others
        and     $-16, %r8
        sub     $(8 * \words), %r8
.endm

/* Writes the frame: rcx, r11, the error code in rdx if there is one, and return_frame(). */
.macro PUT_FRAME error, user, fix
        SMAP_SITE 1
        mov     SLOT(REGS_rcx), %rax
        GUEST   \fix, mov %rax, (%r8)
        GUEST   \fix, mov %r11, 8(%r8)
        .if \error
        GUEST   \fix, mov %rdx, 16(%r8)
        .endif
        mov     VCPU_info(%rsi), %rdx
        cmpb    $1, INFO_mask(%rdx)
        sbb     %eax, %eax                      /* all ones: events are open */
        lea     1(%rax), %ecx
        and     $X86_FLAGS_IF, %eax
        mov     SLOT(REGS_rip), %rdx
        GUEST   \fix, mov %rdx, 16 + 8 * \error(%r8)
        movzwl  SLOT(REGS_cs), %edx
        .if !\user
        and     $~3, %edx
        .endif
        shl     $32, %rcx
        or      %rcx, %rdx
        GUEST   \fix, mov %rdx, 24 + 8 * \error(%r8)
        mov     SLOT(REGS_rflags), %edx
        and     $~(X86_FLAGS_IF | X86_FLAGS_IOPL), %edx
        or      %eax, %edx
        GUEST   \fix, mov %rdx, 32 + 8 * \error(%r8)
        mov     SLOT(REGS_rsp), %rax
        GUEST   \fix, mov %rax, 40 + 8 * \error(%r8)
        movzwl  SLOT(REGS_ss), %eax
        GUEST   \fix, mov %rax, 48 + 8 * \error(%r8)
        SMAP_SITE 0
.endm

/*
 * To the handler, as enter_kernel() and enter_guest() have it; with events masked, where `mask` is given: if `flag` is set there.
 * Handlers expect nothing in rcx and r11, which are in the frame that was put on the stack. CAN_BOUNCE has looked at the
 * address, and nobody else writes it while the vCPU is on its CPU.
 */
.macro GO_TO way, handler, mask, flag
        .ifnb \mask
        testb   $\flag, \mask(%rsi)
        jz      1f
        .endif
        mov     VCPU_info(%rsi), %rax
        movb    $1, INFO_mask(%rax)
1:
        .ifc \way, sysret
        mov     SLOT(REGS_rflags), %r11d
        and     $~FLAGS_NOT_INHERITED, %r11d
        or      $(X86_FLAGS_IF | X86_FLAGS_MBS), %r11d
        mov     %r8, SLOT(REGS_rsp)
        mov     \handler(%rsi), %rcx
        POP_BUT_RCX
        SYSRET
        .else
        mov     \handler(%rsi), %rax
        mov     %rax, SLOT(REGS_rip)
        movq    $KERNEL_CS, SLOT(REGS_cs)
        andl    $~FLAGS_NOT_INHERITED, SLOT(REGS_rflags)
        orl     $(X86_FLAGS_IF | X86_FLAGS_MBS), SLOT(REGS_rflags)
        mov     %r8, SLOT(REGS_rsp)
        movq    $KERNEL_SS, SLOT(REGS_ss)
        jmp     short_leave
        .endif
.endm

/* ---- System calls and hypercalls ---- */

/* From syscall_stubs: rsp = the frame, from rsp on. */
.macro SYSCALL_FRAME
        movq    $0xe02b, 8(%rsp)        /* FLAT_RING3_SS64 */
        push    %r11
        push    $0xe033                 /* FLAT_RING3_CS64 */
        push    %rcx
        push    $0
        movl    $0x100, 4(%rsp)
        SAVE_WORKING
.endm

/* On a machine whose domains, or some of them, have exit roots; on others nobody looks. */
        .align  16
        .globl  syscall_entry_xpti
syscall_entry_xpti:
        cmpq    $0, FRAME_exit_root - REGS_rsp(%rsp)
        je      syscall_entry
        SYSCALL_FRAME
        jmp     syscall_others

/* The syscall instruction: a hypercall from the guest's kernel, a system call from its user mode. */
        .align  16
        .globl  syscall_entry
syscall_entry:
        SYSCALL_FRAME
        WHO
        cmpb    $0, VCPU_kernel_mode(%rsi)
        jne     hypercall
        NO_WORK syscall_others
        NO_EVENT syscall_others
        CAN_BOUNCE VCPU_syscall_va, 7, 1, syscall_others
        TO_KERNEL 1
        PUT_FRAME 0, 1, syscall_undo
        RECORD  RECORD_SYSCALL
        mov     %rax, RECORD_word(%rcx)
        incl    PCPU_perf + 4 * PERF_SYSCALLS(%rdi)
        GO_TO   sysret, VCPU_syscall_va, VCPU_syscall_mask, 1

syscall_undo:                           /* what it says about the kernel's stack is C's to say */
        SAVE_OTHERS
        call    short_undo
        mov     %rsp, %rdi
        call    syscall_from_guest
        jmp     return_to_guest

/*
 * The frame takes effect: NMIs are open, and events as the guest's flags in ecx have them, which is stored before the look at what is
 * pending: who sends looks the other way round. Leaves r8 = the vCPU's info.
 */
.macro UNMASK
        movb    $0, VCPU_nmi_masked(%rsi)
        mov     VCPU_info(%rsi), %r8
        not     %ecx
        shr     $X86_FLAGS_IF_BIT, %ecx
        and     $1, %ecx
        xchg    %cl, INFO_mask(%r8)
.endm

/* The guest's words, each read once. The frame may be filled at once: the long way would fill it again. */
hypercall_iret:
        NO_WORK syscall_others
        NO_LOG  syscall_others
        mov     SLOT(REGS_rsp), %r8
        movabs  $GUEST_UPPER, %rax
        lea     IRET_BYTES - 1(%r8), %rcx
        cmp     %rax, %r8
        jb      syscall_others
        cmp     %rax, %rcx
        jb      syscall_others
        RECORD  RECORD_HYPERCALL
        movl    $HYPERCALL_IRET, RECORD_word(%rcx)
        incl    PCPU_perf + 4 * (PERF_HYPERCALLS + HYPERCALL_IRET)(%rdi)
        SMAP_SITE 1
        GUEST   iret_undo, testl $IRET_IN_SYSCALL, IRET_flags(%r8)
        jnz     iret_in_syscall
        GUEST   iret_undo, mov IRET_rax(%r8), %rax
        GUEST   iret_undo, mov IRET_r11(%r8), %r11
        GUEST   iret_undo, mov IRET_rcx(%r8), %rdx
        mov     %rax, SLOT(REGS_rax)
        mov     %rdx, SLOT(REGS_rcx)
        GUEST   iret_undo, mov IRET_rip(%r8), %rax
        GUEST   iret_undo, mov IRET_rflags(%r8), %edx
        mov     %rax, SLOT(REGS_rip)
        mov     %edx, %ecx
        and     $~FLAGS_NEVER, %edx
        or      $(X86_FLAGS_IF | X86_FLAGS_MBS), %edx
        mov     %rdx, SLOT(REGS_rflags)
        GUEST   iret_undo, movzwl IRET_ss(%r8), %edx
        GUEST   iret_undo, movzwl IRET_cs(%r8), %eax
        GUEST   iret_undo, mov IRET_rsp(%r8), %r8
        SMAP_SITE 0
        test    $0xfffc, %edx                   /* eax: cs, ecx: flags as the guest had them, edx: ss, r8: rsp */
        jnz     1f
        mov     $KERNEL_SS, %edx
1:      or      $3, %edx
        mov     %rdx, SLOT(REGS_ss)
        mov     %eax, %edx
        or      $3, %eax
        cmp     %eax, %edx
        jne     1f
        cmpq    $-1, VCPU_root_user(%rsi)
        je      iret_undo
1:      mov     %rax, SLOT(REGS_cs)
        mov     %r8, SLOT(REGS_rsp)
        UNMASK
        cmp     %eax, %edx
        jne     1f                              /* to the kernel itself */
        SET_MODE VCPU_root_user, 0
1:      cmpb    $0, INFO_pending(%r8)
        je      short_leave
        cmpb    $0, INFO_mask(%r8)
        jne     short_leave
        jmp     event_sysret

/* To a program, whose selectors in the frame do not count: FLAT_RING3_CS64, or the one of Linux for such code. By SYSRET. */
iret_in_syscall:
        GUEST   iret_undo, movzwl IRET_cs(%r8), %eax
        and     $0x1fff, %eax
        cmp     $0x33, %eax
        jne     iret_undo
        GUEST   iret_undo, mov IRET_rip(%r8), %rax
        GUEST   iret_undo, mov IRET_rflags(%r8), %r11d
        mov     %rax, %rcx
        shr     $47, %rcx                       /* a program's, and so canonical */
        jnz     iret_undo
        test    $(FLAGS_NEVER | FLAGS_STEPPED), %r11d
        jnz     iret_undo
        cmpq    $-1, VCPU_root_user(%rsi)
        je      iret_undo
        GUEST   iret_undo, mov IRET_rax(%r8), %rcx
        GUEST   iret_undo, mov IRET_rsp(%r8), %rdx
        SMAP_SITE 0
        mov     %rcx, SLOT(REGS_rax)
        mov     %rdx, SLOT(REGS_rsp)
        mov     %rax, SLOT(REGS_rcx)
        mov     %r11d, %ecx
        or      $(X86_FLAGS_IF | X86_FLAGS_MBS), %r11d
        UNMASK
        SET_MODE VCPU_root_user, 0
        cmpb    $0, INFO_pending(%r8)
        jne     1f
2:      POP_WORKING
        SYSRET
1:      cmpb    $0, INFO_mask(%r8)
        jne     2b
        mov     SLOT(REGS_rcx), %rax
        mov     %rax, SLOT(REGS_rip)
        movq    $KERNEL_CS, SLOT(REGS_cs)
        mov     %r11, SLOT(REGS_rflags)
        movq    $KERNEL_SS, SLOT(REGS_ss)
        jmp     event_sysret

iret_undo:
        movq    $HYPERCALL_IRET, SLOT(REGS_rax)
        jmp     syscall_others

/* ---- Exceptions: from trap_stubs ---- */

/* What the long way would do with an exception that could not be put on the kernel's stack; from user mode, undone. */
.macro LONG_WAY user
        .if \user
        SAVE_OTHERS
        call    short_undo
        mov     %rsp, %rdi
        call    trap_from_guest
        jmp     return_to_guest
        .else
        jmp     trap_others
        .endif
.endm

.macro UNDEFINED user
        SMAP_SITE 1
        GUEST   trap_others, cmpl $FORCED_EMULATION, (%rcx)     /* from where the guest has fetched it itself */
        SMAP_SITE 0
        je      forced_emulation
        NO_WORK trap_others
        NO_EVENT trap_others
        CAN_BOUNCE VCPU_trap_ud, 7, \user, trap_others
        TO_KERNEL \user
        PUT_FRAME 0, \user, ud_undo_\user
        RECORD  RECORD_TRAP
        mov     %rax, RECORD_word(%rcx)
        movq    $X86_UD, RECORD_word + 8(%rcx)
        incl    PCPU_perf + 4 * (PERF_EXCEPTIONS + X86_UD)(%rdi)
        GO_TO   sysret, VCPU_trap_ud, VCPU_trap_ud_flags, TRAP_MASKS_EVENTS
ud_undo_\user:
        LONG_WAY \user
.endm

        .align  16
        .globl  short_ud
short_ud:
        testb   $3, REGS_cs - REGS_error_code(%rsp)
        jz      trap_common
        SAVE_WORKING
        NO_EXIT_ROOT trap_others
        WHO
        mov     SLOT(REGS_rip), %rcx
        cmpb    $0, VCPU_kernel_mode(%rsi)
        jne     ud_kernel
        mov     %rcx, %rax
        shr     $46, %rax
        jnz     trap_others
        UNDEFINED 1
ud_kernel:
        movabs  $GUEST_UPPER, %rax
        cmp     %rax, %rcx
        jb      trap_others
        UNDEFINED 0

/* rcx = rip. All of it is CPUID, and of a leaf that the vCPU has asked for before? */
forced_emulation:
        SMAP_SITE 1
        GUEST   trap_others, cmpl $FORCED_CPUID_END, FORCED_CPUID_BYTES - 4(%rcx)
        SMAP_SITE 0
        jne     trap_others
        NO_WORK trap_others
        NO_EVENT trap_others
        testl   $FLAGS_STEPPED, SLOT(REGS_rflags)
        jnz     trap_others
        mov     SLOT(REGS_rax), %eax
        mov     SLOT(REGS_rcx), %ecx
        lea     (%rax, %rcx), %edx
        and     $(CPUID_KNOWN - 1), %edx
        shl     $5, %edx
        lea     VCPU_cpuid_known(%rsi, %rdx), %r8
        cmp     %eax, KNOWN_leaf(%r8)
        jne     trap_others
        cmp     %ecx, KNOWN_subleaf(%r8)
        jne     trap_others
        cmpl    $0, KNOWN_valid(%r8)
        je      trap_others
        RECORD  RECORD_TRAP
        mov     %rax, RECORD_word(%rcx)
        movq    $X86_UD, RECORD_word + 8(%rcx)
        incl    PCPU_perf + 4 * (PERF_EXCEPTIONS + X86_UD)(%rdi)
        addq    $FORCED_CPUID_BYTES, SLOT(REGS_rip)
        mov     KNOWN_a(%r8), %eax
        mov     KNOWN_b(%r8), %ebx
        mov     KNOWN_c(%r8), %ecx
        mov     KNOWN_d(%r8), %edx
        mov     %rax, SLOT(REGS_rax)
        mov     %rcx, SLOT(REGS_rcx)
        mov     %rdx, SLOT(REGS_rdx)
        jmp     short_leave

/* A fault of our own at the guest's stack is to leave no trace in CR2. */
.macro PAGE_FAULT user
        NO_WORK trap_others
        NO_EVENT trap_others
        CAN_BOUNCE VCPU_trap_pf, 8, \user, trap_others
        mov     %cr2, %rax
        mov     %rax, SLOT(FRAME_scratch)
        TO_KERNEL \user
        mov     SLOT(REGS_error_code), %edx
        .if !\user
        and     $~PFEC_USER, %edx       /* the kernel runs at CPL 3, but means itself to be the supervisor */
        .endif
        PUT_FRAME 1, \user, pf_undo_\user
        RECORD  RECORD_PAGE_FAULT
        mov     %rax, RECORD_word(%rcx)
        mov     SLOT(REGS_error_code), %eax
        mov     %rax, RECORD_word + 16(%rcx)
        mov     SLOT(FRAME_scratch), %rdx
        mov     %rdx, RECORD_word + 8(%rcx)
        mov     VCPU_info(%rsi), %rax
        mov     %rdx, INFO_cr2(%rax)
        incl    PCPU_perf + 4 * PERF_PAGE_FAULTS(%rdi)
        incl    PCPU_perf + 4 * (PERF_EXCEPTIONS + X86_PF)(%rdi)
        GO_TO   sysret, VCPU_trap_pf, VCPU_trap_pf_flags, TRAP_MASKS_EVENTS
pf_undo_\user:
        mov     SLOT(FRAME_scratch), %rax
        mov     %rax, %cr2
        LONG_WAY \user
.endm

        .align  16
        .globl  short_pf
short_pf:
        testb   $3, REGS_cs - REGS_error_code(%rsp)
        jz      trap_common
        SAVE_WORKING
        NO_EXIT_ROOT trap_others
        WHO
        mov     SLOT(REGS_error_code), %eax
        test    $PFEC_RESERVED, %al
        jnz     trap_others
        cmpb    $0, VCPU_kernel_mode(%rsi)
        jne     pf_kernel
        PAGE_FAULT 1
pf_kernel:
        not     %eax
        test    $(PFEC_PRESENT | PFEC_WRITE), %al       /* both: a page table, maybe */
        jz      trap_others
        PAGE_FAULT 0

/* ---- Hypercalls whose handlers are C ---- */

/*
 * rax = the number. Its row of the table, counted and recorded; then struct hypercall on the stack. What is the guest's in the
 * registers is gone when the handler is called.
 */
        .align  16
hypercall:
        cmp     $HYPERCALL_IRET, %rax
        je      hypercall_iret
        cmp     $HYPERCALL_ROWS, %rax
        jae     hypercall_others
        sbb     %rcx, %rcx                      /* clamp_index() */
        and     %rcx, %rax
        mov     %eax, %ecx
        shl     $5, %ecx
        lea     hypercall_table(%rip), %r8
        add     %rcx, %r8
        cmpb    $0, ROW_plain(%r8)
        je      hypercall_others
        cmpl    $0, PCPU_listened(%rdi)
        jne     hypercall_others
        incl    PCPU_perf + 4 * PERF_HYPERCALLS(%rdi, %rax, 4)
        NEXT_RECORD
        mov     %rdx, RECORD_word + 20(%rcx)
        RECORD_FRAME
        mov     SLOT(REGS_rdi), %rax
        mov     %rax, RECORD_word + 4(%rcx)
        mov     SLOT(REGS_rsi), %rax
        mov     %rax, RECORD_word + 12(%rcx)
        mov     ROW_head(%r8), %rax
        mov     %rax, RECORD_event(%rcx)        /* and the first word */
        PUSH_OTHERS                             /* SYSCALL has cleared DF and AC */
        ZERO    r9d, r10d, r11d, r15d
        mov     %rdi, %rbx                      /* these stay: the CPU, */
        mov     %rsi, %rbp                      /* the vCPU, */
        mov     %rcx, %r12                      /* the record, */
        mov     PCPU_trace(%rdi), %r13
        mov     TRACE_next(%r13), %r14d         /* and how many there were with it */
        pushq   $0
        pushq   REGS_r8 + 8(%rsp)               /* behind what is pushed already */
        pushq   REGS_r10 + 16(%rsp)
        pushq   REGS_rdx + 24(%rsp)
        pushq   REGS_rsi + 32(%rsp)
        pushq   REGS_rdi + 40(%rsp)
        pushq   REGS_rax + 48(%rsp)
        pushq   VCPU_domain(%rsi)
        push    %rsi
        mov     %rsp, %rdi
        call    *ROW_run(%r8)
        mov     TRACE_next(%r13), %ecx          /* trace_result() */
        sub     %r14d, %ecx
        cmp     $TRACE_RECORDS_EACH, %ecx
        jae     1f
        mov     %rax, RECORD_result(%r12)
1:      cmp     $-ERESTART, %rax
        je      restart
        add     $HYPERCALL_SIZE, %rsp
        mov     %rax, REGS_rax(%rsp)

/* ---- Out, from C ---- */

/* An event for the kernel: bounce_pending(). rsp = the frame, from r8 on. */
.macro EVENT way, user
        CAN_BOUNCE VCPU_event_va, 7, \user, event_others
        TO_KERNEL \user
        PUT_FRAME 0, \user, event_undo_\user
        RECORD  RECORD_UPCALL
        mov     %rax, RECORD_word(%rcx)
        incl    PCPU_perf + 4 * PERF_UPCALLS(%rdi)
        GO_TO   \way, VCPU_event_va
.endm

/*
 * rsp = the whole frame. What leave_to_guest() does, if there is nothing to do but an event, at most.
 * sysret: the frame is that of a hypercall of the guest's kernel, and but for rax as syscall_entry made it.
 */
.macro OUT way, cpu, vcpu
        mov     VCPU_drain(\vcpu), %eax
        or      VCPU_pause(\vcpu), %rax         /* and nmi_pending */
        or      PCPU_work(\cpu), %rax           /* and listened */
        jnz     leave_long
        .ifc    \way, iret
        cmpq    $0, FRAME_exit_root(%rsp)
        jne     leave_long
        .endif
#ifndef NDEBUG
        cmpl    $0, PCPU_locks_held(\cpu)       /* C complains of it */
        jne     leave_long
#endif
        movq    $BUDGET_UNITS, PCPU_budget(\cpu)        /* own_faults, too: budget_begin() */
        mov     VCPU_info(\vcpu), %rax
        cmpb    $0, INFO_pending(%rax)
        jne     1f
2:
        .ifc    \way, sysret
        cmpl    $(GUEST_UPPER >> 32), REGS_rcx + 4(%rsp)        /* rip, which SYSCALL left there */
        jb      out_by_iret
        testl   $(FLAGS_NEVER | X86_FLAGS_TF), REGS_r11(%rsp)   /* TF would trap before the guest's next instruction, not behind it */
        jnz     out_by_iret
        orl     $(X86_FLAGS_IF | X86_FLAGS_MBS), REGS_r11(%rsp)
        RESTORE_OTHERS
        POP_WORKING
        SYSRET
        .else
out_by_iret:
        andl    $~FLAGS_NEVER, REGS_rflags(%rsp)
        orl     $(X86_FLAGS_IF | X86_FLAGS_MBS), REGS_rflags(%rsp)
        orl     $3, REGS_cs(%rsp)
        orl     $3, REGS_ss(%rsp)
        RESTORE_REGS
        jmp     guest_iret
        .endif
1:      cmpb    $0, INFO_mask(%rax)
        jne     2b
        .ifc    \way, sysret
        mov     \cpu, %rdi
        mov     \vcpu, %rsi
        .endif
        RESTORE_OTHERS
event_\way:
        cmpb    $0, VCPU_kernel_mode(%rsi)
        jne     event_in_kernel_\way
        EVENT   \way, 1
event_in_kernel_\way:
        EVENT   \way, 0
.endm

        OUT     sysret, %rbx, %rbp
out:    OUT     iret, %rdi, %rsi

event_undo_1:
        SAVE_OTHERS
        call    short_undo
        jmp     leave_long
event_undo_0:
event_others:
        SAVE_OTHERS
        jmp     leave_long

short_leave:
        RESTORE_WORKING
        jmp     guest_iret

/* rsp = the whole frame; maybe nobody runs here any more. */
        .align  16
        .globl  short_return
short_return:
        mov     FRAME_cpu(%rsp), %rdi
        mov     PCPU_current(%rdi), %rsi
        test    %rsi, %rsi
        jnz     out
        jmp     leave_long

/* The handler goes on when the guest has executed the hypercall again. As hypercall: rsp = struct hypercall. */
restart:
        mov     %rsp, %rdi
        call    hypercall_again
        add     $HYPERCALL_SIZE, %rsp
        jmp     short_return

        .section .note.GNU-stack, "", @progbits
