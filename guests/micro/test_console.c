/* SPDX-License-Identifier: BSD-2-Clause */
/* console_io: write takes bytes as they are, read never blocks; a domU may be refused altogether. */

#include "micro.h"

TEST(write)
{
    static const char text[] = "# written by console.write\n";
    long rc = hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text) - 1, text);

    if (is_dom0()) {
        EXPECT_EQ(rc, 0);
        EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 0, text), 0);
        EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 8, 8), -XEN_EFAULT);
    } else {
        obs("domu", rc);                /* debug builds let it through */
    }
}

TEST(read_nothing)
{
    char buf[16];

    EXPECT_EQ(hypercall(__HYPERVISOR_console_io, CONSOLEIO_read, sizeof(buf), buf),
              is_dom0() ? 0 : -XEN_EPERM);
}

TEST(unknown)
{
    if (is_dom0())
        EXPECT_EQ(hypercall(__HYPERVISOR_console_io, 99, 0, 0), -XEN_ENOSYS);
}
