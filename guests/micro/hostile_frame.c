/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for the iret hypercall, one part of which is wild: to user mode by both ways out, and to the kernel. */

#include "hostile.h"

#include <xen/vcpu.h>

enum part { RIP, RSP, RFLAGS, CS, SS };

extern char user_nop[], user_spin[];

static const struct {
    const char *name;
    enum part part;
    uint64_t value;
} frames[] = {
    { "rip_low_end", RIP, 0x00007fffffffffff }, { "rip_low_end_minus_1", RIP, 0x00007ffffffffffe },
    { "rip_non_canonical", RIP, 0x0000800000000000 }, { "rip_non_canonical_high", RIP, 0xffff7fffffffffff },
    { "rip_bit63", RIP, 1UL << 63 }, { "rip_hypervisor", RIP, 0xffff830000000000 },
    { "rip_m2p", RIP, MACH2PHYS_VIRT_START }, { "rip_zero", RIP, 0 }, { "rip_top", RIP, ~0UL },
    { "rsp_zero", RSP, 0 }, { "rsp_non_canonical", RSP, 0x0000800000000000 }, { "rsp_bit63", RSP, 1UL << 63 },
    { "rsp_hypervisor", RSP, 0xffff830000000000 }, { "rsp_odd", RSP, USER_STACK_TOP - 3 },
    { "rflags_zero", RFLAGS, 0 }, { "rflags_tf", RFLAGS, 0x302 }, { "rflags_iopl1", RFLAGS, 0x1202 },
    { "rflags_iopl3", RFLAGS, 0x3202 }, { "rflags_nt", RFLAGS, 0x4202 }, { "rflags_rf", RFLAGS, 0x10202 },
    { "rflags_vm", RFLAGS, 0x20202 }, { "rflags_ac", RFLAGS, 0x40202 }, { "rflags_vif_vip", RFLAGS, 0x180202 },
    { "rflags_id", RFLAGS, 0x200202 }, { "rflags_reserved", RFLAGS, 0xffc08028 | 0x202 },
    { "rflags_high", RFLAGS, 0xffffffff00000202 }, { "rflags_ones", RFLAGS, ~0x100UL },
    { "cs_null", CS, 3 }, { "cs_hypervisor", CS, 0xe00b }, { "cs_hypervisor_data", CS, 0xe013 },
    { "cs_data", CS, 0xe02b }, { "cs_tss", CS, 0xe043 }, { "cs_ldt_descriptor", CS, 0xe053 },
    { "cs_in_ldt", CS, 0x7 }, { "cs_behind_gdt", CS, 0xfffb }, { "cs_compat", CS, 0xe023 },
    { "cs_high_bits", CS, 0xffff0000e033 },
    { "ss_null", SS, 3 }, { "ss_null_rpl0", SS, 0 }, { "ss_hypervisor", SS, 0xe013 }, { "ss_code", SS, 0xe033 },
    { "ss_tss", SS, 0xe043 }, { "ss_in_ldt", SS, 0x7 }, { "ss_rpl0", SS, 0xe028 }, { "ss_behind_gdt", SS, 0xfffb },
};

static struct regs frame(unsigned int i, bool kernel)
{
    struct regs r = { .rip = user_address(user_nop), .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP,
                      .rflags = 0x202 };

    if (kernel) {
        r.cs = KERNEL_CS;
        r.rip = U(user_nop);
        r.rsp = U(kernel_stack) + 4096;
    }
    switch (frames[i].part) {
    case RIP:    r.rip = frames[i].value; break;
    case RSP:    r.rsp = frames[i].value; break;
    case RFLAGS: r.rflags = frames[i].value; break;
    case CS:     r.cs = frames[i].value & ~(kernel ? 3UL : 0); break;
    case SS:     r.ss = frames[i].value; break;
    }
    return r;
}

/* Single steps go on until the program ends; what comes then is the result. */
static bool keep_stepping(struct regs *regs)
{
    if (regs->vector == 1)
        regs->rflags &= ~0x100UL;
    return regs->vector == 1;
}

TEST(to_user)
{
    unsigned int i;

    user_init();
    for (i = 0; i < ARRAY_SIZE(frames); i++) {
        struct regs r = frame(i, false);

        trap_hook = keep_stepping;
        trap_forget();
        run_user(&r);
        trap_hook = NULL;
        verdict("to_user", frames[i].name, TRAP(r.vector), FAULT);
    }
}

static bool leave(struct regs *regs)
{
    leave_frame();
}

/* The kernel's program ends in ud2 (its `syscall` would be a hypercall); rsp stays sound, or no trap could come. */
TEST(to_kernel)
{
    extern char user_ud2[];
    unsigned int i;

    user_init();
    for (i = 0; i < ARRAY_SIZE(frames); i++) {
        struct regs r = frame(i, true);

        /* In 32-bit code its stack would be somewhere else. */
        if (frames[i].part == RSP || !strcmp(frames[i].name, "cs_compat"))
            continue;
        if (frames[i].part != RIP)
            r.rip = U(user_ud2);
        trap_hook = leave;
        trap_forget();
        run_frame(&r);
        trap_hook = NULL;
        events_off();
        __asm__ volatile("pushfq; andl $~0x244100, (%%rsp); popfq" : : : "memory", "cc");
        verdict("to_kernel", frames[i].name, try_result(), FAULT);
    }
}

/* The way out by sysret: the frame says that it comes from a system call. */
TEST(by_sysret)
{
    unsigned int i;

    user_init();
    for (i = 0; i < ARRAY_SIZE(frames); i++) {
        struct regs r = frame(i, false);

        trap_hook = keep_stepping;
        trap_forget();
        resume_flags = VGCF_in_syscall;
        run_user(&r);
        trap_hook = NULL;
        verdict("by_sysret", frames[i].name, TRAP(r.vector), FAULT);
    }
}

/* A hypercall in the last two bytes of the lower half comes back to where nothing can be: to the guest's kernel, that is a fault. */
TEST(behind_the_end)
{
    uint64_t va = 0x00007ffffffff000;
    uint8_t *page = page_alloc();
    struct regs r = frame(0, true);

    page[4094] = 0x0f;          /* syscall */
    page[4095] = 0x05;
    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_FLAGS | PTE_U), 0);
    r.rip = va + 4094;
    r.rax = __HYPERVISOR_xen_version;
    trap_hook = leave;
    trap_forget();
    run_frame(&r);
    trap_hook = NULL;
    events_off();
    EXPECT_EQ(trap_seen.regs.rip, va + 4096);
    verdict("behind_the_end", "hypercall", try_result(), FAULT);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    page[4094] = page[4095] = 0;
    page_free(page);
}
