/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two guests with everything that operations need, a list of operations, and what there is to see of the guests' state, for
 * tests that do each operation in many ways and compare the ends. Included once by a test, after cmocka.h.
 */
#ifndef TESTS_UNIT_OPERATIONS_H
#define TESTS_UNIT_OPERATIONS_H

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/grant.h"
#include "core/irqs.h"
#include "core/port.h"

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>

enum {
    PAGES = 128, MAPPED = 32,
    ARGS = 8, MORE = 9,            /* pages of arguments, eight of them */
    DATA = 16,                     /* pages that are data, mapped up to MAPPED */
    TREE = 40,                     /* a second tree of tables, not in use: root, L3, L2, four L1s */
    OTHER = 56,                    /* what the other vCPU plays with */
    FREE = 64,                     /* in no table at first */
    CODE = 8 * PAGE_SIZE - 2, /* where the caller is */
    N = 12,                   /* elements of a batch */
    MADE = 9,                 /* a domain that is made */
};

static struct guest a, b;
static uint64_t nr, arg[4]; /* the call */
static bool by_control;     /* who makes it */
static struct domain *kept; /* with a reference, while it is destroyed */

static void *page(struct guest *g, unsigned i) { return machine_frame(g->m[i]); }
static uint64_t va(unsigned i) { return i * PAGE_SIZE; }

/* ---- The world ---- */

static void guest_make(struct guest *g, domid_t id)
{
    guest_create_smp(g, id, 0, PAGES, 2);
    for (unsigned i = 0; i < PAGES; i++)
        memset(page(g, i), 0, PAGE_SIZE);
    guest_start(g, MAPPED);
    assert_int_equal(grants_grow(g->d, 1), 0);
    for (unsigned i = 0; i < 2; i++)
        guest_entry(g, TREE + i, 0, TREE + i + 1, RW);
    for (unsigned i = 0; i < 4; i++) {
        guest_entry(g, TREE + 2, i * 100, TREE + 3 + i, RW);
        for (unsigned k = 0; k < 40; k++)
            guest_entry(g, TREE + 3 + i, k * 12, k & 1 ? DATA + k % 16 : FREE + k, k & 1 ? RO : RW);
    }
    /* Of what is not present most is not 0, or it would be passed over by the line. */
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < PT_ENTRIES; k++)
            if (!((uint64_t *)page(g, TREE + i))[k] && (k < 240 || k >= 256))
                ((uint64_t *)page(g, TREE + i))[k] = PTE_AVAIL;
    g->d->max_pages = PAGES + 2 * N;
    for (unsigned i = 0; i < 2; i++) {
        host_cpu = i;
        g->d->vcpu[i]->initialised = !i;
        host_run(NULL);
    }
    domain_unpause(g->d);
    vcpu_pause_clear(g->v, PAUSE_DOWN);
    host_cpu = 0;
}

static void grants_give(struct guest *g, struct guest *to, unsigned first_ref, unsigned first_page, unsigned flags)
{
    grant_entry_v1_t *e = machine_frame(grants_frame(g->d, false, 0));

    for (unsigned i = 0; i < N; i++)
        e[first_ref + i] = (grant_entry_v1_t){ .flags = (uint16_t)flags, .domid = to->d->id,
                                               .frame = flags == GTF_accept_transfer ? 0 : (uint32_t)g->m[first_page + i].n };
}

static void world_begin(void)
{
    guest_make(&a, 1);
    guest_make(&b, 2);
    grants_give(&b, &a, 8, FREE, GTF_permit_access);
    grants_give(&b, &a, 32, 0, GTF_accept_transfer);
    host_run(a.v);
    plenty();
    assert_int_equal(pt_set_root(a.d->vcpu[1], a.m[0], false), 0);
    a.d->vcpu[1]->initialised = true;
}

