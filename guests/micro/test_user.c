/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User mode: a second address space, entered by the iret hypercall only, left by a system call, a trap or
 * an event.
 */

#include "trap.h"

#include <xen/callback.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "event.h"
#include "mm.h"

#define PROGRAM(name) extern char name[], name##_end[]
PROGRAM(user_nop);
PROGRAM(user_ud2);
PROGRAM(user_int3);
PROGRAM(user_int80);
PROGRAM(user_read);
PROGRAM(user_write);
PROGRAM(user_jump);
PROGRAM(user_in);
PROGRAM(user_out);
PROGRAM(user_cli);
PROGRAM(user_hlt);
PROGRAM(user_cpuid);
PROGRAM(user_xen_cpuid);
PROGRAM(user_rdmsr);
PROGRAM(user_cr0);
PROGRAM(user_fpu);
PROGRAM(user_rdtsc);
PROGRAM(user_read_gs);
PROGRAM(user_read_fs);
PROGRAM(user_sysenter);
PROGRAM(user_lgdt);
extern char user_spin[], user_registers[], user_sysenter_flags[];

static struct regs r;

/* Runs one program; r holds its registers before and after. Gives the vector that ended it. */
static unsigned int run(const char *program)
{
    user_init();
    r.rip = user_address(program);
    r.cs = USER_CS;
    r.ss = USER_SS;
    r.rsp = USER_STACK_TOP;
    r.rflags = 0x202;
    trap_forget();
    run_user(&r);
    return (unsigned int)r.vector;
}

TEST(system_call)
{
    memset(&r, 0, sizeof(r));
    EXPECT_EQ(run(user_nop), TRAP_SYSCALL);
    EXPECT_EQ(r.rip, user_address(user_nop_end) + 2);
    EXPECT_EQ(r.rsp, USER_STACK_TOP);
    EXPECT_EQ(r.cs & 3, 3);
    EXPECT_EQ(r.cs >> 16, 0);
    obs("cs", (long)r.cs);
    obs("ss", (long)r.ss);
    EXPECT_EQ(r.rcx, r.rip);
    EXPECT_EQ(r.r11, r.rflags);
    EXPECT_EQ(r.rflags & 0x200, 0x200);
    EXPECT_EQ(trap_seen.mask, 1);
    EXPECT_EQ(trap_seen.handler_rsp + 7 * 8, U(kernel_stack) + sizeof(kernel_stack));
}

TEST(registers)
{
    memset(&r, 0, sizeof(r));
    r.rdi = 0x77;
    r.r8 = 0x88;
    r.r14 = 0x99;
    EXPECT_EQ(run(user_registers), TRAP_SYSCALL);
    EXPECT_EQ(r.rax, 0x6666);
    EXPECT_EQ(r.rbx, 0x1111);
    EXPECT_EQ(r.rbp, 0x2222);
    EXPECT_EQ(r.r9, 0x3333);
    EXPECT_EQ(r.r12, 0x4444);
    EXPECT_EQ(r.r15, 0x5555);
    EXPECT_EQ(r.rdi, 0x77);
    EXPECT_EQ(r.r8, 0x88);
    EXPECT_EQ(r.r14, 0x99);
}

/* A trap from user mode: frame on the kernel stack, RPL 3, cs slot nothing but the selector. */
static void expect_user_trap(const char *program, unsigned int vector, uint64_t rip, uint64_t error)
{
    if (!EXPECT_EQ(run(program), vector))
        print("# program at +0x%lx: rip 0x%lx\n", user_address(program) - USER_VA, r.rip);
    EXPECT_EQ(r.rip, rip);
    EXPECT_EQ(r.error, error);
    EXPECT_EQ(r.cs, USER_CS);
    EXPECT_EQ(r.ss, USER_SS);
    EXPECT_EQ(trap_seen.mask, 1);
}

TEST(exceptions)
{
    expect_user_trap(user_ud2, 6, user_address(user_ud2), 0);
    expect_user_trap(user_int3, 3, user_address(user_int3_end), 0);
    expect_user_trap(user_int80, 0x80, user_address(user_int80_end), 0);
}

TEST(privileged_instructions)
{
    expect_user_trap(user_cli, 13, user_address(user_cli), 0);
    expect_user_trap(user_hlt, 13, user_address(user_hlt), 0);
    expect_user_trap(user_rdmsr, 13, user_address(user_rdmsr), 0);
    expect_user_trap(user_cr0, 13, user_address(user_cr0), 0);
    expect_user_trap(user_lgdt, 13, user_address(user_lgdt), 0);
    r.rdx = 0x80;
    expect_user_trap(user_in, 13, user_address(user_in), 0);
    r.rdx = 0x80;
    expect_user_trap(user_out, 13, user_address(user_out), 0);
}

TEST(page_faults)
{
    r.rax = U(&r);                              /* kernel memory is not in the user address space */
    expect_user_trap(user_read, 14, user_address(user_read), 4);
    EXPECT_EQ(trap_seen.cr2, U(&r));
    r.rax = 0x12345678;
    expect_user_trap(user_write, 14, user_address(user_write), 6);
    EXPECT_EQ(trap_seen.cr2, 0x12345678);
    r.rax = USER_VA;
    expect_user_trap(user_write, 14, user_address(user_write), 7);
    EXPECT_EQ(trap_seen.cr2, USER_VA);
    r.rax = 0x10000;
    EXPECT_EQ(run(user_jump), 14);
    EXPECT_EQ(r.rip, 0x10000);
    EXPECT_EQ(r.error, 0x14);
    r.rax = USER_STACK_TOP - 64;
    r.rbx = 0x1357;
    EXPECT_EQ(run(user_write), TRAP_SYSCALL);
    r.rax = USER_STACK_TOP - 64;
    EXPECT_EQ(run(user_read), TRAP_SYSCALL);
    EXPECT_EQ(r.rax, 0x1357);
}

