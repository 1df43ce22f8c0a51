/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi/hypercall.c and what it leads to, from the registers of a guest back to them: numbers, privileges, pointers,
 * multicalls, continuations; then any call with any arguments from a guest without privileges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/guest_trap.h"
#include "core/log.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/version.h>

enum { PAGES = 64, ARGS = 20, MORE = 21 }; /* two pages for arguments */
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static struct guest a;
static void *args; /* what is at VA(ARGS) */

static int one_guest(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_start(&a, PAGES - 8);
    args = machine_frame(a.m[ARGS]);
    return 0;
}

static int no_guest(void **state)
{
    host_guest_moves = NULL;
    guest_destroy(&a, control.v, 50);
    hosted_check();
    assert_null(domain_get(1));
    return 0;
}

/* As the machine does it: until the call is over. `calls`: how often the guest executed it. */
static unsigned calls;
static long call_of(struct vcpu *v, unsigned units, uint64_t nr, uint64_t p0, uint64_t p1, uint64_t p2, uint64_t p3)
{
    struct cpu_regs *r = v->regs;

    r->rax = nr, r->rdi = p0, r->rsi = p1, r->rdx = p2, r->r10 = p3, r->r8 = 0;
    r->rip = 0x1000;
    calls = 0;
    do {
        calls++;
        r->rip = 0x1000;
        this_pcpu()->budget = units;
        hypercall_entry(v);
        assert_int_equal(this_pcpu()->locks_held, 0);
        hosted_leave(v, units);
    } while (r->rip == 0x1000 - 2 && calls < 100000);
    return (long)r->rax;
}

static long call(uint64_t nr, uint64_t p0, uint64_t p1, uint64_t p2, uint64_t p3)
{
    return call_of(a.v, PLENTY, nr, p0, p1, p2, p3);
}

/* ---- Numbers, privileges, pointers ---- */

/* The short way runs what is plain without asking for a privilege, and gives the guest its result. */
static void plain_is_what_anyone_may(void **state)
{
    unsigned plain = 0;

    for (unsigned nr = 0; nr < HYPERCALL_ROWS; nr++) {
        const struct hypercall_row *r = &hypercall_table[nr];

        assert_int_equal(r->plain, r->run && r->needs == PRIV_NONE && nr != __HYPERVISOR_iret);
        plain += r->plain;
    }
    assert_true(plain > 20);
    assert_false(hypercall_table[__HYPERVISOR_domctl].plain);
}

static void unknown_numbers(void **state)
{
    static const uint64_t nr[] = { 11, 39, 56, 63, 64, 1000, 0x7fffffff, ~0u };

    for (unsigned i = 0; i < ARRAY_SIZE(nr); i++)
        assert_int_equal(call(nr[i], 0, 0, 0, 0), -ENOSYS);
    assert_int_equal(call(__HYPERVISOR_event_channel_op, 1000, VA(ARGS), 0, 0), -ENOSYS);
    hosted_check();
}

static void privileges_come_before_arguments(void **state)
{
    /* No pointer of these is good. */
    assert_int_equal(call(__HYPERVISOR_platform_op, 1, 0, 0, 0), -EPERM);
    assert_int_equal(call(__HYPERVISOR_domctl, 1, 0, 0, 0), -EPERM);
    assert_int_equal(call(__HYPERVISOR_sysctl, 1, 0, 0, 0), -EPERM);
}

/* Those for interrupts and devices, of a guest that has neither. */
static void sub_operations_have_privileges_of_their_own(void **state)
{
    static const struct { uint64_t cmd; unsigned needs; } rows[] = {
#define ROW(cmd, name, type, copy, needs, run) { cmd, needs },
#define ROW0(cmd, name, needs, run) { cmd, needs },
#include "abi/table/physdev_op.def"
#undef ROW
#undef ROW0
    };
    unsigned refused = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        memset(args, 0, PAGE_SIZE);
        if (rows[i].needs != PRIV_NONE) {
            assert_int_equal(call(__HYPERVISOR_physdev_op, rows[i].cmd, VA(ARGS), 0, 0), -EPERM);
            refused++;
        }
    }
    assert_true(refused > 10);
}

