/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds and runs a copy of this guest as an unprivileged domain; see child.h. */

#include "child.h"

#include <xen/io/console.h>
#include <xen/sched.h>

#include "domctl.h"
#include "event.h"
#include "foreign.h"
#include "trap.h"

#define PAGES     2048                  /* 8 MiB, all mapped from VIRT_BASE on */
#define IMAGE_PFN 0x100

/* Pages behind the image, from FIRST on. */
enum { P2M = 0, INFO = PAGES / 512, STORE, CONSOLE, L4, L3, L2, L1, STACK = L1 + PAGES / 512, BEHIND };

extern char start[], data_start[], data_end[], bss_start[], bss_end[];

static char pristine[16384];
static xen_pfn_t mfns[PAGES];
static struct xencons_interface *console;       /* in the window, while the child runs */

#define FIRST ((unsigned int)((U(bss_end) - VIRT_BASE) / PAGE_SIZE))

void child_keep_data(void)
{
    if (U(data_end) - U(data_start) > sizeof(pristine)) {
        print("not ok 0 child.c keeps too little for .data\n");
        shutdown(SHUTDOWN_crash);
    }
    memcpy(pristine, data_start, U(data_end) - U(data_start));
}

/* The child's page behind the image, writable for us in window slot 0. */
static void *page(domid_t dom, unsigned int pfn)
{
    EXPECT_EQ(window_map(dom, 0, mfns[pfn], PTE_FLAGS), 0);
    return window(0);
}

static void copy_image(domid_t dom)
{
    const char *from;

    for (from = start; from < bss_start; from += PAGE_SIZE) {
        bool data = from >= data_start && from < data_end;

        memcpy(page(dom, (unsigned int)va_to_pfn(from)), data ? pristine + (from - data_start) : from,
               PAGE_SIZE);
    }
}

static void write_tables(domid_t dom)
{
    unsigned int i, pfn;
    uint64_t *table;

    table = page(dom, FIRST + L4);
    table[511] = mfns[FIRST + L3] << 12 | PTE_FLAGS;
    table = page(dom, FIRST + L3);
    table[510] = mfns[FIRST + L2] << 12 | PTE_FLAGS;
    table = page(dom, FIRST + L2);
    for (i = 0; i < PAGES / 512; i++)
        table[i] = mfns[FIRST + L1 + i] << 12 | PTE_FLAGS;
    for (i = 0; i < PAGES / 512; i++) {
        table = page(dom, FIRST + L1 + i);
        for (pfn = i * 512; pfn < (i + 1) * 512; pfn++) {
            bool readonly = pfn >= FIRST + L4 && pfn < FIRST + STACK;

            table[pfn % 512] = mfns[pfn] << 12 | (readonly ? PTE_RO_FLAGS : PTE_FLAGS);
        }
    }
    for (i = 0; i < PAGES / 512; i++)
        memcpy(page(dom, FIRST + P2M + i), &mfns[i * 512], PAGE_SIZE);
}

static evtchn_port_t port_for(domid_t dom)
{
    struct evtchn_alloc_unbound a = { .dom = dom, .remote_dom = 0 };

    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, &a), 0);
    return a.port;
}

static uint64_t va_of(unsigned int pfn)
{
    return VIRT_BASE + pfn * PAGE_SIZE;
}

static void write_start_info(domid_t dom, uint64_t shared_info_mfn, const char *cmd_line)
{
    struct start_info *si = page(dom, FIRST + INFO);

    memcpy(si->magic, "xen-3.0-x86_64", 15);
    si->nr_pages = PAGES;
    si->shared_info = shared_info_mfn << 12;
    si->store_mfn = mfns[FIRST + STORE];
    si->store_evtchn = port_for(dom);
    si->console.domU.mfn = mfns[FIRST + CONSOLE];
    si->console.domU.evtchn = port_for(dom);
    si->pt_base = va_of(FIRST + L4);
    si->nr_pt_frames = STACK - L4;
    si->mfn_list = va_of(FIRST + P2M);
    memcpy(si->cmd_line, cmd_line, strlen(cmd_line) + 1);
}

void (*child_context)(struct vcpu_guest_context *c);

static long set_context(domid_t dom)
{
    static vcpu_guest_context_t ctx;

    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = VGCF_IN_KERNEL | VGCF_online;
    ctx.user_regs.rip = U(start);
    ctx.user_regs.rsp = va_of(FIRST + STACK) + PAGE_SIZE;
    ctx.user_regs.rsi = va_of(FIRST + INFO);
    ctx.user_regs.rflags = 0x200;
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.kernel_sp = ctx.user_regs.rsp;
    ctx.ctrlreg[3] = mfns[FIRST + L4] << 12;
    if (child_context)
        child_context(&ctx);
    domctl_clear();
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &ctx);
    return domctl(XEN_DOMCTL_setvcpucontext, dom);
}

