/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More that can happen in the small world (small_world.h): events between its domains, what else guests may have in the three
 * pages, and what tools do to a running domain. Included once, after small_world.h.
 */
#ifndef TESTS_UNIT_SMALL_WORLD_MORE_H
#define TESTS_UNIT_SMALL_WORLD_MORE_H

#include "core/guest_trap.h"
#include "core/port.h"

#include <xen/domctl.h>
#include <xen/event_channel.h>

enum {
    CHANNEL = 1,  /* a's port and b's, the two ends of a channel */
    UNBOUND = 2,  /* a's, for b to bind */
    IPI = 3,      /* a's, to its second vCPU */
    TOOL_ARGS = 6, TOOL_BUFFER = 5, /* pages of dom0 */
};

/* ---- Events ---- */

static void event(struct guest *g, unsigned cmd, uint32_t w0, uint32_t w1, uint32_t w2)
{
    uint32_t *w;

    if (domain_dying(g->d))
        return;
    w = args(g);
    w[0] = w0, w[1] = w1, w[2] = w2;
    call(g, 0, __HYPERVISOR_event_channel_op, cmd, ARGS_VA, 0);
}

static void a_sends(void)     { event(&a, EVTCHNOP_send, CHANNEL, 0, 0); }
static void b_sends(void)     { event(&b, EVTCHNOP_send, CHANNEL, 0, 0); }
static void a_sends_ipi(void) { event(&a, EVTCHNOP_send, IPI, 0, 0); }
static void a_closes(void)    { event(&a, EVTCHNOP_close, CHANNEL, 0, 0); }
static void b_closes(void)    { event(&b, EVTCHNOP_close, CHANNEL, 0, 0); }
static void a_closes_unbound(void) { event(&a, EVTCHNOP_close, UNBOUND, 0, 0); }
static void a_allocates(void) { event(&a, EVTCHNOP_alloc_unbound, DOMID_SELF | 2u << 16, 0, 0); }
static void b_binds(void)     { event(&b, EVTCHNOP_bind_interdomain, 1, UNBOUND, 0); }
static void a_moves_port(void) { event(&a, EVTCHNOP_bind_vcpu, CHANNEL, 1, 0); }
static void a_unmasks(void)   { event(&a, EVTCHNOP_unmask, CHANNEL, 0, 0); }
static void a_resets(void)    { event(&a, EVTCHNOP_reset, DOMID_SELF, 0, 0); }
static void b_resets(void)    { event(&b, EVTCHNOP_reset, DOMID_SELF, 0, 0); }
static void a_port_status(void) { event(&a, EVTCHNOP_status, DOMID_SELF, CHANNEL, 0); }

static void fifo_in_p(void)
{
    if (domain_dying(a.d))
        return;
    *(struct evtchn_init_control *)args(&a) = (struct evtchn_init_control){ .control_gfn = a.m[P].n };
    call(&a, 0, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, ARGS_VA, 0);
}

/* ---- Grants ---- */

/* In one call. */
static void grant_map_two_in_b(void)
{
    struct gnttab_map_grant_ref *op;

    if (domain_dying(b.d))
        return;
    op = args(&b);
    for (unsigned i = 0; i < 2; i++)
        op[i] = (struct gnttab_map_grant_ref){
            .host_addr = (P + i) * PAGE_SIZE, .flags = GNTMAP_host_map, .ref = GIVEN, .dom = a.d->id };
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARGS_VA, 2);
    happened = happened && !op[0].status && !op[1].status;
}

static void grants_version_2(void)
{
    if (domain_dying(a.d))
        return;
    *(struct gnttab_set_version *)args(&a) = (struct gnttab_set_version){ .version = 2 };
    call(&a, 0, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, ARGS_VA, 1);
}

static void grants_larger(void)
{
    struct gnttab_setup_table *s;

    if (domain_dying(a.d))
        return;
    s = args(&a);
    *s = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = 2 };
    s->frame_list.p = (void *)(ARGS_VA + 1024);
    call(&a, 0, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, ARGS_VA, 1);
}

static void grants_swapped(void)
{
    if (domain_dying(a.d))
        return;
    *(struct gnttab_swap_grant_ref *)args(&a) = (struct gnttab_swap_grant_ref){ .ref_a = GIVEN, .ref_b = GIVEN + 2 };
    call(&a, 0, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, ARGS_VA, 1);
}

static void grant_copy_to_a(void)
{
    struct gnttab_copy *c;

    if (domain_dying(b.d))
        return;
    c = args(&b);
    *c = (struct gnttab_copy){ .len = 64, .flags = GNTCOPY_dest_gref };
    c->source.u.gmfn = b.m[P + 2].n;
    c->source.domid = DOMID_SELF;
    c->dest.u.ref = GIVEN;
    c->dest.domid = a.d->id;
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_copy, ARGS_VA, 1);
}