/* As Debian's hypervisor has them for a PV guest. */
static void features(void **state)
{
    struct xen_feature_info *f = args;

    *f = (struct xen_feature_info){ .submap = ~0u };
    assert_int_equal(call(__HYPERVISOR_xen_version, XENVER_get_features, VA(ARGS), 0, 0), 0);
    assert_int_equal(f->submap, 0x220e0);
    assert_int_equal(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3, 0, 0), 0);
    assert_int_equal(call(__HYPERVISOR_xen_version, XENVER_get_features, VA(ARGS), 0, 0), 0);
    assert_int_equal(f->submap, 0x220f0);
}

static void pointers_are_the_guests_own(void **state)
{
    static const uint64_t bad[] = { 0x800000000000ull, HV_VADDR_START, HV_VADDR_END - 8, 0xffffffffffffffffull, VA(1000),
                                    VA(PAGES - 8) - 4, 0 };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        if (bad[i])
            assert_int_equal(call(__HYPERVISOR_event_channel_op, EVTCHNOP_status, bad[i], 0, 0), -EFAULT);
    }
    /* Read-only: its own page tables are. */
    assert_int_equal(call(__HYPERVISOR_xen_version, XENVER_extraversion, VA(2), 0, 0), -EFAULT);
    hosted_check();
}

static unsigned moves;
static void guest_moves(void)
{
    /* After the first look the argument is something else. */
    if (moves++ == 1)
        memset(args, 0xff, 64);
}

static void arguments_are_read_once(void **state)
{
    struct evtchn_alloc_unbound *op = args;

    *op = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    moves = 0;
    host_guest_moves = guest_moves;
    assert_int_equal(call(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, VA(ARGS), 0, 0), 0);
    host_guest_moves = NULL;
    assert_int_equal(moves, 2); /* in, and out */
    assert_int_equal(op->dom, DOMID_SELF);
    assert_int_equal(op->port, 1);
}

/* ---- Multicalls ---- */

static void multicalls_write_each_result(void **state)
{
    struct multicall_entry *e = args;

    memset(e, 0, 4 * sizeof(*e));
    e[0].op = __HYPERVISOR_xen_version;
    e[1].op = 63;
    e[2].op = __HYPERVISOR_multicall;
    e[2].args[0] = VA(ARGS);
    e[2].args[1] = 1;
    e[3].op = __HYPERVISOR_xen_version;
    e[3].args[0] = XENVER_get_features;
    e[3].args[1] = 7;
    assert_int_equal(call(__HYPERVISOR_multicall, VA(ARGS), 4, 0, 0), 0);
    assert_int_equal(e[0].result, call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0));
    assert_true((long)e[0].result > 0);
    assert_int_equal(e[1].result, -ENOSYS);
    assert_int_equal(e[2].result, -EINVAL);
    assert_int_equal(e[3].result, -EFAULT);
    assert_int_equal(call(__HYPERVISOR_multicall, VA(PAGES - 8) - sizeof(*e), 2, 0, 0), -EFAULT);
}

/* The same batch with all the budget there is, and with one unit a call. */
static void continuations_give_the_same(void **state)
{
    static const unsigned budgets[] = { PLENTY, 100, 64, 5, 1 };
    uint64_t *l1 = machine_frame(a.m[3]);

    for (unsigned b = 0; b < ARRAY_SIZE(budgets); b++) {
        struct mmu_update *u = args;
        uint32_t *done = machine_frame(a.m[MORE]);
        unsigned n = PAGE_SIZE / sizeof(*u);

        for (unsigned i = 0; i < n; i++) {
            u[i].ptr = mfn_maddr(a.m[3]) + (100 + i % 50) * 8 + MMU_NORMAL_PT_UPDATE;
            u[i].val = pte_make(a.m[22 + i % 7].n, i % 2 ? RO : RW);
        }
        *done = 77;
        assert_int_equal(call_of(a.v, budgets[b], __HYPERVISOR_mmu_update, VA(ARGS), n, VA(MORE), DOMID_SELF), 0);
        assert_int_equal(*done, n);
        assert_true(calls * (budgets[b] / 4 + PT_RUN) >= n); /* they are looked at so many at a time */
        for (unsigned i = n - 50; i < n; i++)
            assert_int_equal(l1[100 + i % 50] & ~(PTE_A | PTE_D), pte_make(a.m[22 + i % 7].n, i % 2 ? RO : RW) & ~(PTE_A | PTE_D));
        hosted_check();
        memset(u, 0, PAGE_SIZE);
        for (unsigned i = 0; i < 50; i++)
            u[i].ptr = mfn_maddr(a.m[3]) + (100 + i) * 8;
        assert_int_equal(call_of(a.v, budgets[b], __HYPERVISOR_mmu_update, VA(ARGS), 50, 0, DOMID_SELF), 0);
        hosted_check();
    }
}

