/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of every type through every door (a single one, a new GDT, a page of the LDT), and selectors of the
 * hypervisor's own descriptors in every register that takes one.
 */

#include "hostile.h"

#define FLAT     0x00cf00000000ffffUL
#define PRESENT  (1UL << 47)
#define CODE_OR_DATA (1UL << 44)
#define TYPE(t)  ((uint64_t)(t) << 40)
#define DPL(n)   ((uint64_t)(n) << 45)
#define LONG     (1UL << 53)
#define BIG      (1UL << 54)

static const struct {
    const char *name;
    uint64_t value;
    long want;
} descriptors[] = {
#define SYSTEM(t) PRESENT | DPL(3) | TYPE(t) | 0x67
    { "system0", SYSTEM(0), NO_GAIN }, { "tss16", SYSTEM(1), REFUSED }, { "ldt", SYSTEM(2), REFUSED },
    { "tss16_busy", SYSTEM(3), REFUSED }, { "call_gate16", SYSTEM(4), NO_GAIN }, { "task_gate", SYSTEM(5), REFUSED },
    { "interrupt_gate16", SYSTEM(6), REFUSED }, { "trap_gate16", SYSTEM(7), REFUSED },
    { "system8", SYSTEM(8), REFUSED }, { "tss", SYSTEM(9), REFUSED }, { "system10", SYSTEM(10), REFUSED },
    { "tss_busy", SYSTEM(11), REFUSED }, { "call_gate", SYSTEM(12), NO_GAIN }, { "system13", SYSTEM(13), REFUSED },
    { "interrupt_gate", SYSTEM(14), REFUSED }, { "trap_gate", SYSTEM(15), REFUSED },
    { "call_gate_to_hypervisor", 0xffff8c000008ffffUL | DPL(3) | 0xe008UL << 16, NO_GAIN },
    { "data_dpl0", FLAT | PRESENT | CODE_OR_DATA | TYPE(2), NO_GAIN },
    { "data_dpl1", FLAT | PRESENT | CODE_OR_DATA | TYPE(2) | DPL(1), NO_GAIN },
    { "code_dpl0", FLAT | PRESENT | CODE_OR_DATA | TYPE(10), NO_GAIN },
    { "code_conforming_dpl0", FLAT | PRESENT | CODE_OR_DATA | TYPE(14), NO_GAIN },
    { "code_conforming_dpl3", FLAT | PRESENT | CODE_OR_DATA | TYPE(14) | DPL(3), NO_GAIN },
    { "code64_dpl0", LONG | PRESENT | CODE_OR_DATA | TYPE(10), NO_GAIN },
    { "code64_conforming", LONG | PRESENT | CODE_OR_DATA | TYPE(14), NO_GAIN },
    { "code_long_and_big", LONG | BIG | PRESENT | CODE_OR_DATA | TYPE(10) | DPL(3), NO_GAIN },
    { "expand_down", FLAT | PRESENT | CODE_OR_DATA | TYPE(6) | DPL(3), NO_GAIN },
    { "limit0", PRESENT | CODE_OR_DATA | TYPE(2) | DPL(3), NO_GAIN },
    { "base_high", 0xff0000ffffff0000UL | PRESENT | CODE_OR_DATA | TYPE(2) | DPL(3), NO_GAIN },
    { "absent_system", DPL(3) | TYPE(11), NO_GAIN }, { "all_ones", ~0UL, NO_GAIN },
};

static uint64_t *gdt, *fresh;

static void load_and_drop(unsigned int selector)
{
    TRY("mov %%eax, %%es", : : "a"(selector));
    __asm__ volatile("mov %0, %%es" : : "r"(0));
    TRY("mov %%eax, %%fs", : : "a"(selector));
    __asm__ volatile("mov %0, %%fs" : : "r"(0));
    TRY("lar %%eax, %%eax", : : "a"(selector) : "cc");
}

static void init(void)
{
    uint64_t frame;

    if (!gdt) {
        gdt = page_alloc();
        fresh = page_alloc();
        EXPECT_EQ(make_readonly(gdt), 0);
    }
    frame = mfn_of(gdt);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0);
}

static long single(uint64_t value)
{
    long rc = hypercall(__HYPERVISOR_update_descriptor, maddr_of(&gdt[9]), value);

    load_and_drop(9 << 3 | 3);
    EXPECT_EQ(hypercall(__HYPERVISOR_update_descriptor, maddr_of(&gdt[9]), 0), 0);
    return rc;
}

static void fill(uint64_t value)
{
    memset(fresh, 0, PAGE_SIZE);
    fresh[9] = value;
    EXPECT_EQ(make_readonly(fresh), 0);
}

static long whole_gdt(uint64_t value)
{
    uint64_t frame = mfn_of(fresh), old = mfn_of(gdt);
    long rc;

    fill(value);
    rc = hypercall(__HYPERVISOR_set_gdt, &frame, 512);
    load_and_drop(9 << 3 | 3);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &old, 512), 0);
    EXPECT_EQ(make_writable(fresh), 0);
    return rc;
}

static long in_ldt(uint64_t value)
{
    long rc;

    fill(value);
    rc = mmuext(MMUEXT_SET_LDT, U(fresh), 512);
    load_and_drop(9 << 3 | 7);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    EXPECT_EQ(make_writable(fresh), 0);
    return rc;
}

