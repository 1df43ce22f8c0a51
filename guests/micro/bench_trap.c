/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions that go to the guest kernel and back, from kernel and user mode; instructions that are emulated. */

#include "bench.h"

#include "mm.h"
#include "trap.h"

#include <xen/callback.h>
#include <xen/physdev.h>

extern char bench_user_nothing[], bench_user_syscall[], bench_user_fault[];

#define ABSENT 0xffffa00000000000UL     /* nobody maps anything there */

static void set_trap(uint8_t vector, void *entry)
{
    struct trap_info table[2] = { { .vector = vector, .cs = KERNEL_CS | 3, .address = U(entry) } };

    TI_SET_IF(&table[0], 1);
    bench_need("set_trap_table", hypercall(__HYPERVISOR_set_trap_table, table));
}

static void set_syscall(void *entry)
{
    struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events, .address = U(entry) };

    bench_need("syscall callback", hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb));
}

#define UD2   __asm__ volatile("ud2" : : : "rcx", "r11", "memory")
#define FAULT __asm__ volatile("mov (%0), %%rsi" : : "D"(ABSENT) : "rsi", "rcx", "r11", "memory")

BENCH(kernel)
{
    set_trap(6, bench_ud_iretq);
    MEASURE("ud", 1, UD2);
    set_trap(6, bench_ud_iret);
    MEASURE("ud_iret_hypercall", 1, UD2);
    set_trap(14, bench_pf_iretq);
    MEASURE("page_fault", 1, FAULT);
    set_trap(14, bench_pf_iret);
    MEASURE("page_fault_iret_hypercall", 1, FAULT);
    trap_init();
}

static uint64_t least_of(const char *program)
{
    static struct regs r;

    memset(&r, 0, sizeof(r));
    r.rip = user_address(program);
    r.cs = USER_CS;
    r.ss = USER_SS;
    r.rsp = USER_STACK_TOP;
    r.rflags = 0x202;
    r.rdi = 0x10000;
    run_user(&r);
    if (r.vector != 3)
        print("bench failed: user program ended by trap %lu\n", r.vector);
    return (uint32_t)r.r13;
}

BENCH(user)
{
    uint64_t nothing, least;

    user_init();
    nothing = least_of(bench_user_nothing) - 1;     /* the nop */
    BENCH_SAY(BENCH_FORGET);
    set_syscall(bench_syscall);
    least = least_of(bench_user_syscall);
    bench_print(FAMILY, "user_syscall", least - nothing, 1);
    set_trap(14, bench_pf_iret);
    least = least_of(bench_user_fault);
    bench_print(FAMILY, "user_page_fault", least - nothing, 1);
    trap_init();
}

BENCH(emulation)
{
    uint32_t a, b, c, d;

    MEASURE("cpuid_fault_or_native", 1,
            __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(1), "2"(0)));
    MEASURE("cpuid_prefixed", 1,
            __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                             : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(1), "2"(0)));
    MEASURE("rdmsr", 1, __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0xc0000080)));
    MEASURE("read_cr0", 1, { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); });
    MEASURE("clts", 1, __asm__ volatile("clts"));
    if (is_dom0()) {
        struct physdev_set_iopl iopl = { .iopl = 1 };

        hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl);
        MEASURE("port_in", 1, __asm__ volatile("inb $0x80, %%al" : "=a"(a)));
    }
}