static void a_multicall_continues_inside(void **state)
{
    struct multicall_entry *e = args;
    struct mmu_update *u = machine_frame(a.m[MORE]);

    memset(e, 0, 2 * sizeof(*e));
    for (unsigned i = 0; i < 100; i++)
        u[i] = (struct mmu_update){ .ptr = mfn_maddr(a.m[3]) + (100 + i) * 8, .val = pte_make(a.m[22].n, RW) };
    e[0].op = __HYPERVISOR_mmu_update;
    e[0].args[0] = VA(MORE);
    e[0].args[1] = 100;
    e[0].args[3] = DOMID_SELF;
    e[1].op = __HYPERVISOR_xen_version;
    assert_int_equal(call_of(a.v, 10, __HYPERVISOR_multicall, VA(ARGS), 2, 0, 0), 0);
    assert_true(calls > 100 / PT_RUN);
    assert_int_equal(e[0].result, 0);
    assert_true((long)e[1].result > 0);
    assert_int_equal(frame_of(a.m[22])->type & TYPE_COUNT, 101);
    hosted_check();
}

/* The hypervisor's frames may be mapped by who controls the machine, but are nobody's tables. */
static void pseudo_domains_own_no_tables(void **state)
{
    static const domid_t pseudo[] = { DOMID_IO, DOMID_XEN };
    uint64_t *page = hv_pages(0);
    mfn_t m = machine_frame_mfn(page);

    a.d->privileges = PRIV_ALL;
    for (unsigned i = 0; i < ARRAY_SIZE(pseudo); i++) {
        struct mmu_update *u = args;
        struct mmuext_op *op = args;

        *u = (struct mmu_update){ .ptr = mfn_maddr(m), .val = 7 };
        assert_int_equal(call(__HYPERVISOR_mmu_update, VA(ARGS), 1, 0, (pseudo[i] + 1u) << 16 | DOMID_SELF), -ESRCH);
        *op = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = m.n };
        assert_int_equal(call(__HYPERVISOR_mmuext_op, VA(ARGS), 1, 0, pseudo[i]), -ESRCH);
        assert_int_equal(page[0], 0);
        hosted_check();
    }
    a.d->privileges = 0;
    hv_pages_free(page, 0);
}

/* Other CPUs are made to stop for each: not thousands of times an entry. */
static void flushes_have_their_price(void **state)
{
    struct mmuext_op *op = args;
    unsigned n = PAGE_SIZE / sizeof(*op);

    a.d->dirty_cpus |= 2;
    for (unsigned i = 0; i < n; i++)
        op[i] = (struct mmuext_op){ .cmd = i % 2 ? MMUEXT_TLB_FLUSH_ALL : MMUEXT_INVLPG_ALL, .arg1.linear_addr = VA(7) };
    assert_int_equal(call(__HYPERVISOR_mmuext_op, VA(ARGS), n, 0, DOMID_SELF), 0);
    assert_true(calls > n / 64);
    a.d->privileges = PRIV_ALL;
    for (unsigned i = 0; i < n; i++)
        op[i].cmd = MMUEXT_FLUSH_CACHE;
    assert_int_equal(call(__HYPERVISOR_mmuext_op, VA(ARGS), n, 0, DOMID_SELF), 0);
    assert_int_equal(calls, n);
    a.d->privileges = 0;
    a.d->dirty_cpus &= ~2ull;
}

