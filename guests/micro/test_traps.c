/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions of the guest kernel come back through its trap table, with the frame and the state the ABI
 * promises.
 */

#include "trap.h"

#include "event.h"
#include "mm.h"

/* What every frame from kernel mode shows. */
static void expect_kernel_frame(unsigned int vector, uint64_t rip)
{
    EXPECT_EQ(trap_vector(), vector);
    EXPECT_EQ(trap_seen.count, 1);
    EXPECT_EQ(trap_seen.regs.rip, rip);
    EXPECT_EQ(trap_seen.regs.cs & 0xffff, KERNEL_CS);
    EXPECT_EQ(trap_seen.regs.cs >> 32, !(trap_seen.regs.rflags & 0x200));       /* saved_upcall_mask */
    EXPECT_EQ(trap_seen.regs.ss, KERNEL_SS);
    EXPECT_EQ(trap_seen.mask, 1);
}

#define HERE(label) ({ extern char label[]; (uint64_t)label; })

TEST(undefined_opcode)
{
    trap_forget();
    __asm__ volatile(".globl at_ud2\nat_ud2: 1: ud2\n2:\n" FIXUP);
    expect_kernel_frame(6, HERE(at_ud2));
    EXPECT_EQ(trap_seen.regs.error, 0);
}

TEST(registers_survive)
{
    uint64_t rcx, r11, rax, rdx, r8;

    trap_forget();
    __asm__ volatile("mov $0x111, %%eax; mov $0x222, %%ecx; mov $0x333, %%edx\n"
                     "mov $0x444, %%r8d; mov $0x555, %%r11d\n"
                     "1: ud2\n2:\n" FIXUP
                     "mov %%r8, %0; mov %%r11, %1\n"
                     : "=m"(r8), "=m"(r11), "=a"(rax), "=c"(rcx), "=d"(rdx)
                     :
                     : "r8", "r11", "memory");
    EXPECT_EQ(trap_seen.regs.rcx, 0x222);
    EXPECT_EQ(trap_seen.regs.r11, 0x555);
    EXPECT_EQ(rax, 0x111);
    EXPECT_EQ(rcx, 0x222);
    EXPECT_EQ(rdx, 0x333);
    EXPECT_EQ(r8, 0x444);
    EXPECT_EQ(r11, 0x555);
}

TEST(divide)
{
    trap_forget();
    __asm__ volatile(".globl at_div\nat_div: 1: div %%ecx\n2:\n" FIXUP : : "a"(1), "d"(0), "c"(0));
    expect_kernel_frame(0, HERE(at_div));
}

TEST(breakpoint)
{
    trap_forget();
    __asm__ volatile(".globl at_int3\nat_int3: int3\n");
    expect_kernel_frame(3, HERE(at_int3) + 1);
}

TEST(overflow_by_int4)
{
    trap_forget();
    __asm__ volatile(".globl at_int4\nat_int4: .byte 0xcd, 4\n");
    expect_kernel_frame(4, HERE(at_int4) + 2);
}

TEST(int_0x80)
{
    trap_forget();
    __asm__ volatile(".globl at_int80\nat_int80: int $0x80\n");
    expect_kernel_frame(0x80, HERE(at_int80) + 2);
}

TEST(general_protection)
{
    trap_forget();
    __asm__ volatile(".globl at_gp\nat_gp: 1: mov (%%rax), %%rax\n2:\n" FIXUP
                     : : "a"(0x8000000000000000) : "memory");
    expect_kernel_frame(13, HERE(at_gp));
    EXPECT_EQ(trap_seen.regs.error, 0);

    TRY("mov %%ax, %%ds", : : "a"(0x1000));
    EXPECT_EQ(trap_vector(), 13);
    EXPECT_EQ(trap_seen.regs.error, 0x1000);
}

TEST(page_fault_read)
{
    trap_forget();
    __asm__ volatile(".globl at_pf\nat_pf: 1: mov (%%rax), %%rax\n2:\n" FIXUP
                     : : "a"(SCRATCH + 0x123456) : "memory");
    expect_kernel_frame(14, HERE(at_pf));
    EXPECT_EQ(trap_seen.cr2, SCRATCH + 0x123456);
    EXPECT_EQ(trap_seen.regs.error, 0);
}

TEST(page_fault_write)
{
    TRY("mov %%rax, (%%rax)", : : "a"(SCRATCH + 0x123456) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.regs.error, 2);
}

TEST(page_fault_readonly)
{
    char *page = page_alloc();

    EXPECT_EQ(make_readonly(page), 0);
    TRY("mov %%rax, (%%rax)", : : "a"(page + 8) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.cr2, (uint64_t)(page + 8));
    EXPECT_EQ(trap_seen.regs.error, 3);
    EXPECT_EQ(make_writable(page), 0);
    page_free(page);
}

static bool return_to_caller(struct regs *regs)
{
    regs->rip = *(uint64_t *)regs->rsp;
    regs->rsp += 8;
    return true;
}

TEST(page_fault_fetch)
{
    unsigned char *page = page_alloc();

    page[0] = 0xc3;
    EXPECT_EQ(update_va(page, mfn_of(page) << 12 | PTE_FLAGS | PTE_NX, UVMF_INVLPG), 0);
    trap_hook = return_to_caller;
    trap_forget();
    __asm__ volatile("call *%%rax" : : "a"(page) : "memory");
    trap_hook = NULL;
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.regs.rip, (uint64_t)page);
    EXPECT_EQ(trap_seen.cr2, (uint64_t)page);
    EXPECT_EQ(trap_seen.regs.error, 0x11);
    EXPECT_EQ(make_writable(page), 0);
    trap_forget();
    __asm__ volatile("call *%%rax" : : "a"(page) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    page_free(page);
}

