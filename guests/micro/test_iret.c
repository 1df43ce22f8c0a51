/* SPDX-License-Identifier: BSD-2-Clause */
/* The iret hypercall: how it goes back to the kernel, what it does with rflags and the upcall mask. */

#include "trap.h"

#include "event.h"

/*
 * Makes an iret frame for the next instruction and takes it; out gets what arrived: rax, rcx, r11, rflags,
 * and
 * cs. In: rax 0x1234, rcx 0x5678, r11 0x9abc in the frame.
 */
struct arrival {
    uint64_t rax, rcx, r11, rflags, cs, mask;
};

static void iret_to_self(struct arrival *out, uint64_t flags, uint64_t cs, uint64_t rflags)
{
    __asm__ volatile("mov %%rsp, %%r12\n"
                     "push %[ss]; push %%r12; push %[rflags]; push %[cs]\n"
                     "lea 9f(%%rip), %%rdx; push %%rdx\n"
                     "push %[flags]; push $0x5678; push $0x1abc; push $0x1234\n"
                     "mov $23, %%eax; syscall\n"
                     "ud2\n"
                     "9: mov %%rax, %c[o_rax](%[out]); mov %%rcx, %c[o_rcx](%[out])\n"
                     "mov %%r11, %c[o_r11](%[out])\n"
                     "pushfq; pop %c[o_rflags](%[out]); mov %%cs, %%eax; mov %%rax, %c[o_cs](%[out])\n"
                     :
                     : [out] "r"(out), [ss] "r"((uint64_t)KERNEL_SS), [rflags] "r"(rflags), [cs] "r"(cs),
                       [flags] "r"(flags), [o_rax] "i"(offsetof(struct arrival, rax)),
                       [o_rcx] "i"(offsetof(struct arrival, rcx)), [o_r11] "i"(offsetof(struct arrival, r11)),
                       [o_rflags] "i"(offsetof(struct arrival, rflags)), [o_cs] "i"(offsetof(struct arrival,
                               cs))
                     : "rax", "rcx", "rdx", "r11", "r12", "memory", "cc");
    out->mask = vcpu_info()->evtchn_upcall_mask;
    events_off();
}

TEST(restores_everything)
{
    struct arrival a;

    iret_to_self(&a, 0, KERNEL_CS, 0x2 | 0x8d5);
    EXPECT_EQ(a.rax, 0x1234);
    EXPECT_EQ(a.rcx, 0x5678);
    EXPECT_EQ(a.r11, 0x1abc);
    EXPECT_EQ(a.cs, KERNEL_CS | 3);
    EXPECT_EQ(a.rflags & 0x8d5, 0x8d5);
}

TEST(rpl_one_is_kernel)
{
    struct arrival a;

    iret_to_self(&a, 0, KERNEL_CS | 1, 0x2);
    EXPECT_EQ(a.rax, 0x1234);
    EXPECT_EQ(a.cs, KERNEL_CS | 3);
}

TEST(in_syscall)
{
    struct arrival a;

    iret_to_self(&a, VGCF_in_syscall, KERNEL_CS, 0x246);
    EXPECT_EQ(a.rax, 0x1234);
    /* rcx and r11 are what sysret would leave */
    EXPECT_NE(a.rcx, 0x5678);
    EXPECT_EQ(a.r11, 0x246);
    EXPECT_EQ(a.mask, 0);
}

TEST(interrupt_flag)
{
    struct arrival a;

    iret_to_self(&a, 0, KERNEL_CS, 0x202);
    EXPECT_EQ(a.mask, 0);
    EXPECT_EQ(a.rflags & 0x200, 0x200);
    iret_to_self(&a, 0, KERNEL_CS, 0x002);
    EXPECT_EQ(a.mask, 1);
    EXPECT_EQ(a.rflags & 0x200, 0x200);         /* the real one stays set */
}

TEST(dangerous_flags)
{
    struct arrival a;

    /* IOPL 3, NT, RF, VM, AC, VIF, VIP, ID asked for */
    iret_to_self(&a, 0, KERNEL_CS, 0x3f7202);
    EXPECT_EQ(a.rflags & 0x3000, 0);
    EXPECT_EQ(a.rflags & 0x20000, 0);
    obs("rflags", (long)(a.rflags & ~0x8d5UL));
    __asm__ volatile("pushfq; andl $~0x244000, (%%rsp); popfq" : : : "memory", "cc");
}

/* Linux uses the instruction itself to serialise: it goes to its own selector without the hypervisor. */
TEST(native_iretq)
{
    uint64_t mark = 0;

    trap_forget();
    __asm__ volatile("mov %%rsp, %%rdx; mov %%ss, %%eax; push %%rax; push %%rdx; pushfq\n"
                     "mov %%cs, %%eax; push %%rax\n"
                     "lea 9f(%%rip), %%rax; push %%rax\n"
                     "iretq\n"
                     "9: mov $1, %0\n"
                     : "=r"(mark) : : "rax", "rdx", "memory");
    EXPECT_EQ(mark, 1);
    EXPECT_EQ(trap_seen.count, 0);
}

/* An event that became pending while masked is delivered by the iret that unmasks. */
TEST(delivers_pending)
{
    long port = port_bind_ipi(0);
    struct arrival a;

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    upcalls = 0;
    port_count[port] = 0;
    EXPECT_EQ(vcpu_info()->evtchn_upcall_pending, 1);
    iret_to_self(&a, 0, KERNEL_CS, 0x202);
    EXPECT_EQ(upcalls, 1);
    EXPECT_EQ(port_count[port], 1);
    EXPECT_EQ(a.rax, 0x1234);
    EXPECT_EQ(a.rcx, 0x5678);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

/* The frame is read from the guest stack; when it is not there, the domain dies. */
TEST_DESTRUCTIVE(iret_no_stack)
{
    __asm__ volatile("mov $0x1000, %rsp; mov $23, %eax; syscall");
}
