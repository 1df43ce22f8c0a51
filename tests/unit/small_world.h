/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small world: two domains, three pages of the first that may be anything, two CPUs with a vCPU each, and all that can happen
 * there (ops[]). For tests that try everything. Included once, after hosted.h.
 */
#ifndef TESTS_UNIT_SMALL_WORLD_H
#define TESTS_UNIT_SMALL_WORLD_H

#include "abi/hypercall.h"
#include "core/grant.h"

#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/vcpu.h>

enum {
    PAGES = 9,
    P = 4,           /* P, P + 1 and P + 2 are the three; P is mapped at first, at its own number, and in every TLB of a's */
    ARGS = 7, ARGS_OTHER = 8, /* what the calls point to */
    GIVEN = 8, TAKEN = 9, /* references: a grants P + 1 to b; b takes what a transfers */
    HIGH_VA = 1 << 21,    /* the second entry of the L2 */
    WINDOW = 20,          /* where the tool maps a page of a's */
    LAST = PAGE_SIZE - 8, /* where stores go: P has an entry in its first word */
};

static uint64_t mark; /* what b writes: never the same twice */

static struct guest a, b;

/* ---- Calls ---- */

/* Both CPUs are at work, each for one operation, on which is whose vCPU it needs: nothing is to be switched. */
static bool together;

/* g's vCPU `id` runs on the CPU of that number; NULL: it has ended. */
static struct vcpu *on_cpu(struct guest *g, unsigned cpu)
{
    if (domain_dying(g->d))
        return NULL;
    if (together)
        return current_vcpu();
    host_cpu = cpu;
    host_run(g->d->vcpu[g == &a ? cpu : 0]);
    return current_vcpu();
}

/* Whether the operation did what it is for; else it was refused. */
static bool happened;

/* After -ERESTART number *times: an operation that comes to its end after a few of them, or when the other CPU has gone on. */
static void again(unsigned *times)
{
    assert_true(++*times < 100);
    if (*times > 2)
        machine_relax();
}

static void call(struct guest *g, unsigned cpu, uint64_t nr, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
    struct vcpu *v = on_cpu(g, cpu);
    struct hypercall hc = { .v = v, .d = g->d, .nr = nr, .arg = { arg0, arg1, arg2, DOMID_SELF } };
    unsigned times = 0;
    long rc;

    if (!v)
        return;
    for (;;) {
        plenty();
        rc = hypercall_run(&hc);
        hosted_leave(v, PLENTY);
        if (rc != -ERESTART)
            break;
        again(&times);
    }
    happened = rc == (nr == __HYPERVISOR_memory_op && arg0 != XENMEM_exchange);
}

/* Each CPU has its own page for them. */
static unsigned args_page(void) { return together && host_cpu ? ARGS_OTHER : ARGS; }
static void *args(struct guest *g) { return machine_frame(g->m[args_page()]); }

#define ARGS_VA ((uint64_t)args_page() * PAGE_SIZE)

static void mmu_update(uint64_t maddr, uint64_t entry)
{
    if (domain_dying(a.d))
        return;
    *(struct mmu_update *)args(&a) = (struct mmu_update){ .ptr = maddr, .val = entry };
    call(&a, 0, __HYPERVISOR_mmu_update, ARGS_VA, 1, 0);
}

static void set_l1(unsigned i, uint64_t entry) { mmu_update(mfn_maddr(a.m[3]) + 8 * i, entry); }

static void mmuext(unsigned cpu, unsigned cmd, uint64_t first)
{
    if (domain_dying(a.d))
        return;
    *(struct mmuext_op *)args(&a) = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = first };
    call(&a, cpu, __HYPERVISOR_mmuext_op, ARGS_VA, 1, 0);
}

static void reservation(unsigned cmd, mfn_t m)
{
    struct xen_memory_reservation *r;

    if (domain_dying(a.d))
        return;
    r = args(&a);
    *r = (struct xen_memory_reservation){ .nr_extents = 1, .domid = DOMID_SELF };
    *(uint64_t *)(r + 1) = m.n;
    r->extent_start.p = (void *)(ARGS_VA + sizeof(*r));
    call(&a, 0, __HYPERVISOR_memory_op, cmd, ARGS_VA, 0);
}

static bool store(struct guest *g, unsigned cpu, uint64_t va)
{
    struct vcpu *v = on_cpu(g, cpu);

    return happened = v && host_guest_store(v, va + LAST, g == &b ? ++mark : 0);
}

static void grant_entry(struct guest *g, unsigned ref, unsigned flags, domid_t to, mfn_t m)
{
    grant_entry_v1_t *e = machine_frame(grants_frame(g->d, false, 0));

    happened = e;
    if (e)
        e[ref] = (grant_entry_v1_t){ .flags = (uint16_t)flags, .domid = to, .frame = (uint32_t)m.n };
}

/* dom0's vCPU runs on that CPU. */
static void control_on(unsigned cpu)
{
    if (together)
        return;
    host_cpu = !cpu;
    if (current_vcpu() == control.v)
        host_run(NULL);
    host_cpu = cpu;
    host_run(control.v);
}

