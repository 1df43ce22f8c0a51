/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Alignment checks switched on by the guest (RFLAGS.AC) whenever the hypervisor works for it: its own accesses, at addresses
 * that the guest chose as odd as can be, fault for nobody; nor does the flag, which in ring 0 has another meaning, let it touch
 * what it should not. An access of the guest's own is done or ends in #AC (QEMU does not check alignment; Bochs does).
 */

#include "hostile.h"

#include <xen/version.h>
#include <xen/vcpu.h>

#define AC 0x40000UL
#define WITH_AC "pushfq; orl $0x40000, (%%rsp); popfq\n"
#define WITHOUT_AC "pushfq; andl $~0x40000, (%%rsp); popfq\n"

static char bytes[256] __attribute__((aligned(64)));
static uint64_t *table;

static long ac_hypercall(unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
    register unsigned long r10 __asm__("r10") = a4;

    __asm__ volatile(WITH_AC "syscall\n" WITHOUT_AC
                     : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10) : : "rcx", "r8", "r11", "memory", "cc");
    return (long)nr;
}

static long version_odd(void)    { return ac_hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, U(bytes + 3), 0, 0); }
static long features_odd(void)
{
    memset(bytes, 0, sizeof(bytes));
    return ac_hypercall(__HYPERVISOR_xen_version, XENVER_get_features, U(bytes + 1), 0, 0);
}
static long traps_odd(void)      { return ac_hypercall(__HYPERVISOR_set_trap_table, U(bytes + 5), 0, 0, 0); }
static long mmu_odd(void)        { return ac_hypercall(__HYPERVISOR_mmu_update, U(bytes + 7), 0, 0, DOMID_SELF); }
static long status_odd(void)
{
    *(uint32_t *)(bytes + 1) = DOMID_SELF;
    return ac_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_status, U(bytes + 1), 0, 0);
}
static long multicall_odd(void)
{
    memset(bytes, 0, sizeof(bytes));
    *(uint64_t *)(bytes + 3) = __HYPERVISOR_xen_version;
    return ac_hypercall(__HYPERVISOR_multicall, U(bytes + 3), 1, 0, 0);
}
static long runstate_odd(void)
{
    static union { struct vcpu_register_runstate_memory_area a; char room[64]; } u;
    static char area[128] __attribute__((aligned(64)));
    long rc;

    u.a.addr.p = (uint64_t)(area + 9);
    rc = ac_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, U(&u.a), 0);
    yield();
    return rc;
}

#define INSTRUCTION(name, first, faults)                                                      \
    static long name(void)                                                          \
    {                                                                               \
        register uint64_t kept __asm__("r12");                                      \
        uint64_t at = U(bytes);                                                     \
        trap_forget();                                                              \
        __asm__ volatile("mov %%rsp, %1\n" WITH_AC first "\n1: " faults "\n2:\n" FIXUP "mov %1, %%rsp\n" WITHOUT_AC \
                         : "+D"(at), "=&r"(kept) : "S"(U(bytes) + 64) : "rax", "rbx", "rcx", "rdx", "r11", "memory", "cc"); \
        return try_result();                                                        \
    }

INSTRUCTION(aligned, "", "mov (%%rdi), %%rax")
INSTRUCTION(read_8, "", "mov 1(%%rdi), %%rax")
INSTRUCTION(read_2, "", "mov 3(%%rdi), %%ax")
INSTRUCTION(write_8, "", "mov %%rax, 5(%%rdi)")
INSTRUCTION(locked, "", "lock incl 61(%%rdi)")
INSTRUCTION(push, "sub $3, %%rsp", "push %%rax")
INSTRUCTION(ud2, "", "ud2")
INSTRUCTION(int3, "", "int3")
INSTRUCTION(icebp, "", ".byte 0xf1")
INSTRUCTION(int80, "", "int $0x80")
INSTRUCTION(int17, "", "int $17")
INSTRUCTION(divide, "xor %%ecx, %%ecx", "div %%ecx")
INSTRUCTION(page_fault, "", "mov 0x1003, %%rax")
INSTRUCTION(non_canonical, "btc $62, %%rdi", "mov 1(%%rdi), %%rax")
INSTRUCTION(read_cr0, "", "mov %%cr0, %%rax")
INSTRUCTION(read_cr3, "", "mov %%cr3, %%rax")
INSTRUCTION(read_msr, "mov $0xc0000080, %%ecx", "rdmsr")
INSTRUCTION(emulated_cpuid, "xor %%eax, %%eax", "ud2; .byte 0x78, 0x65, 0x6e; cpuid")
INSTRUCTION(in_port, "mov $0x61, %%edx", "in (%%dx), %%al")
INSTRUCTION(string_in, "mov $0x61, %%edx; inc %%rdi", "insl")
INSTRUCTION(step, "pushfq; orl $0x100, (%%rsp); popfq", "nop; pushfq; andl $~0x100, (%%rsp); popfq")

