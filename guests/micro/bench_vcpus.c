/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What should not grow with the number of vCPUs of a guest, here of ourselves: 1, 4, 16 and 64, on one CPU. First they sleep, each
 * with a timer far ahead; then all are ready to run, and each gives way to the next at once. As many steps as dom0_max_vcpus allows.
 */

#include "mm.h"
#include "scale.h"
#include "trap.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#define MOST 64
#define STACK 1024
#define TURNS 1024              /* of each vCPU at least, before a turn's cost is the mean */

static const struct step {
    unsigned int vcpus;
    const char *timer, *send, *turn, *create, *destroy;
} steps[] = {
    { 1, "set_timer_at_1", "send_at_1", "turn_at_1", "create_at_1", "destroy_at_1" },
    { 4, "set_timer_at_4", "send_at_4", "turn_at_4", "create_at_4", "destroy_at_4" },
    { 16, "set_timer_at_16", "send_at_16", "turn_at_16", "create_at_16", "destroy_at_16" },
    { MOST, "set_timer_at_64", "send_at_64", "turn_at_64", "create_at_64", "destroy_at_64" },
};

/* The first word of each stack is the vCPU's number. */
static uint64_t stacks[MOST][STACK / 8] __attribute__((aligned(STACK)));
static struct vcpu_info infos[MOST] __attribute__((aligned(4096)));     /* the shared page has those of 32 */
static evtchn_port_t bells[MOST];
static volatile bool awake;
static volatile uint64_t turns;                 /* on one CPU, one vCPU at a time: no update is lost for long */

void crowd_main(unsigned int vcpu);
extern char crowd_entry[];

__asm__(".text\n"
        "crowd_entry:\n"
        "    and $-1024, %rsp\n"
        "    mov (%rsp), %rdi\n"
        "    add $1024, %rsp\n"
        "    call crowd_main\n"
        "    ud2\n");

static void give_way(void)
{
    turns++;
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

void crowd_main(unsigned int vcpu)
{
    struct vcpu_set_singleshot_timer far = { .timeout_abs_ns = now() + 3600000000000UL };
    struct sched_poll poll = { .nr_ports = 1 };

    set_xen_guest_handle(poll.ports, &bells[vcpu]);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, vcpu, &far);
    for (;;) {
        while (awake)
            give_way();
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
        port_clear(bells[vcpu]);
    }
}

static void start(unsigned int vcpu)
{
    static struct vcpu_guest_context c;
    struct vcpu_register_vcpu_info r = { .mfn = mfn_of(infos), .offset = vcpu * sizeof(infos[0]) };

    memset(&c, 0, sizeof(c));
    stacks[vcpu][0] = vcpu;
    infos[vcpu].evtchn_upcall_mask = 1;
    bells[vcpu] = (evtchn_port_t)port_bind_ipi(vcpu);
    port_mask(bells[vcpu]);
    c.flags = VGCF_IN_KERNEL;
    c.user_regs.rip = U(crowd_entry);
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.user_regs.rsp = U(stacks[vcpu]) + STACK - 8;
    c.user_regs.rflags = 0x200;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.kernel_sp = U(stacks[vcpu]) + STACK;
    c.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(boot_l4()));
    bench_need("vcpu_info", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, vcpu, &r));
    bench_need("initialise", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu, &c));
    bench_need("up", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu, NULL));
}

/* Lets the first `vcpus` run in turns, and gives the mean cost of one. */
static void measure_turns(const char *row, unsigned int vcpus)
{
    uint64_t began, first, took;
    unsigned int i;

    awake = true;
    for (i = 1; i < vcpus; i++)
        port_send(bells[i]);
    for (i = 0; i < TURNS; i++)
        give_way();
    first = turns;
    BENCH_SAY(BENCH_SAMPLE_BEGINS);
    began = rdtsc();
    for (i = 0; i < TURNS; i++)
        give_way();
    took = rdtsc() - began;
    BENCH_SAY(BENCH_SAMPLE_ENDS);
    bench_print(FAMILY, row, took, turns - first);
    awake = false;
    let_others_run();
}

static void measure(const struct step *s)
{
    measure_calls(s->timer, s->send);
    measure_turns(s->turn, s->vcpus);
    measure_life(s->create, s->destroy, s->vcpus);
}

BENCH(vcpus)
{
    unsigned int have = 1, i;

    if (!is_dom0())
        return;
    for (i = 0; i < ARRAY_SIZE(steps) && hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, steps[i].vcpus - 1, NULL) >= 0; i++) {
        for (; have < steps[i].vcpus; have++)
            start(have);
        let_others_run();
        measure(&steps[i]);
    }
}