/* One piece of an end, or all of it. */
static void kill(struct guest *g, unsigned units)
{
    unsigned times = 0;

    if (!together) {
        for (host_cpu = 0; host_cpu < HOSTED_CPUS; host_cpu++) {
            if (current_vcpu() && current_vcpu()->domain == g->d)
                host_run(NULL);
        }
        control_on(0);
    }
    for (;;) {
        int rc;

        this_pcpu()->budget = units;
        rc = domain_kill(g->d);
        hosted_leave(control.v, PLENTY);
        if (rc != -ERESTART || units != PLENTY)
            break;
        again(&times);
    }
    happened = true;
}

/* ---- What can happen ---- */

static void unmap_p(void)          { set_l1(P, 0); }
static void map_p1(void)           { set_l1(P + 1, pte_make(a.m[P + 1].n, RW)); }
static void p_maps_p1(void)        { set_l1(P, pte_make(a.m[P + 1].n, RW)); }
static void p_maps_p2(void)        { set_l1(P, pte_make(a.m[P + 2].n, RW)); }
static void p_read_only(void)      { set_l1(P, pte_make(a.m[P].n, RO)); }
static void store_p(void)          { store(&a, 0, P * PAGE_SIZE); }
static void store_p_other_cpu(void)  { store(&a, 1, P * PAGE_SIZE); }
static void store_p1_other_cpu(void) { store(&a, 1, (P + 1) * PAGE_SIZE); }
static void store_high(void)       { store(&a, 0, HIGH_VA); }
static void store_high_other_cpu(void) { store(&a, 1, HIGH_VA); }
static void pin_p_l1(void)         { mmuext(0, MMUEXT_PIN_L1_TABLE, a.m[P].n); }
static void pin_p_l2(void)         { mmuext(1, MMUEXT_PIN_L2_TABLE, a.m[P].n); }
static void unpin_p(void)          { mmuext(0, MMUEXT_UNPIN_TABLE, a.m[P].n); }
static void pin_p1_l1(void)        { mmuext(0, MMUEXT_PIN_L1_TABLE, a.m[P + 1].n); }
static void hang_in_p(void)        { mmu_update(mfn_maddr(a.m[2]) + 8, pte_make(a.m[P].n, RW)); }
static void hang_out(void)         { mmu_update(mfn_maddr(a.m[2]) + 8, 0); }
static void empty_p(void)          { mmu_update(mfn_maddr(a.m[P]), 0); }
static void fill_p_with_p1(void)   { mmu_update(mfn_maddr(a.m[P]), pte_make(a.m[P + 1].n, RW)); }
static void give_p(void)           { reservation(XENMEM_decrease_reservation, a.m[P]); }
static void give_p2(void)          { reservation(XENMEM_decrease_reservation, a.m[P + 2]); }
static void get_one(void)          { reservation(XENMEM_populate_physmap, mfn(P)); }
static void flush_here(void)       { mmuext(0, MMUEXT_TLB_FLUSH_LOCAL, 0); }
static void root_again(void)       { mmuext(0, MMUEXT_NEW_BASEPTR, a.m[0].n); }
static void end_a(void)            { kill(&a, PLENTY); }
static void end_a_begins(void)     { kill(&a, 1); }
static void end_b(void)            { kill(&b, PLENTY); }
static void store_b(void)          { store(&b, 1, P * PAGE_SIZE); }
static void revoke(void)           { grant_entry(&a, GIVEN, 0, 0, mfn(0)); }

static void info_in_p(void)
{
    if (domain_dying(a.d))
        return;
    *(struct vcpu_register_vcpu_info *)args(&a) = (struct vcpu_register_vcpu_info){ .mfn = a.m[P].n };
    call(&a, 0, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, ARGS_VA);
}

static void exchange_p(void)
{
    struct xen_memory_exchange *x;

    if (domain_dying(a.d))
        return;
    x = args(&a);
    *x = (struct xen_memory_exchange){ .in = { .nr_extents = 1, .domid = DOMID_SELF } };
    x->out = x->in;
    ((uint64_t *)(x + 1))[0] = a.m[P].n;
    ((uint64_t *)(x + 1))[1] = P;
    x->in.extent_start.p = (void *)(ARGS_VA + sizeof(*x));
    x->out.extent_start.p = (void *)(ARGS_VA + sizeof(*x) + 8);
    call(&a, 0, __HYPERVISOR_memory_op, XENMEM_exchange, ARGS_VA, 0);
}

static void transfer_p(void)
{
    if (domain_dying(a.d))
        return;
    *(struct gnttab_transfer *)args(&a) = (struct gnttab_transfer){ .mfn = a.m[P].n, .domid = b.d->id, .ref = TAKEN };
    call(&a, 0, __HYPERVISOR_grant_table_op, GNTTABOP_transfer, ARGS_VA, 1);
    happened &= !((struct gnttab_transfer *)args(&a))->status;
}