/* A write to a page table of one's own, which the hypervisor does instead, at an odd address too. */
static long table_write(unsigned long at)
{
    trap_forget();
    __asm__ volatile(WITH_AC "1: movl $0, (%0)\n2:\n" FIXUP WITHOUT_AC : : "r"(at) : "memory", "cc");
    return try_result();
}

static long table_aligned(void) { return table_write(U(table) + 8); }
static long table_odd(void)     { return table_write(U(table) + 9); }

/* The frame that the guest returns by asks for it, and the next trap happens with it. */
static long by_iret(void)
{
    uint64_t flags;

    __asm__ volatile("mov %%rsp, %%rdx; push %1; push %%rdx; push $0x40202; push %2; lea 3f(%%rip), %%rax; push %%rax\n"
                     "push $0; push $0; push $0; push $0; mov $23, %%eax; syscall\n"
                     "3: pushfq; pop %0\n" WITHOUT_AC
                     : "=&r"(flags) : "r"((uint64_t)KERNEL_SS), "r"((uint64_t)KERNEL_CS)
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    events_off();
    return flags & AC ? 0 : -1;
}

/* An event comes while it is on: the frame of the upcall is the hypervisor's to push. */
static long upcall(void)
{
    evtchn_port_t port = (evtchn_port_t)port_bind_ipi(0);
    unsigned int before = upcalls;

    port_unmask(port);
    events_on();
    ac_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, U(&port), 0, 0);
    events_off();
    port_close(port);
    return upcalls > before ? 0 : -1;
}

/* User mode with the flag: what it traps into is its own kernel. */
static long in_user_mode(void)
{
    extern char user_nop[];
    struct regs r = { .rip = user_address(user_nop), .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP - 3,
                      .rflags = 0x202 | AC };

    user_init();
    run_user(&r);
    return r.vector == TRAP_SYSCALL ? 0 : TRAP(r.vector);
}

TEST(flag)
{
    static const struct { const char *name; long (*run)(void); long want; } attacks[] = {
        { "extraversion", version_odd, 0 }, { "features", features_odd, 0 }, { "trap_table", traps_odd, 0 },
        { "mmu_update", mmu_odd, 0 }, { "status", status_odd, NO_GAIN }, { "multicall", multicall_odd, 0 },
        { "runstate_area", runstate_odd, NO_GAIN }, { "aligned", aligned, 0 }, { "read_8", read_8, NO_GAIN },
        { "read_2", read_2, NO_GAIN }, { "write_8", write_8, NO_GAIN }, { "locked", locked, NO_GAIN },
        { "push", push, NO_GAIN }, { "ud2", ud2, TRAP(6) }, { "int3", int3, TRAP(3) }, { "icebp", icebp, NO_GAIN },
        { "int80", int80, TRAP(0x80) }, { "int17", int17, FAULT }, { "divide", divide, TRAP(0) },
        { "page_fault", page_fault, TRAP(14) }, { "non_canonical", non_canonical, FAULT }, { "read_cr0", read_cr0, 0 },
        { "read_cr3", read_cr3, 0 }, { "read_msr", read_msr, NO_GAIN }, { "emulated_cpuid", emulated_cpuid, 0 },
        { "in_port", in_port, NO_GAIN }, { "string_in", string_in, NO_GAIN }, { "step", step, NO_GAIN },
        { "table_aligned", table_aligned, NO_GAIN }, { "table_odd", table_odd, NO_GAIN }, { "iret", by_iret, 0 },
        { "upcall", upcall, 0 }, { "user_mode", in_user_mode, NO_GAIN },
    };
    static char quiet[64];
    struct vcpu_register_runstate_memory_area area = { .addr.p = (uint64_t)quiet };
    unsigned int i;

    table = page_alloc();
    EXPECT_EQ(make_readonly(table), 0);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), 0);
    for (i = 0; i < ARRAY_SIZE(attacks); i++) {
        long rc = attacks[i].run();

        if (attacks[i].run == traps_odd)
            trap_init();
        verdict("flag", attacks[i].name, rc, attacks[i].want);
    }
    EXPECT_EQ(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area), 0);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table), 0), 0);
    EXPECT_EQ(make_writable(table), 0);
    page_free(table);
}