/* By an entry's address. */
static void grant_map_entry_in_b(void)
{
    if (domain_dying(b.d))
        return;
    *(struct gnttab_map_grant_ref *)args(&b) = (struct gnttab_map_grant_ref){
        .host_addr = mfn_maddr(b.m[3]) + 8 * P, .flags = GNTMAP_host_map | GNTMAP_contains_pte, .ref = GIVEN, .dom = a.d->id };
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARGS_VA, 1);
}

/* ---- Pages and tables ---- */

static void ldt_in_p(void)
{
    if (domain_dying(a.d))
        return;
    *(struct mmuext_op *)args(&a) = (struct mmuext_op){ .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = P * PAGE_SIZE, .arg2.nr_ents = 8 };
    call(&a, 0, __HYPERVISOR_mmuext_op, ARGS_VA, 1, 0);
}

static void gdt_in_p(void)
{
    if (domain_dying(a.d))
        return;
    *(uint64_t *)args(&a) = a.m[P].n;
    call(&a, 0, __HYPERVISOR_set_gdt, ARGS_VA, 8, 0);
}

static void copy_page(void)
{
    if (domain_dying(a.d))
        return;
    *(struct mmuext_op *)args(&a) = (struct mmuext_op){ .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = a.m[P + 1].n, .arg2.src_mfn = a.m[P].n };
    call(&a, 0, __HYPERVISOR_mmuext_op, ARGS_VA, 1, 0);
}

static void clear_p(void)   { mmuext(0, MMUEXT_CLEAR_PAGE, a.m[P].n); }
static void flush_all(void) { mmuext(0, MMUEXT_TLB_FLUSH_ALL, 0); }
static void flush_p(void)   { mmuext(0, MMUEXT_INVLPG_ALL, P * PAGE_SIZE); }
static void user_root(void) { mmuext(0, MMUEXT_NEW_USER_BASEPTR, a.m[0].n); }
static void unpin_root(void) { mmuext(0, MMUEXT_UNPIN_TABLE, a.m[0].n); }
static void p_is_pfn_100(void) { mmu_update(mfn_maddr(a.m[P]) | MMU_MACHPHYS_UPDATE, 100); }

static void va_maps_p2(void)
{
    if (!domain_dying(a.d))
        call(&a, 0, __HYPERVISOR_update_va_mapping, P * PAGE_SIZE, pte_make(a.m[P + 2].n, RW), UVMF_TLB_FLUSH | UVMF_ALL);
}

/* Two requests for one table, which are done as one. */
static void two_updates(mfn_t table, unsigned i, uint64_t first, uint64_t second)
{
    struct mmu_update *u;

    if (domain_dying(a.d))
        return;
    u = args(&a);
    u[0] = (struct mmu_update){ .ptr = mfn_maddr(table) + 8 * i, .val = first };
    u[1] = (struct mmu_update){ .ptr = mfn_maddr(table) + 8 * (i + 1), .val = second };
    call(&a, 0, __HYPERVISOR_mmu_update, ARGS_VA, 2, 0);
}

static void p_moves_up(void)  { two_updates(a.m[3], P, 0, pte_make(a.m[P].n, RW)); }
static void two_in_p(void)    { two_updates(a.m[P], 0, pte_make(a.m[P + 1].n, RW), pte_make(a.m[P + 2].n, RW)); }

/* The kernel's own store to an entry of P, which it sees read-only. */
static void kernel_store_in_p(void)
{
    static const uint8_t code[] = { 0xf0, 0x48, 0x0f, 0xb1, 0x0b }; /* lock cmpxchg %rcx, (%rbx) */
    struct vcpu *v;

    p_read_only();
    v = on_cpu(&a, 0);
    if (!v || domain_dying(a.d))
        return;
    memcpy(args(&a), code, sizeof(code));
    v->traps[X86_VEC_PF].va = ARGS_VA;
    v->regs->rsp = ARGS_VA + PAGE_SIZE;
    v->regs->rip = ARGS_VA;
    v->regs->rbx = P * PAGE_SIZE;
    v->regs->rax = *(_Atomic uint64_t *)machine_frame(a.m[P]);
    v->regs->rcx = pte_make(a.m[P + 1].n, RW);
    plenty();
    guest_page_fault(v, P * PAGE_SIZE, X86_PFEC_PRESENT | X86_PFEC_WRITE | X86_PFEC_USER);
    hosted_leave(v, PLENTY);
    happened = v->regs->rip == ARGS_VA + sizeof(code);
}