/* An entry of a table by its address, with a flush of all CPUs each time. */
static void flushes_of_one_page_too(void **state)
{
    struct multicall_entry *e = args;
    unsigned n = PAGE_SIZE / sizeof(*e);

    a.d->dirty_cpus |= 2;
    memset(e, 0, PAGE_SIZE);
    for (unsigned i = 0; i < n; i++) {
        e[i].op = __HYPERVISOR_update_va_mapping;
        e[i].args[0] = VA(22);
        e[i].args[1] = pte_make(a.m[22].n, i % 2 ? RW : RO);
        e[i].args[2] = UVMF_INVLPG | UVMF_ALL;
    }
    assert_int_equal(call_of(a.v, PLENTY / 8, __HYPERVISOR_multicall, VA(ARGS), n, 0, 0), 0);
    assert_true(calls >= n / 8);
    a.d->dirty_cpus &= ~2ull;
}

/* Requests are copied several at a time, but those before a hole are done and counted. */
static void a_list_of_updates_ends_in_a_hole(void **state)
{
    struct mmu_update *u = (struct mmu_update *)((char *)args + PAGE_SIZE) - 3;
    uint32_t *done = args;

    assert_int_equal(call(__HYPERVISOR_update_va_mapping, VA(MORE), 0, 0, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        u[i] = (struct mmu_update){ .ptr = mfn_maddr(a.m[3]) + (100 + i) * 8, .val = pte_make(a.m[22].n, RW) };
    assert_int_equal(call(__HYPERVISOR_mmu_update, VA(MORE) - 3 * sizeof(*u), 5, VA(ARGS), DOMID_SELF), -EFAULT);
    assert_int_equal(*done, 3);
    assert_int_equal(pte_mfn(((uint64_t *)machine_frame(a.m[3]))[102]), a.m[22].n);
    hosted_check();
}

/* Tables of descriptors are looked at as a whole when they are first used so. */
static void descriptor_tables_have_their_price(void **state)
{
    struct mmuext_op *op = args;
    struct hypercall hc = { .v = a.v, .d = a.d, .nr = __HYPERVISOR_mmuext_op, .arg = { VA(ARGS), 1, 0, DOMID_SELF } };

    for (unsigned i = 24; i < 28; i++)
        assert_int_equal(call(__HYPERVISOR_update_va_mapping, VA(i), pte_make(a.m[i].n, RO), 0, 0), 0);
    *op = (struct mmuext_op){ .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = VA(24), .arg2.nr_ents = 4 * 512 };
    plenty();
    assert_int_equal(hypercall_run(&hc), 0);
    assert_int_equal(type_of(frame_of(a.m[27])->type), TYPE_SEG);
    assert_true(this_pcpu()->budget <= PLENTY - 4 * PT_ENTRIES / 8);
    plenty();
    hosted_check();
}

/* A serial line is slow: what is written to it goes out in pieces, and so do messages about a guest. */
static void text_has_its_price(void **state)
{
    memset(args, 'x', 400);
    assert_int_equal(call(__HYPERVISOR_console_io, CONSOLEIO_write, 400, VA(ARGS), 0), 0);
    assert_int_equal(calls, 4);
    plenty();
    guest_log(a.d, LOG_ERR, "something of note");
    assert_true(budget_spent());
    guest_log(a.d, LOG_DEBUG, "nothing that anybody wants to know");
}

/* Each change of version empties the table's pages. */
static void a_change_of_version_has_its_price(void **state)
{
    struct gnttab_set_version *op = args;
    struct gnttab_setup_table *setup = args;
    struct hypercall hc = { .v = a.v, .d = a.d, .nr = __HYPERVISOR_grant_table_op,
                            .arg = { GNTTABOP_set_version, VA(ARGS), 1 } };

    *setup = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = 32 };
    set_xen_guest_handle(setup->frame_list, (void *)VA(MORE));
    assert_int_equal(call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, VA(ARGS), 1, 0), 0);
    assert_int_equal(setup->status, GNTST_okay);
    *op = (struct gnttab_set_version){ .version = 2 };
    plenty();
    assert_int_equal(hypercall_run(&hc), 0);
    assert_int_equal(op->version, 2);
    assert_true(this_pcpu()->budget <= PLENTY - 32 * 8);
    plenty();
}

/* ---- What a CPU would fault on, or obey ---- */

