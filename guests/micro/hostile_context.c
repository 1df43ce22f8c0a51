/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts of vCPUs with a wild value in each field: given to a domU by a tool that was handed a bad image, and by a domU to
 * a vCPU of its own. A context is refused, or the vCPU runs with it: then the domU may crash, or run on, or hang by itself,
 * and dom0 gets all its memory back.
 */

#include "hostile.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#include "child.h"

#define NON_CANONICAL 0x800000000000UL
#define HYPERVISOR    0xffff830000001000UL
#define MILLISECONDS  150

typedef struct vcpu_guest_context context;

static void everything(context *c, uint64_t value)      { memset(c, (int)value, sizeof(*c)); }
static void fpu(context *c, uint64_t value)
{
    memset(&c->fpu_ctxt, (int)value, sizeof(c->fpu_ctxt));
    c->flags |= VGCF_I387_VALID;
}
static void mxcsr(context *c, uint64_t value)
{
    *(uint32_t *)((char *)&c->fpu_ctxt + 24) = (uint32_t)value;
    c->flags |= VGCF_I387_VALID;
}
static void traps(context *c, uint64_t value)           { memset(c->trap_ctxt, (int)value, sizeof(c->trap_ctxt)); }
static void same_trap(context *c, uint64_t value)
{
    unsigned int i;

    for (i = 0; i < 256; i++)
        c->trap_ctxt[i].vector = (uint8_t)value;
}
static void trap_addresses(context *c, uint64_t value)
{
    unsigned int i;

    for (i = 0; i < 256; i++)
        c->trap_ctxt[i] = (struct trap_info){ .vector = (uint8_t)i, .cs = KERNEL_CS | 3, .address = value };
    c->user_regs.rip = 8;               /* and one is taken */
}
static void trap_selectors(context *c, uint64_t value)
{
    unsigned int i;

    for (i = 0; i < 256; i++)
        c->trap_ctxt[i].cs = (uint16_t)value;
    c->user_regs.rip = 8;
}
static void gdt_of(context *c, uint64_t mfn)
{
    c->gdt_frames[0] = mfn;
    c->gdt_ents = 512;
}
static void gdt_table(context *c, uint64_t value)       { gdt_of(c, c->ctrlreg[3] >> 12); }
static void gdt_foreign(context *c, uint64_t value)     { gdt_of(c, foreign_frame()); }
static void gdt_frame(context *c, uint64_t value)       { gdt_of(c, value); }
static void gdt_two(context *c, uint64_t value)         { gdt_of(c, c->ctrlreg[3] >> 12); c->gdt_ents = 1024; }
static void root_foreign(context *c, uint64_t value)    { c->ctrlreg[3] = foreign_frame() << 12; }
static void root_shared(context *c, uint64_t value)     { c->ctrlreg[3] = start_info->shared_info; }
static void root_page(context *c, uint64_t value)       { c->ctrlreg[3] = maddr_of(start_info); }
static void root_low_bits(context *c, uint64_t value)   { c->ctrlreg[3] |= value; }
static void user_root_same(context *c, uint64_t value)  { c->ctrlreg[1] = c->ctrlreg[3]; }
static void user_root_foreign(context *c, uint64_t value) { c->ctrlreg[1] = foreign_frame() << 12; }
static void user_mode(context *c, uint64_t value)
{
    c->flags = 0;
    c->ctrlreg[1] = value ? c->ctrlreg[3] : 0;
}
static void ldt(context *c, uint64_t value)
{
    c->ldt_base = value;
    c->ldt_ents = 8192;
    c->user_regs.ds = 7;
}
static void watch(context *c, uint64_t value)
{
    c->debugreg[0] = value;
    c->debugreg[7] = 0xf0003;
}

