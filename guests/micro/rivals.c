/* SPDX-License-Identifier: BSD-2-Clause */
/* The other vCPUs of a hostile guest; see hostile.h. */

#include "hostile.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#define STACK 8192UL

/* The first word of each stack is the rival's number: its entry, and each trap, finds it from rsp. */
static uint64_t stacks[MAX_RIVALS][STACK / 8] __attribute__((aligned(8192)));
static unsigned int count;
static void (*volatile current_job)(unsigned int rival, unsigned int round);
static volatile unsigned int race_number, idle_since[MAX_RIVALS];

static volatile unsigned int beats[MAX_RIVALS];
static evtchn_port_t bells[MAX_RIVALS];

void rival_main(unsigned int rival);
extern char rival_entry[];

__asm__(".text\n"
        "rival_entry:\n"
        "    and $-8192, %rsp\n"
        "    mov (%rsp), %rdi\n"
        "    add $8192, %rsp\n"
        "    call rival_main\n"
        "    ud2\n");

/* Sleeps until the bell rings. */
static void sleep(unsigned int rival)
{
    struct sched_poll poll = { .nr_ports = 1 };

    set_xen_guest_handle(poll.ports, &bells[rival]);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    port_clear(bells[rival]);
}

void rival_main(unsigned int rival)
{
    unsigned int round;

    shared_info->vcpu_info[rival + 1].evtchn_upcall_mask = 1;
    for (round = 0;; round++) {
        void (*job)(unsigned int, unsigned int) = current_job;

        beats[rival]++;
        if (job) {
            job(rival, round);
            if (round % 4 == 0)
                yield();
        } else {
            idle_since[rival] = race_number;
            sleep(rival);
        }
    }
}

static void fill_context(struct vcpu_guest_context *c, unsigned int rival)
{
    unsigned int i;

    memset(c, 0, sizeof(*c));
    stacks[rival][0] = rival;
    c->flags = VGCF_IN_KERNEL;
    c->user_regs.rip = U(rival_entry);
    c->user_regs.cs = KERNEL_CS | 3;
    c->user_regs.ss = KERNEL_SS;
    c->user_regs.rsp = U(stacks[rival]) + STACK - 8;
    c->user_regs.rflags = 0x200;
    c->kernel_ss = KERNEL_SS;
    c->kernel_sp = U(stacks[rival]) + STACK;
    c->ctrlreg[3] = xen_pfn_to_cr3(mfn_of(boot_l4()));
    c->event_callback_eip = U(rival_entry);
    c->failsafe_callback_eip = U(rival_entry);
    for (i = 0; i < 32; i++)
        c->trap_ctxt[i] = (struct trap_info){ .vector = (uint8_t)i, .flags = 4, .cs = KERNEL_CS | 3,
                                              .address = U(rival_entry) };
}

unsigned int max_vcpus(void)
{
    unsigned int n = 0;

    while (n < 64 && hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

/* The last of three or more vCPUs stays away: it is a victim. */
void rivals_start(void)
{
    static struct vcpu_guest_context context;
    unsigned int vcpus = max_vcpus(), i;

    if (count)
        return;
    if (vcpus > 2)
        vcpus--;
    for (i = 0; i < MAX_RIVALS && i + 1 < vcpus; i++) {
        bells[i] = (evtchn_port_t)port_bind_ipi(i + 1);
        port_mask(bells[i]);
        fill_context(&context, i);
        if (EXPECT_EQ(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, i + 1, &context), 0) &&
            EXPECT_EQ(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, i + 1, NULL), 0))
            count++;
    }
}

bool rivals_live(void)
{
    uint64_t end = now() + 20000000000UL;
    unsigned int i, before;

    for (i = 0; i < count; i++) {
        before = beats[i];
        port_send(bells[i]);
        while (beats[i] == before) {
            if (now() > end)
                return false;
            yield();
        }
    }
    return true;
}

void race_begin(void (*job)(unsigned int rival, unsigned int round))
{
    unsigned int i;

    rivals_start();
    current_job = job;
    for (i = 0; i < count; i++)
        port_send(bells[i]);
}

void race_end(void)
{
    uint64_t end = now() + 20000000000UL;
    unsigned int i;

    race_number++;
    current_job = NULL;
    for (i = 0; i < count; i++)
        while (idle_since[i] != race_number && EXPECT(now() < end))
            yield();
}

void race(void (*mine)(unsigned int round), void (*theirs)(unsigned int rival, unsigned int round),
          unsigned int rounds)
{
    unsigned int i;

    race_begin(theirs);
    for (i = 0; i < rounds; i++) {
        mine(i);
        if (i % 8 == 7)
            yield();
    }
    race_end();
}
