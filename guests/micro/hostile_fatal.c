/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks that end their own domain: no handler, handlers and stacks that are not there, faults within faults, tables
 * pulled away. Each has a domU of its own, which must crash, while dom0 looks on and loses no memory.
 */

#include "hostile.h"

#include <xen/callback.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "child.h"
#include "domctl.h"

#define NOWHERE (SCRATCH + 0x123456000)

static void one_handler(unsigned int vector, uint64_t address, uint16_t cs)
{
    struct trap_info one[2] = { { .vector = (uint8_t)vector, .flags = 4, .cs = cs, .address = address } };

    hypercall(__HYPERVISOR_set_trap_table, one);
}

static void stack_at(uint64_t sp)
{
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(sp) : "memory");
}

static void without_handlers(void)  { hypercall(__HYPERVISOR_set_trap_table, NULL); }
static void ud2(void)               { __asm__ volatile("ud2"); }

static void no_handler_pf(void)     { without_handlers(); *(volatile char *)NOWHERE = 1; }
static void no_handler_gp(void)     { without_handlers(); *(volatile char *)(1UL << 63) = 1; }
static void no_handler_de(void)     { without_handlers(); __asm__ volatile("div %%ecx" : : "a"(1), "c"(0), "d"(0)); }
static void no_handler_bp(void)     { without_handlers(); __asm__ volatile("int3"); ud2(); }
static void no_handler_db(void)     { without_handlers(); __asm__ volatile(".byte 0xf1"); ud2(); }
static void no_handler_int80(void)  { without_handlers(); __asm__ volatile("int $0x80"); ud2(); }
static void no_handler_step(void)
{
    without_handlers();
    __asm__ volatile("pushfq; orl $0x100, (%rsp); popfq; nop; nop; ud2");
}
static void no_handler_int4(void)   { without_handlers(); __asm__ volatile(".byte 0xcd, 4"); ud2(); }
static void handler_unmapped(void)  { one_handler(14, NOWHERE, KERNEL_CS | 3); *(volatile char *)NOWHERE = 1; }
static void handler_bit63(void)
{
    one_handler(13, 1UL << 63, KERNEL_CS | 3);
    one_handler(6, 1UL << 63, KERNEL_CS | 3);
    ud2();
}
static void handler_hypervisor(void) { one_handler(14, 0xffff830000000000, KERNEL_CS | 3); *(volatile char *)NOWHERE = 1; }
static void handler_bad_cs(void)    { one_handler(13, U(ud2), 0xfffb); one_handler(6, U(ud2), 0xfffb); ud2(); }
static void handler_data_cs(void)   { one_handler(13, U(ud2), 0xe02b); one_handler(6, U(ud2), 0xe02b); ud2(); }
static void stack_null(void)        { stack_at(8); }
static void stack_unmapped(void)    { stack_at(NOWHERE); }
static void stack_non_canonical(void) { stack_at(0x800000000000); }
static void stack_bit63(void)       { stack_at(1UL << 63); }
static void stack_hypervisor(void)  { stack_at(0xffff830000001000); }
static void stack_m2p(void)         { stack_at(MACH2PHYS_VIRT_START + 0x1000); }
static void stack_end_of_hypervisor(void) { stack_at(0xffff880000000000); }
static void stack_wraps(void)       { stack_at(16); }
static void stack_read_only(void)
{
    char *page = page_alloc();

    make_readonly(page);
    stack_at(U(page) + PAGE_SIZE);
}
static void stack_page_table(void)  { stack_at(U(boot_l4()) + PAGE_SIZE); }
static void stack_straddles(void)
{
    uint64_t va = NOWHERE + 0x10000;
    char *page = page_alloc();

    map(va, mfn_of(page) << 12 | PTE_FLAGS);
    stack_at(va + 24);
}
static void iret_at(uint64_t sp)    { __asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(sp) : "memory"); }
static void iret_null(void)         { iret_at(0); }
static void iret_non_canonical(void) { iret_at(1UL << 63); }
static void iret_hypervisor(void)   { iret_at(0xffff830000000000); }
static void iret_straddles(void)
{
    uint64_t va = NOWHERE + 0x10000;
    char *page = page_alloc();

    map(va, mfn_of(page) << 12 | PTE_FLAGS);
    iret_at(va + PAGE_SIZE - 24);
}
extern char user_nop[], user_ud2[], user_read[];
static void user_without_stack(char *program, uint64_t sp)
{
    struct regs r = { .rip = user_address(program), .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP, .rflags = 0x202,
                      .rax = NOWHERE };

    user_init();
    hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, sp);
    run_frame(&r);
}
static uint64_t half_a_frame(void)
{
    uint64_t va = NOWHERE + 0x10000;

    map(va, mfn_of(page_alloc()) << 12 | PTE_FLAGS);
    return va + 16;
}
static void kernel_sp_null(void)    { user_without_stack(user_nop, 8); }
static void kernel_sp_bit63(void)   { user_without_stack(user_nop, 1UL << 63); }
static void kernel_sp_hypervisor(void) { user_without_stack(user_nop, 0xffff830000001000); }
static void kernel_sp_unmapped(void) { user_without_stack(user_nop, NOWHERE); }
static void kernel_sp_unmapped_ud(void) { user_without_stack(user_ud2, NOWHERE); }
static void kernel_sp_unmapped_pf(void) { user_without_stack(user_read, NOWHERE); }
static void kernel_sp_straddles(void) { user_without_stack(user_nop, half_a_frame()); }
static void kernel_sp_straddles_ud(void) { user_without_stack(user_ud2, half_a_frame()); }
static void kernel_sp_straddles_pf(void) { user_without_stack(user_read, half_a_frame()); }
static void stack_straddles_pf(void)
{
    __asm__ volatile("mov %0, %%rsp; mov (%1), %%rax" : : "r"(half_a_frame()), "r"(NOWHERE) : "rax", "memory");
}
static void own_code_unmapped(void)
{
    update_va((void *)(U(trap_stub(14)) & ~0xfffUL), 0, UVMF_INVLPG);
    *(volatile char *)NOWHERE = 1;
}
static void kernel_half_cleared(void) { mmu_update(maddr_of(&boot_l4()[511]), 0); ud2(); }
static void new_base_without_kernel(void)
{
    uint64_t *root = page_alloc();

    make_readonly(root);
    mmuext(MMUEXT_NEW_BASEPTR, mfn_of(root), 0);
    ud2();
}
static void fault_recursion(void)
{
    one_handler(14, U(ud2), KERNEL_CS | 3);
    one_handler(6, U(ud2), KERNEL_CS | 3);
    ud2();
}
static void callback_unmapped(void)
{
    struct callback_register cb = { .type = CALLBACKTYPE_event, .address = NOWHERE };
    long port = port_bind_ipi(0);

    without_handlers();
    hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb);
    port_unmask((evtchn_port_t)port);
    events_on();
    port_send((evtchn_port_t)port);
    ud2();
}
static void all_gone(void)
{
    without_handlers();
    hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, 8);
    mmu_update(maddr_of(&boot_l4()[511]), 0);
    ud2();
}

