/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O: dom0 reaches the machine but not the hypervisor's own devices; others read all-ones. */

#include "trap.h"

#include <xen/physdev.h>

#include "mm.h"

static uint32_t in8(uint16_t port)
{
    uint8_t v = 0x5a;

    TRY("inb %1, %0", : "+a"(v) : "d"(port));
    return v;
}

static uint32_t in16(uint16_t port)
{
    uint16_t v = 0x5a5a;

    TRY("inw %1, %0", : "+a"(v) : "d"(port));
    return v;
}

static uint32_t in32(uint16_t port)
{
    uint32_t v = 0x5a5a5a5a;

    TRY("inl %1, %0", : "+a"(v) : "d"(port));
    return v;
}

static void out8(uint16_t port, uint8_t v)
{
    TRY("outb %0, %1", : : "a"(v), "d"(port));
}

static void out32(uint16_t port, uint32_t v)
{
    TRY("outl %0, %1", : : "a"(v), "d"(port));
}

static long set_iopl(unsigned int level)
{
    struct physdev_set_iopl op = { .iopl = level };

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &op);
}

TEST(set_iopl)
{
    EXPECT_EQ(set_iopl(4), -XEN_EINVAL);
    EXPECT_EQ(set_iopl(3), 0);
    EXPECT_EQ(set_iopl(0), 0);
    in8(0x61);
    obs("iopl0_traps", trap_vector());
    EXPECT_EQ(set_iopl(1), 0);
    in8(0x61);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, 8), -XEN_EFAULT);
}

TEST(denied)
{
    EXPECT_EQ(set_iopl(1), 0);
    EXPECT_EQ(in8(0x3f8), 0xff);                /* the hypervisor's serial port */
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(in16(0x3fa), 0xffff);
    EXPECT_EQ(in32(0x3fc), 0xffffffff);
    EXPECT_EQ(in8(0x20), 0xff);                 /* interrupt controllers */
    EXPECT_EQ(in8(0xa1), 0xff);
    out8(0x20, 0);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(in8(0x40), 0xff);                 /* the timer behind the clock */
}

TEST(all_widths)
{
    uint32_t v = 0;

    EXPECT_EQ(set_iopl(1), 0);
    if (!is_dom0())
        return;
    EXPECT_NE(in8(0x61), 0xff);
    out32(0xcf8, 0x80000000);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(in32(0xcf8), 0x80000000);
    EXPECT_NE(in32(0xcfc), 0xffffffff);         /* there is a host bridge */
    EXPECT_EQ(in16(0xcfc), in32(0xcfc) & 0xffff);
    EXPECT_EQ(in8(0xcfd), (in32(0xcfc) >> 8) & 0xff);
    TRY("inb $0x61, %%al", : "+a"(v));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("outb %%al, $0x80", : : "a"(0));
    EXPECT_EQ(trap_seen.count, 0);
}

TEST(strings)
{
    uint8_t buf[8], *to = buf;
    uint64_t count = 4;

    memset(buf, 0x11, sizeof(buf));
    EXPECT_EQ(set_iopl(1), 0);
    TRY("rep insb", : "+D"(to), "+c"(count) : "d"(0x3f8) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(to, buf + 4);
    EXPECT_EQ(buf[3], 0xff);
    EXPECT_EQ(buf[4], 0x11);
    to = buf;
    count = 3;
    TRY("rep outsb", : "+S"(to), "+c"(count) : "d"(0x80) : "memory");
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(to, buf + 3);
    to = (uint8_t *)0x1000;
    count = 1;
    TRY("rep insb", : "+D"(to), "+c"(count) : "d"(0x3f8) : "memory");
    EXPECT_EQ(trap_vector(), 14);
    EXPECT_EQ(trap_seen.cr2, 0x1000);
}

TEST(pci_configuration_size)
{
    if (!is_dom0())
        return;
    EXPECT_EQ(set_iopl(1), 0);
    out32(0xcf8, 0x80000000);
    out8(0xcfb, 0x80);                          /* byte access to the address port: as the machine has it */
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(in32(0xcf8), 0x80000000);
    obs("byte_read", in8(0xcfb));
}

TEST(set_iobitmap)
{
    static uint8_t bitmap[8192];
    struct physdev_set_iobitmap op = { .nr_ports = 65536 };

    set_xen_guest_handle(op.bitmap, bitmap);
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op), 0);
    op.nr_ports = 65537;
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op), -XEN_EINVAL);
    op.nr_ports = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, 8), -XEN_EFAULT);
}

/* A user program with a bit clear in its bitmap may use that port. */
TEST(user_with_bitmap)
{
    extern char user_in[];
    static uint8_t bitmap[8192];
    struct physdev_set_iobitmap op = { .nr_ports = 65536 };
    struct regs r = { .cs = USER_CS, .ss = USER_SS, .rsp = USER_STACK_TOP, .rflags = 0x202, .rdx = 0x61 };

    user_init();
    memset(bitmap, 0xff, sizeof(bitmap));
    set_xen_guest_handle(op.bitmap, bitmap);
    r.rip = user_address(user_in);
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op), 0);
    run_user(&r);
    EXPECT_EQ(r.vector, 13);
    bitmap[0x61 / 8] &= (uint8_t)~(1 << (0x61 % 8));
    r.rip = user_address(user_in);
    run_user(&r);
    EXPECT_EQ(r.vector, TRAP_SYSCALL);
    op.nr_ports = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &op), 0);
}
