/* SPDX-License-Identifier: BSD-2-Clause */
/* The key that ends the hypervisor (debug builds): tests/guest/test_panic.py reads what it says then. */

#include "domctl.h"
#include "event.h"

TEST_DESTRUCTIVE(crash_key)
{
    static char keys[] = "C";

    sysctl_clear();
    set_xen_guest_handle(sc.u.debug_keys.keys, keys);
    sc.u.debug_keys.nr_keys = 1;
    EXPECT_EQ(sysctl(XEN_SYSCTL_debug_keys), 0);
    for (;;)
        hypercall(__HYPERVISOR_xen_version, 0);
}