/* The hypervisor's own part of the address space. */
TEST(hypervisor_area)
{
    r.rax = 0xffff830000000000;
    EXPECT_EQ(run(user_read), 14);
    EXPECT_EQ(r.error & 4, 4);
    obs("direct_map_error", (long)r.error);
    r.rax = MACH2PHYS_VIRT_START;
    obs("m2p_vector", run(user_read));
    r.rax = MACH2PHYS_VIRT_START;
    EXPECT_EQ(run(user_write), 14);
    obs("m2p_write_error", (long)r.error);
}

TEST(cpuid)
{
    r.rax = 0;
    r.rcx = 0;
    EXPECT_EQ(run(user_cpuid), TRAP_SYSCALL);
    r.rax = 0x40000000;
    r.rcx = 0;
    EXPECT_EQ(run(user_xen_cpuid), TRAP_SYSCALL);
    EXPECT_EQ(r.rbx, 0x566e6558);               /* "XenV" */
}

TEST(timestamp)
{
    EXPECT_EQ(run(user_rdtsc), TRAP_SYSCALL);
    EXPECT_NE(r.rax | r.rdx, 0);
}

TEST(segment_bases)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, USER_STACK_TOP - 64), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, U(&r)), 0);
    r.rax = USER_STACK_TOP - 64;
    r.rbx = 0x2468;
    EXPECT_EQ(run(user_write), TRAP_SYSCALL);
    r.rax = 0;
    EXPECT_EQ(run(user_read_gs), TRAP_SYSCALL);
    EXPECT_EQ(r.rax, 0x2468);
    /* back in the kernel, the kernel's base */
    memset(&r, 0, sizeof(r));
    r.r15 = 0x5a5a;
    {
        uint64_t v;

        __asm__ volatile("mov %%gs:(0), %0" : "=r"(v));
        EXPECT_EQ(v, 0x5a5a);
    }
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, USER_STACK_TOP - 64), 0);
    EXPECT_EQ(run(user_read_fs), TRAP_SYSCALL);
    EXPECT_EQ(r.rax, 0x2468);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0), 0);
}

/* Events reach user mode, and leave it as it was. */
TEST(event)
{
    struct vcpu_set_singleshot_timer timer = { .flags = 0 };
    long port = port_bind_virq(VIRQ_TIMER, 0);
    uint64_t before;

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    port_count[port] = upcalls = 0;
    timer.timeout_abs_ns = now() + 5000000;
    EXPECT_EQ(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer), 0);
    before = now();
    while (port_count[port] == 0 && now() < before + 1000000000ULL) {
        r.rax = 1000000;
        r.rbx = 0xabcd;
        EXPECT_EQ(run(user_spin), TRAP_SYSCALL);
        EXPECT_EQ(r.rax, 0);
        EXPECT_EQ(r.rbx, 0xabcd);
    }
    EXPECT_EQ(port_count[port], 1);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

/* With rflags.IF clear in the frame, user mode runs with upcalls masked. */
TEST(masked)
{
    user_init();
    memset(&r, 0, sizeof(r));
    r.rip = user_address(user_nop);
    r.cs = USER_CS;
    r.ss = USER_SS;
    r.rsp = USER_STACK_TOP;
    r.rflags = 0x002;
    run_user(&r);
    EXPECT_EQ(r.vector, TRAP_SYSCALL);
    obs("if_bit", !!(r.rflags & 0x200));
    obs("cs", (long)r.cs);
}

TEST(no_syscall_callback)
{
    struct callback_unregister un = { .type = CALLBACKTYPE_syscall };
    struct callback_register re = {
        .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events, .address = U(trap_stub(TRAP_SYSCALL)),
    };

    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_unregister, &un), -XEN_EINVAL);
    /* Not masking events: the flag is the callback's own. */
    re.flags = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &re), 0);
    EXPECT_EQ(run(user_nop), TRAP_SYSCALL);
    EXPECT_EQ(trap_seen.mask, 0);
    re.flags = CALLBACKF_mask_events;
    EXPECT_EQ(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &re), 0);
}

TEST(sysenter)
{
    run(user_sysenter);
    obs("vector", (long)r.vector);
}

/* Not the #GP of the hypervisor's own iret. #UD: no such instruction here (AMD). */
TEST(sysenter_with_flags)
{
    if (run(user_sysenter_flags) != 6)
        EXPECT_EQ(r.vector, TRAP_SYSENTER);
}

TEST(task_switched)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_fpu_taskswitch, 1), 0);
    expect_user_trap(user_fpu, 7, user_address(user_fpu), 0);
    EXPECT_EQ(run(user_fpu), TRAP_SYSCALL);     /* the bounce cleared TS */
}

/* No user address space: nothing to go to. */
TEST(no_user_baseptr)
{
    long rc;

    user_init();
    rc = mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4), 0), 0);
    EXPECT_EQ(run(user_nop), TRAP_SYSCALL);
}

TEST_DESTRUCTIVE(iret_to_user_without_tables)
{
    r.rip = USER_VA;
    r.cs = USER_CS;
    r.ss = USER_SS;
    r.rflags = 0x202;
    run_user(&r);
}