TEST(descriptors)
{
    unsigned int i;

    init();
    for (i = 0; i < ARRAY_SIZE(descriptors); i++)
        verdict("update_descriptor", descriptors[i].name, single(descriptors[i].value), descriptors[i].want);
    for (i = 0; i < ARRAY_SIZE(descriptors); i++)
        verdict("set_gdt", descriptors[i].name, whole_gdt(descriptors[i].value), descriptors[i].want);
    for (i = 0; i < ARRAY_SIZE(descriptors); i++)
        verdict("ldt", descriptors[i].name, in_ldt(descriptors[i].value), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, NULL, 0), 0);
}

/* ---- selectors ---- */

static const struct {
    const char *name;
    unsigned int selector;
} selectors[] = {
    { "hypervisor_code", 0xe008 }, { "hypervisor_code_rpl3", 0xe00b }, { "hypervisor_data", 0xe010 },
    { "hypervisor_data_rpl3", 0xe013 }, { "tss", 0xe040 }, { "tss_rpl3", 0xe043 }, { "tss_second_half", 0xe04b },
    { "ldt_descriptor", 0xe053 }, { "ldt_second_half", 0xe05b }, { "per_cpu", 0xe063 }, { "last", 0xffff },
    { "empty_ldt", 0x7 }, { "empty_gdt", 0x203 },
};

static long to_es(unsigned int s) { TRY("mov %%eax, %%es; mov %%ecx, %%es", : : "a"(s), "c"(0)); return try_result(); }
static long to_ds(unsigned int s) { TRY("mov %%eax, %%ds; mov %%ecx, %%ds", : : "a"(s), "c"(0)); return try_result(); }
static long to_fs(unsigned int s) { TRY("mov %%eax, %%fs; mov %%ecx, %%fs", : : "a"(s), "c"(0)); return try_result(); }
static long to_gs(unsigned int s) { TRY("mov %%eax, %%gs; mov %%ecx, %%gs", : : "a"(s), "c"(0)); return try_result(); }
static long to_ss(unsigned int s) { TRY("mov %%eax, %%ss", : : "a"(s)); return try_result(); }

static bool drop_far_target(struct regs *regs)
{
    extern char far_return_end[];

    regs->rip = U(far_return_end);
    regs->rsp = regs->rbx;
    return true;
}

static long to_cs(unsigned int s)
{
    trap_hook = drop_far_target;
    trap_forget();
    __asm__ volatile("mov %%rsp, %%rbx; push %0; lea 2f(%%rip), %%rax; push %%rax; lretq\n"
                     "2: ud2\n.globl far_return_end\nfar_return_end: mov %%rbx, %%rsp\n"
                     : : "r"((uint64_t)s) : "rax", "rbx", "memory");
    trap_hook = NULL;
    return try_result();
}

static bool drop_call_target(struct regs *regs)
{
    extern char far_call_end[];

    regs->rip = U(far_call_end);
    regs->rsp = regs->rbx;
    return true;
}

static long far_call(unsigned int s)
{
    static struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) target;

    target.selector = (uint16_t)s;
    target.offset = 0;
    trap_hook = drop_call_target;
    trap_forget();
    __asm__ volatile("mov %%rsp, %%rbx; lcall *(%0)\n.globl far_call_end\nfar_call_end: mov %%rbx, %%rsp\n"
                     : : "r"(&target) : "rbx", "memory");
    trap_hook = NULL;
    return try_result();
}

static long verify(unsigned int s)
{
    uint8_t readable = 0, writable = 0;

    __asm__ volatile("verr %w2; setz %0; verw %w2; setz %1" : "+q"(readable), "+q"(writable) : "r"(s) : "cc");
    return (s & 3) == 3 || s == 0xe008 || s == 0xe010 ? -(readable || writable) : 0;
}

static long stack_selector(unsigned int s)
{
    long rc = hypercall(__HYPERVISOR_stack_switch, s, kernel_stack + sizeof(kernel_stack));

    hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, kernel_stack + sizeof(kernel_stack));
    return rc;
}

static long gs_selector(unsigned int s)
{
    long rc = hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, s);

    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0);
    return rc;
}

TEST(selectors)
{
    static const struct { const char *name; long (*run)(unsigned int selector); long want; } attacks[] = {
        { "mov_es", to_es, FAULT }, { "mov_ds", to_ds, FAULT }, { "mov_fs", to_fs, FAULT }, { "mov_gs", to_gs, FAULT },
        { "mov_ss", to_ss, FAULT }, { "far_return", to_cs, FAULT }, { "far_call", far_call, FAULT },
        { "verr_verw", verify, 0 }, { "stack_switch", stack_selector, NO_GAIN }, { "user_gs", gs_selector, NO_GAIN },
    };
    unsigned int a, i;

    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(selectors); i++) {
            /* The per-CPU descriptor of the reference may be loaded: it holds nothing but a number. */
            bool harmless = (attacks[a].want == FAULT || attacks[a].run == verify) && selectors[i].selector == 0xe063;

            verdict(attacks[a].name, selectors[i].name, attacks[a].run(selectors[i].selector),
                    harmless ? NO_GAIN : attacks[a].want);
        }
}
