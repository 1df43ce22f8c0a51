/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments: the guest's own GDT and LDT, single descriptors, FS/GS bases, and what the hypervisor refuses. */

#include "trap.h"

#include "event.h"
#include "mm.h"

#define CODE64  0x00af9b000000ffffUL    /* accessed, DPL 0: the hypervisor must raise it to 3 */
#define DATA32  0x00cf93000000ffffUL
#define ABSENT  0x00cf73000000ffffUL    /* not present */
#define TSS     0x00008b0000000067UL
#define GATE    0x0000ec0000100000UL
#define DPL3    (3UL << 45)

static uint64_t *gdt;

static long set_gdt(uint64_t *page, unsigned int entries)
{
    uint64_t frame = mfn_of(page);

    return hypercall(__HYPERVISOR_set_gdt, &frame, entries);
}

static long update_descriptor(uint64_t *entry, uint64_t value)
{
    return hypercall(__HYPERVISOR_update_descriptor, maddr_of(entry), value);
}

/* Makes a GDT page with a few descriptors and hands it to the hypervisor, once. */
static void gdt_init(void)
{
    if (gdt)
        return;
    gdt = page_alloc();
    gdt[1] = DATA32;
    gdt[2] = CODE64;
    gdt[3] = DATA32;
    gdt[4] = ABSENT;
    EXPECT_EQ(make_readonly(gdt), 0);
    EXPECT_EQ(set_gdt(gdt, 512), 0);
}

static unsigned int lsl(unsigned int selector)
{
    unsigned int limit = 0x5a5a;

    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
    return limit;
}

TEST(set_gdt)
{
    uint32_t es;

    gdt_init();
    EXPECT_EQ(gdt[1], DATA32 | DPL3);
    EXPECT_EQ(gdt[2], CODE64 | DPL3);
    TRY("mov %%eax, %%es", : : "a"(0x1b));
    EXPECT_EQ(trap_seen.count, 0);
    __asm__ volatile("mov %%es, %0" : "=r"(es));
    EXPECT_EQ(es, 0x1b);
    __asm__ volatile("mov %0, %%es" : : "r"(0));
    EXPECT_EQ(lsl(0x1b), 0xffffffff);
}

TEST(not_present)
{
    gdt_init();
    TRY("mov %%eax, %%es", : : "a"(0x23));
    EXPECT_EQ(trap_vector(), 11);
    EXPECT_EQ(trap_seen.regs.error, 0x20);
}

/* Selector 0x10 names guest descriptor 2 and can carry kernel code (Linux does so). */
TEST(far_jump_to_own_code)
{
    uint32_t cs = 0;

    gdt_init();
    trap_forget();
    __asm__ volatile("push $0x13; lea 1f(%%rip), %%rax; push %%rax; lretq\n"
                     "1: mov %%cs, %0\n"
                     "push $0xe033; lea 2f(%%rip), %%rax; push %%rax; lretq\n"
                     "2:\n"
                     : "=r"(cs) : : "rax", "memory");
    EXPECT_EQ(cs, 0x13);
    EXPECT_EQ(trap_seen.count, 0);
}

TEST(set_gdt_errors)
{
    uint64_t *page = page_alloc(), frames[2];

    gdt_init();
    EXPECT_EQ(set_gdt(page, 512 * 14 + 1), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, 8, 1), -XEN_EFAULT);
    frames[0] = ~0UL;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, frames, 1), -XEN_EINVAL);
    /* a page still mapped writable cannot hold descriptors */
    EXPECT_EQ(set_gdt(page, 1), -XEN_EINVAL);
    page[0] = TSS;
    EXPECT_EQ(make_readonly(page), 0);
    EXPECT_EQ(set_gdt(page, 1), -XEN_EINVAL);
    EXPECT_EQ(make_writable(page), 0);
    page[0] = 0;
    page[1] = GATE;
    EXPECT_EQ(make_readonly(page), 0);
    obs("call_gate", set_gdt(page, 512));
    EXPECT_EQ(set_gdt(gdt, 512), 0);
    EXPECT_EQ(make_writable(page), 0);
    page_free(page);
    /* the GDT in use cannot become writable */
    EXPECT_EQ(make_writable(gdt), -XEN_EBUSY);
}

TEST(none)
{
    gdt_init();
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, NULL, 0), 0);
    TRY("mov %%eax, %%es", : : "a"(0x1b));
    EXPECT_EQ(trap_vector(), 13);
    EXPECT_EQ(make_writable(gdt), 0);
    EXPECT_EQ(make_readonly(gdt), 0);
    EXPECT_EQ(set_gdt(gdt, 512), 0);
    TRY("mov %%eax, %%es; mov %%ecx, %%es", : : "a"(0x1b), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
}

TEST(update_descriptor)
{
    uint64_t *page = page_alloc();

    gdt_init();
    EXPECT_EQ(update_descriptor(&gdt[15], 0x0040f20000001234UL), 0);
    EXPECT_EQ(gdt[15], 0x0040f20000001234UL);
    EXPECT_EQ(lsl(0x7b), 0x1234);
    EXPECT_EQ(update_descriptor(&gdt[6], DATA32), 0);
    EXPECT_EQ(gdt[6], DATA32 | DPL3);
    EXPECT_EQ(update_descriptor(&gdt[6], 0), 0);
    EXPECT_EQ(gdt[6], 0);
    EXPECT_EQ(update_descriptor(&gdt[6], TSS), -XEN_EINVAL);
    EXPECT_EQ(gdt[6], 0);
    obs("call_gate", update_descriptor(&gdt[6], GATE));
    obs("call_gate_stored", (long)gdt[6]);
    EXPECT_EQ(update_descriptor(&gdt[6], 0), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_update_descriptor, maddr_of(gdt) + 4, 0), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_update_descriptor, ~7UL, 0), -XEN_EINVAL);
    /* an ordinary page: the store goes through */
    EXPECT_EQ(update_descriptor(&page[3], DATA32), 0);
    EXPECT_EQ(page[3], DATA32 | DPL3);
    page_free(page);
}

