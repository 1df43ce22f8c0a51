/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions of ring 0, of virtualisation and of traps, executed in user mode and by the guest kernel. In user
 * mode each must trap to the guest's own kernel; in the kernel it is done, ignored or trapped, and changes nothing
 * of the machine.
 */

#include "hostile.h"

#define CODE_VA   (USER_VA + 0x20000)
#define MAX_BYTES 12

/* rax = rdx = 0, rcx = 0x1b, rdi = a readable address unless it says so. */
static const struct {
    const char *name;
    uint8_t length, bytes[MAX_BYTES];
    long user, kernel;
} instructions[] = {
#define I(name, user, kernel, ...) { name, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ }, user, kernel }
    I("mov_from_cr0", TRAP(13), 0, 0x0f, 0x20, 0xc0),
    I("mov_from_cr2", TRAP(13), 0, 0x0f, 0x20, 0xd0),
    I("mov_from_cr3", TRAP(13), 0, 0x0f, 0x20, 0xd8),
    I("mov_from_cr4", TRAP(13), 0, 0x0f, 0x20, 0xe0),
    I("mov_from_cr8", TRAP(13), FAULT, 0x44, 0x0f, 0x20, 0xc0),
    I("mov_from_cr1", FAULT, FAULT, 0x0f, 0x20, 0xc8),
    I("mov_to_cr0_0", TRAP(13), NO_GAIN, 0x0f, 0x22, 0xc0),
    I("mov_to_cr3_0", TRAP(13), FAULT, 0x0f, 0x22, 0xd8),
    I("mov_to_cr4_0", TRAP(13), NO_GAIN, 0x0f, 0x22, 0xe0),
    I("mov_to_cr8", TRAP(13), NO_GAIN, 0x44, 0x0f, 0x22, 0xc0),
    I("mov_from_dr7", TRAP(13), 0, 0x0f, 0x21, 0xf8),
    I("mov_to_dr7", TRAP(13), NO_GAIN, 0x0f, 0x23, 0xf8),
    I("lmsw", TRAP(13), NO_GAIN, 0x0f, 0x01, 0xf0),
    I("clts", TRAP(13), 0, 0x0f, 0x06),
    I("lgdt", TRAP(13), FAULT, 0x0f, 0x01, 0x17),
    I("lidt", TRAP(13), FAULT, 0x0f, 0x01, 0x1f),
    I("lldt", TRAP(13), FAULT, 0x0f, 0x00, 0xd0),
    I("ltr", TRAP(13), FAULT, 0x0f, 0x00, 0xd8),
    I("invlpg", TRAP(13), NO_GAIN, 0x0f, 0x01, 0x3f),
    I("invlpga", FAULT, FAULT, 0x0f, 0x01, 0xdf),
    I("invd", TRAP(13), NO_GAIN, 0x0f, 0x08),
    I("wbinvd", TRAP(13), NO_GAIN, 0x0f, 0x09),
    I("hlt", TRAP(13), FAULT, 0xf4),
    I("cli", TRAP(13), NO_GAIN, 0xfa),
    I("sti", TRAP(13), NO_GAIN, 0xfb),
    I("rdmsr", TRAP(13), NO_GAIN, 0x0f, 0x32),
    I("wrmsr", TRAP(13), NO_GAIN, 0x0f, 0x30),
    I("rdpmc", TRAP(13), FAULT, 0x0f, 0x33),
    I("swapgs", TRAP(13), FAULT, 0x0f, 0x01, 0xf8),
    I("sysret", TRAP(13), FAULT, 0x0f, 0x07),
    I("sysretq", TRAP(13), FAULT, 0x48, 0x0f, 0x07),
    I("sysexit", FAULT, FAULT, 0x0f, 0x35),
    I("xsetbv", FAULT, FAULT, 0x0f, 0x01, 0xd1),
    I("vmrun", FAULT, FAULT, 0x0f, 0x01, 0xd8),
    I("vmmcall", FAULT, FAULT, 0x0f, 0x01, 0xd9),
    I("vmload", FAULT, FAULT, 0x0f, 0x01, 0xda),
    I("vmsave", FAULT, FAULT, 0x0f, 0x01, 0xdb),
    I("stgi", FAULT, FAULT, 0x0f, 0x01, 0xdc),
    I("clgi", FAULT, FAULT, 0x0f, 0x01, 0xdd),
    I("skinit", FAULT, FAULT, 0x0f, 0x01, 0xde),
    I("vmcall", FAULT, FAULT, 0x0f, 0x01, 0xc1),
    I("vmlaunch", FAULT, FAULT, 0x0f, 0x01, 0xc2),
    I("vmxoff", FAULT, FAULT, 0x0f, 0x01, 0xc4),
    I("monitor", FAULT, FAULT, 0x0f, 0x01, 0xc8),
    I("mwait", FAULT, FAULT, 0x0f, 0x01, 0xc9),
    I("clac", FAULT, FAULT, 0x0f, 0x01, 0xca),
    I("stac", FAULT, FAULT, 0x0f, 0x01, 0xcb),
    I("rsm", FAULT, FAULT, 0x0f, 0xaa),
    I("in_cmos", TRAP(13), NO_GAIN, 0xe4, 0x71),
    I("out_debug_port", TRAP(13), NO_GAIN, 0xe6, 0x80),
    I("in_dx_dword", TRAP(13), NO_GAIN, 0xed),
    I("insb", FAULT, NO_GAIN, 0x6c),
    I("rep_outsb", TRAP(13), NO_GAIN, 0xf3, 0x6e),
    I("ud0", TRAP(6), TRAP(6), 0x0f, 0xff, 0x00),
    I("ud1", TRAP(6), TRAP(6), 0x0f, 0xb9, 0x00),
    I("ud2", TRAP(6), TRAP(6), 0x0f, 0x0b),
    I("xen_prefix_alone", TRAP(6), TRAP(6), 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0x30),
    I("icebp", FAULT, NO_GAIN, 0xf1),
    I("int3", TRAP(3), TRAP(3), 0xcc),
    I("into", TRAP(6), TRAP(6), 0xce),
    I("far_jump_memory", FAULT, FAULT, 0xff, 0x2f),
    I("lock_nop", TRAP(6), TRAP(6), 0xf0, 0x90),
    I("lock_mov_cr8", FAULT, FAULT, 0xf0, 0x0f, 0x20, 0xc0),
    I("too_long", TRAP(6), TRAP(6), 0xc5, 0xff, 0xff, 0xff),
    I("div_overflow", TRAP(0), TRAP(0), 0x31, 0xc9, 0xf7, 0xf1),
    I("load_hypervisor_cs", TRAP(13), TRAP(13), 0xb8, 0x08, 0xe0, 0, 0, 0x8e, 0xc0),
    I("load_tss_selector", TRAP(13), TRAP(13), 0xb8, 0x40, 0xe0, 0, 0, 0x8e, 0xe0),
    I("load_null_ss", TRAP(13), TRAP(13), 0xb8, 0x00, 0, 0, 0, 0x8e, 0xd0),
    I("load_code_ss", TRAP(13), TRAP(13), 0xb8, 0x33, 0xe0, 0, 0, 0x8e, 0xd0),
    I("non_canonical_read", TRAP(13), TRAP(13), 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x8a, 0x00),
    I("non_canonical_stack", FAULT, FAULT, 0x48, 0x0f, 0xba, 0xec, 0x3f, 0x8a, 0x04, 0x24),
};

