/* SPDX-License-Identifier: BSD-2-Clause */
/* vcpu_op: a second vCPU brought up and down, registered areas, timers. */

#include "event.h"
#include "mm.h"
#include "trap.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

static long vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, cmd, vcpu, arg);
}

static unsigned int max_vcpus(void)
{
    unsigned int n = 0;

    while (n < 64 && vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

TEST(is_up)
{
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 8191, NULL), -XEN_ENOENT);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, ~0u, NULL), -XEN_ENOENT);
    obs("max_vcpus", max_vcpus());
    EXPECT_EQ(vcpu_op(99, 0, NULL), -XEN_ENOSYS);
    EXPECT_EQ(vcpu_op(99, 8191, NULL), -XEN_ENOENT);
}

/* ---- a second vCPU ---- */

static volatile unsigned int second_count, second_stop, second_again, second_id;
static char second_stack[8192] __attribute__((aligned(16)));
static struct vcpu_guest_context context;

static void (*volatile second_job)(void);

static void second_turn(void)
{
    if (second_job)
        second_job();
    second_count++;
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

static void second_main(void)
{
    second_id = 1;
    while (!second_stop)
        second_turn();
    for (;;) {
        hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, 1, 0);
        second_count = 1000000;         /* only after a later `up` */
        while (second_again)
            second_turn();
    }
}

static void prepare(void)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_IN_KERNEL;
    context.user_regs.rip = U(second_main);
    context.user_regs.cs = KERNEL_CS | 3;
    context.user_regs.ss = KERNEL_SS;
    context.user_regs.rsp = U(second_stack) + sizeof(second_stack) - 8;
    context.user_regs.rflags = 0x1000;
    context.kernel_ss = KERNEL_SS;
    context.kernel_sp = U(second_stack) + sizeof(second_stack);
    context.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(boot_l4()));
    context.event_callback_eip = U(trap_stub(TRAP_EVENT));
    context.failsafe_callback_eip = U(failsafe_stub);
    context.syscall_callback_eip = U(trap_stub(TRAP_SYSCALL));
}

static bool wait_until(volatile unsigned int *what, unsigned int at_least)
{
    uint64_t end = now() + 2000000000ULL;

    while (*what < at_least && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return *what >= at_least;
}

TEST(second_vcpu)
{
    uint64_t end;

    if (max_vcpus() < 2)
        return;
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);                /* not initialised */
    prepare();
    context.ctrlreg[3] = 0;
    EXPECT(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    prepare();
    context.user_regs.rip = 1UL << 63;
    obs("bad_rip", vcpu_op(VCPUOP_initialise, 1, &context));
    EXPECT_EQ(vcpu_op(VCPUOP_initialise, 1, (void *)8), -XEN_EFAULT);
    prepare();
    if (vcpu_op(VCPUOP_initialise, 1, &context) == -XEN_EEXIST)
        obs("bad_rip_stuck", 1);
    EXPECT_EQ(vcpu_op(VCPUOP_initialise, 1, &context), -XEN_EEXIST);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    EXPECT(wait_until(&second_count, 10));
    EXPECT_EQ(second_id, 1);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    second_stop = 1;
    end = now() + 2000000000ULL;
    while (vcpu_op(VCPUOP_is_up, 1, NULL) == 1 && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);                          /* comes back from its `down` */
    EXPECT(wait_until(&second_count, 1000000));
    EXPECT_EQ(vcpu_op(VCPUOP_down, 1, NULL), 0);
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
}

/* A descriptor table with a data segment at selector 0x1b. */
static uint64_t *make_gdt(uint64_t *page)
{
    page = page ?: page_alloc();
    EXPECT_EQ(make_writable(page), 0);
    page[3] = 0x00cff3000000ffffUL;
    EXPECT_EQ(make_readonly(page), 0);
    return page;
}

static void set_gdt(uint64_t *page)
{
    uint64_t frame = mfn_of(page);

    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0);
}

static uint64_t *stale_gdt, *second_gdt;

/* The other vCPU has 0x1b in ES too, and a descriptor behind it. */
static void second_selector(void)
{
    set_gdt(second_gdt);
    __asm__ volatile("mov %0, %%es" : : "r"(0x1b));
}