static const struct {
    const char *name;
    void (*change)(context *c, uint64_t value);         /* NULL: the field of so many bytes at */
    uint64_t value;
    size_t at, bytes;
} odd[] = {
#define C(name, fn, value) { name, fn, value, 0, 0 },
#define F(name, field, value) { name, NULL, value, offsetof(context, field), sizeof(((context *)0)->field) },
#define ADDRESS(name, field) F(name "_non_canonical", field, NON_CANONICAL) F(name "_hypervisor", field, HYPERVISOR) \
    F(name "_bit63", field, 1UL << 63) F(name "_m2p", field, 0xffff800000000000UL) F(name "_ones", field, ~0UL)
#define SELECTOR(name, field) F(name "_null", field, 0) F(name "_ring0_code", field, 0xe008) F(name "_tss", field, 0xe040) \
    F(name "_ldt", field, 0x7) F(name "_user_code", field, 0xe033) F(name "_user_data", field, 0xe02b) F(name "_ones", field, 0xffff)
    C("everything_ones", everything, 0xff) C("everything_zero", everything, 0) C("everything_a5", everything, 0xa5)
    F("flags_ones", flags, ~0UL) C("user_mode_without_root", user_mode, 0) C("user_mode", user_mode, 1)
    C("fpu_ones", fpu, 0xff) C("fpu_zero", fpu, 0) C("mxcsr_reserved", mxcsr, 0xffff0000) C("mxcsr_unmasked", mxcsr, 0)
    ADDRESS("rip", user_regs.rip) ADDRESS("rsp", user_regs.rsp) SELECTOR("cs", user_regs.cs) SELECTOR("ss", user_regs.ss)
    SELECTOR("ds", user_regs.ds) SELECTOR("fs", user_regs.fs) SELECTOR("gs", user_regs.gs)
    F("rflags_ones", user_regs.rflags, ~0UL) F("rflags_zero", user_regs.rflags, 0) F("rflags_vm", user_regs.rflags, 0x20202)
    F("rflags_nt", user_regs.rflags, 0x4202) F("rflags_iopl3", user_regs.rflags, 0x3202)
    F("rflags_tf", user_regs.rflags, 0x302) F("rflags_ac", user_regs.rflags, 0x40202) F("rflags_rf", user_regs.rflags, 0x10202)
    F("rflags_vif", user_regs.rflags, 0x180202) F("error_code_ones", user_regs.error_code, ~0UL)
    F("vector_ones", user_regs.entry_vector, ~0UL) F("mask_ones", user_regs.saved_upcall_mask, 0xff)
    C("traps_ones", traps, 0xff) C("traps_a5", traps, 0xa5) C("traps_all_0", same_trap, 0) C("traps_all_255", same_trap, 255)
    C("handlers_non_canonical", trap_addresses, NON_CANONICAL) C("handlers_hypervisor", trap_addresses, HYPERVISOR)
    C("handlers_null", trap_addresses, 0) C("handlers_ring0", trap_selectors, 0xe008) C("handlers_data", trap_selectors, 0xe02b)
    C("ldt_non_canonical", ldt, NON_CANONICAL) C("ldt_hypervisor", ldt, HYPERVISOR) C("ldt_nowhere", ldt, SCRATCH - PAGE_SIZE)
    C("ldt_unaligned", ldt, 12345) C("ldt_wraps", ldt, ~0UL - 4095) F("ldt_8193", ldt_ents, 8193) F("ldt_ones", ldt_ents, ~0UL)
    F("gdt_15361", gdt_ents, 15361) F("gdt_ones", gdt_ents, ~0UL) F("gdt_without_frame", gdt_ents, 512)
    C("gdt_is_a_table", gdt_table, 0) C("gdt_foreign", gdt_foreign, 0) C("gdt_invalid", gdt_frame, 0xfffffffffffUL)
    C("gdt_frame_ones", gdt_frame, ~0UL) C("gdt_second_missing", gdt_two, 0)
    SELECTOR("kernel_ss", kernel_ss) ADDRESS("kernel_sp", kernel_sp)
    F("cr0_ones", ctrlreg[0], ~0UL) F("cr0_zero", ctrlreg[0], 0) F("cr2_ones", ctrlreg[2], ~0UL) F("cr4_ones", ctrlreg[4], ~0UL)
    F("cr5_ones", ctrlreg[5], ~0UL) F("cr7_ones", ctrlreg[7], ~0UL)
    F("root_null", ctrlreg[3], 0) F("root_ones", ctrlreg[3], ~0UL) F("root_invalid", ctrlreg[3], 0xfffffffff000UL)
    F("root_image", ctrlreg[3], 0x200000) C("root_foreign", root_foreign, 0) C("root_shared", root_shared, 0)
    C("root_ordinary_page", root_page, 0) C("root_low_bits", root_low_bits, 0xfff) C("root_bit63", root_low_bits, 1UL << 63)
    C("user_root_same", user_root_same, 0) C("user_root_foreign", user_root_foreign, 0) F("user_root_ones", ctrlreg[1], ~0UL)
    F("user_root_one", ctrlreg[1], 1) F("dr0_ones", debugreg[0], ~0UL) F("dr4_ones", debugreg[4], ~0UL)
    F("dr6_ones", debugreg[6], ~0UL) F("dr7_ones", debugreg[7], ~0UL) F("dr7_general_detect", debugreg[7], 0x2000)
    F("dr7_io", debugreg[7], 0x20001) F("dr7_high", debugreg[7], 1UL << 63) C("watch_hypervisor", watch, HYPERVISOR)
    C("watch_non_canonical", watch, NON_CANONICAL) C("watch_last_byte", watch, ~0UL)
    ADDRESS("event_callback", event_callback_eip) ADDRESS("failsafe_callback", failsafe_callback_eip)
    ADDRESS("syscall_callback", syscall_callback_eip) F("vm_assist_ones", vm_assist, ~0UL)
    ADDRESS("fs_base", fs_base) ADDRESS("gs_base", gs_base_kernel) ADDRESS("gs_base_user", gs_base_user)
};