/* The caller's other vCPU has no context. */
static void other_vcpu_gone(void)
{
    assert_int_equal(pt_set_root(a.d->vcpu[1], MFN_NONE, false), 0);
    a.d->vcpu[1]->initialised = false;
}

static void world_end(uint64_t free_before)
{
    struct domain *made = domain_get(MADE), *held = kept;

    host_cpu = 1;
    host_run(NULL);
    host_cpu = 0;
    host_run(control.v);
    kept = NULL;
    if (!domain_dying(a.d))
        guest_destroy(&a, control.v, 1);
    if (held)
        domain_put(held);
    guest_destroy(&b, control.v, 7);
    if (made) {
        plenty();
        assert_int_equal(domain_kill(made), 0);
        domain_put(made);
    }
    assert_null(domain_get(MADE));
    assert_null(domain_get(1));
    assert_null(domain_get(2));
    assert_int_equal(frames_free_count(), free_before);
}

/* ---- What it looks like ---- */

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull ^ h >> 29; }

/* A frame by what its owner calls it: which one the allocator chose is no matter. */
static uint64_t name_of(uint64_t n)
{
    return mfn_is_ram(mfn(n)) ? mix(frame_of(mfn(n))->owner, m2p_get(mfn(n))) : n;
}

static uint64_t digest_frame(uint64_t n)
{
    const struct frame *f = &frame_table[n];
    enum frame_type type = type_of(f->type);
    const uint64_t *words = machine_frame(mfn(n));
    uint64_t h = mix(name_of(n), f->refs), counts = f->type;

    /* What a frame was used as, when nobody uses it now, is no part of its state. */
    h = mix(h, counts & TYPE_COUNT ? counts & ~TYPE_FOREIGN : 0);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        h = mix(h, type >= TYPE_L1 && (counts & TYPE_COUNT) && type <= TYPE_L4 && words[i] & PTE_P
                       ? name_of(pte_mfn(words[i])) ^ (words[i] & ~PTE_ADDR) : words[i]);
    return h;
}

static uint64_t digest_vcpu(const struct vcpu *v)
{
    uint64_t h = mix(v->initialised, v->gdt_ents);

    h = mix(mix(mix(h, v->runstate_area.va), v->time_area.va), mfn_same(v->info_mfn, MFN_NONE));
    for (unsigned i = 0; i < 256; i++)
        h = mix(h, v->traps[i].va);
    return h;
}

static uint64_t digest(void)
{
    uint64_t h = 0;
    struct domain *d;

    /* Arguments of a call that was cut are not what they were, and that is no result. */
    for (unsigned i = 0; nr == __HYPERVISOR_multicall && i < N; i++)
        memset(((struct multicall_entry *)page(&a, ARGS))[i].args, 0, sizeof(((struct multicall_entry *)NULL)->args));
    for (uint64_t n = 1; n < frame_count; n++) {
        if ((frame_table[n].owner == 1 || frame_table[n].owner == 2) && !(frame_table[n].refs & REFS_HV))
            h += digest_frame(n);
    }
    for (domid_t id = 1; id <= MADE; id++) {
        d = domain_get(id);
        if (!d)
            continue;
        h = mix(mix(mix(h, d->tot_pages), grants_mapped(d)), ports_in_use(d));
        h = mix(mix(mix(h, grants_frames(d, false)), grants_frames(d, true)), grants_version(d));
        h = mix(mix(mix(h, d->e820_count), !!d->rights), d->watchdogs);
        for (unsigned i = 0; i < d->max_vcpus; i++)
            h = mix(h, d->vcpu[i] ? digest_vcpu(d->vcpu[i]) : i);
        domain_put(d);
    }
    return h;
}

/* ---- Operations: each readies its arguments in the caller's memory, and the registers ---- */

static void registers(uint64_t n, uint64_t a0, uint64_t a1, uint64_t a2)
{
    by_control = n == __HYPERVISOR_domctl || n == __HYPERVISOR_sysctl;
    nr = n, arg[0] = a0, arg[1] = a1, arg[2] = a2, arg[3] = DOMID_SELF;
}