TEST(ldt)
{
    uint64_t *ldt = page_alloc();

    gdt_init();
    ldt[0] = DATA32 | DPL3;
    ldt[2] = CODE64;
    EXPECT_EQ(make_readonly(ldt), 0);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, U(ldt), 512), 0);
    TRY("mov %%eax, %%es; mov %%ecx, %%es", : : "a"(7), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(lsl(7), 0xffffffff);
    EXPECT_EQ(ldt[2], CODE64 | DPL3);
    TRY("mov %%eax, %%es", : : "a"(0xf));                       /* entry 1 is null */
    EXPECT_EQ(trap_vector(), 13);
    EXPECT_EQ(trap_seen.regs.error, 0xc);
    EXPECT_EQ(update_descriptor(&ldt[1], DATA32 | DPL3), 0);
    TRY("mov %%eax, %%es; mov %%ecx, %%es", : : "a"(0xf), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);

    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, U(ldt) + 8, 1), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, U(ldt), 8193), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    TRY("mov %%eax, %%es", : : "a"(7));
    EXPECT_EQ(trap_vector(), 13);
    EXPECT_EQ(make_writable(ldt), 0);
    page_free(ldt);
}

/*
 * LDT pages may be named before they are mapped: the first use faults in the hypervisor, which looks again.
 */
TEST(ldt_lazy)
{
    uint64_t va = SCRATCH + 0x40000000UL, *page = page_alloc();

    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, va, 512), 0);
    TRY("mov %%eax, %%es", : : "a"(7));
    obs("unmapped_vector", trap_vector());
    if (trap_vector() == 14)
        obs("cr2_offset", (long)(trap_seen.cr2 - va));
    page[0] = DATA32 | DPL3;
    EXPECT_EQ(make_readonly(page), 0);
    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_RO_FLAGS), 0);
    TRY("mov %%eax, %%es; mov %%ecx, %%es", : : "a"(7), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    EXPECT_EQ(make_writable(page), 0);
    page_free(page);
}

TEST(bases)
{
    static uint64_t value = 0x7531;
    uint64_t got;

    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, &value), 0);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(got));
    EXPECT_EQ(got, 0x7531);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, &value), 0);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
    EXPECT_EQ(got, 0x7531);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, &value), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0x8000000000000000), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, 0x8000000000000000), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0x8000000000000000), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, 4, 0), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, ~0u, 0), -XEN_EINVAL);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0);
}

/* The base that it brings is the user's; the kernel's stays. */
TEST(user_gs_selector)
{
    static uint64_t value = 0x1357;
    uint32_t lo, hi;
    uint64_t got;

    gdt_init();
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, &value), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0x1000), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0x1b), 0);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
    EXPECT_EQ(got, 0x1357);
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000102));
    EXPECT_EQ(lo | hi, 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0x1b), 0);
    obs("bad_selector", hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0x1003));
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0);
}

TEST(stack_switch)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, kernel_stack + sizeof(kernel_stack)), 0);
    obs("null_ss", hypercall(__HYPERVISOR_stack_switch, 0, kernel_stack + sizeof(kernel_stack)));
    obs("noncanonical_sp", hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, 0x8000000000000000));
    obs("rpl0_ss", hypercall(__HYPERVISOR_stack_switch, 0x18, kernel_stack + sizeof(kernel_stack)));
    EXPECT_EQ(hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, kernel_stack + sizeof(kernel_stack)), 0);
}

/* An iret that the processor refuses comes back as #GP of the place it was going to. */
static void refused_iret(struct regs r, uint64_t error)
{
    struct regs want = r;

    user_init();
    trap_forget();
    run_user(&r);
    EXPECT_EQ(r.vector, 13);
    EXPECT_EQ(r.error, error);
    EXPECT_EQ(r.rip, want.rip);
    EXPECT_EQ(r.cs, want.cs);
    EXPECT_EQ(r.ss, want.ss);
    EXPECT_EQ(r.rsp, want.rsp);
    EXPECT_EQ(r.rax, want.rax);
    EXPECT_EQ(trap_seen.mask, 1);
}

TEST(refused_irets)
{
    uint64_t user = user_address(user_start), sp = USER_STACK_TOP;

    gdt_init();
    refused_iret((struct regs){ .rip = user, .cs = 0x2003, .ss = USER_SS, .rsp = sp, .rflags = 0x202 },
                 0x2000);
    refused_iret((struct regs){ .rip = user, .cs = USER_CS, .ss = 0x2003, .rsp = sp, .rflags = 0x202 },
                 0x2000);
    refused_iret((struct regs){ .rip = 1UL << 63, .cs = USER_CS, .ss = USER_SS, .rsp = sp, .rflags = 0x202 },
                 0);
    refused_iret((struct regs){ .rip = user, .cs = 0x1b, .ss = USER_SS, .rsp = sp, .rflags = 0x202 }, 0x18);
    refused_iret((struct regs){ .rip = user, .cs = 3, .ss = USER_SS, .rsp = sp, .rflags = 0x202, .rax = 99 },
                 0);
}
