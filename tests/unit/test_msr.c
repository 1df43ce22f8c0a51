/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/msr.c: what a PV guest may touch, and that nothing else reaches the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/types.h"
#include "x86/model/cpuid.h"
#include "x86/model/msr.h"

#include <xen/arch-x86/cpufeatureset.h>

static struct {
    unsigned int reads, writes;
    uint32_t msr;
    uint64_t val;
    bool refuse;
} machine;

static bool machine_read(void *cookie, uint32_t msr, uint64_t *val)
{
    machine.reads++;
    machine.msr = msr;
    *val = 0xffffffffffffffff;
    return !machine.refuse;
}

static bool machine_write(void *cookie, uint32_t msr, uint64_t val)
{
    machine.writes++;
    machine.msr = msr;
    machine.val = val;
    return !machine.refuse;
}

static struct cpu_policy policy;
static struct msr_env env;

static int setup(void **state)
{
    machine.reads = machine.writes = 0;
    machine.refuse = false;
    policy = (struct cpu_policy){ .nr = 3, .leaf = {
        { 7, 0, 0, 0, 0, 0 },
        { 0x80000001, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0 },
        { 0x80000008, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0 } } };
    env = (struct msr_env){ .policy = &policy, .read = machine_read, .write = machine_write };
    return 0;
}

static void values_of_the_machine(void **state)
{
    static const uint32_t real[] = { MSR_IA32_TSC, MSR_IA32_UCODE_REV, MSR_IA32_PAT, MSR_FS_BASE, MSR_GS_BASE,
                                     MSR_KERNEL_GS_BASE };
    uint64_t val;
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(real); n++) {
        val = 0;
        assert_true(msr_guest_read(&env, real[n], &val));
        assert_int_equal(machine.msr, real[n]);
        assert_int_equal(val, 0xffffffffffffffff);
    }
    assert_true(msr_guest_read(&env, MSR_EFER, &val));
    assert_int_equal(val, 0xd01);
    machine.refuse = true;
    val = 5;
    assert_false(msr_guest_read(&env, MSR_IA32_PAT, &val));
    assert_int_equal(val, 5);
}

static void values_of_our_own(void **state)
{
    uint64_t val;

    assert_true(msr_guest_read(&env, MSR_IA32_APIC_BASE, &val));
    assert_int_equal(val, 0xfee00900);
    env.vcpu = 1;
    assert_true(msr_guest_read(&env, MSR_IA32_APIC_BASE, &val));
    assert_int_equal(val, 0xfee00800);
    assert_true(msr_guest_read(&env, MSR_IA32_MCG_CAP, &val));
    assert_int_equal(val, 0);
    assert_true(msr_guest_write(&env, MSR_IA32_MCG_STATUS, 0));
    assert_true(msr_guest_write(&env, MSR_IA32_UCODE_REV, 0));
    assert_int_equal(machine.reads + machine.writes, 0);
}

static void segment_bases_must_be_canonical(void **state)
{
    assert_true(msr_guest_write(&env, MSR_GS_BASE, 0xffffffff82000000));
    assert_int_equal(machine.msr, MSR_GS_BASE);
    assert_int_equal(machine.val, 0xffffffff82000000);
    assert_true(msr_guest_write(&env, MSR_FS_BASE, 0x00007fffffffffff));
    assert_int_equal(machine.writes, 2);
    assert_false(msr_guest_write(&env, MSR_FS_BASE, 0x0000800000000000));
    assert_false(msr_guest_write(&env, MSR_KERNEL_GS_BASE, 0xffff7fffffffffff));
    assert_false(msr_guest_write(&env, MSR_GS_BASE, 0x8000000000000000));
    assert_int_equal(machine.writes, 2);
}