static void mmuext(unsigned cmd, unsigned target)
{
    *(struct mmuext_op *)page(&a, ARGS) = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = a.m[target].n };
    registers(__HYPERVISOR_mmuext_op, va(ARGS), 1, 0);
}

static void op_pin(void) { mmuext(MMUEXT_PIN_L4_TABLE, TREE); }
static void op_root(void) { mmuext(MMUEXT_NEW_BASEPTR, TREE); }
static void op_user_root(void) { mmuext(MMUEXT_NEW_USER_BASEPTR, TREE); }

static void op_unpin(void)
{
    assert_int_equal(type_pin(a.d, a.m[TREE], TYPE_L4), 0);
    mmuext(MMUEXT_UNPIN_TABLE, TREE);
}

static void op_pin_what_was_pinned(void)
{
    assert_int_equal(type_pin(a.d, a.m[TREE + 3], TYPE_L1), 0);
    assert_int_equal(type_unpin(a.m[TREE + 3]), 0);
    op_pin();
}

static void op_pin_bad(void)
{
    ((uint64_t *)page(&a, TREE + 6))[500] = pte_make(b.m[FREE].n, RW);
    op_pin();
}

static void op_mmuext_batch(void)
{
    struct mmuext_op *op = page(&a, ARGS);

    for (unsigned i = 0; i < N; i++)
        op[i] = (struct mmuext_op){ .cmd = i & 1 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE,
                                    .arg1.mfn = a.m[TREE + 3 + i / 2 % 4].n };
    op[N - 1] = (struct mmuext_op){ .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = a.m[FREE + 1].n };
    registers(__HYPERVISOR_mmuext_op, va(ARGS), N, va(ARGS) + 4000);
}

static void op_mmu_update(void)
{
    struct mmu_update *u = page(&a, ARGS);

    for (unsigned i = 0; i < N; i++)
        u[i] = (struct mmu_update){ .ptr = mfn_maddr(a.m[3]) + 8 * (200 + i), .val = pte_make(a.m[FREE + i].n, RW) };
    u[3] = (struct mmu_update){ .ptr = mfn_maddr(a.m[2]) + 8 * 7, .val = pte_make(a.m[TREE + 3].n, RW) };
    u[5] = (struct mmu_update){ .ptr = mfn_maddr(a.m[1]) + 8 * 9, .val = pte_make(a.m[TREE + 2].n, RW) };
    u[8] = (struct mmu_update){ .ptr = mfn_maddr(a.m[1]) + 8 * 9, .val = 0 };
    u[9] = (struct mmu_update){ .ptr = mfn_maddr(a.m[FREE + 50]) | MMU_MACHPHYS_UPDATE, .val = 777 };
    registers(__HYPERVISOR_mmu_update, va(ARGS), N, va(ARGS) + 4000);
}

static void op_multicall(void)
{
    struct multicall_entry *m = page(&a, ARGS);

    for (unsigned i = 0; i < N; i++)
        m[i] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                         .args = { va(300 + i), pte_make(a.m[FREE + i].n, RW), 0 } };
    *(struct mmuext_op *)(void *)((uint8_t *)page(&a, ARGS) + 3000) =
        (struct mmuext_op){ .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = a.m[TREE].n };
    m[4] = (struct multicall_entry){ .op = __HYPERVISOR_mmuext_op, .args = { va(ARGS) + 3000, 1, 0, DOMID_SELF } };
    m[6] = (struct multicall_entry){ .op = __HYPERVISOR_multicall, .args = { va(ARGS), 1 } };
    registers(__HYPERVISOR_multicall, va(ARGS), N, 0);
}

static struct xen_memory_reservation *reservation(unsigned cmd)
{
    struct xen_memory_reservation *r = page(&a, ARGS);
    uint64_t *list = page(&a, MORE);