static unsigned int chosen;

static void change(context *c)
{
    if (odd[chosen].change)
        odd[chosen].change(c, odd[chosen].value);
    else
        memcpy((char *)c + odd[chosen].at, &odd[chosen].value, odd[chosen].bytes);
}

/* How the domU was refused; or 0, whatever it did to itself when it was let run. */
static long outcome(long dom, uint64_t before)
{
    if (dom < 0) {
        EXPECT(memory_returns(before));
        return dom;
    }
    child_run_ms((domid_t)dom, MILLISECONDS, NULL);
    EXPECT(destroy_without_leak((domid_t)dom, before));
    return 0;
}

/* A refused context ends the building of the domU, and with it the domU. */
TEST(by_a_tool)
{
    uint64_t before;
    long dom;

    if (!is_dom0())
        return;
    first_child();
    for (chosen = 0; chosen < ARRAY_SIZE(odd); chosen++) {
        before = machine_free_pages();
        child_context = change;
        dom = child_build("only=hello");
        child_context = NULL;
        verdict("by_a_tool", odd[chosen].name, outcome(dom, before), NO_GAIN);
    }
}

/* ---- By the domU itself ---- */

static volatile bool came;
/* Below it is a page that cannot be written: a vCPU that faults for ever ends there, and not in the other one's stack. */
static struct {
    uint8_t guard[PAGE_SIZE], stack[PAGE_SIZE];
} own __attribute__((aligned(4096)));
extern char odd_entry[];
void odd_main(void);

__asm__(".text\nodd_entry:\n    call odd_main\n    ud2\n");

void odd_main(void)
{
    came = true;
    for (;;)
        yield();
}

TEST_DESTRUCTIVE(context)
{
    static context c;
    const char *name = option("attack");
    uint64_t end;
    unsigned int i;

    for (chosen = 0; chosen + 1 < ARRAY_SIZE(odd) && strcmp(name, odd[chosen].name); chosen++)
        continue;
    c.flags = VGCF_IN_KERNEL;
    c.user_regs.rip = U(odd_entry);
    c.user_regs.cs = KERNEL_CS | 3;
    c.user_regs.ss = c.kernel_ss = KERNEL_SS;
    c.user_regs.rsp = c.kernel_sp = U(own.stack) + sizeof(own.stack);
    c.user_regs.rflags = 0x200;
    c.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(boot_l4()));
    c.event_callback_eip = c.failsafe_callback_eip = U(odd_entry);
    for (i = 0; i < 32; i++)
        c.trap_ctxt[i] = (struct trap_info){ .vector = (uint8_t)i, .flags = 4, .cs = KERNEL_CS | 3, .address = U(odd_entry) };
    change(&c);
    make_readonly(own.guard);
    if (hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &c) < 0)
        shutdown(SHUTDOWN_suspend);             /* refused */
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, NULL);
    for (end = now() + 20000000; !came && now() < end;)
        yield();
    shutdown(SHUTDOWN_poweroff);
}

TEST(by_a_domU)
{
    uint64_t before;
    long dom, reason;

    if (!is_dom0())
        return;
    first_child();
    for (chosen = 0; chosen < ARRAY_SIZE(odd); chosen++) {
        before = machine_free_pages();
        dom = child_attacks("context", odd[chosen].name);
        if (!EXPECT_GE(dom, 1))
            continue;
        reason = child_run_ms((domid_t)dom, 10 * MILLISECONDS, NULL);
        EXPECT(destroy_without_leak((domid_t)dom, before));
        verdict("by_a_domU", odd[chosen].name,
                reason == SHUTDOWN_suspend ? -XEN_EINVAL : reason == SHUTDOWN_crash ? 0 : reason, NO_GAIN);
    }
}