static void iret_gives_no_privilege(void **state)
{
    uint64_t frame[9] = { [4] = 0x1000, [5] = FLAT_KERNEL_CS & ~3u, [6] = ~0ull, [7] = VA(MORE) };

    memcpy(args, frame, sizeof(frame));
    a.v->regs->rsp = VA(ARGS);
    a.v->regs->rax = __HYPERVISOR_iret;
    hypercall_entry(a.v);
    assert_int_equal(a.v->regs->rip, 0x1000);
    assert_int_equal(a.v->regs->rflags & (X86_EFLAGS_IOPL | X86_EFLAGS_VM), 0);
    assert_true(a.v->regs->rflags & X86_EFLAGS_IF);
    assert_int_equal(a.v->regs->cs & 3, 3);
}

/* It asks for SYSRET, which takes no selectors. */
static void iret_in_a_system_call_discards_selectors(void **state)
{
    uint64_t frame[9] = { [1] = 11, [2] = 22, [3] = VGCF_in_syscall, [4] = 0x1000, [5] = 0x30, [6] = 0x202, [8] = 0x2b };

    memcpy(args, frame, sizeof(frame));
    a.v->regs->rsp = VA(ARGS);
    a.v->regs->rax = __HYPERVISOR_iret;
    hypercall_entry(a.v);
    assert_int_equal(a.v->regs->cs, FLAT_RING3_CS64);
    assert_int_equal(a.v->regs->ss, FLAT_RING3_SS64);
    assert_int_equal(a.v->regs->rcx, 0x1000);
    assert_int_equal(a.v->regs->r11, a.v->regs->rflags);
}

static void a_handler_is_where_a_guest_can_be(void **state)
{
    a.v->traps[6] = (struct trap_entry){ .va = 1ull << 47, .cs = FLAT_KERNEL_CS };
    a.v->regs->rsp = VA(MORE);
    bounce_trap(a.v, 6, NO_ERROR_CODE);
    assert_true(a.d->crashed);
}

static void xsave_areas_are_in_standard_format(void **state)
{
    struct xen_domctl *op = args;
    uint64_t *area = machine_frame(a.m[MORE]), *header = area + 2 + 64;

    a.d->privileges = PRIV_ALL;
    for (unsigned i = 0; i < 8; i++) {
        memset(op, 0, sizeof(*op));
        op->cmd = XEN_DOMCTL_setvcpuextstate;
        op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op->u.vcpuextstate.size = 16 + 576;
        set_xen_guest_handle(op->u.vcpuextstate.buffer, (void *)VA(MORE));
        memset(area, 0, PAGE_SIZE);
        area[0] = area[1] = 1;
        header[i] = i ? 1 : 0;
        assert_int_equal(call(__HYPERVISOR_domctl, VA(ARGS), 0, 0, 0), i ? -EINVAL : 0);
    }
    a.d->privileges = 0;
}

/* Padding goes to the caller too: nothing of the hypervisor's stack may be in it (make msan sees what no one wrote). */
static void answers_have_no_holes(void **state)
{
    struct xen_domctl *op = args;
    struct xen_domctl_ext_vcpucontext e;
    struct xen_domctl_tsc_info t;

    a.d->privileges = PRIV_ALL;
    memset(op, 0xa5, sizeof(*op));
    op->cmd = XEN_DOMCTL_get_ext_vcpucontext;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = 0;
    op->u.ext_vcpucontext.vcpu = 0;
    assert_int_equal(call(__HYPERVISOR_domctl, VA(ARGS), 0, 0, 0), 0);
    memset(&e, 0, sizeof(e));
    e.size = sizeof(e);
    assert_memory_equal(&e, &op->u.ext_vcpucontext, sizeof(e));

    memset(op, 0xa5, sizeof(*op));
    op->cmd = XEN_DOMCTL_gettscinfo;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = 0;
    assert_int_equal(call(__HYPERVISOR_domctl, VA(ARGS), 0, 0, 0), 0);
    memset(&t, 0, sizeof(t));
    t.gtsc_khz = op->u.tsc_info.gtsc_khz;
    assert_memory_equal(&t, &op->u.tsc_info, sizeof(t));
    a.d->privileges = 0;
}