/*
 * Puts selectors 0x1b into ES, takes the descriptor away and lets the other vCPU run: state is loaded anew
 * after.
 */
static void load_stale_selector(void)
{
    stale_gdt = make_gdt(stale_gdt);
    set_gdt(stale_gdt);
    TRY("mov %%eax, %%es", : : "a"(0x1b));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_update_descriptor, maddr_of(&stale_gdt[3]), 0), 0);
}

static bool see_failsafe(struct regs *regs)
{
    return regs->vector == TRAP_FAILSAFE;
}

/*
 * A selector that cannot be loaded at a context switch becomes 0 and the failsafe callback tells what it
 * was.
 */
TEST(failsafe)
{
    unsigned int before, es = 0x5a5a;

    if (max_vcpus() < 2 || vcpu_op(VCPUOP_is_up, 1, NULL) != 0)
        return;
    if (!second_id) {                   /* this test alone: the vCPU is new */
        prepare();
        EXPECT_EQ(vcpu_op(VCPUOP_initialise, 1, &context), 0);
    }
    trap_hook = see_failsafe;           /* before it can come: this vCPU may be put aside at any time */
    load_stale_selector();
    second_gdt = make_gdt(second_gdt);
    second_job = second_selector;
    second_again = 1;
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    before = second_count;
    EXPECT(wait_until(&second_count, before + 3));
    trap_hook = NULL;
    __asm__ volatile("mov %%es, %0" : "=r"(es));
    if (EXPECT_EQ(trap_vector(), TRAP_FAILSAFE)) {
        EXPECT_EQ(trap_seen.mask, 1);
        EXPECT_EQ(failsafe_selectors[1] & 0xffff, 0x1b);
        EXPECT_EQ(failsafe_selectors[0] & 0xffff, 0);
        EXPECT_EQ(trap_seen.regs.cs & 0xffff, KERNEL_CS);
    }
    EXPECT_EQ(es, 0);
    __asm__ volatile("mov %0, %%es" : : "r"(0));
    second_again = 0;
    second_job = NULL;
    EXPECT_EQ(vcpu_op(VCPUOP_down, 1, NULL), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, NULL, 0), 0);
}

/* FS base, GS base, and the GS base of user mode; the first two are read through, so they are addresses. */
static void bases_set(uint64_t *values)
{
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, &values[0]);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, &values[1]);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, &values[2]);
}

static bool bases_are(uint64_t *values)
{
    uint64_t fs, gs;
    uint32_t lo, hi;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
    __asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000102));
    return fs == values[0] && gs == values[1] && ((uint64_t)hi << 32 | lo) == U(&values[2]);
}

static volatile unsigned int second_wrong, second_seen;

static void second_bases(void)
{
    static uint64_t values[3] = { 0x2f, 0x2e, 0x2d };

    if (!second_seen)
        bases_set(values);
    else if (!bases_are(values))
        second_wrong++;
    second_seen++;
}

/* Two vCPUs on one CPU: neither sees a segment base of the other's, and none is lost. */
TEST(bases_of_each)
{
    static uint64_t values[3] = { 0x1f, 0x1e, 0x1d };
    unsigned int i;

    if (max_vcpus() < 2 || vcpu_op(VCPUOP_is_up, 1, NULL) != 0)
        return;
    if (!second_id) {                   /* this test alone: the vCPU is new */
        prepare();
        EXPECT_EQ(vcpu_op(VCPUOP_initialise, 1, &context), 0);
    }
    bases_set(values);
    second_job = second_bases;
    second_again = 1;
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    for (i = 1; i < 4; i++) {
        EXPECT(wait_until(&second_seen, i));
        EXPECT(bases_are(values));
    }
    EXPECT_EQ(second_wrong, 0);
    second_again = 0;
    second_job = NULL;
    EXPECT_EQ(vcpu_op(VCPUOP_down, 1, NULL), 0);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, 0);
    hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0);
}

/* ---- areas ---- */

/* What a kernel makes its topology of: which APIC id, which of them share a package and a cache. */
struct topology {
    struct cpuid one, cache[4], level[2], sizes, extended, node;
};

static struct topology second_topology;
static volatile unsigned int second_looked;

