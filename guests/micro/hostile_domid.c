/* SPDX-License-Identifier: BSD-2-Clause */
/* Domain numbers out of range or not one's own, at every operation that takes one. */

#include "hostile.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>

#include "domctl.h"
#include "grant.h"

static const struct {
    const char *name;
    domid_t dom;
} domids[] = {
    { "absent", 77 }, { "last_ordinary", 0x7fef }, { "between", 0x7ff7 }, { "io", DOMID_IO }, { "xen", DOMID_XEN },
    { "cow", DOMID_COW }, { "invalid", DOMID_INVALID }, { "idle", DOMID_IDLE }, { "bit15", 0x8000 },
    { "all_ones", 0xffff }, { "dom0", 0 },
};

static long foreign_mmu_update(domid_t dom)
{
    struct mmu_update req = { .ptr = foreign_frame() << 12, .val = 0 };

    return mmu_updates(&req, 1, NULL, dom);
}

static long page_table_owner(domid_t dom)
{
    struct mmu_update req = { .ptr = maddr_of(boot_l4() + 300), .val = 0 };

    return hypercall(__HYPERVISOR_mmu_update, &req, 1, NULL, (uint64_t)(dom + 1) << 16 | DOMID_SELF);
}

static long foreign_pin(domid_t dom)
{
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = foreign_frame() };

    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, dom);
}

static long foreign_unpin(domid_t dom)
{
    struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = foreign_frame() };

    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, dom);
}

static long foreign_clear(domid_t dom)
{
    struct mmuext_op op = { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = foreign_frame() };

    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, dom);
}

static long update_va_other(domid_t dom)
{
    return hypercall(__HYPERVISOR_update_va_mapping_otherdomain, SCRATCH + 0x7040000000,
                     foreign_frame() << 12 | PTE_FLAGS, 0, dom);
}

static long reservation(unsigned int cmd, domid_t dom)
{
    static xen_pfn_t frame;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = dom };

    frame = foreign_frame();
    set_xen_guest_handle(r.extent_start, &frame);
    return dom == own_domid() ? -XEN_EPERM : hypercall(__HYPERVISOR_memory_op, cmd, &r);
}

static long populate_there(domid_t dom) { return reservation(XENMEM_populate_physmap, dom); }
static long increase(domid_t dom)       { return reservation(XENMEM_increase_reservation, dom); }
static long decrease(domid_t dom)       { return reservation(XENMEM_decrease_reservation, dom); }

static long current(domid_t dom) { return dom ? hypercall(__HYPERVISOR_memory_op, XENMEM_current_reservation, &dom) : -1; }
static long maximum(domid_t dom) { return dom ? hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_reservation, &dom) : -1; }
static long highest(domid_t dom) { return dom ? hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, &dom) : -1; }

static long add_to_physmap(domid_t dom)
{
    struct xen_add_to_physmap a = { .domid = dom, .space = XENMAPSPACE_grant_table };

    return hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &a);
}

static long remove_from_physmap(domid_t dom)
{
    struct xen_remove_from_physmap r = { .domid = dom, .gpfn = 0xfffffff };

    return hypercall(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &r);
}

static long acquire_resource(domid_t dom)
{
    static xen_pfn_t frame;
    struct xen_mem_acquire_resource r = { .domid = dom, .type = XENMEM_resource_grant_table, .nr_frames = 1 };

    set_xen_guest_handle(r.frame_list, &frame);
    return dom == own_domid() ? -XEN_EPERM : hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &r);
}

static long claim(domid_t dom)
{
    struct xen_memory_reservation r = { .nr_extents = 1UL << 40, .domid = dom };

    return hypercall(__HYPERVISOR_memory_op, XENMEM_claim_pages, &r);
}

static long alloc_for(domid_t dom)
{
    long port = dom == own_domid() ? -XEN_EPERM : port_alloc(dom, DOMID_SELF);

    return port > 0 ? port_close((evtchn_port_t)port) : port;
}

static long alloc_towards(domid_t dom)
{
    long port = port_alloc(DOMID_SELF, dom);

    return port > 0 ? port_close((evtchn_port_t)port) : port;
}

static long bind_to(domid_t dom)
{
    long port = port_bind(dom, 1000);

    return port > 0 ? port_close((evtchn_port_t)port) : port;
}

static long status_of(domid_t dom)
{
    struct evtchn_status s = { .dom = dom, .port = 1 };

    return dom == own_domid() ? -XEN_EPERM : evtchn(EVTCHNOP_status, &s);
}

static long reset(domid_t dom)
{
    struct evtchn_reset r = { .dom = dom };

    return dom == own_domid() ? -XEN_EPERM : evtchn(EVTCHNOP_reset, &r);
}

static long grant_status(unsigned int cmd, void *op, int16_t *status)
{
    return grant_op(cmd, op, 1) ?: *status;
}

static long setup_table(domid_t dom)
{
    struct gnttab_setup_table s = { .dom = dom, .nr_frames = 0 };

    return dom == own_domid() ? -1 : grant_status(GNTTABOP_setup_table, &s, &s.status);
}