#define A(name) { #name, name }
static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    A(no_handler_pf), A(no_handler_gp), A(no_handler_de), A(no_handler_bp), A(no_handler_db), A(no_handler_int80),
    A(no_handler_step), A(no_handler_int4), A(handler_unmapped), A(handler_bit63), A(handler_hypervisor),
    A(handler_bad_cs), A(handler_data_cs), A(stack_null), A(stack_unmapped), A(stack_non_canonical), A(stack_bit63),
    A(stack_hypervisor), A(stack_m2p), A(stack_end_of_hypervisor), A(stack_wraps), A(stack_read_only),
    A(stack_page_table), A(stack_straddles), A(iret_null), A(iret_non_canonical), A(iret_hypervisor), A(iret_straddles),
    A(stack_straddles_pf), A(kernel_sp_unmapped), A(kernel_sp_unmapped_ud), A(kernel_sp_unmapped_pf),
    A(kernel_sp_straddles), A(kernel_sp_straddles_ud), A(kernel_sp_straddles_pf), A(kernel_sp_null), A(kernel_sp_bit63), A(kernel_sp_hypervisor), A(own_code_unmapped), A(kernel_half_cleared),
    A(new_base_without_kernel), A(fault_recursion), A(callback_unmapped), A(all_gone),
};

/* In the domU: `attack=NAME`. */
TEST_DESTRUCTIVE(fatal)
{
    const char *name = option("attack");
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(attacks); i++)
        if (!strcmp(name, attacks[i].name))
            attacks[i].run();
}

uint64_t machine_free_pages(void)
{
    sysctl_clear();
    return sysctl(XEN_SYSCTL_physinfo) ? 0 : sc.u.physinfo.free_pages;
}

void first_child(void)
{
    static bool done;
    long dom = done ? -1 : child_build("only=hello");
    uint64_t end;

    if (dom > 0) {
        EXPECT_EQ(child_run((domid_t)dom, 20, NULL), SHUTDOWN_poweroff);
        domain_destroy((domid_t)dom);
        end = now() + 200000000;
        while (now() < end)
            yield();
    }
    done = true;
}

bool memory_returns(uint64_t free_before)
{
    uint64_t end = now() + 5000000000UL;

    while (machine_free_pages() != free_before && now() < end)
        yield();
    return machine_free_pages() == free_before;
}

bool destroy_without_leak(domid_t dom, uint64_t free_before)
{
    domain_destroy(dom);
    return memory_returns(free_before);
}

TEST(attacks)
{
    unsigned int i;

    if (!is_dom0())
        return;
    first_child();
    for (i = 0; i < ARRAY_SIZE(attacks); i++) {
        char line[96] = "destructive=fatal attack=";
        uint64_t before;
        long dom, reason = -1;

        memcpy(line + strlen(line), attacks[i].name, strlen(attacks[i].name) + 1);
        before = machine_free_pages();
        dom = child_build(line);
        if (EXPECT_GE(dom, 1)) {
            reason = child_run((domid_t)dom, 20, NULL);
            EXPECT(destroy_without_leak((domid_t)dom, before));
        }
        verdict("fatal", attacks[i].name, reason, SHUTDOWN_crash);
    }
}
