/* SPDX-License-Identifier: BSD-2-Clause */
/* Wild values for machine-specific and debug registers, and breakpoints on what the hypervisor does for the guest. */

#include "hostile.h"

#include <xen/version.h>

static const struct {
    const char *name;
    uint64_t value;
} values[] = {
    { "zero", 0 }, { "ones", ~0UL }, { "non_canonical", 0x800000000000 }, { "bit63", 1UL << 63 },
    { "hypervisor", 0xffff830000000000 },
};

TEST(msrs)
{
    static const struct { const char *name; uint32_t msr; } msrs[] = {
        { "efer", 0xc0000080 }, { "star", 0xc0000081 }, { "lstar", 0xc0000082 }, { "cstar", 0xc0000083 },
        { "sfmask", 0xc0000084 }, { "fs_base", 0xc0000100 }, { "gs_base", 0xc0000101 }, { "kernel_gs_base", 0xc0000102 },
        { "tsc_aux", 0xc0000103 }, { "tsc_ratio", 0xc0000104 }, { "apic_base", 0x1b }, { "feature_control", 0x3a },
        { "spec_ctrl", 0x48 }, { "pred_cmd", 0x49 }, { "microcode", 0x79 }, { "sysenter_cs", 0x174 },
        { "sysenter_esp", 0x175 }, { "sysenter_eip", 0x176 }, { "mcg_status", 0x17a }, { "mcg_ctl", 0x17b },
        { "misc_enable", 0x1a0 }, { "debugctl", 0x1d9 }, { "mtrr_fix", 0x250 }, { "pat", 0x277 }, { "mtrr_def", 0x2ff },
        { "mc0_ctl", 0x400 }, { "x2apic_icr", 0x830 }, { "xss", 0xda0 }, { "vm_cr", 0xc0010114 },
        { "hsave_pa", 0xc0010117 }, { "syscfg", 0xc0010010 }, { "microcode_amd", 0xc0010020 }, { "xen_page", 0x40000000 },
        { "highest", 0xffffffff },
    };
    unsigned int m, i;

    for (m = 0; m < ARRAY_SIZE(msrs); m++)
        for (i = 0; i < ARRAY_SIZE(values); i++) {
            TRY("wrmsr", : : "c"(msrs[m].msr), "a"((uint32_t)values[i].value), "d"((uint32_t)(values[i].value >> 32)));
            verdict(msrs[m].name, values[i].name, try_result(), NO_GAIN);
        }
    TRY("wrmsr", : : "c"(0xc0000100), "a"(0), "d"(0));
    TRY("wrmsr", : : "c"(0xc0000101), "a"(0), "d"(0));
    TRY("wrmsr", : : "c"(0xc0000102), "a"(0), "d"(0));
}

TEST(debug_registers)
{
    static const char *const names[] = { "dr0", "dr1", "dr2", "dr3", "dr4", "dr5", "dr6", "dr7", "dr8" };
    static const struct { const char *name; uint64_t value; } wild[] = {
        { "ones", ~0UL }, { "high_half", 0xffffffff00000000UL }, { "non_canonical", 0x800000000000 },
        { "hypervisor", 0xffff830000000000 }, { "hypervisor_last", 0xffff87ffffffffff }, { "general_detect", 0x2000 },
        { "io_break", 0x00020001 }, { "all_local", 0x55 }, { "reserved_low", 0xd800 },
    };
    unsigned int r, i;

    for (r = 0; r < ARRAY_SIZE(names); r++)
        for (i = 0; i < ARRAY_SIZE(wild); i++) {
            long rc = hypercall(__HYPERVISOR_set_debugreg, r, wild[i].value);

            breaks_off();
            verdict(names[r], wild[i].name, rc, NO_GAIN);
        }
}

/* ---- breakpoints and single steps where the hypervisor works ---- */

static uint64_t target[2] __attribute__((aligned(16)));

static long copied_in(void)
{
    return hypercall(__HYPERVISOR_set_trap_table, target);
}

static long argument_read(void)
{
    memset(target, 0, sizeof(target));
    return hypercall(__HYPERVISOR_mmuext_op, target, 1, NULL, 77) == -XEN_ESRCH ? 0 : -1;
}

static long result_written(void)
{
    static char text[16];

    break_on(text, BREAK_READ_WRITE);
    return hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, text);
}

static long frame_pushed(void)
{
    __asm__ volatile("1: ud2\n2:\n" FIXUP);
    return 0;
}

static long stack_watched(void)
{
    uint64_t here;

    break_on((char *)__builtin_frame_address(0) - 256, BREAK_READ_WRITE);
    __asm__ volatile("mov %%rsp, %0; 1: ud2\n2:\n" FIXUP : "=r"(here));
    return 0;
}

static long step_hypercall(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; syscall; pushfq; andl $~0x100, (%%rsp); popfq"
                     : : "a"(__HYPERVISOR_xen_version), "D"(0), "S"(0) : "rcx", "r11", "memory", "cc");
    return 0;
}

static long step_int80(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; int $0x80; pushfq; andl $~0x100, (%%rsp); popfq"
                     : : : "memory", "cc");
    return 0;
}

static long step_fault(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; 1: ud2\n2: pushfq; andl $~0x100, (%%rsp); popfq\n" FIXUP
                     : : : "memory", "cc");
    return 0;
}

static long step_emulated(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; mov %%cr0, %%rax; pushfq; andl $~0x100, (%%rsp); popfq"
                     : : : "rax", "memory", "cc");
    return 0;
}

static long step_iret(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
                     "mov %%rsp, %%rdx; push %0; push %%rdx; push $0x302; push %1; lea 3f(%%rip), %%rax; push %%rax\n"
                     "push $0; push $0; push $0; push $0; mov $23, %%eax; syscall\n"
                     "3: pushfq; andl $~0x100, (%%rsp); popfq"
                     : : "r"((uint64_t)KERNEL_SS), "r"((uint64_t)KERNEL_CS)
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    events_off();
    return 0;
}

static long execute_at_callback(void)
{
    break_on(trap_stub(6), BREAK_EXECUTE);
    __asm__ volatile("1: ud2\n2:\n" FIXUP);
    return 0;
}

static long execute_at_hypercall_page(void)
{
    break_on(hypercall_page, BREAK_EXECUTE);
    return hypercall(__HYPERVISOR_xen_version, 99) == -XEN_ENOSYS ? 0 : -1;
}

static bool step_on(struct regs *regs)
{
    if (regs->vector == 1 && regs->rip == U(trap_stub(6)))
        breaks_off();
    return false;
}

TEST(breakpoints)
{
    static const struct { const char *name; long (*run)(void); bool watched; } attacks[] = {
        { "copied_in", copied_in, true }, { "argument_read", argument_read, true },
        { "result_written", result_written, false }, { "frame_pushed", frame_pushed, true },
        { "stack_watched", stack_watched, false }, { "step_hypercall", step_hypercall, false },
        { "step_int80", step_int80, false }, { "step_fault", step_fault, false },
        { "step_emulated", step_emulated, false }, { "step_iret", step_iret, false },
        { "execute_at_callback", execute_at_callback, false },
        { "execute_at_hypercall_page", execute_at_hypercall_page, false },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(attacks); i++) {
        long rc;

        trap_hook = step_on;
        if (attacks[i].watched)
            break_on(target, BREAK_READ_WRITE);
        rc = attacks[i].run();
        trap_hook = NULL;
        breaks_off();
        verdict("break", attacks[i].name, rc, NO_GAIN);
    }
}
