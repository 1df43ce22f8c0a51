/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two and more vCPUs at the same object: page types, pins, mappings, descriptors, ports, grants, and arguments that
 * change while they are read. A race may end either way; afterwards the object is free and good for anything.
 */

#include "hostile_door.h"

#include <xen/memory.h>
#include <xen/vcpu.h>

#include "grant.h"

#define ROUNDS 100

static uint64_t *page, *second_page, *window;
static uint64_t edge;                   /* another address of `page` */

static void init(void)
{
    if (page)
        return;
    page = page_alloc();
    second_page = page_alloc();
    window = page_alloc();
    edge = SCRATCH + 0x7080000000;
    EXPECT_EQ(map(edge, 0), 0);
    tree_make();
    EXPECT(grant_setup());
}

/* The object is free: not mapped elsewhere, not pinned, of no type. 0, or what could not be done. */
static long put_in_order(void)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    long rc;

    mmuext(MMUEXT_SET_LDT, 0, 0);
    hypercall(__HYPERVISOR_set_gdt, NULL, 0);
    while (mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0) == 0)
        continue;
    while (mmuext(MMUEXT_UNPIN_TABLE, mfn_of(second_page), 0) == 0)
        continue;
    rc = update_va((void *)edge, 0, UVMF_INVLPG | UVMF_ALL);
    tree_mend();
    rc = rc ?: make_writable(page) ?: make_writable(second_page);
    if (!rc) {
        memset(page, 0, PAGE_SIZE);
        memset(second_page, 0, PAGE_SIZE);
    }
    return rc ?: grant_op(GNTTABOP_query_size, &q, 1);
}

/* ---- page types ---- */

static void pin1(void)   { mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page), 0); mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0); }
static void pin2(void)   { mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(page), 0); mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0); }
static void pin4(void)   { mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(page), 0); mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0); }
static void unpin(void)  { mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0); }
static void flip(void)   { make_readonly(page); make_writable(page); }
static void alias(void)
{
    update_va((void *)edge, mfn_of(page) << 12 | PTE_FLAGS, UVMF_INVLPG);
    update_va((void *)edge, 0, UVMF_INVLPG);
}
static void descriptors(void)
{
    uint64_t frame = mfn_of(page);

    hypercall(__HYPERVISOR_set_gdt, &frame, 512);
    hypercall(__HYPERVISOR_set_gdt, NULL, 0);
}
static void write_entry(void)
{
    mmu_update(maddr_of(&page[3]), mfn_of(second_page) << 12 | PTE_FLAGS);
    mmu_update(maddr_of(&page[3]), 0);
}
static void write_root(void)
{
    mmu_update(maddr_of(&page[3]), mfn_of(page) << 12 | PTE_RO_FLAGS);
    mmu_update(maddr_of(&page[3]), 0);
}
static void store(void)       { *(volatile uint64_t *)edge = 0; }
static void clear(void)       { mmuext(MMUEXT_CLEAR_PAGE, mfn_of(page), 0); }
static void hook(void)        { mmu_update(maddr_of(pte_of((void *)TREE_VA, 2)), mfn_of(page) << 12 | PTE_FLAGS); }
static void unhook(void)      { mmu_update(maddr_of(&tree[2][TREE_VA >> 21 & 511]), 0); }
static void descriptor(void)  { hypercall(__HYPERVISOR_update_descriptor, maddr_of(&page[5]), 0x00cff3000000ffffUL); }
static void ldt(void)         { mmuext(MMUEXT_SET_LDT, edge, 512); mmuext(MMUEXT_SET_LDT, 0, 0); }
static void copy(void)
{
    grant_copy((struct copy_side){ mfn_of(second_page), DOMID_SELF, 0 }, (struct copy_side){ mfn_of(page), DOMID_SELF, 0 },
               64, 0);
}
static void give_back(void)
{
    static xen_pfn_t wild = 0xfffffff;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &wild);
    hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r);
}
static void exchange(void)
{
    xen_pfn_t in = mfn_of(page), out = va_to_pfn(page);
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };

    /* The page stays mapped by whoever maps it, so that it is not exchanged: it is tried only. */
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    x.in.nr_extents = 2;
    hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
}
static void flush(void) { mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0); }