static void features_open_their_msrs(void **state)
{
    uint64_t val;

    policy.platform_info = 1u << 31;
    policy.arch_caps = 0x2b;
    assert_false(msr_guest_read(&env, MSR_IA32_ARCH_CAPS, &val));
    assert_false(msr_guest_write(&env, MSR_IA32_PRED_CMD, 1));
    assert_false(msr_guest_write(&env, MSR_TSC_AUX, 1));
    assert_false(msr_guest_read(&env, MSR_TSC_AUX, &val));
    assert_int_equal(machine.writes + machine.reads, 0);
    cpu_policy_set(&policy, XEN_X86_FEATURE_ARCH_CAPS, true);
    cpu_policy_set(&policy, XEN_X86_FEATURE_IBPB, true);
    cpu_policy_set(&policy, XEN_X86_FEATURE_RDTSCP, true);
    assert_true(msr_guest_read(&env, MSR_IA32_ARCH_CAPS, &val));
    assert_int_equal(val, 0x2b);
    assert_true(msr_guest_read(&env, MSR_PLATFORM_INFO, &val));
    assert_int_equal(val, 1u << 31);
    assert_true(msr_guest_write(&env, MSR_IA32_PRED_CMD, 1));
    assert_false(msr_guest_write(&env, MSR_IA32_PRED_CMD, 2));
    assert_true(msr_guest_write(&env, MSR_TSC_AUX, 0xffffffff));
    assert_false(msr_guest_write(&env, MSR_TSC_AUX, 0x100000000));
    assert_true(msr_guest_read(&env, MSR_TSC_AUX, &val));
    assert_int_equal(val, 0xffffffff);
    policy.platform_info = 0;
    assert_false(msr_guest_read(&env, MSR_PLATFORM_INFO, &val));
}

static void machine_check_banks_are_the_control_domains(void **state)
{
    uint64_t val = 1;

    assert_false(msr_guest_read(&env, MSR_IA32_MC0_CTL, &val));
    assert_false(msr_guest_write(&env, MSR_IA32_MC0_CTL, 0));
    env.control_domain = true;
    assert_true(msr_guest_read(&env, MSR_IA32_MC0_CTL, &val));
    assert_int_equal(val, 0);
    assert_true(msr_guest_write(&env, MSR_IA32_MC0_CTL + 127, ~0ull));
    assert_false(msr_guest_write(&env, MSR_IA32_MC0_CTL + 128, 0));
    assert_int_equal(machine.writes + machine.reads, 0);
}

/* Of all numbers in the blocks that CPUs and hypervisors use, only those named here do anything. */
static void nothing_else_exists(void **state)
{
    static const uint32_t block[] = { 0, 0x40000000, 0xc0000000, 0xc0010000 };
    unsigned int readable = 0, writable = 0, n, k;
    uint64_t val;

    env.control_domain = true;
    policy.platform_info = 1;
    cpu_policy_set(&policy, XEN_X86_FEATURE_ARCH_CAPS, true);
    cpu_policy_set(&policy, XEN_X86_FEATURE_IBPB, true);
    cpu_policy_set(&policy, XEN_X86_FEATURE_RDTSCP, true);
    for (k = 0; k < ARRAY_SIZE(block); k++)
        for (n = 0; n < 0x10000; n++) {
            readable += msr_guest_read(&env, block[k] + n, &val);
            writable += msr_guest_write(&env, block[k] + n, 1);
        }
    assert_int_equal(readable, 6 + 2 + 128 + 1 + 3 + 1);
    assert_int_equal(writable, 2 + 2 + 128 + 3 + 1);
    assert_int_equal(machine.writes, 1 + 3 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_of_the_machine, setup),
        cmocka_unit_test_setup(values_of_our_own, setup),
        cmocka_unit_test_setup(segment_bases_must_be_canonical, setup),
        cmocka_unit_test_setup(features_open_their_msrs, setup),
        cmocka_unit_test_setup(machine_check_banks_are_the_control_domains, setup),
        cmocka_unit_test_setup(nothing_else_exists, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