static void look(struct topology *t)
{
    t->one = xen_cpuid(1, 0);
    for (unsigned int i = 0; i < 4; i++)
        t->cache[i] = xen_cpuid(4, i);
    for (unsigned int i = 0; i < 2; i++)
        t->level[i] = xen_cpuid(0xb, i);
    t->sizes = xen_cpuid(0x80000008, 0);
    t->extended = xen_cpuid(0x8000001d, 0);
    t->node = xen_cpuid(0x8000001e, 0);
}

static void second_look(void)
{
    look(&second_topology);
    second_looked++;
}

static void observe_topology(const struct topology *t)
{
    obs("one_b", t->one.b);
    for (unsigned int i = 0; i < 4; i++)
        obs("cache_a", t->cache[i].a);
    for (unsigned int i = 0; i < 2; i++) {
        obs("level_b", t->level[i].b);
        obs("level_c", t->level[i].c);
        obs("level_d", t->level[i].d);
    }
    obs("sizes_c", t->sizes.c);
    obs("extended_a", t->extended.a);
    obs("node_a", t->node.a);
    obs("node_b", t->node.b);
}

TEST(topology_of_each)
{
    static struct topology first;

    if (max_vcpus() < 2 || vcpu_op(VCPUOP_is_up, 1, NULL) != 0)
        return;
    look(&first);
    if (!second_id) {
        prepare();
        EXPECT_EQ(vcpu_op(VCPUOP_initialise, 1, &context), 0);
    }
    second_job = second_look;
    second_again = 1;
    EXPECT_EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    EXPECT(wait_until(&second_looked, 1));
    second_again = 0;
    second_job = NULL;
    EXPECT_EQ(vcpu_op(VCPUOP_down, 1, NULL), 0);
    observe_topology(&first);
    observe_topology(&second_topology);
}

TEST(runstate)
{
    static struct vcpu_runstate_info state;
    struct vcpu_register_runstate_memory_area area = { .addr.v = (void *)&state };
    struct vcpu_runstate_info asked;
    uint64_t sum = 0, before;
    unsigned int i;

    EXPECT_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &asked), 0);
    EXPECT_EQ(asked.state, RUNSTATE_running);
    before = now();
    for (i = 0; i < 4; i++)
        sum += asked.time[i];
    EXPECT_NE(sum, 0);
    EXPECT(asked.state_entry_time <= before);
    EXPECT_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0);
    EXPECT_EQ(state.state, RUNSTATE_running);
    EXPECT_NE(state.time[RUNSTATE_running], 0);
    area.addr.v = (void *)8;
    obs("bad_address", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area));
    EXPECT_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, (void *)8), -XEN_EFAULT);
    area.addr.v = NULL;
    EXPECT_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0);
}

TEST(time_area)
{
    static struct vcpu_time_info info;
    struct vcpu_register_time_memory_area area = { .addr.v = (void *)&info };

    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area), 0);
    EXPECT_EQ(info.version & 1, 0);
    EXPECT_NE(info.tsc_to_system_mul, 0);
    EXPECT_EQ(info.tsc_to_system_mul, vcpu_info()->time.tsc_to_system_mul);
    area.addr.v = NULL;
    obs("null", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area));
    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, (void *)8), -XEN_EFAULT);
}

/* The vCPU's info moves into our memory, with what it held. Once only. */
TEST(register_vcpu_info)
{
    static struct vcpu_info *moved;
    struct vcpu_register_vcpu_info r = { 0 };
    long port;

    moved = page_alloc();
    r.mfn = mfn_of(moved);
    r.offset = 64;
    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, 8191, &r), -XEN_ENOENT);
    r.offset = PAGE_SIZE - 32;
    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &r), -XEN_ENXIO);
    r.offset = 4;
    obs("misaligned", vcpu_op(VCPUOP_register_vcpu_info, 0, &(struct vcpu_register_vcpu_info){ .mfn = ~0UL,
            .offset = 4 }));
    r.offset = 64;
    r.mfn = ~0UL;
    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EINVAL);
    r.mfn = mfn_of(moved);
    if (!EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &r), 0))
        return;
    moved = (void *)((char *)moved + 64);
    EXPECT_EQ(moved->evtchn_upcall_mask, 1);
    EXPECT_EQ(moved->evtchn_upcall_pending, 1);                 /* everything counts as pending */
    EXPECT_EQ(moved->evtchn_pending_sel, ~0UL);
    EXPECT_NE(moved->time.tsc_to_system_mul, 0);
    vcpu_info_move(moved);
    EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EINVAL);
    /* and it works from there */
    port = port_bind_ipi(0);
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    events_on();
    port_count[port] = upcalls = 0;
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    EXPECT_EQ(port_count[port], 1);
    events_off();
    TRY("mov (%%rax), %%rax", : : "a"(SCRATCH + 0x77000) : "memory");
    EXPECT_EQ(moved->arch.cr2, SCRATCH + 0x77000);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

