/* SPDX-License-Identifier: BSD-2-Clause */
/* The hostile families again from a domU, whose every vCPU is hostile too; dom0 looks on and gets all memory back. */

#include "hostile.h"

#include <xen/sched.h>

#include "child.h"
#include "fpu.h"

TEST(domU)
{
    char line[256] = "only=hostile but=";
    const char *but = option("but") ?: "";
    unsigned int failures = 99;
    size_t n;
    uint64_t before;
    long dom;

    if (!is_dom0())
        return;
    first_child();
    before = machine_free_pages();
    for (n = strlen(line); *but && *but != ' ' && n < sizeof(line) - 1; n++)
        line[n] = *but++;
    dom = child_build(line);
    if (!EXPECT_GE(dom, 1))
        return;
    fpu_take(3);
    EXPECT_EQ(child_run((domid_t)dom, 120, &failures), SHUTDOWN_poweroff);
    verdict("domU", "fpu_kept", fpu_kept(3) ? 0 : -1, 0);
    EXPECT_EQ(failures, 0);
    verdict("domU", "memory_comes_back", destroy_without_leak((domid_t)dom, before) ? 0 : -1, 0);
}