TEST(page_fault_in_hypervisor_area)
{
    TRY("mov (%%rax), %%rax", : : "a"(0xffff830000000000) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    obs("read_error", (long)trap_seen.regs.error);
    EXPECT_EQ(trap_seen.cr2, 0xffff830000000000);
    TRY("mov %%rax, (%%rax)", : : "a"(MACH2PHYS_VIRT_START) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.cr2, MACH2PHYS_VIRT_START);
    EXPECT_EQ(trap_seen.regs.error, 3);
}

TEST(single_step)
{
    uint64_t dr6;

    trap_forget();
    hypercall(__HYPERVISOR_set_debugreg, 6, 0xffff0ff0);
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
                     ".globl at_step\nat_step: nop\n"
                     "pushfq; andl $~0x100, (%%rsp); popfq; nop\n" : : : "memory", "cc");
    EXPECT_GE(trap_seen.count, 1);
    EXPECT_EQ(trap_vector(), 1);
    EXPECT_EQ(trap_seen.handler_rflags & 0x100, 0);
    obs("steps", trap_seen.count);
    dr6 = (uint64_t)hypercall(__HYPERVISOR_get_debugreg, 6);
    EXPECT_EQ(dr6 & 0x4000, 0x4000);
}

TEST(handler_flags)
{
    trap_forget();
    /* ID, AC, NT, DF set, as an interrupted program may have them */
    __asm__ volatile("pushfq; orl $0x244400, (%%rsp); popfq\n"
                     "1: ud2\n2: pushfq; andl $~0x244400, (%%rsp); popfq\n" FIXUP : : : "memory", "cc");
    EXPECT_EQ(trap_vector(), 6);
    EXPECT_EQ(trap_seen.regs.rflags & 0x44400, 0x44400);
    EXPECT_EQ(trap_seen.handler_rflags & 0x44100, 0);
    EXPECT_EQ(trap_seen.handler_rflags & 0x3000, 0);
    EXPECT_EQ(trap_seen.handler_rflags & 0x200, 0x200);
}

TEST(interrupt_flag_shows_mask)
{
    events_off();
    TRY("ud2", : :);
    EXPECT_EQ(trap_seen.regs.rflags & 0x200, 0);
    events_on();
    TRY("ud2", : :);
    EXPECT_EQ(trap_seen.regs.rflags & 0x200, 0x200);
    EXPECT_EQ(trap_seen.mask, 1);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 0);      /* iret brought it back */
    events_off();
}

TEST(frame_is_aligned)
{
    trap_forget();
    __asm__ volatile("mov %%rsp, %%rbx; and $-16, %%rsp; sub $8, %%rsp\n"
                     "1: ud2\n2: mov %%rbx, %%rsp\n" FIXUP : : : "rbx", "memory");
    EXPECT_EQ(trap_vector(), 6);
    EXPECT_EQ(trap_seen.regs.rsp & 15, 8);
    obs("distance", (long)(trap_seen.regs.rsp - trap_seen.handler_rsp));
}

TEST(floating_point_error)
{
    uint16_t control = 0x37b;           /* divide by zero unmasked; SSE's #XM is not in QEMU's TCG */

    trap_forget();
    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp\n 1: fwait\n2: fninit\n" FIXUP
                     : : "m"(control) : "memory");
    EXPECT_EQ(trap_vector(), 16);
}

TEST(set_trap_table_errors)
{
    static struct trap_info one[2];

    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, 8), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, MACH2PHYS_VIRT_END - 8), -XEN_EFAULT);

    /* Another handler for one vector leaves the others alone. */
    one[0] = (struct trap_info){ .vector = 6, .flags = 4, .cs = KERNEL_CS | 3,
                                 .address = U(trap_stub(0x81)) };
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, one), 0);
    TRY("ud2", : :);
    EXPECT_EQ(trap_vector(), 0x81);
    TRY("mov (%%rax), %%rax", : : "a"(SCRATCH) : "memory");
    EXPECT_EQ(trap_vector(), 14);

    /* Selectors get the privilege the guest kernel runs at. */
    one[0].cs = KERNEL_CS;
    one[0].address = U(trap_stub(6));
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, one), 0);
    TRY("ud2", : :);
    EXPECT_EQ(trap_vector(), 6);

    /* Without the mask flag the upcall mask stays as it was. */
    one[0].flags = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, one), 0);
    events_on();
    TRY("ud2", : :);
    EXPECT_EQ(trap_seen.mask, 0);
    events_off();
    one[0].flags = 4;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, one), 0);
}

TEST(set_trap_table_empty)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_set_trap_table, NULL), 0);
    trap_init();
    TRY("ud2", : :);
    EXPECT_EQ(trap_vector(), 6);
}

/* No handler: the domain dies, the hypervisor lives. */
TEST_DESTRUCTIVE(no_handler)
{
    hypercall(__HYPERVISOR_set_trap_table, NULL);
    __asm__ volatile("ud2");
}

/* A frame that cannot be stored: the same. */
TEST_DESTRUCTIVE(no_stack)
{
    __asm__ volatile("mov $0x1000, %rsp; ud2");
}
