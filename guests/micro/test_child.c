/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copy of this guest as a domU: every family again without privileges, and the ways a domain can end
 * while dom0
 * looks on. `child=FAMILY` on the command line narrows the first one.
 */

#include "child.h"
#include "domctl.h"
#include "event.h"

#include <xen/sched.h>

static char *append(char *to, const char *text)
{
    size_t n = 0;

    while (text[n] && text[n] != ' ')
        n++;
    memcpy(to, text, n);
    to[n] = 0;
    return to + n;
}

TEST(domU)
{
    unsigned int failures = 99;
    char line[128] = "";
    long dom;

    if (!is_dom0())
        return;
    if (option("child"))
        append(append(line, "only="), option("child"));
    dom = child_build(line);
    if (!EXPECT_GE(dom, 1))
        return;
    EXPECT_EQ(child_run((domid_t)dom, 60, &failures), SHUTDOWN_poweroff);
    EXPECT_EQ(failures, 0);
    domain_destroy((domid_t)dom);
}

static void end_of_child(const char *test, long reason)
{
    long dom, port = port_bind_virq(VIRQ_DOM_EXC, 0);
    char line[128];

    append(append(line, "destructive="), test);
    dom = child_build(line);
    if (!EXPECT_GE(dom, 1) || !EXPECT_GE(port, 1))
        return;
    port_mask((evtchn_port_t)port);
    port_clear((evtchn_port_t)port);
    EXPECT_EQ(child_run((domid_t)dom, 20, NULL), reason);
    EXPECT(port_pending((evtchn_port_t)port));          /* the tools are told */
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
    domain_destroy((domid_t)dom);
}

#define END(name, reason)              \
    TEST(name)                         \
    {                                  \
        if (is_dom0())                 \
            end_of_child(#name, reason); \
    }

END(poweroff, SHUTDOWN_poweroff)
END(reboot, SHUTDOWN_reboot)
END(crash, SHUTDOWN_crash)
END(watchdog_reason, SHUTDOWN_watchdog)
END(unknown_reason, 99)
END(watchdog_expires, SHUTDOWN_watchdog)
END(no_handler, SHUTDOWN_crash)
END(no_stack, SHUTDOWN_crash)
END(iret_no_stack, SHUTDOWN_crash)
END(iret_to_user_without_tables, SHUTDOWN_crash)
