/* SPDX-License-Identifier: BSD-2-Clause */
/* The call itself and the short operations: nothing but the way in and out, singly and as a multicall. */

#include "bench.h"

#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

static struct multicall_entry calls[32];

static void fill(void)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(calls); i++) {
        calls[i].op = __HYPERVISOR_xen_version;
        calls[i].args[0] = XENVER_version;
        calls[i].args[1] = 0;
    }
}

BENCH(calls)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = now() + 3600000000000UL };
    uint64_t timeout = now() + 3600000000000UL;

    MEASURE("null", 1, hypercall(__HYPERVISOR_xen_version, XENVER_version, 0));
    MEASURE("unknown", 1, hypercall(63));
    MEASURE("vcpu_is_up", 1, hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0));
    MEASURE("yield", 1, hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    MEASURE("singleshot_timer", 1, hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer));
    MEASURE("set_timer", 1, hypercall(__HYPERVISOR_set_timer_op, timeout));
    hypercall(__HYPERVISOR_set_timer_op, 0UL);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
    MEASURE("fpu_taskswitch", 1, hypercall(__HYPERVISOR_fpu_taskswitch, 0));
    MEASURE("stack_switch", 1, hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, 0xffffffff80100000UL));
    MEASURE("set_segment_base", 1, hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0UL));
}

BENCH(multicall)
{
    MEASURE_AFTER("multicall_1", 1, fill(), hypercall(__HYPERVISOR_multicall, calls, 1));
    MEASURE_AFTER("multicall_8_each", 8, fill(), hypercall(__HYPERVISOR_multicall, calls, 8));
    MEASURE_AFTER("multicall_32_each", 32, fill(), hypercall(__HYPERVISOR_multicall, calls, 32));
}