static const struct {
    const char *name;
    void (*mine)(void), (*theirs)(void);
} races[] = {
    { "pin_l1_vs_writable", pin1, flip }, { "pin_l1_vs_pin_l2", pin1, pin2 }, { "pin_l1_vs_pin_l4", pin1, pin4 },
    { "pin_l2_vs_writable", pin2, flip }, { "pin_l4_vs_writable", pin4, flip }, { "pin_l4_vs_pin_l4", pin4, pin4 },
    { "pin_vs_unpin", pin1, unpin }, { "pin_l4_vs_unpin", pin4, unpin }, { "pin_vs_alias", pin1, alias },
    { "alias_vs_alias", alias, alias }, { "gdt_vs_pin", descriptors, pin1 }, { "gdt_vs_writable", descriptors, flip },
    { "gdt_vs_gdt", descriptors, descriptors }, { "gdt_vs_alias", descriptors, alias },
    { "entry_vs_pin", write_entry, pin1 }, { "entry_vs_pin_l2", write_entry, pin2 }, { "entry_vs_writable", write_entry, flip },
    { "entry_vs_entry", write_entry, write_entry }, { "self_map_vs_pin_l4", write_root, pin4 },
    { "self_map_vs_pin_l2", write_root, pin2 }, { "store_vs_pin", pin1, store }, { "alias_vs_store", alias, store },
    { "store_vs_gdt", descriptors, store },
    { "clear_vs_pin", clear, pin1 }, { "clear_vs_gdt", clear, descriptors }, { "copy_vs_pin", copy, pin1 },
    { "copy_vs_pin_l4", copy, pin4 }, { "hook_vs_unhook", hook, unhook }, { "hook_vs_pin", hook, pin1 },
    { "hook_vs_writable", hook, flip }, { "hook_vs_hook", hook, hook }, { "descriptor_vs_gdt", descriptor, descriptors },
    { "descriptor_vs_pin", descriptor, pin1 }, { "descriptor_vs_writable", descriptor, flip },
    { "ldt_vs_alias", ldt, alias }, { "ldt_vs_pin", ldt, pin1 }, { "decrease_vs_pin", give_back, pin1 },
    { "exchange_vs_pin", exchange, pin1 }, { "flush_vs_alias", flush, alias }, { "flush_vs_flush", flush, flush },
};

static unsigned int current;

static void mine(unsigned int round)
{
    races[current].mine();
}

static void theirs(unsigned int rival, unsigned int round)
{
    races[current].theirs();
}

TEST(types)
{
    init();
    for (current = 0; current < ARRAY_SIZE(races); current++) {
        EXPECT_EQ(put_in_order(), 0);
        EXPECT_EQ(make_readonly(page), 0);
        race(mine, theirs, ROUNDS);
        verdict("types", races[current].name, put_in_order(), 0);
    }
}

/* ---- no stale translation: a page that became a table is not written any more ---- */

static volatile uint64_t written;

static void write_all_the_time(unsigned int rival, unsigned int round)
{
    unsigned int i;

    for (i = 0; i < 50; i++)
        *(volatile uint64_t *)(edge + 8) = ++written & ~1UL;
}

/* Gives how often the table was seen to change. */
static long stale(unsigned int cmd)
{
    unsigned int i, k;
    long changed = 0;

    for (i = 0; i < 20; i++) {
        EXPECT_EQ(update_va((void *)edge, mfn_of(page) << 12 | PTE_FLAGS, UVMF_INVLPG | UVMF_ALL), 0);
        race_begin(write_all_the_time);
        yield();
        /* No flush is asked for: the change of type must make one. */
        EXPECT_EQ(update_va((void *)edge, 0, UVMF_NONE), 0);
        if (make_readonly(page) == 0 && mmuext(cmd, mfn_of(page), 0) == 0) {
            uint64_t seen = *(volatile uint64_t *)(page + 1);

            for (k = 0; k < 200; k++) {
                changed += *(volatile uint64_t *)(page + 1) != seen;
                if (k % 64 == 0)
                    yield();
            }
            EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0), 0);
        }
        race_end();
        EXPECT_EQ(put_in_order(), 0);
    }
    return changed;
}

TEST(stale_translations)
{
    init();
    EXPECT_EQ(put_in_order(), 0);
    verdict("stale", "pin_l1", stale(MMUEXT_PIN_L1_TABLE), 0);
    verdict("stale", "pin_l2", stale(MMUEXT_PIN_L2_TABLE), 0);
    verdict("stale", "pin_l3", stale(MMUEXT_PIN_L3_TABLE), 0);
    verdict("stale", "pin_l4", stale(MMUEXT_PIN_L4_TABLE), 0);
}

/* ---- ports and grants ---- */

static volatile evtchn_port_t port;

static void port_cycle(unsigned int round)
{
    long made = port_bind_ipi(0);

    port = (evtchn_port_t)made;
    port_send(port);
    port_close(port);
}