static void area(unsigned cmd)
{
    if (domain_dying(a.d))
        return;
    *(uint64_t *)args(&a) = P * PAGE_SIZE;
    call(&a, 0, __HYPERVISOR_vcpu_op, cmd, 0, ARGS_VA);
}

static void runstate_in_p(void) { area(VCPUOP_register_runstate_memory_area); }
static void time_in_p(void)     { area(VCPUOP_register_vcpu_time_memory_area); }

/* ---- Tools ---- */

/* dom0's call about a. */
static void tool(uint64_t nr, uint64_t arg0, uint64_t arg1)
{
    struct hypercall hc;
    unsigned times = 0;
    long rc;

    control_on(0);
    hc = (struct hypercall){ .v = control.v, .d = control.d, .nr = nr, .arg = { arg0, arg1 } };
    for (;;) {
        plenty();
        rc = hypercall_run(&hc);
        hosted_leave(control.v, PLENTY);
        if (rc != -ERESTART)
            break;
        again(&times);
    }
    happened = rc >= 0;
}

static struct xen_domctl *tool_args(unsigned cmd)
{
    struct xen_domctl *op = machine_frame(control.m[TOOL_ARGS]);

    *op = (struct xen_domctl){ .cmd = cmd, .interface_version = XEN_DOMCTL_INTERFACE_VERSION, .domain = a.d->id };
    return op;
}

static void domctl(void) { tool(__HYPERVISOR_domctl, TOOL_ARGS * PAGE_SIZE, 0); }

static void log_op(unsigned op)
{
    struct xen_domctl *d = tool_args(XEN_DOMCTL_shadow_op);

    d->u.shadow_op = (struct xen_domctl_shadow_op){ .op = op, .pages = PAGES };
    d->u.shadow_op.dirty_bitmap.p = (void *)(TOOL_BUFFER * PAGE_SIZE);
    domctl();
}

static void log_on(void)    { log_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY); }
static void log_clean(void) { log_op(XEN_DOMCTL_SHADOW_OP_CLEAN); }
static void log_off(void)   { log_op(XEN_DOMCTL_SHADOW_OP_OFF); }

static void tool_pauses(void)
{
    tool_args(XEN_DOMCTL_pausedomain);
    domctl();
}

static void tool_looks_at_p(void)
{
    struct xen_domctl *d = tool_args(XEN_DOMCTL_getpageframeinfo3);

    *(uint64_t *)machine_frame(control.m[TOOL_BUFFER]) = a.m[P].n;
    d->u.getpageframeinfo3.num = 1;
    d->u.getpageframeinfo3.array.p = (void *)(TOOL_BUFFER * PAGE_SIZE);
    domctl();
}

static void tool_takes(unsigned cmd, uint64_t frame)
{
    struct xen_memory_reservation *r = machine_frame(control.m[TOOL_ARGS]);

    *r = (struct xen_memory_reservation){ .nr_extents = 1, .domid = a.d->id };
    r->extent_start.p = (void *)(TOOL_BUFFER * PAGE_SIZE);
    *(uint64_t *)machine_frame(control.m[TOOL_BUFFER]) = frame;
    tool(__HYPERVISOR_memory_op, cmd, TOOL_ARGS * PAGE_SIZE);
}

static void tool_gives_one(void) { tool_takes(XENMEM_populate_physmap, P); }
static void tool_takes_p2(void)  { tool_takes(XENMEM_decrease_reservation, a.m[P + 2].n); }
static void end_b_begins(void)   { kill(&b, 1); }

/* ---- Two worlds ---- */

/* After begin(): there are ports. */
static void begin_more(void)
{
    evtchn_port_t port;

    assert_int_equal(port_alloc_unbound(a.d, b.d->id, &port), 0);
    assert_int_equal(port_bind_interdomain(b.d, a.d->id, port, &port), 0);
    assert_int_equal(port, CHANNEL);
    assert_int_equal(port_alloc_unbound(a.d, b.d->id, &port), 0);
    assert_int_equal(port, UNBOUND);
    assert_int_equal(port_bind_ipi(a.d, 1, &port), 0);
    assert_int_equal(port, IPI);
    a.d->shared->arch.max_pfn = PAGES;
    a.d->vm_assist |= 1u << VMASST_TYPE_writable_pagetables;
}

/* After that: P is a table, b and the tool have mapped P + 1, the second L2 entry leads to P, a's writes are logged. */
static void begin_busy(void)
{
    unmap_p();
    pin_p_l1();
    hang_in_p();
    map_p1();
    grant_map_in_b();
    tool_maps_p1();
    log_on();
}

#endif
