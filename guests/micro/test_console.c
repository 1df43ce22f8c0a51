/* SPDX-License-Identifier: BSD-2-Clause */
/* console_io: write takes bytes as they are, read never blocks, anything else is refused. */

#include "micro.h"

TEST(write)
{
    static const char text[] = "# written by console.write\n";
    long want = is_dom0() ? 0 : -XEN_EPERM;

    EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text) - 1, text), want);
    EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 0, text), want);
}

TEST(read_nothing)
{
    char buf[16];

    EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_read, sizeof(buf), buf), is_dom0() ? 0 : -XEN_EPERM);
}