static void port_disturb(unsigned int rival, unsigned int round)
{
    evtchn_port_t p = port;

    switch (round % 5) {
    case 0: port_send(p); break;
    case 1: evtchn(EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ .port = p, .vcpu = rival + 1 }); break;
    case 2: evtchn(EVTCHNOP_set_priority, &(struct evtchn_set_priority){ .port = p, .priority = round % 16 }); break;
    case 3: evtchn(EVTCHNOP_status, &(struct evtchn_status){ .dom = DOMID_SELF, .port = p }); break;
    default: evtchn(EVTCHNOP_unmask, &(struct evtchn_unmask){ .port = p }); break;
    }
}

static void port_pair(unsigned int round)
{
    long a = port_alloc(DOMID_SELF, DOMID_SELF), b;

    port = (evtchn_port_t)a;
    b = port_bind(DOMID_SELF, port);
    port_send((evtchn_port_t)b);
    port_close(port);
    port_close((evtchn_port_t)b);
}

static void port_steal(unsigned int rival, unsigned int round)
{
    long b = port_bind(DOMID_SELF, port);

    if (b > 0)
        port_close((evtchn_port_t)b);
}

static void port_storm(unsigned int rival, unsigned int round)
{
    long p = port_bind_ipi(rival + 1);

    if (p > 0)
        port_close((evtchn_port_t)p);
}

static grant_handle_t volatile handle;

static void grant_cycle(unsigned int round)
{
    grant_handle_t h = ~0u;

    grant_page(30, second_page, own_domid(), round & 1 ? GTF_readonly : 0);
    if (grant_map(window, own_domid(), 30, GNTMAP_host_map | (round & 1 ? GNTMAP_readonly : 0), &h) == 0) {
        handle = h;
        grant_unmap(U(window), h);
    }
}

static void grant_double_unmap(unsigned int rival, unsigned int round)
{
    grant_unmap(U(window), handle);
}

static void grant_revoke(unsigned int rival, unsigned int round)
{
    gt1[30].flags = round & 1 ? 0 : GTF_permit_access;
    gt1[30].frame = (uint32_t)(round & 2 ? foreign_frame() : mfn_of(second_page));
}

static void grant_copy_it(unsigned int rival, unsigned int round)
{
    grant_copy((struct copy_side){ 30, own_domid(), 0 }, (struct copy_side){ mfn_of(page), DOMID_SELF, 0 }, 64,
               GNTCOPY_source_gref);
}

static void grant_version(unsigned int rival, unsigned int round)
{
    struct gnttab_get_version v = { .dom = DOMID_SELF };
    struct gnttab_query_size q = { .dom = DOMID_SELF };

    grant_op(GNTTABOP_get_version, &v, 1);
    grant_op(GNTTABOP_query_size, &q, 1);
}

TEST(objects)
{
    static const struct {
        const char *name;
        void (*mine)(unsigned int round);
        void (*theirs)(unsigned int rival, unsigned int round);
    } list[] = {
        { "ipi_close_vs_all", port_cycle, port_disturb }, { "ipi_storm", port_cycle, port_storm },
        { "pair_vs_all", port_pair, port_disturb }, { "pair_vs_bind", port_pair, port_steal },
        { "pair_vs_storm", port_pair, port_storm }, { "grant_double_unmap", grant_cycle, grant_double_unmap },
        { "grant_revoke", grant_cycle, grant_revoke }, { "grant_copy", grant_cycle, grant_copy_it },
        { "grant_query", grant_cycle, grant_version },
    };
    unsigned int i;
    long before, after;

    init();
    EXPECT_EQ(put_in_order(), 0);
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    rivals_start();                     /* they have ports of their own */
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        before = port_alloc(DOMID_SELF, DOMID_SELF);
        port_close((evtchn_port_t)before);
        race(list[i].mine, list[i].theirs, ROUNDS);
        after = port_alloc(DOMID_SELF, DOMID_SELF);
        port_close((evtchn_port_t)after);
        gt1[30].flags = 0;
        verdict("objects", list[i].name, after - before ?: gt1[30].flags, 0);
    }
    EXPECT_EQ(put_in_order(), 0);
}

/* ---- arguments that change while they are read ---- */

static union {
    struct mmu_update mmu;
    struct mmuext_op ext;
    multicall_entry_t call;
    struct gnttab_copy copy;
    struct gnttab_map_grant_ref map;
    struct evtchn_bind_interdomain bind;
    struct xen_memory_reservation memory;
    struct trap_info trap[2];
    uint64_t word[16];
} shared __attribute__((aligned(64)));