    *r = (struct xen_memory_reservation){ .nr_extents = N, .domid = DOMID_SELF };
    r->extent_start.p = (void *)va(MORE);
    for (unsigned i = 0; i < N; i++)
        list[i] = cmd == XENMEM_populate_physmap ? 1000 + i : a.m[FREE + i].n;
    registers(__HYPERVISOR_memory_op, cmd, va(ARGS), 0);
    return r;
}

static void op_populate(void) { reservation(XENMEM_populate_physmap); }
static void op_decrease(void) { reservation(XENMEM_decrease_reservation); }

static void op_decrease_bad(void)
{
    reservation(XENMEM_decrease_reservation);
    ((uint64_t *)page(&a, MORE))[N / 2] = b.m[FREE].n;
}

/* The frames were mapped and written to a moment ago, and nothing has been flushed since. */
static void op_exchange(void)
{
    struct xen_memory_exchange *x;
    struct xen_memory_reservation r = *reservation(XENMEM_exchange);

    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(pt_set(a.m[3], 400 + i, pte_make(a.m[FREE + i].n, RW), a.d, a.d, false), 0);
        assert_true(host_guest_store(a.v, va(400 + i), 0));
        assert_int_equal(pt_set(a.m[3], 400 + i, 0, a.d, a.d, false), 0);
    }
    x = page(&a, ARGS);
    *x = (struct xen_memory_exchange){ .in = r, .out = r };
    x->out.extent_start.p = (void *)(va(MORE) + 2048);
    for (unsigned i = 0; i < N; i++)
        ((uint64_t *)page(&a, MORE))[256 + i] = FREE + i;
}

static void op_grant_map(void)
{
    struct gnttab_map_grant_ref *op = page(&a, ARGS);

    for (unsigned i = 0; i < N; i++)
        op[i] = (struct gnttab_map_grant_ref){ .host_addr = i & 1 ? va(100 + i) : mfn_maddr(a.m[3]) + 8 * (100 + i),
                                               .flags = GNTMAP_host_map | (i & 1 ? 0 : GNTMAP_contains_pte),
                                               .ref = 8 + i, .dom = b.d->id };
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, va(ARGS), N);
}

/* The operation in one piece, as a step of another. */
static void run_through(void)
{
    struct hypercall hc = { .v = a.v, .d = a.d, .nr = nr, .arg = { arg[0], arg[1], arg[2], arg[3] } };

    plenty();
    assert_int_equal(hypercall_run(&hc), 0);
    hosted_leave(a.v, PLENTY);
}

static void op_grant_unmap(void)
{
    struct gnttab_unmap_grant_ref *op = page(&a, ARGS);

    op_grant_map();
    run_through();
    for (unsigned i = 0; i < N; i++)
        op[i] = (struct gnttab_unmap_grant_ref){ .host_addr = i & 1 ? va(100 + i) : mfn_maddr(a.m[3]) + 8 * (100 + i),
                                                 .handle = i };
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, va(ARGS), N);
}

static void op_grant_copy(void)
{
    struct gnttab_copy *op = page(&a, ARGS);

    for (unsigned i = 0; i < N; i++) {
        memset(page(&a, FREE + i), (int)i + 1, PAGE_SIZE);
        op[i] = (struct gnttab_copy){ .len = 3000, .flags = GNTCOPY_dest_gref };
        op[i].source.u.gmfn = a.m[FREE + i].n;
        op[i].source.domid = DOMID_SELF;
        op[i].dest.u.ref = 8 + i;
        op[i].dest.domid = b.d->id;
    }
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_copy, va(ARGS), N);
}

static void op_transfer(void)
{
    struct gnttab_transfer *op = page(&a, ARGS);

    b.d->max_pages = 2 * PAGES;
    for (unsigned i = 0; i < N; i++)
        op[i] = (struct gnttab_transfer){ .mfn = a.m[FREE + i].n, .domid = b.d->id, .ref = 32 + i };
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, va(ARGS), N);
}

