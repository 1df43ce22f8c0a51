/* SPDX-License-Identifier: BSD-2-Clause */
/* x86/model/reboot.c: what is asked for comes first, and each usual way once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "x86/model/reboot.h"

static void is(enum reboot_way first, unsigned n, const enum reboot_way *want)
{
    enum reboot_way order[REBOOT_WAYS];

    assert_int_equal(reboot_order(first, order), n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(order[i], want[i]);
}

#define IS(first, ...) \
    is(first, sizeof((enum reboot_way[]){ __VA_ARGS__ }) / sizeof(enum reboot_way), (const enum reboot_way[]){ __VA_ARGS__ })

static void orders(void **state)
{
    IS(REBOOT_DEFAULT, REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI, REBOOT_TRIPLE);
    IS(REBOOT_ACPI, REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI, REBOOT_TRIPLE);
    IS(REBOOT_KBD, REBOOT_KBD, REBOOT_ACPI, REBOOT_PCI, REBOOT_TRIPLE);
    IS(REBOOT_PCI, REBOOT_PCI, REBOOT_ACPI, REBOOT_KBD, REBOOT_TRIPLE);
    IS(REBOOT_POWER, REBOOT_POWER, REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI, REBOOT_TRIPLE);
    IS(REBOOT_EFI, REBOOT_EFI, REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI, REBOOT_TRIPLE);
    IS(REBOOT_TRIPLE, REBOOT_TRIPLE, REBOOT_ACPI, REBOOT_KBD, REBOOT_PCI);
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(orders) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