static char *code;

static void write_code(unsigned int i, const char *end, unsigned int end_length)
{
    memset(code, 0xcc, 64);
    memcpy(code, instructions[i].bytes, instructions[i].length);
    memcpy(code + instructions[i].length, end, end_length);
}

static void code_init(void)
{
    if (code)
        return;
    user_init();
    code = page_alloc();
    EXPECT_EQ(map(CODE_VA, mfn_of(code) << 12 | PTE_RO_FLAGS | PTE_U), 0);
}

/* `syscall` ends a program that did not trap. */
static long in_user_mode(unsigned int i)
{
    struct regs r = { .rip = CODE_VA, .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP, .rflags = 0x202,
                      .rcx = 0x1b, .rdi = CODE_VA, .rsi = CODE_VA };

    write_code(i, "\x0f\x05", 2);
    trap_forget();
    run_user(&r);
    return r.vector == TRAP_SYSCALL ? 0 : TRAP(r.vector);
}

static uint64_t return_rsp;

static bool give_up(struct regs *regs)
{
    regs->rip = *(uint64_t *)return_rsp;
    regs->rsp = return_rsp + 8;
    regs->rflags &= ~0x100UL;
    return true;
}

/* `ret` ends it; any trap returns to the caller. The trap's frame needs a stack: rsp may not be what is wild. */
static long in_kernel_mode(unsigned int i)
{
    write_code(i, "\xc3", 1);
    trap_hook = give_up;
    trap_forget();
    __asm__ volatile("lea -8(%%rsp), %%rax; mov %%rax, (%3)\n"
                     "xor %%eax, %%eax; xor %%edx, %%edx; mov $0x1b, %%ecx\n"
                     "call *%%rbx"
                     : : "D"(code), "S"(code), "b"(code), "r"(&return_rsp)
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    trap_hook = NULL;
    events_off();
    return try_result();
}

TEST(user_mode)
{
    unsigned int i;

    code_init();
    for (i = 0; i < ARRAY_SIZE(instructions); i++)
        verdict("user", instructions[i].name, in_user_mode(i), instructions[i].user);
}

TEST(kernel_mode)
{
    unsigned int i;

    code_init();
    for (i = 0; i < ARRAY_SIZE(instructions); i++)
        if (strcmp(instructions[i].name, "non_canonical_stack"))
            verdict("kernel", instructions[i].name, in_kernel_mode(i), instructions[i].kernel);
    trap_init();
}

/* `int n` reaches the guest's handler if there is one that user mode may call, and no gate of the hypervisor. */
static long soft_interrupt(unsigned int vector, bool user)
{
    struct regs r = { .rip = CODE_VA, .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP, .rflags = 0x202 };

    memset(code, 0xcc, 64);
    code[0] = (char)0xcd;
    code[1] = (char)vector;
    code[2] = (char)0xc3;
    trap_forget();
    if (user) {
        run_user(&r);
        return TRAP(r.vector);
    }
    trap_hook = give_up;
    __asm__ volatile("lea -8(%%rsp), %%rax; mov %%rax, (%1)\n call *%0"
                     : : "b"(code), "r"(&return_rsp) : "rax", "rcx", "rdx", "memory", "cc");
    trap_hook = NULL;
    return try_result();
}

TEST(interrupts)
{
    unsigned int n, i;
    char name[8] = "n";

    code_init();
    for (n = 0; n < 256; n++) {
        /* Of those without a handler one in eight, and all where a hypervisor has its own. */
        if (n >= 32 && n < 0xf0 && n % 8 && n != 0x81 && n != 0x82)
            continue;
        for (i = 0; i < 3; i++)
            name[1 + i] = "0123456789"[n / (i == 0 ? 100 : i == 1 ? 10 : 1) % 10];
        name[4] = 0;
        verdict("int_user", name, soft_interrupt(n, true), FAULT);
        if (n != 0x82)
            verdict("int_kernel", name, soft_interrupt(n, false), FAULT);
    }
}