static void op_ports_reset(void)
{
    evtchn_port_t port, other;

    for (unsigned i = 0; i < 150; i++) {
        assert_int_equal(port_alloc_unbound(a.d, b.d->id, &port), 0);
        if (i & 1)
            assert_int_equal(port_bind_interdomain(b.d, a.d->id, port, &other), 0);
    }
    *(struct evtchn_reset *)page(&a, ARGS) = (struct evtchn_reset){ .dom = DOMID_SELF };
    registers(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, va(ARGS), 0);
}

static void op_traps(void)
{
    struct trap_info *t = page(&a, ARGS);

    for (unsigned i = 0; i < 255; i++)
        t[i] = (struct trap_info){ .vector = (uint8_t)i, .cs = FLAT_KERNEL_CS, .address = va(DATA) + i };
    t[255] = (struct trap_info){ 0 };
    registers(__HYPERVISOR_set_trap_table, va(ARGS), 0, 0);
}

static void op_gdt(void)
{
    for (unsigned i = 0; i < 4; i++)
        ((uint64_t *)page(&a, MORE))[i] = a.m[FREE + i].n;
    registers(__HYPERVISOR_set_gdt, va(MORE), 4 * 512, 0);
}

static struct vcpu_guest_context *context(void)
{
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));

    c->flags = VGCF_in_kernel;
    c->ctrlreg[3] = mfn_maddr(a.m[TREE]);
    c->gdt_ents = 1024;
    c->gdt_frames[0] = a.m[OTHER - 2].n;
    c->gdt_frames[1] = a.m[OTHER - 1].n;
    return c;
}

static void write_context(struct guest *g)
{
    struct vcpu_guest_context *c = context();

    for (unsigned i = 0; i < sizeof(*c); i += 8)
        ((uint64_t *)page(g, MORE + 1 + i / PAGE_SIZE))[i % PAGE_SIZE / 8] = ((uint64_t *)(void *)c)[i / 8];
    free(c);
}

static void op_initialise(void)
{
    write_context(&a);
    other_vcpu_gone();
    registers(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, va(MORE + 1));
}

/* Of the control domain. */
static void op_destroy(void)
{
    op_grant_map();
    run_through();
    assert_int_equal(type_pin(a.d, a.m[TREE], TYPE_L4), 0);
    kept = a.d;
    domain_ref(kept);
    *(struct xen_domctl *)page(&control, 7) = (struct xen_domctl){
        .cmd = XEN_DOMCTL_destroydomain, .interface_version = XEN_DOMCTL_INTERFACE_VERSION, .domain = a.d->id };
    registers(__HYPERVISOR_domctl, va(7), 0, 0);
}

static void op_list(void)
{
    struct xen_sysctl *s = page(&control, 7);

    memset(page(&control, 6), 0, PAGE_SIZE);
    *s = (struct xen_sysctl){ .cmd = XEN_SYSCTL_getdomaininfolist, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    s->u.getdomaininfolist.max_domains = 10;
    s->u.getdomaininfolist.buffer.p = (void *)va(6);
    registers(__HYPERVISOR_sysctl, va(7), 0, 0);
}

/* ---- More of them, which allocate ---- */

static void event(unsigned cmd, uint32_t w0, uint32_t w1, uint32_t w2)
{
    uint32_t *w = page(&a, ARGS);

    w[0] = w0, w[1] = w1, w[2] = w2;
    registers(__HYPERVISOR_event_channel_op, cmd, va(ARGS), 0);
}

static void op_port(void) { event(EVTCHNOP_alloc_unbound, DOMID_SELF | 2u << 16, 0, 0); }

static void op_first_port_of_a_page(void)
{
    evtchn_port_t port;

    for (unsigned i = 0; i < PAGE_SIZE / 32 - 1; i++)
        assert_int_equal(port_alloc_unbound(a.d, b.d->id, &port), 0);
    op_port();
}

static void op_fifo(void)
{
    struct evtchn_init_control *c = page(&a, ARGS);

    *c = (struct evtchn_init_control){ .control_gfn = a.m[FREE].n };
    registers(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, va(ARGS), 0);
}

static void op_fifo_page(void)
{
    op_fifo();
    run_through();
    *(struct evtchn_expand_array *)page(&a, ARGS) = (struct evtchn_expand_array){ .array_gfn = a.m[FREE + 1].n };
    registers(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, va(ARGS), 0);
}

static void op_grow(void)
{
    struct gnttab_setup_table *s = page(&a, ARGS);

    *s = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = 5 };
    s->frame_list.p = (void *)va(MORE);
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, va(ARGS), 1);
}