static long query_size(domid_t dom)
{
    struct gnttab_query_size q = { .dom = dom };

    return dom == own_domid() ? -1 : grant_status(GNTTABOP_query_size, &q, &q.status);
}

static long get_version(domid_t dom)
{
    struct gnttab_get_version v = { .dom = dom };

    return dom == own_domid() ? -1 : grant_op(GNTTABOP_get_version, &v, 1);
}

static long status_frames(domid_t dom)
{
    struct gnttab_get_status_frames f = { .dom = dom, .nr_frames = 0 };

    return dom == own_domid() ? -1 : grant_status(GNTTABOP_get_status_frames, &f, &f.status);
}

static long map_ref(domid_t dom)
{
    return grant_map((void *)(SCRATCH + 0x7040000000), dom, 500, GNTMAP_host_map, NULL);
}

static long transfer_to(domid_t dom)
{
    struct gnttab_transfer t = { .domid = dom, .mfn = foreign_frame(), .ref = 1 };

    return grant_status(GNTTABOP_transfer, &t, &t.status);
}

static long copy_from(domid_t dom)
{
    static char page[PAGE_SIZE] __attribute__((aligned(4096)));

    return grant_copy((struct copy_side){ 500, dom, 0 }, (struct copy_side){ mfn_of(page), DOMID_SELF, 0 }, 64,
                      GNTCOPY_source_gref);
}

static long copy_to_frame(domid_t dom)
{
    static char page[PAGE_SIZE] __attribute__((aligned(4096)));

    return dom == own_domid() ? -1 :
           grant_copy((struct copy_side){ mfn_of(page), DOMID_SELF, 0 },
                      (struct copy_side){ foreign_frame(), dom, 0 }, 64, 0);
}

static long hvm_param(domid_t dom)
{
    struct xen_hvm_param p = { .domid = dom, .index = HVM_PARAM_CALLBACK_IRQ };

    return hypercall(__HYPERVISOR_hvm_op, HVMOP_set_param, &p);
}

static long shut_other_down(domid_t dom)
{
    struct sched_remote_shutdown s = { .domain_id = dom, .reason = SHUTDOWN_crash };

    return dom == own_domid() ? -XEN_EPERM : hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &s);
}

static long pause_other(domid_t dom)
{
    domctl_clear();
    return dom == own_domid() ? -XEN_EPERM : domctl(XEN_DOMCTL_pausedomain, dom);
}

static long destroy_other(domid_t dom)
{
    domctl_clear();
    return dom == own_domid() ? -XEN_EPERM : domctl(XEN_DOMCTL_destroydomain, dom);
}

static long exchange_of(domid_t dom)
{
    static xen_pfn_t frame;
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = dom }, .out = { .nr_extents = 1, .domid = dom } };

    frame = foreign_frame();
    set_xen_guest_handle(x.in.extent_start, &frame);
    set_xen_guest_handle(x.out.extent_start, &frame);
    return hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
}

/* Extents done, which is none; and domain numbers that are cut to 16 bits, or mean the caller. */
static bool says_none(long (*run)(domid_t dom))
{
    return run == populate_there || run == increase || run == decrease || run == page_table_owner;
}

TEST(operations)
{
    static const struct { const char *name; long (*run)(domid_t dom); } attacks[] = {
        { "mmu_update", foreign_mmu_update }, { "page_table_owner", page_table_owner }, { "pin", foreign_pin },
        { "unpin", foreign_unpin }, { "clear_page", foreign_clear }, { "update_va_otherdomain", update_va_other },
        { "populate", populate_there }, { "increase", increase }, { "decrease", decrease }, { "exchange", exchange_of },
        { "current_reservation", current }, { "maximum_reservation", maximum }, { "maximum_gpfn", highest },
        { "add_to_physmap", add_to_physmap }, { "remove_from_physmap", remove_from_physmap },
        { "acquire_resource", acquire_resource }, { "claim_pages", claim }, { "alloc_unbound_for", alloc_for },
        { "bind_interdomain", bind_to }, { "evtchn_status", status_of },
        { "evtchn_reset", reset }, { "setup_table", setup_table }, { "query_size", query_size },
        { "get_version", get_version }, { "status_frames", status_frames }, { "map_grant", map_ref },
        { "transfer", transfer_to }, { "copy_from", copy_from }, { "copy_to_frame", copy_to_frame },
        { "hvm_param", hvm_param }, { "remote_shutdown", shut_other_down }, { "pause", pause_other },
        { "destroy", destroy_other },
    };
    unsigned int a, i;

    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(domids); i++)
            verdict(attacks[a].name, domids[i].name, attacks[a].run(domids[i].dom),
                    says_none(attacks[a].run) ? NO_GAIN : REFUSED);
    for (i = 0; i < ARRAY_SIZE(domids); i++)
        verdict("alloc_unbound_towards", domids[i].name, alloc_towards(domids[i].dom), NO_GAIN);
}
