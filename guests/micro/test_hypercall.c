/* SPDX-License-Identifier: BSD-2-Clause */
/* The call itself: which registers live, the hypercall page, numbers that mean nothing. */

#include "micro.h"

#include <xen/sched.h>

struct all_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
};

/*
 * sched_op(yield) with every register holding 0x1000 + its number, by `syscall` or through the hypercall
 * page.
 */
#define CALL_WITH_ALL_REGS(out, how)                                                        \
    __asm__ volatile("push %%rbp; push %%rbx; push %0\n"                                    \
                     "mov $0x1001, %%ebx; mov $0x1002, %%ecx; mov $0x1003, %%edx\n"         \
                     "mov $0x1006, %%ebp; mov $0x1008, %%r8d; mov $0x1009, %%r9d\n"         \
                     "mov $0x100a, %%r10d; mov $0x100b, %%r11d; mov $0x100c, %%r12d\n"      \
                     "mov $0x100d, %%r13d; mov $0x100e, %%r14d; mov $0x100f, %%r15d\n"      \
                     "xor %%edi, %%edi; mov $0x1004, %%esi; mov %1, %%eax\n"                \
                     how                                                                    \
                     "push %%rax; pushfq; mov 16(%%rsp), %%rax\n"                           \
                     "mov %%rbx, 8(%%rax); mov %%rcx, 16(%%rax); mov %%rdx, 24(%%rax)\n"    \
                     "mov %%rsi, 32(%%rax); mov %%rdi, 40(%%rax); mov %%rbp, 48(%%rax)\n"   \
                     "mov %%r8, 56(%%rax); mov %%r9, 64(%%rax); mov %%r10, 72(%%rax)\n"     \
                     "mov %%r11, 80(%%rax); mov %%r12, 88(%%rax); mov %%r13, 96(%%rax)\n"   \
                     "mov %%r14, 104(%%rax); mov %%r15, 112(%%rax)\n"                       \
                     "pop 120(%%rax); pop (%%rax)\n"                                        \
                     "add $8, %%rsp; pop %%rbx; pop %%rbp\n"                                \
                     :                                                                      \
                     : "a"(out), "i"(__HYPERVISOR_sched_op)                                 \
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", \
                       "memory", "cc")

static void expect_preserved(const struct all_regs *r)
{
    EXPECT_EQ(r->rax, 0);
    EXPECT_EQ(r->rbx, 0x1001);
    EXPECT_EQ(r->rbp, 0x1006);
    EXPECT_EQ(r->r9, 0x1009);
    EXPECT_EQ(r->r12, 0x100c);
    EXPECT_EQ(r->r13, 0x100d);
    EXPECT_EQ(r->r14, 0x100e);
    EXPECT_EQ(r->r15, 0x100f);
}

TEST(registers)
{
    struct all_regs r = { 0 };

    CALL_WITH_ALL_REGS(&r, "syscall\n");
    expect_preserved(&r);
    EXPECT_EQ(r.rflags & 0x200, 0x200);
    EXPECT_EQ(r.rflags & 0x3000, 0);
    obs("rdi_kept", r.rdi == 0);
    obs("rsi_kept", r.rsi == 0x1004);
    obs("rdx_kept", r.rdx == 0x1003);
    obs("r10_kept", r.r10 == 0x100a);
    obs("r8_kept", r.r8 == 0x1008);
}

TEST(page)
{
    struct all_regs r = { 0 };

    if (!EXPECT_NE((uint8_t)hypercall_page[0], 0xcc))
        return;
    CALL_WITH_ALL_REGS(&r, "call hypercall_page + 32 * 29\n");
    expect_preserved(&r);
}

TEST(unknown_numbers)
{
    static const uint64_t numbers[] = {
        11,                             /* never used since the 32-bit days */
        43, 47, 56, 60, 63, 64, 100, 1000, 0x7fffffff, 0x80000000, 0x100000000, 0x100000011, ~0UL,
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(numbers); i++)
        if (!EXPECT_EQ(hypercall5(numbers[i], 0, 0, 0, 0, 0), -XEN_ENOSYS))
            print("# number %lx\n", numbers[i]);
}

TEST(absent_families)
{
    static const struct { unsigned int nr; const char *name; } absent[] = {
        { __HYPERVISOR_xsm_op, "xsm_op" },
        { __HYPERVISOR_tmem_op, "tmem_op" },
        { __HYPERVISOR_xenpmu_op, "xenpmu_op" },
        { __HYPERVISOR_argo_op, "argo_op" },
        { __HYPERVISOR_sched_op_compat, "sched_op_compat" },
        { __HYPERVISOR_event_channel_op_compat, "event_channel_op_compat" },
        { __HYPERVISOR_physdev_op_compat, "physdev_op_compat" },
        { __HYPERVISOR_nmi_op, "nmi_op" },
        { __HYPERVISOR_kexec_op, "kexec_op" },
        { __HYPERVISOR_xenoprof_op, "xenoprof_op" },
        { __HYPERVISOR_hypfs_op, "hypfs_op" },
        { __HYPERVISOR_arch_0, "mca" },
        { __HYPERVISOR_hvm_op, "hvm_op" },
        { __HYPERVISOR_dm_op, "dm_op" },
        { __HYPERVISOR_arch_1, "arch_1" },
        { __HYPERVISOR_arch_2, "arch_2" },
        { __HYPERVISOR_arch_7, "arch_7" },
    };
    unsigned int i;

    EXPECT_EQ(hypercall(__HYPERVISOR_xsm_op, 0), -XEN_ENOSYS);
    EXPECT_EQ(hypercall(__HYPERVISOR_tmem_op, 0), -XEN_ENOSYS);
    EXPECT_EQ(hypercall(__HYPERVISOR_argo_op, 0), -XEN_ENOSYS);
    for (i = 0; i < ARRAY_SIZE(absent); i++)
        obs(absent[i].name, hypercall(absent[i].nr, ~0u, 0, 0, 0, 0));
}