static void op_version(void)
{
    *(struct gnttab_set_version *)page(&a, ARGS) = (struct gnttab_set_version){ .version = 2 };
    registers(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, va(ARGS), 1);
}

static void op_runstate(void)
{
    *(uint64_t *)page(&a, ARGS) = va(DATA + 1) - 16; /* in two pages */
    registers(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, va(ARGS));
}

static void op_watchdog(void)
{
    *(struct sched_watchdog *)page(&a, ARGS) = (struct sched_watchdog){ .timeout = 10 };
    registers(__HYPERVISOR_sched_op, SCHEDOP_watchdog, va(ARGS), 0);
}

static struct xen_domctl *domctl(unsigned cmd)
{
    struct xen_domctl *op = page(&control, 7);

    *op = (struct xen_domctl){ .cmd = cmd, .interface_version = XEN_DOMCTL_INTERFACE_VERSION, .domain = a.d->id };
    registers(__HYPERVISOR_domctl, va(7), 0, 0);
    return op;
}

static void op_create(void)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_createdomain);

    op->domain = MADE;
    op->u.createdomain = (struct xen_domctl_createdomain){ .max_vcpus = 3, .max_evtchn_port = 1023, .max_grant_frames = 32,
                                                           .max_maptrack_frames = 64, .grant_opts = 2 };
}

static void op_vcpus(void)
{
    struct xen_domctl *op;

    op_create();
    host_run(control.v);
    assert_int_equal(do_domctl(&(struct hypercall){ .v = control.v, .d = control.d, .arg = { va(7) } }), 0);
    host_run(a.v);
    op = domctl(XEN_DOMCTL_max_vcpus);
    op->domain = MADE;
    op->u.max_vcpus.max = 3;
}

static void op_rights(void)
{
    struct xen_domctl *op = domctl(XEN_DOMCTL_ioport_permission);

    control.d->all_io = true;
    op->u.ioport_permission = (struct xen_domctl_ioport_permission){ .first_port = 0x70, .nr_ports = 2, .allow_access = 1 };
}

static void op_get_context(void)
{
    domctl(XEN_DOMCTL_getvcpucontext)->u.vcpucontext.ctxt.p = (void *)va(4);
}

static void op_set_context(void)
{
    struct vcpu_guest_context *c = context();
    struct xen_domctl *op;

    for (unsigned i = 0; i < sizeof(*c); i += 8)
        ((uint64_t *)page(&control, 4 + i / PAGE_SIZE))[i % PAGE_SIZE / 8] = ((uint64_t *)(void *)c)[i / 8];
    free(c);
    other_vcpu_gone();
    op = domctl(XEN_DOMCTL_setvcpucontext);
    op->u.vcpucontext.vcpu = 1;
    op->u.vcpucontext.ctxt.p = (void *)va(4);
}

static void xstate(unsigned cmd, uint64_t size)
{
    struct xen_domctl *op = domctl(cmd);

    memset(page(&control, 4), 0, PAGE_SIZE);
    *(uint64_t *)page(&control, 4) = 1; /* XCR0 */
    op->u.vcpuextstate.size = size;
    op->u.vcpuextstate.buffer.p = (void *)va(4);
}

