/* SPDX-License-Identifier: BSD-2-Clause */
/* Processor state by hypercall: lazy FPU, debug registers, the system flags of the guest. */

#include "trap.h"

#include <xen/callback.h>

#include "event.h"
#include "mm.h"

static long set_debugreg(unsigned int reg, uint64_t value)
{
    return hypercall(__HYPERVISOR_set_debugreg, reg, value);
}

static uint64_t get_debugreg(unsigned int reg)
{
    return (uint64_t)hypercall(__HYPERVISOR_get_debugreg, reg);
}

static uint64_t read_cr0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

TEST(fpu_taskswitch)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_fpu_taskswitch, 1), 0);
    EXPECT_EQ(read_cr0() & 8, 8);
    TRY("fnop", : :);
    EXPECT_EQ(trap_vector(), 7);
    EXPECT_EQ(trap_seen.regs.error, 0);
    TRY("fnop", : :);                           /* the bounce cleared TS */
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(read_cr0() & 8, 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_fpu_taskswitch, 1), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_fpu_taskswitch, 0), 0);
    TRY("fnop", : :);
    EXPECT_EQ(trap_seen.count, 0);
}

/* The same by instruction: clts, mov to cr0. */
TEST(fpu_by_instruction)
{
    uint64_t cr0 = read_cr0();

    TRY("mov %%rax, %%cr0", : : "a"(cr0 | 8));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(read_cr0() & 8, 8);
    TRY("fnop", : :);
    EXPECT_EQ(trap_vector(), 7);
    TRY("mov %%rax, %%cr0", : : "a"(cr0 | 8));
    TRY("clts", : :);
    EXPECT_EQ(trap_seen.count, 0);
    TRY("fnop", : :);
    EXPECT_EQ(trap_seen.count, 0);
}

TEST(sse_state_survives)
{
    uint64_t in = 0x123456789abcdef0, out = 0;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(in));
    hypercall(__HYPERVISOR_sched_op, 0, 0);
    __asm__ volatile("movq %%xmm7, %0" : "=r"(out));
    EXPECT_EQ(out, in);
}

TEST(debugreg_values)
{
    unsigned int i;

    for (i = 0; i < 4; i++) {
        EXPECT_EQ(set_debugreg(i, 0x1000 * i), 0);
        EXPECT_EQ(get_debugreg(i), 0x1000 * i);
    }
    EXPECT_EQ(set_debugreg(0, 0xffff800000000000), -XEN_EPERM);         /* the hypervisor's own area */
    EXPECT_EQ(set_debugreg(0, 0x8000000000000000), -XEN_EPERM);
    EXPECT_EQ(set_debugreg(6, 0xffff0ff0), 0);
    EXPECT_EQ(get_debugreg(6), 0xffff0ff0);
    EXPECT_EQ(set_debugreg(7, 0x400), 0);
    EXPECT_EQ(get_debugreg(7), 0x400);
    obs("dr4", set_debugreg(4, 0));
    obs("dr5", set_debugreg(5, 0));
    obs("dr8", set_debugreg(8, 0));
    obs("dr6_high", set_debugreg(6, 1UL << 32));
    obs("dr7_high", set_debugreg(7, 1UL << 32));
    obs("dr7_gd", set_debugreg(7, 1UL << 13));
    obs("dr7_io", set_debugreg(7, 0x20001));
    obs("get_dr4", (long)get_debugreg(4));
    obs("get_dr8", (long)get_debugreg(8));
    set_debugreg(7, 0x400);
    for (i = 0; i < 4; i++)
        set_debugreg(i, 0);
}

TEST(hardware_breakpoint)
{
    static volatile uint64_t target;

    EXPECT_EQ(set_debugreg(0, U(&target)), 0);
    EXPECT_EQ(set_debugreg(7, 0x400 | 1 | 1 << 16 | 2 << 18), 0);       /* write, 8 bytes */
    trap_forget();
    target = 1;
    __asm__ volatile("nop");
    EXPECT_EQ(trap_vector(), 1);
    EXPECT_EQ(get_debugreg(6) & 15, 1);
    EXPECT_EQ(set_debugreg(7, 0x400), 0);
    EXPECT_EQ(set_debugreg(6, 0xffff0ff0), 0);
    trap_forget();
    target = 2;
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(set_debugreg(0, 0), 0);
}

TEST(debugreg_by_instruction)
{
    uint64_t v = 0;

    TRY("mov %%rax, %%dr1", : : "a"(0x7000));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(get_debugreg(1), 0x7000);
    TRY("mov %%dr1, %%rax", : "=a"(v) :);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(v, 0x7000);
    TRY("mov %%dr7, %%rax", : "=a"(v) :);
    EXPECT_EQ(v, 0x400);
    EXPECT_EQ(set_debugreg(1, 0), 0);
}

TEST(callback_errors)
{
    struct callback_register cb = { .type = 99, .address = U(trap_stub(3)) };
    struct callback_unregister un = { .type = 99 };

    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb), -XEN_ENOSYS);
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_unregister, &un), -XEN_ENOSYS);
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, 8), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_unregister, 8), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, 2, &cb), -XEN_ENOSYS);
    cb.type = CALLBACKTYPE_event;
    cb.address = 0x8000000000000000;
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb), -XEN_EINVAL);
    cb.type = CALLBACKTYPE_nmi;
    cb.address = U(trap_stub(2));
    obs("nmi", hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb));
    un.type = CALLBACKTYPE_nmi;
    obs("nmi_unregister", hypercall(__HYPERVISOR_callback_op, CALLBACKOP_unregister, &un));
    un.type = CALLBACKTYPE_event;
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_unregister, &un), -XEN_EINVAL);
    cb.type = CALLBACKTYPE_sysenter;
    cb.address = U(trap_stub(TRAP_SYSENTER));
    obs("sysenter", hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb));
    cb.type = 6;                                                /* the deprecated sysenter */
    obs("sysenter_old", hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb));
    trap_init();
}

/* The old call that sets three callbacks at once. */
TEST(set_callbacks)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_set_callbacks, trap_stub(TRAP_EVENT), failsafe_stub,
                        trap_stub(TRAP_SYSCALL)), 0);
    trap_init();
}