/* ---- timers ---- */

TEST(singleshot)
{
    struct vcpu_set_singleshot_timer t = { .flags = 0 };
    long port = port_bind_virq(VIRQ_TIMER, 0);
    uint64_t start;

    if (!EXPECT_GE(port, 1))
        return;
    EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    events_on();
    port_count[port] = 0;
    start = now();
    t.timeout_abs_ns = start + 20000000;
    EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    EXPECT(wait_count(&port_count[port], 1, 2000));
    EXPECT(now() >= start + 20000000);
    /* in the past: at once, without an error */
    port_count[port] = 0;
    t.timeout_abs_ns = start;
    EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    EXPECT(wait_count(&port_count[port], 1, 2000));
    t.flags = VCPU_SSHOTTMR_future;
    obs("past_with_flag", vcpu_op(VCPUOP_set_singleshot_timer, 0, &t));
    /* stopped: never */
    port_count[port] = 0;
    t.flags = 0;
    t.timeout_abs_ns = now() + 50000000;
    EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    EXPECT_EQ(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    EXPECT(!wait_count(&port_count[port], 1, 100));
    events_off();
    EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, (void *)8), -XEN_EFAULT);
    if (max_vcpus() > 1) {
        EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 1, &t), -XEN_EINVAL);    /* only one's own */
        EXPECT_EQ(vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), -XEN_EINVAL);
        EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL), 0);             /* anybody's */
    }
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

TEST(periodic)
{
    struct vcpu_set_periodic_timer p = { .period_ns = 5000000 };
    long port = port_bind_virq(VIRQ_TIMER, 0);

    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    events_on();
    port_count[port] = 0;
    EXPECT_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), 0);
    EXPECT(wait_count(&port_count[port], 3, 3000));
    EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    events_off();
    p.period_ns = 1;
    EXPECT_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = ~0UL;
    EXPECT_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    EXPECT_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

TEST(set_timer_op)
{
    long port = port_bind_virq(VIRQ_TIMER, 0);

    EXPECT_EQ(port_unmask((evtchn_port_t)port), 0);
    events_on();
    port_count[port] = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_timer_op, now() + 5000000), 0);
    EXPECT(wait_count(&port_count[port], 1, 2000));
    port_count[port] = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_timer_op, 1), 0);
    EXPECT(wait_count(&port_count[port], 1, 2000));
    port_count[port] = 0;
    EXPECT_EQ(hypercall(__HYPERVISOR_set_timer_op, now() + 500000000), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_timer_op, 0), 0);      /* 0 stops it */
    EXPECT(!wait_count(&port_count[port], 1, 700));
    events_off();
    EXPECT_EQ(port_close((evtchn_port_t)port), 0);
}

static volatile unsigned int nmis;

static bool count_nmi(struct regs *regs)
{
    if (regs->vector == 2)
        nmis++;
    return regs->vector == 2;
}

TEST(send_nmi)
{
    nmis = 0;
    trap_hook = count_nmi;
    obs("rc", vcpu_op(VCPUOP_send_nmi, 0, NULL));
    hypercall(__HYPERVISOR_xen_version, 0, 0);
    trap_hook = NULL;
    obs("nmis", nmis);
    EXPECT_EQ(vcpu_op(VCPUOP_send_nmi, 8191, NULL), -XEN_ENOENT);
}

TEST(physical_ids)
{
    struct vcpu_get_physid id;

    obs("rc", vcpu_op(VCPUOP_get_physid, 0, &id));
}
