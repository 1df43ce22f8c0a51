/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: wild bitmaps and privilege levels, and what a domU with all the privilege that it can have reaches then. It reads what
 * an empty bus gives; a write to what ends or resets a machine does not.
 */

#include "hostile.h"

#include <xen/physdev.h>

#define CODE_VA (USER_VA + 0x30000)

static char *code;

static long set_iopl(unsigned int level)
{
    struct physdev_set_iopl op = { .iopl = level };

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &op);
}

static long set_bitmap(uint64_t address, uint32_t ports)
{
    struct physdev_set_iobitmap op = { .nr_ports = ports };

    op.bitmap.p = (void *)address;
    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op);
}

/* In user mode, which the bitmap and the level are for: all ones, a trap, or (dom0) what is there. */
static long user_runs(const char *bytes, unsigned int length, uint64_t port, uint64_t value)
{
    struct regs r = { .rip = CODE_VA, .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP, .rflags = 0x202, .rdx = port,
                      .rax = value, .rdi = USER_STACK_TOP - 64, .rsi = USER_STACK_TOP - 64, .rcx = 1 };

    memset(code, 0xcc, 64);
    memcpy(code, bytes, length);
    memcpy(code + length, "\x0f\x05", 2);
    trap_forget();
    run_user(&r);
    if (r.vector != TRAP_SYSCALL)
        return TRAP((long)r.vector);
    return is_dom0() || bytes[0] != '\xec' || (r.rax & 0xff) == 0xff ? 0 : -1;
}

static void init(void)
{
    if (code)
        return;
    user_init();
    code = page_alloc();
    EXPECT_EQ(map(CODE_VA, mfn_of(code) << 12 | PTE_RO_FLAGS | PTE_U), 0);
}

TEST(levels)
{
    static const struct { const char *name; unsigned int level; long want; } levels[] = {
        { "n0", 0, 0 }, { "n1", 1, 0 }, { "n2", 2, 0 }, { "n3", 3, 0 }, { "n4", 4, REFUSED }, { "int_max", 0x7fffffff, REFUSED },
        { "int_min", 0x80000000, REFUSED }, { "minus_one", ~0u, REFUSED },
    };
    unsigned int i;

    init();
    for (i = 0; i < ARRAY_SIZE(levels); i++) {
        long rc = set_iopl(levels[i].level);

        verdict("set_iopl", levels[i].name, rc, levels[i].want);
        verdict("cli_in_user", levels[i].name, user_runs("\xfa", 1, 0, 0), NO_GAIN);
        verdict("read_in_user", levels[i].name, user_runs("\xec", 1, 0x61, 0), NO_GAIN);
    }
    set_iopl(0);
}

TEST(bitmaps)
{
    static uint8_t bitmap[8192 + 8];
    uint64_t last = SCRATCH + 0x7090000000;
    const struct { const char *name; uint64_t address; uint32_t ports; } odd[] = {
        { "none", 0, 0 }, { "null", 0, 65536 }, { "one_port", U(bitmap), 1 }, { "all_ports", U(bitmap), 65536 },
        { "odd_address", U(bitmap) + 3, 65536 }, { "too_many", U(bitmap), 65537 }, { "int_min", U(bitmap), 0x80000000 },
        { "minus_one", U(bitmap), ~0u }, { "unmapped", SCRATCH - PAGE_SIZE, 65536 },
        { "straddling", last + PAGE_SIZE - 2, 65536 }, { "hypervisor", 0xffff830000000000, 65536 },
        { "before_hypervisor", 0xffff7ffffffff000, 65536 }, { "non_canonical", 0x800000000000, 65536 },
        { "bit63", 1UL << 63, 65536 }, { "wraps", ~0UL - 100, 65536 }, { "m2p", MACH2PHYS_VIRT_START, 65536 },
    };
    static const uint16_t ports[] = { 0, 0x20, 0x40, 0x61, 0x70, 0x3f8, 0xcf8, 0xcfc, 0x604, 0xffff };
    unsigned int i, k;
    void *page = page_alloc();

    init();
    EXPECT_EQ(map(last, mfn_of(page) << 12 | PTE_FLAGS), 0);
    for (i = 0; i < ARRAY_SIZE(odd); i++) {
        long rc = set_bitmap(odd[i].address, odd[i].ports), reads = 0;

        verdict("set_iobitmap", odd[i].name, rc, NO_GAIN);
        for (k = 0; k < ARRAY_SIZE(ports); k++)
            reads += user_runs("\xec", 1, ports[k], 0) == -1;
        verdict("read_with_bitmap", odd[i].name, reads, 0);
        verdict("last_port_dword", odd[i].name, user_runs("\xed", 1, 0xffff, 0), NO_GAIN);
        verdict("string_with_bitmap", odd[i].name, user_runs("\xf3\x6c", 2, 0x61, 0), NO_GAIN);
    }
    set_bitmap(0, 0);
    EXPECT_EQ(update_va((void *)last, 0, UVMF_INVLPG), 0);
    page_free(page);
}

/* What dom0 may do to its machine a domU may not, whatever level and bitmap it gives itself. */
TEST(ends_of_the_machine)
{
    static uint8_t bitmap[8192];
    static const struct { const char *name; uint16_t port; uint32_t value; } ends[] = {
        { "reset_control", 0xcf9, 6 }, { "keyboard_reset", 0x64, 0xfe }, { "fast_reset", 0x92, 1 }, { "acpi_off", 0x604, 0x2000 },
        { "acpi_off_piix", 0xb004, 0x2000 }, { "smi", 0xb2, 0 }, { "pic_mask", 0x21, 0xff }, { "timer_mode", 0x43, 0x30 },
        { "nmi_mask", 0x70, 0x80 }, { "serial", 0x3f8, 'x' }, { "pci_address", 0xcf8, 0x80000000 }, { "dma", 0x0d, 0 },
        { "debug_exit", 0xf4, 0 },
    };
    unsigned int i;

    if (is_dom0())
        return;
    init();
    set_iopl(3);
    set_bitmap(U(bitmap), 65536);
    for (i = 0; i < ARRAY_SIZE(ends); i++) {
        verdict("byte", ends[i].name, user_runs("\xee", 1, ends[i].port, ends[i].value), NO_GAIN);
        verdict("word", ends[i].name, user_runs("\x66\xef", 2, ends[i].port, ends[i].value), NO_GAIN);
        verdict("dword", ends[i].name, user_runs("\xef", 1, ends[i].port, ends[i].value), NO_GAIN);
        TRY("outb %%al, %%dx", : : "a"(ends[i].value), "d"(ends[i].port));
        verdict("kernel", ends[i].name, try_result(), NO_GAIN);
    }
    set_bitmap(0, 0);
    set_iopl(0);
}
