/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever can be stopped and gone on with gives the same end as in one piece: each operation below is done with a budget of
 * one unit at a time, two, three and so on, and what it leaves (frames and their counters, tables, results, what the caller
 * was told) is compared with what it leaves when it runs through. Then again with the caller's other vCPU at work in each
 * gap, on things of its own; and with one that works on the very same things, where no end is the only right one, but
 * there must be one, and all references must be right at each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/grant.h"
#include "core/port.h"

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>

enum {
    PAGES = 128, MAPPED = 32,
    ARGS = 8, MORE = 9,            /* pages of arguments, eight of them */
    DATA = 16,                     /* pages that are data, mapped up to MAPPED */
    TREE = 40,                     /* a second tree of tables, not in use: root, L3, L2, four L1s */
    OTHER = 56,                    /* what the other vCPU plays with */
    FREE = 64,                     /* in no table at first */
    CODE = 8 * PAGE_SIZE - 2, N = 12, /* elements of a batch */
    TURNS = 20000,
};

static struct guest a, b;
static uint64_t nr, arg[4]; /* the call */
static uint64_t in_pieces; /* runs compared */

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
    budget_reset();
    assert_int_equal(pt_set_root(a.d->vcpu[1], a.m[0], false), 0);
}

static void world_end(uint64_t free_before)
{
    host_cpu = 1;
    host_run(NULL);
    host_cpu = 0;
    host_run(control.v);
    if (!domain_dying(a.d))
        guest_destroy(&a, control.v, 1);
    else
        domain_put(a.d);
    guest_destroy(&b, control.v, 7);
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
    for (domid_t id = 1; id < 3; id++) {
        d = domain_get(id);
        if (!d)
            continue;
        h = mix(mix(mix(h, d->tot_pages), grants_mapped(d)), ports_in_use(d));
        h = mix(mix(h, d->vcpu[0]->gdt_ents), d->vcpu[1]->initialised);
        for (unsigned i = 0; i < 256; i++)
            h = mix(h, d->vcpu[0]->traps[i].va);
        domain_put(d);
    }
    return h;
}

/* ---- Operations: each readies its arguments in the caller's memory, and the registers ---- */