static unsigned interrupts;
static void interrupt(void) { interrupts++; }

/* It has no place to note how far it came. */
static void a_long_list_lets_interrupts_in(void **state)
{
    enum { DOMAINS = 20 };
    struct xen_sysctl *op = args;
    struct xen_domctl_getdomaininfo *info = machine_frame(a.m[MORE]);
    struct guest more[DOMAINS];

    for (unsigned i = 0; i < DOMAINS; i++)
        guest_create(&more[i], (domid_t)(10 + i), 0, 1);
    a.d->privileges = PRIV_ALL;
    *op = (struct xen_sysctl){ .cmd = XEN_SYSCTL_getdomaininfolist, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    op->u.getdomaininfolist.max_domains = PAGE_SIZE / sizeof(*info);
    set_xen_guest_handle(op->u.getdomaininfolist.buffer, (void *)VA(MORE));
    host_interrupt = interrupt;
    interrupts = 0;
    assert_int_equal(call_of(a.v, 100, __HYPERVISOR_sysctl, VA(ARGS), 0, 0, 0), 0);
    host_interrupt = NULL;
    assert_int_equal(op->u.getdomaininfolist.num_domains, DOMAINS + 2);
    assert_int_equal(info[DOMAINS + 1].domain, 10 + DOMAINS - 1);
    assert_true(interrupts > 0);
    a.d->privileges = 0;
    for (unsigned i = 0; i < DOMAINS; i++)
        guest_destroy(&more[i], control.v, PLENTY);
    host_run(a.v);
    hosted_check();
}

/* A plain store to a page table that maps what was half a table itself, which takes more than one budget to undo. */
static void a_store_to_a_table_goes_on_later(void **state)
{
    static const uint8_t code[] = { 0x48, 0x89, 0x03 }; /* mov %rax, (%rbx) */
    struct cpu_regs *r = a.v->regs;
    uint64_t entry = pte_make(a.m[60].n, RW);
    unsigned turns = 0;

    for (unsigned i = 0; i < 3; i++)
        guest_entry(&a, 60, i, 61 + i, RW);
    for (unsigned i = 0; i < 2; i++) {
        this_pcpu()->budget = 1;
        assert_int_equal(type_pin(a.d, a.m[60], TYPE_L2), -ERESTART);
    }
    a.d->vm_assist |= 1u << VMASST_TYPE_writable_pagetables;
    memcpy(args, code, sizeof(code));
    r->rip = VA(ARGS);
    r->rax = entry;
    r->rbx = VA(3) + 100 * sizeof(entry);
    do {
        this_pcpu()->budget = 1;
        guest_page_fault(a.v, r->rbx, X86_PFEC_PRESENT | X86_PFEC_WRITE | X86_PFEC_USER);
        assert_int_equal(a.d->shutdown_code, -1);
        hosted_check();
    } while (r->rip == VA(ARGS) && turns++ < 10);
    assert_int_equal(r->rip, VA(ARGS) + sizeof(code));
    assert_true(turns > 0);
    assert_int_equal(((uint64_t *)machine_frame(a.m[3]))[100], entry);
    plenty();
}

/*
 * A store that only compares tells what it found, so that must be an entry of the guest's own table, now: another's frame may
 * be mapped here read-only, and be a table there; and what was mapped a moment ago may be another's by now.
 */
static void a_comparison_tells_of_own_tables_only(void **state)
{
    static const uint8_t code[] = { 0xf0, 0x48, 0x0f, 0xb1, 0x0b }; /* lock cmpxchg %rcx, (%rbx) */
    struct cpu_regs *r = a.v->regs;
    struct guest b;

    guest_create(&b, 2, 0, 16);
    guest_start(&b, 4);
    host_run(a.v);
    assert_int_equal(pt_set(a.m[3], 100, pte_make(b.m[3].n, RO), a.d, b.d, false), 0);
    a.d->vm_assist |= 1u << VMASST_TYPE_writable_pagetables;
    a.v->traps[X86_VEC_PF].va = VA(20);
    memcpy(args, code, sizeof(code));
    for (unsigned other = 0; other < 2; other++) {
        uint64_t *table = machine_frame(other ? b.m[3] : a.m[3]), was = table[5];

        r->rip = VA(ARGS);
        r->rax = ~was;
        r->rbx = (other ? VA(100) : VA(3)) + 5 * sizeof(was);
        guest_page_fault(a.v, r->rbx, X86_PFEC_PRESENT | X86_PFEC_WRITE | X86_PFEC_USER);
        assert_int_equal(r->rip, other ? VA(20) : VA(ARGS) + sizeof(code));
        assert_int_equal(r->rax, other ? ~was : was);
        assert_int_equal(table[5], was);
        hosted_check();
    }
    assert_int_equal(pt_set(a.m[3], 100, 0, a.d, a.d, false), 0);
    guest_destroy(&b, control.v, PLENTY);
    host_run(a.v);
}

/* ---- Anything ---- */

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 20) % n;
}