/* And writes to it. */
static void grant_map_in_b(void)
{
    if (domain_dying(b.d))
        return;
    *(struct gnttab_map_grant_ref *)args(&b) = (struct gnttab_map_grant_ref){
        .host_addr = P * PAGE_SIZE, .flags = GNTMAP_host_map, .ref = GIVEN, .dom = a.d->id };
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARGS_VA, 1);
    if (((struct gnttab_map_grant_ref *)args(&b))->status)
        happened = false;
    else
        store_b();
}

static void grant_unmap_in_b(void)
{
    if (domain_dying(b.d))
        return;
    *(struct gnttab_unmap_grant_ref *)args(&b) = (struct gnttab_unmap_grant_ref){ .host_addr = P * PAGE_SIZE };
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, ARGS_VA, 1);
    happened &= !((struct gnttab_unmap_grant_ref *)args(&b))->status;
}

static void grant_copy_to_b(void)
{
    struct gnttab_copy *c;

    if (domain_dying(b.d))
        return;
    c = args(&b);
    *c = (struct gnttab_copy){ .len = 64, .flags = GNTCOPY_source_gref };
    c->source.u.ref = GIVEN;
    c->source.domid = a.d->id;
    c->dest.u.gmfn = b.m[P + 2].n;
    c->dest.domid = DOMID_SELF;
    call(&b, 1, __HYPERVISOR_grant_table_op, GNTTABOP_copy, ARGS_VA, 1);
    happened &= !c->status;
}

/* A tool, on the other CPU, maps P + 1 and writes to it; and takes the mapping away, which is no reason for it to flush. */
static void tool_sets(uint64_t entry)
{
    struct hypercall hc = { .nr = __HYPERVISOR_mmu_update, .arg = { (uint64_t)ARGS * PAGE_SIZE, 1, 0, entry ? a.d->id : DOMID_SELF } };

    if (entry && domain_dying(a.d))
        return;
    control_on(1);
    hc.v = control.v, hc.d = control.d;
    *(struct mmu_update *)machine_frame(control.m[ARGS]) = (struct mmu_update){ .ptr = mfn_maddr(control.m[3]) + 8 * WINDOW, .val = entry };
    plenty();
    happened = hypercall_run(&hc) == 0;
    hosted_leave(control.v, PLENTY);
    if (entry && happened)
        happened = host_guest_store(control.v, WINDOW * PAGE_SIZE, 0);
}

static void tool_maps_p1(void)   { tool_sets(pte_make(a.m[P + 1].n, RW)); }
static void tool_unmaps_p1(void) { tool_sets(0); }

typedef void op_fn(void);

static op_fn *const ops[] = {
    unmap_p, map_p1, p_maps_p1, p_maps_p2, p_read_only, store_p, store_p_other_cpu, store_p1_other_cpu, store_high,
    store_high_other_cpu, pin_p_l1, pin_p_l2, unpin_p, pin_p1_l1, hang_in_p, hang_out, empty_p, fill_p_with_p1, give_p, give_p2,
    get_one, flush_here, root_again, info_in_p, exchange_p, transfer_p, grant_map_in_b, grant_unmap_in_b, grant_copy_to_b,
    store_b, revoke, tool_maps_p1, tool_unmaps_p1, end_a_begins, end_a,
    end_b,
};

/* ---- The beginning and the end of such a world ---- */

static void begin(void)
{
    for (host_cpu = 0; host_cpu < HOSTED_CPUS; host_cpu++)
        host_run(NULL);
    host_cpu = 0;
    guest_create_smp(&a, 1, 0, PAGES, 2);
    guest_create_smp(&b, 2, 0, PAGES, 2);
    a.d->max_pages = b.d->max_pages = PAGES + 1;
    for (unsigned i = P; i < PAGES; i++)
        memset(machine_frame(a.m[i]), 0, PAGE_SIZE);
    guest_entry(&a, P, 0, P + 2, RW); /* P would do as an L1 table, once nobody writes to it */
    guest_start(&a, P + 1);
    guest_start(&b, P + 1);
    for (unsigned i = 0; i < 2; i++) {
        struct guest *g = i ? &b : &a;

        plenty();
        host_run(g->v);
        for (unsigned k = ARGS; k <= ARGS_OTHER; k++)
            assert_int_equal(pt_set(g->m[3], k, pte_make(g->m[k].n, RW), g->d, g->d, false), 0);
        assert_int_equal(grants_grow(g->d, 1), 0);
    }
    grant_entry(&a, GIVEN, GTF_permit_access, b.d->id, a.m[P + 1]);
    grant_entry(&b, TAKEN, GTF_accept_transfer, a.d->id, mfn(0));
    host_cpu = 1;
    assert_int_equal(pt_set_root(a.d->vcpu[1], a.m[0], false), 0);
    assert_int_equal(pt_set_root(b.d->vcpu[1], b.m[0], false), 0);
    store_p_other_cpu();
    store_p();
    domain_ref(a.d);
    domain_ref(b.d);
}

static void end(uint64_t free_before)
{
    tool_sets(0);
    kill(&a, PLENTY);
    kill(&b, PLENTY);
    domain_put(a.d);
    domain_put(b.d);
    assert_null(domain_get(1));
    assert_null(domain_get(2));
    assert_int_equal(frames_free_count(), free_before);
}

#endif