static uint64_t good[16], bad[16];

static void turn_words(unsigned int rival, unsigned int round)
{
    volatile uint64_t *word = shared.word;
    unsigned int i, k;

    for (k = 0; k < 20; k++)
        for (i = 0; i < 16; i++)
            word[i] = (round + k) & 1 ? good[i] : bad[i];
}

static unsigned int kind;

static void ask(unsigned int round)
{
    switch (kind) {
    case 0: mmu_updates(&shared.mmu, 1, NULL, DOMID_SELF); break;
    case 1: hypercall(__HYPERVISOR_mmuext_op, &shared.ext, 1, NULL, DOMID_SELF); break;
    case 2: hypercall(__HYPERVISOR_multicall, &shared.call, 1); break;
    case 3: grant_op(GNTTABOP_copy, &shared.copy, 1); break;
    case 4:
        if (grant_op(GNTTABOP_map_grant_ref, &shared.map, 1) == 0)
            grant_unmap(U(window), shared.map.handle);
        break;
    case 5: hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &shared.memory); break;
    case 6: hypercall(__HYPERVISOR_set_gdt, &shared, 512); break;
    default: hypercall(__HYPERVISOR_update_descriptor, maddr_of(&page[5]), shared.word[0]); break;
    }
}

TEST(double_fetch)
{
    static const char *const names[] = { "mmu_update", "mmuext_op", "multicall", "grant_copy", "grant_map", "reservation",
                                         "gdt_frames", "descriptor" };

    init();
    for (kind = 0; kind < ARRAY_SIZE(names); kind++) {
        EXPECT_EQ(put_in_order(), 0);
        EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
        memset(&shared, 0, sizeof(shared));
        switch (kind) {
        case 0: shared.mmu = (struct mmu_update){ maddr_of(pte_of((void *)edge, 1)), mfn_of(page) << 12 | PTE_RO_FLAGS }; break;
        case 1: shared.ext.cmd = MMUEXT_CLEAR_PAGE; shared.ext.arg1.mfn = mfn_of(page); break;
        case 2: shared.call = (multicall_entry_t){ .op = __HYPERVISOR_xen_version, .args = { 6, U(second_page) } }; break;
        case 3:
            shared.copy.source.domid = shared.copy.dest.domid = DOMID_SELF;
            shared.copy.source.u.gmfn = mfn_of(second_page);
            shared.copy.dest.u.gmfn = mfn_of(page);
            shared.copy.len = 64;
            break;
        case 4:
            grant_page(30, second_page, own_domid(), 0);
            shared.map = (struct gnttab_map_grant_ref){ .host_addr = U(window), .flags = GNTMAP_host_map, .ref = 30,
                                                        .dom = own_domid() };
            break;
        case 5: shared.memory = (struct xen_memory_reservation){ .nr_extents = 0, .domid = DOMID_SELF }; break;
        case 6: shared.word[0] = mfn_of(page); break;
        default: shared.word[0] = 0x00cff3000000ffffUL; break;
        }
        memcpy(good, &shared, sizeof(good));
        memcpy(bad, good, sizeof(bad));
        bad[0] = ~0UL;
        bad[1] = kind == 0 ? mfn_of(boot_l4()) << 12 | PTE_FLAGS : kind == 1 ? mfn_of(boot_l4()) : U(boot_l4());
        if (kind == 2)
            bad[0] = __HYPERVISOR_multicall;
        if (kind == 3)
            bad[2] = 0xfff00ff0, bad[4] = ~0UL;
        if (kind == 5)
            bad[0] = 8, bad[1] = 1, bad[2] = 77UL << 32;
        if (kind == 0)
            bad[0] = good[0];
        race(ask, turn_words, ROUNDS);
        gt1[30].flags = 0;
        verdict("double_fetch", names[kind], put_in_order(), 0);
    }
}

/* ---- a third vCPU, brought up and down by all the others ---- */

static unsigned int victim;
extern char rival_entry[];

static void up_and_down(unsigned int round)
{
    static struct vcpu_guest_context context;

    if (round % 16 == 0)
        hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, victim, &context);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, victim, NULL);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, victim, NULL);
}

static void up_and_down_too(unsigned int rival, unsigned int round)
{
    up_and_down(round);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, victim, NULL);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, victim, NULL);
}

TEST(third_vcpu)
{
    if (max_vcpus() < 3)
        return;
    victim = max_vcpus() - 1;
    race(up_and_down, up_and_down_too, ROUNDS);
    verdict("vcpu", "up_down_initialise", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, victim, NULL), 0);
}
