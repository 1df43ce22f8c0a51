/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs leak what, by what CPUID and the capabilities MSR say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "x86/model/leaks.h"

/* The vendor as CPUID spells it: ebx, edx, ecx. */
static bool leaks(const char *vendor, uint64_t arch_caps)
{
    uint32_t r[3];

    assert_int_equal(strlen(vendor), sizeof(r));
    memcpy(r, vendor, sizeof(r));
    return meltdown_possible(r[0], r[2], r[1], arch_caps);
}

static void test_vendors(void **state)
{
    assert_true(leaks("GenuineIntel", 0));
    assert_false(leaks("AuthenticAMD", 0));
    assert_false(leaks("HygonGenuine", 0));
    assert_true(leaks("CentaurHauls", 0));
    assert_true(leaks("AuthenticAMX", 0));
}

/* Bit 0 alone says that it does not; the others are of other leaks. */
static void test_capabilities(void **state)
{
    assert_false(leaks("GenuineIntel", 1));
    assert_false(leaks("CentaurHauls", 0x2b));
    assert_true(leaks("GenuineIntel", ~1ull));
}

/* AMD's old ones, and they alone, keep another's x87 pointers. */
static void test_pointers(void **state)
{
    static const struct { char vendor[13]; uint32_t ext; bool leaves; } cpus[] = {
        { "AuthenticAMD", 0, true },      { "AuthenticAMD", ~4u, true }, { "AuthenticAMD", 4, false },
        { "HygonGenuine", 0, true },      { "HygonGenuine", ~0u, false }, { "GenuineIntel", 0, false },
    };

    for (unsigned i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
        uint32_t r[3];

        memcpy(r, cpus[i].vendor, sizeof(r));
        assert_int_equal(fxrstor_leaves_pointers(r[0], r[2], r[1], cpus[i].ext), cpus[i].leaves);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_vendors), cmocka_unit_test(test_capabilities),
                                        cmocka_unit_test(test_pointers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