static long finish_build(domid_t dom, const char *cmd_line)
{
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE };
    uint64_t shared_mfn;
    struct shared_info *shared;
    long rc;

    domctl_clear();
    rc = domctl(XEN_DOMCTL_getdomaininfo, dom);
    shared_mfn = dc.u.getdomaininfo.shared_info_frame;
    copy_image(dom);
    write_tables(dom);
    write_start_info(dom, shared_mfn, cmd_line);
    domctl_clear();
    dc.u.hypercall_init.gmfn = mfns[va_to_pfn(hypercall_page)];
    rc = rc ?: domctl(XEN_DOMCTL_hypercall_init, dom);
    rc = rc ?: window_map(dom, 0, shared_mfn, PTE_FLAGS);
    if (rc)
        return rc;
    shared = window(0);
    memset(shared, 0, sizeof(*shared));
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    window_unmap(0);
    pin.arg1.mfn = mfns[FIRST + L4];
    rc = hypercall(__HYPERVISOR_mmuext_op, &pin, 1, NULL, dom);
    return rc ?: set_context(dom);
}

long child_build(const char *cmd_line)
{
    long dom = domain_create(PAGES * 4 + 1024, 2), rc;
    unsigned int i;

    if (dom < 0)
        return dom;
    for (i = 0; i < PAGES; i++)
        mfns[i] = i;
    rc = populate((domid_t)dom, mfns, PAGES, 0) == PAGES ? 0 : -XEN_ENOMEM;
    rc = rc ?: finish_build((domid_t)dom, cmd_line);
    if (rc) {
        domain_destroy((domid_t)dom);
        return rc;
    }
    return dom;
}

static char *append(char *end, const char *s)
{
    size_t n = strlen(s);

    memcpy(end, s, n + 1);
    return end + n;
}

long child_attacks(const char *test, const char *name)
{
    char line[96], *end = append(line, "destructive=");

    end = append(end, test);
    end = append(end, " attack=");
    append(end, name);
    return child_build(line);
}

/* Prints the whole lines that are in the ring; gives the number of failures among them. */
static unsigned int relay(void)
{
    static char line[256];
    static size_t len;
    XENCONS_RING_IDX prod = __atomic_load_n(&console->out_prod, __ATOMIC_ACQUIRE), cons = console->out_cons;
    unsigned int failures = 0;

    for (; cons != prod; cons++) {
        char c = console->out[MASK_XENCONS_IDX(cons, console->out)];

        if (c != '\n' && len < sizeof(line) - 1) {
            line[len++] = c;
            continue;
        }
        line[len] = 0;
        len = 0;
        failures += !strncmp(line, "not ok", 6);
        print("domU %s\n", line);
    }
    __atomic_store_n(&console->out_cons, cons, __ATOMIC_RELEASE);
    return failures;
}

long child_run(domid_t dom, unsigned int seconds, unsigned int *failures)
{
    return child_run_ms(dom, seconds * 1000, failures);
}

long child_run_ms(domid_t dom, unsigned int ms, unsigned int *failures)
{
    evtchn_port_t port = (evtchn_port_t)port_bind(dom, 2);     /* the second one made: its console */
    struct sched_poll poll = { .nr_ports = 1 };
    uint64_t end = now() + ms * 1000000UL;
    unsigned int failed = 0;
    long reason = -1;

    set_xen_guest_handle(poll.ports, &port);
    port_mask(port);
    EXPECT_EQ(window_map(dom, 0, mfns[FIRST + CONSOLE], PTE_FLAGS), 0);
    console = window(0);
    domctl_clear();
    EXPECT_EQ(domctl(XEN_DOMCTL_unpausedomain, dom), 0);
    while (reason < 0 && now() < end) {
        port_clear(port);
        poll.timeout = now() + 20000000;
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
        domctl_clear();
        if (domctl(XEN_DOMCTL_getdomaininfo, dom) == 0 && (dc.u.getdomaininfo.flags & XEN_DOMINF_shutdown))
            reason = dc.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
        failed += relay();
        port_send(port);                /* there is room again */
    }
    window_unmap(0);
    EXPECT_EQ(port_close(port), 0);
    if (failures)
        *failures = failed;
    return reason;
}