static void op_set_xstate(void) { xstate(XEN_DOMCTL_setvcpuextstate, 592); }
static void op_get_xstate(void) { xstate(XEN_DOMCTL_getvcpuextstate, PAGE_SIZE); }

static void op_set_policy(void)
{
    domctl(XEN_DOMCTL_set_cpu_policy)->u.cpu_policy.leaves.p = (void *)va(4);
}

static void op_pirq(void)
{
    assert_int_equal(irqs_map_gsi(a.d, 3), 3);
    event(EVTCHNOP_bind_pirq, 3, 0, 0);
}

static void op_set_map(void)
{
    struct xen_foreign_memory_map *f = page(&control, 7);

    *f = (struct xen_foreign_memory_map){ .domid = a.d->id, .map = { .nr_entries = 3 } };
    f->map.buffer.p = (void *)va(6);
    registers(__HYPERVISOR_memory_op, XENMEM_set_memory_map, va(7), 0);
    by_control = true;
}

static const struct op {
    const char *name;
    void (*ready)(void);
    long result;
    unsigned pieces; /* at least, a unit at a time */
    bool batch;      /* of which a part may be done when another part fails */
} ops[] = {
    { "pin", op_pin, 0, 1000, false },
    { "pin of a bad tree", op_pin_bad, -EBUSY, 200, false },
    { "pin of what was one", op_pin_what_was_pinned, 0, 1000, false },
    { "unpin", op_unpin, 0, 1, false }, /* the pieces are in the way out, which has a unit at a time too */
    { "new root", op_root, 0, 1000, false },
    { "new user root", op_user_root, 0, 1000, false },
    { "mmuext batch", op_mmuext_batch, 0, N, true },
    { "mmu_update batch", op_mmu_update, 0, 490, true },
    { "multicall", op_multicall, 0, 1000, true },
    { "populate", op_populate, N, N, true },
    { "decrease", op_decrease, N, N, true },
    { "decrease with a bad one", op_decrease_bad, N / 2, N / 2, true },
    { "exchange", op_exchange, 0, 1, false },
    { "grant map", op_grant_map, 0, N, true },
    { "grant unmap", op_grant_unmap, 0, N, true },
    { "grant copy", op_grant_copy, 0, N, true },
    { "grant transfer", op_transfer, 0, N, true },
    { "event channel reset", op_ports_reset, 0, 150, true },
    { "trap table", op_traps, 0, 1, true },
    { "GDT", op_gdt, 0, 1, false },
    { "initialise a vCPU", op_initialise, 0, 1000, false },
    { "destroy a domain", op_destroy, 0, 150, true },
    { "list of domains", op_list, 0, 1, true },
    { "port", op_port, 0, 1, false },
    { "port in a new page", op_first_port_of_a_page, 0, 1, false },
    { "event FIFO", op_fifo, 0, 1, false },
    { "page of event words", op_fifo_page, 0, 1, false },
    { "larger grant table", op_grow, 0, 1, true },
    { "grant table version", op_version, 0, 1, false },
    { "runstate area", op_runstate, 0, 1, false },
    { "watchdog", op_watchdog, 1, 1, false },
    { "create a domain", op_create, 0, 1, false },
    { "its vCPUs", op_vcpus, 0, 1, true },
    { "rights to ports", op_rights, 0, 1, false },
    { "read a context", op_get_context, 0, 1, false },
    { "memory map", op_set_map, 0, 1, false },
    { "write a context", op_set_context, 0, 1000, false },
    { "read extended state", op_get_xstate, 0, 1, false },
    { "write extended state", op_set_xstate, 0, 1, false },
    { "CPU policy", op_set_policy, 0, 1, false },
    { "interrupt line", op_pirq, 0, 1, false },
};

#endif