static void registers(uint64_t n, uint64_t a0, uint64_t a1, uint64_t a2)
{
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

static void op_exchange(void)
{
    struct xen_memory_exchange *x;
    struct xen_memory_reservation r = *reservation(XENMEM_exchange);

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

    budget_reset();
    assert_int_equal(hypercall_run(&hc), 0);
    hosted_leave(a.v, BUDGET_UNITS);
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
    assert_int_equal(pt_set_root(a.d->vcpu[1], MFN_NONE, false), 0);
    registers(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, va(MORE + 1));
}

/* Of the control domain. */
static void op_destroy(void)
{
    op_grant_map();
    run_through();
    assert_int_equal(type_pin(a.d, a.m[TREE], TYPE_L4), 0);
    domain_ref(a.d);
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

static const struct op {
    const char *name;
    void (*ready)(void);
    long result;
    unsigned pieces; /* at least, a unit at a time */
} ops[] = {
    { "pin", op_pin, 0, 1000 },
    { "pin of a bad tree", op_pin_bad, -EBUSY, 200 },
    { "pin of what was one", op_pin_what_was_pinned, 0, 1000 },
    { "unpin", op_unpin, 0, 1 }, /* the pieces are in the way out, which has a unit at a time too */
    { "new root", op_root, 0, 1000 },
    { "new user root", op_user_root, 0, 1000 },
    { "mmuext batch", op_mmuext_batch, 0, N },
    { "mmu_update batch", op_mmu_update, 0, 500 },
    { "multicall", op_multicall, 0, 1000 },
    { "populate", op_populate, N, N },
    { "decrease", op_decrease, N, N },
    { "decrease with a bad one", op_decrease_bad, N / 2, N / 2 },
    { "exchange", op_exchange, 0, 1 },
    { "grant map", op_grant_map, 0, N },
    { "grant unmap", op_grant_unmap, 0, N },
    { "grant copy", op_grant_copy, 0, N },
    { "grant transfer", op_transfer, 0, N },
    { "event channel reset", op_ports_reset, 0, 150 },
    { "trap table", op_traps, 0, 1 },
    { "GDT", op_gdt, 0, 1 },
    { "initialise a vCPU", op_initialise, 0, 1000 },
    { "destroy a domain", op_destroy, 0, 150 },
    { "list of domains", op_list, 0, 1 },
};

/* ---- Gaps ---- */

static unsigned gaps;

static void nothing(void) { }

static void set_entry(struct vcpu *v, unsigned i, uint64_t entry)
{
    budget_reset();
    assert_int_equal(pt_set(v, a.m[3], i, entry, a.d, a.d, false), 0);
}

/* On things of its own: all is as before when it is done. */
static void other_works(void)
{
    struct vcpu *v = a.d->vcpu[1];

    if (domain_dying(a.d) || mfn_same(v->root_kernel, MFN_NONE))
        return;
    host_cpu = 1;
    host_run(v);
    (void)host_guest_store(v, va(MAPPED - 1), 0);
    set_entry(v, 500, pte_make(a.m[OTHER].n, RW));
    (void)host_guest_store(v, va(500), 0);
    set_entry(v, 500, 0);
    budget_reset();
    assert_int_equal(type_pin(a.d, a.m[OTHER + 1], TYPE_L1), 0);
    assert_int_equal(type_unpin(a.m[OTHER + 1]), 0);
    hosted_leave(v, BUDGET_UNITS);
    host_cpu = 0;
}

/* On the very things that the call is about, something else each time. */
static void other_meddles(void)
{
    struct vcpu *v = a.d->vcpu[1];
    grant_entry_v1_t *e = machine_frame(grants_frame(b.d, false, 0));

    if (domain_dying(a.d) || mfn_same(v->root_kernel, MFN_NONE))
        return;
    host_cpu = 1;
    host_run(v);
    this_pcpu()->budget = 300;
    switch (gaps % 8) {
    case 0: (void)!type_pin(a.d, a.m[TREE + gaps % 7], TYPE_L1); break;
    case 1: (void)!type_unpin(a.m[TREE + gaps % 7]); break;
    case 2: (void)reservation_remove(a.d, a.m[FREE + gaps % N]); break;
    case 3:
        if (!frame_get_type(a.d, a.m[TREE + gaps % 7], TYPE_WRITABLE))
            frame_put_type(a.m[TREE + gaps % 7]);
        break;
    case 4: (void)!pt_set(v, a.m[3], 200 + gaps % N, pte_make(a.m[FREE + gaps % N].n, RO), a.d, a.d, false); break;
    case 5: e[8 + gaps % N].flags = 0; break;
    case 6: (void)!type_pin(a.d, a.m[TREE], TYPE_L4); break;
    default: (void)!reservation_add(a.d, 0, 0, 5000 + gaps).n;
    }
    hosted_leave(v, 64);
    host_cpu = 0;
}

/* ---- Runs ---- */

struct outcome { uint64_t result, digest; unsigned pieces; };

static struct outcome run(const struct op *op, unsigned units, void (*gap)(void))
{
    uint64_t before = frames_free_count();
    struct outcome o = { 0 };
    struct vcpu *v;
    struct cpu_regs *r;

    world_begin();
    op->ready();
    hosted_leave(a.v, BUDGET_UNITS);
    v = nr == __HYPERVISOR_domctl || nr == __HYPERVISOR_sysctl ? control.v : a.v;
    host_run(v);
    r = v->regs;
    r->rax = nr, r->rdi = arg[0], r->rsi = arg[1], r->rdx = arg[2], r->r10 = arg[3], r->r8 = 0;
    for (;;) {
        r->rip = CODE + 2;
        r->rax = nr;
        this_pcpu()->budget = units;
        hypercall_entry(v);
        hosted_leave(v, units);
        hosted_check();
        o.pieces++;
        assert_true(o.pieces < TURNS);
        if (r->rip != CODE)
            break;
        gaps++;
        gap();
        if (gap != nothing)
            hosted_check();
    }
    o.result = r->rax;
    o.digest = mix(digest(), o.result);
    if (op->ready == op_list)
        for (unsigned i = 0; i < PT_ENTRIES; i++)
            o.digest = mix(o.digest, i % 13 ? 0 : ((uint64_t *)page(&control, 6))[i]);
    world_end(before);
    return o;
}

static const unsigned units[] = { 1, 2, 3, 4, 5, 7, 11, 16, 33, 64, 130, 257, 513, 1100 };

static void pieces_give_the_same(void **state)
{
    unsigned most = 0;

    (void)run(&ops[0], BUDGET_UNITS, nothing); /* what is allocated once is there */
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        struct outcome whole = run(&ops[i], ~0u, nothing), parts;

        assert_int_equal(whole.pieces, 1);
        assert_int_equal(whole.result, ops[i].result);
        for (unsigned k = 0; k < 2 * ARRAY_SIZE(units); k++) {
            parts = run(&ops[i], units[k / 2], k & 1 ? other_works : nothing);
            in_pieces++;
            assert_true(k || parts.pieces >= ops[i].pieces);
            most = MAX(most, parts.pieces);
            if (parts.result != whole.result || parts.digest != whole.digest)
                fail_msg("%s, %u units at a time%s: result %ld instead of %ld, state %s", ops[i].name, units[k / 2],
                         k & 1 ? ", with another at work" : "", (long)parts.result, (long)whole.result,
                         parts.digest == whole.digest ? "equal" : "different");
        }
    }
    print_message("%lu operations, %lu runs in pieces, %u in the longest\n", ARRAY_SIZE(ops), in_pieces, most);
}

static void meddling_ends_well(void **state)
{
    unsigned runs = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(units); k++) {
            for (unsigned first = 0; first < 8; first += 3, runs++) {
                gaps = first;
                (void)run(&ops[i], units[k], other_meddles);
            }
        }
    }
    print_message("%u runs with another that meddles\n", runs);
}

static int setup(void **state)
{
    host_start(HOSTED_CPUS, 1024);
    guest_create(&control, 0, PRIV_ALL, 8);
    guest_start(&control, 8);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_same),
        cmocka_unit_test(meddling_ends_well),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