static uint64_t word(void)
{
    switch (rnd(10)) {
    case 0: return VA(ARGS) + rnd(PAGE_SIZE);
    case 1: return VA(rnd(PAGES)) + rnd(2) * rnd(PAGE_SIZE);
    case 2: return a.m[rnd(PAGES)].n;
    case 3: return mfn_maddr(a.m[rnd(PAGES)]) + rnd(512) * 8 + rnd(4);
    case 4: return pte_make(a.m[rnd(PAGES)].n, rnd(2) ? RW : RO);
    case 5: return ~rnd(4);
    case 6: return DOMID_SELF;
    case 7: return 1ull << rnd(64);
    default: return rnd(40);
    }
}

static void any_call_with_any_arguments(void **state)
{
    static const uint8_t end[] = { __HYPERVISOR_iret, __HYPERVISOR_sched_op, __HYPERVISOR_sched_op_compat };

    for (unsigned n = 0; n < 6000; n++) {
        uint64_t nr = rnd(56), *at = machine_frame(a.m[ARGS]);

        for (unsigned i = 0; i < 48; i++)
            at[i] = rnd(3) ? word() : word() << 32 | (word() & 0xffffffff);
        (void)call_of(a.v, rnd(2) ? PLENTY : 1 + (unsigned)rnd(50), nr, rnd(3) ? rnd(30) : word(),
                      rnd(2) ? VA(ARGS) : word(), rnd(2) ? 1 + rnd(3) : word(), word());
        hosted_check();
        /* It may have shut itself down, lost its argument page or its root: begin again. */
        if (n % 200 == 199 || memchr(end, (int)nr, sizeof(end)) || a.d->shutdown_code != -1) {
            guest_destroy(&a, control.v, 100);
            one_guest(state);
        }
    }
}

#define GUEST_TEST(f) cmocka_unit_test_setup_teardown(f, one_guest, no_guest)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(plain_is_what_anyone_may),
        GUEST_TEST(unknown_numbers),
        GUEST_TEST(privileges_come_before_arguments),
        GUEST_TEST(sub_operations_have_privileges_of_their_own),
        GUEST_TEST(iret_gives_no_privilege),
        GUEST_TEST(iret_in_a_system_call_discards_selectors),
        GUEST_TEST(a_handler_is_where_a_guest_can_be),
        GUEST_TEST(xsave_areas_are_in_standard_format),
        GUEST_TEST(features),
        GUEST_TEST(pointers_are_the_guests_own),
        GUEST_TEST(arguments_are_read_once),
        GUEST_TEST(multicalls_write_each_result),
        GUEST_TEST(continuations_give_the_same),
        GUEST_TEST(a_multicall_continues_inside),
        GUEST_TEST(pseudo_domains_own_no_tables),
        GUEST_TEST(flushes_have_their_price),
        GUEST_TEST(flushes_of_one_page_too),
        GUEST_TEST(a_list_of_updates_ends_in_a_hole),
        GUEST_TEST(descriptor_tables_have_their_price),
        GUEST_TEST(text_has_its_price),
        GUEST_TEST(a_change_of_version_has_its_price),
        GUEST_TEST(a_store_to_a_table_goes_on_later),
        GUEST_TEST(a_comparison_tells_of_own_tables_only),
        GUEST_TEST(a_long_list_lets_interrupts_in),
        GUEST_TEST(answers_have_no_holes),
        GUEST_TEST(any_call_with_any_arguments),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
