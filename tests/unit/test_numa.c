/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine of two nodes, as the tools see it and as a domain's memory is taken from it: sizes, distances, nodes that
 * populate and exchange name, affinity that tools set or that follows from the vCPUs'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/debug.h"
#include "core/log.h"
#include "core/node_affinity.h"
#include "core/pool.h"
#include "core/sched.h"

#include <stdio.h>
#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sysctl.h>

enum { BORDER = 1999, ARGS = 5, OUT = 6, PAGES = 64, MORE = 3000 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)
#define ALL_CPUS ((cpumask_t)3)

static struct guest g;
static struct xen_sysctl s;
static struct xen_domctl d;
static void *out; /* at VA(OUT) */

static int setup_machine(void **state)
{
    (void)state;
    numa.nodes = numa.spans = 2;
    numa.span[1] = (struct numa_span){ BORDER, 1 };
    numa.distance[0][1] = 21;
    numa.distance[1][0] = NUMA_DISTANCE_NONE;
    numa.distance[1][1] = NUMA_DISTANCE_SELF;
    assert_true(numa_check(&numa));
    host_start(HOSTED_CPUS, HOSTED_RAM);
    pcpus[1]->node = 1;
    guest_create(&control, 0, PRIV_ALL, 12);
    guest_start(&control, 12);
    out = machine_frame(control.m[OUT]);
    debug_keys_init();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    guest_create_smp(&g, 1, 0, 8, 2);
    guest_start(&g, 8);
    g.d->max_pages = MORE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_destroy(&g, control.v, PLENTY);
    hosted_check();
    return 0;
}

/* As `who`, whose frames ARGS and OUT are for arguments. */
static long call(struct guest *who, unsigned nr, uint64_t arg0, void *arg, size_t size)
{
    void *page = machine_frame(who->m[ARGS]);
    struct cpu_regs *r;

    host_run(who->v);
    r = who->v->regs;
    memcpy(page, arg, size);
    r->rax = nr, r->rdi = arg0;
    if (nr == __HYPERVISOR_memory_op)
        r->rsi = VA(ARGS);
    do {
        r->rip = 0x1000;
        plenty();
        hypercall_entry(who->v);
        assert_int_equal(this_pcpu()->locks_held, 0);
        hosted_leave(who->v, PLENTY);
    } while (r->rip == 0x1000 - 2);
    memcpy(arg, page, size);
    return (long)r->rax;
}

static long sysctl(uint32_t cmd)
{
    s.cmd = cmd;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(&control, __HYPERVISOR_sysctl, VA(ARGS), &s, sizeof(s));
}

static long domctl(uint32_t cmd)
{
    d.cmd = cmd;
    d.domain = 1;
    d.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return call(&control, __HYPERVISOR_domctl, VA(ARGS), &d, sizeof(d));
}

/* How many of n extents of `who`'s own frames, or of domain 1's if it is dom0, were populated; the frames are in OUT. */
static long populate(struct guest *who, unsigned n, unsigned flags)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = who == &control ? 1 : DOMID_SELF, .mem_flags = flags };
    xen_pfn_t *list = machine_frame(who->m[OUT]);

    for (unsigned i = 0; i < n; i++)
        list[i] = 100 + i;
    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)VA(OUT));
    return call(who, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, sizeof(r));
}

/* The nodes of the n frames in `who`'s OUT. */
static nodemask_t nodes_of_list(struct guest *who, unsigned n)
{
    const xen_pfn_t *list = machine_frame(who->m[OUT]);
    nodemask_t nodes = 0;

    for (unsigned i = 0; i < n; i++)
        nodes |= 1u << numa_node_of(mfn(list[i]));
    return nodes;
}

static long set_nodes(uint64_t nodes)
{
    *(uint64_t *)out = nodes;
    memset(&d, 0, sizeof(d));
    d.u.nodeaffinity.nodemap.nr_bits = 64;
    set_xen_guest_handle(d.u.nodeaffinity.nodemap.bitmap, (uint8_t *)VA(OUT));
    return domctl(XEN_DOMCTL_setnodeaffinity);
}

static uint64_t get_nodes(void)
{
    *(uint64_t *)out = ~0ull;
    memset(&d, 0, sizeof(d));
    d.u.nodeaffinity.nodemap.nr_bits = 64;
    set_xen_guest_handle(d.u.nodeaffinity.nodemap.bitmap, (uint8_t *)VA(OUT));
    assert_int_equal(domctl(XEN_DOMCTL_getnodeaffinity), 0);
    return *(uint64_t *)out;
}

static void set_cpus(unsigned vcpu, cpumask_t hard, cpumask_t soft)
{
    assert_int_equal(sched_set_affinity(g.d->vcpu[vcpu], &hard, &soft), 0);
}

/* ---- What the tools see ---- */

static long numainfo(uint32_t room, bool sizes, bool distances)
{
    memset(out, 0xee, PAGE_SIZE);
    memset(&s, 0, sizeof(s));
    s.u.numainfo.num_nodes = room;
    if (sizes)
        set_xen_guest_handle(s.u.numainfo.meminfo, (void *)VA(OUT));
    if (distances)
        set_xen_guest_handle(s.u.numainfo.distance, (void *)(VA(OUT) + 1024));
    return sysctl(XEN_SYSCTL_numainfo);
}

static void the_tools_see_both(void **state)
{
    const struct xen_sysctl_meminfo *mem = out;
    const uint32_t *far = (const uint32_t *)out + 256;

    (void)state;
    assert_int_equal(numainfo(0, false, false), 0);
    assert_int_equal(s.u.numainfo.num_nodes, 2);
    assert_int_equal(numainfo(9, true, true), 0);
    assert_int_equal(s.u.numainfo.num_nodes, 2);
    assert_int_equal(mem[0].memsize, VA(BORDER - 1));
    assert_int_equal(mem[0].memsize + mem[1].memsize, VA(frames_total_count()));
    assert_int_equal(mem[0].memfree, VA(frames_free_on(0)));
    assert_int_equal(mem[0].memfree + mem[1].memfree, VA(frames_free_count()));
    assert_int_equal(mem[2].memsize, 0xeeeeeeeeeeeeeeee);
    assert_int_equal(far[0], 10);
    assert_int_equal(far[1], 21);
    assert_int_equal(far[2], XEN_INVALID_NODE_DIST);
    assert_int_equal(far[3], 10);
    assert_int_equal(far[4], 0xeeeeeeee);
    /* Less room than nodes: no more than fits, and how many there would be. */
    assert_int_equal(numainfo(1, true, true), 0);
    assert_int_equal(s.u.numainfo.num_nodes, 2);
    assert_int_equal(mem[0].memsize, VA(BORDER - 1));
    assert_int_equal(mem[1].memsize, 0xeeeeeeeeeeeeeeee);
    assert_int_equal(far[0], 10);
    assert_int_equal(far[1], 0xeeeeeeee);
    assert_int_equal(numainfo(2, false, true), 0);
    assert_int_equal(mem[0].memsize, 0xeeeeeeeeeeeeeeee);
    assert_int_equal(far[3], 10);
    s.u.numainfo.distance.p = (void *)VA(500);
    assert_int_equal(sysctl(XEN_SYSCTL_numainfo), -EFAULT);
}

static void cpus_and_memory_by_node(void **state)
{
    const struct xen_sysctl_cputopo *topo = out;

    (void)state;
    memset(&s, 0, sizeof(s));
    s.u.cputopoinfo.num_cpus = 2;
    set_xen_guest_handle(s.u.cputopoinfo.cputopo, (void *)VA(OUT));
    assert_int_equal(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    assert_int_equal(topo[0].node, 0);
    assert_int_equal(topo[1].node, 1);
    assert_int_equal(sysctl(XEN_SYSCTL_physinfo), 0);
    assert_int_equal(s.u.physinfo.nr_nodes, 2);
    for (int node = -1; node < 3; node++) {
        memset(&s, 0, sizeof(s));
        s.u.availheap.node = node;
        assert_int_equal(sysctl(XEN_SYSCTL_availheap), node == 2 ? -EINVAL : 0);
        assert_int_equal(s.u.availheap.avail_bytes,
                         node == 2 ? 0 : VA(node < 0 ? frames_free_count() : frames_free_on((unsigned)node)));
    }
    memset(&s, 0, sizeof(s));
    s.u.pcitopoinfo.num_devs = 1;
    set_xen_guest_handle(s.u.pcitopoinfo.devs, (void *)VA(OUT));
    set_xen_guest_handle(s.u.pcitopoinfo.nodes, (void *)(VA(OUT) + 64));
    assert_int_equal(sysctl(XEN_SYSCTL_pcitopoinfo), 0);
    assert_int_equal(((uint32_t *)out)[16], XEN_INVALID_NODE_ID);
}

static char said[64 * 1024];

static void key_u_counts_each_domains_pages(void **state)
{
    uint64_t at, count[2] = { 0 };
    char line[64];

    (void)state;
    assert_int_equal(populate(&control, 20, XENMEMF_exact_node(0)), 20);
    assert_int_equal(populate(&control, 30, XENMEMF_exact_node(1)), 30);
    for (uint64_t n = 0; n < frame_count; n++) {
        if ((frame_table[n].refs & REFS_OWNED) && frame_table[n].owner == 1)
            count[n >= BORDER]++;
    }
    assert_int_equal(count[0] + count[1], g.d->tot_pages);
    assert_true(count[0] >= 20 && count[1] >= 30);
    log_ring_clear();
    *(char *)out = 'u';
    memset(&s, 0, sizeof(s));
    set_xen_guest_handle(s.u.debug_keys.keys, (void *)VA(OUT));
    s.u.debug_keys.nr_keys = 1;
    assert_int_equal(sysctl(XEN_SYSCTL_debug_keys), 0);
    at = log_ring_start();
    said[log_ring_read(&at, said, sizeof(said) - 1)] = 0;
    assert_non_null(strstr(said, "NODE0: 1998 pages"));
    assert_non_null(strstr(said, "CPUs 0x2"));
    snprintf(line, sizeof(line), "Domain 1 (total: %lu)", (unsigned long)g.d->tot_pages);
    assert_non_null(strstr(said, "Domain 0 (total: 12)"));
    assert_non_null(strstr(said, line));
    for (unsigned i = 0; i < 2; i++) {
        snprintf(line, sizeof(line), "    Node %u: %lu\n", i, (unsigned long)count[i]);
        assert_non_null(strstr(strstr(said, "Domain 1 ("), line));
    }
}

/* ---- Where memory comes from ---- */

static void populate_takes_the_node_that_it_names(void **state)
{
    uint64_t free0 = frames_free_on(0), free1 = frames_free_on(1);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(populate(&control, 40, XENMEMF_node(0)), 40);
        assert_int_equal(nodes_of_list(&control, 40), 1);
        assert_int_equal(populate(&control, 40, XENMEMF_exact_node(1) | XENMEMF_address_bits(40)), 40);
        assert_int_equal(nodes_of_list(&control, 40), 2);
    }
    assert_int_equal(frames_free_on(0), free0 - 120);
    assert_int_equal(frames_free_on(1), free1 - 120);
    /* Without a wish it is high memory: the second node's. */
    assert_int_equal(populate(&control, 40, 0), 40);
    assert_int_equal(nodes_of_list(&control, 40), 2);
    /* An address limit that only the other node can keep. */
    assert_int_equal(populate(&control, 40, XENMEMF_node(1) | XENMEMF_address_bits(21)), 40);
    assert_int_equal(nodes_of_list(&control, 40), 1);
    assert_int_equal(populate(&control, 40, XENMEMF_exact_node(1) | XENMEMF_address_bits(21)), 0);
}

static void exact_means_no_other(void **state)
{
    uint64_t free0 = frames_free_on(0);

    (void)state;
    while (frames_free_on(1) > 10) {
        unsigned n = (unsigned)MIN(frames_free_on(1) - 10, (uint64_t)500);

        assert_int_equal(populate(&control, n, XENMEMF_exact_node(1)), n);
    }
    assert_int_equal(frames_free_on(0), free0);
    assert_int_equal(populate(&control, 40, XENMEMF_exact_node(1)), 10);
    assert_int_equal(frames_free_on(1), 0);
    assert_int_equal(frames_free_on(0), free0);
    assert_int_equal(populate(&control, 40, XENMEMF_node(1)), 40);
    assert_int_equal(frames_free_on(0), free0 - 40);
    assert_int_equal(frames_free_count(), frames_free_on(0));
    /* No such node: it has nothing; who only prefers it takes what there is. */
    assert_int_equal(populate(&control, 4, XENMEMF_exact_node(2)), 0);
    assert_int_equal(populate(&control, 4, XENMEMF_exact_node_request), 0);
    assert_int_equal(populate(&control, 4, XENMEMF_node(7)), 4);
}

/* Its tools decide where a guest's memory is, not the guest; and it has no nodes of its own. */
static void a_guest_names_no_nodes(void **state)
{
    (void)state;
    assert_int_equal(set_nodes(2), 0);
    assert_int_equal(populate(&g, 20, XENMEMF_node(0)), 20);
    assert_int_equal(nodes_of_list(&g, 20), 2);
    assert_int_equal(populate(&g, 20, XENMEMF_exact_node(0)), 20);
    assert_int_equal(nodes_of_list(&g, 20), 2);
    assert_int_equal(populate(&g, 20, XENMEMF_exact_node(9)), 20);
    assert_int_equal(populate(&control, 20, XENMEMF_exact_node(0) | XENMEMF_vnode), 20);
    assert_int_equal(nodes_of_list(&control, 20), 2);
    assert_int_equal(populate(&g, 20, XENMEMF_node(1) | XENMEMF_address_bits(21)), 20);
    assert_int_equal(nodes_of_list(&g, 20), 1);
}

static void exchange_takes_the_domains_nodes(void **state)
{
    struct xen_memory_exchange x = { .in = { .nr_extents = 4, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 4, .domid = DOMID_SELF, .mem_flags = XENMEMF_node(1) } };
    xen_pfn_t *list = machine_frame(g.m[OUT]);

    (void)state;
    assert_int_equal(set_nodes(2), 0);
    assert_int_equal(populate(&g, 4, 0), 4);
    assert_int_equal(nodes_of_list(&g, 4), 2);
    assert_int_equal(set_nodes(1), 0);
    for (unsigned i = 0; i < 4; i++)
        list[8 + i] = 200 + i;
    set_xen_guest_handle(x.in.extent_start, (xen_pfn_t *)VA(OUT));
    set_xen_guest_handle(x.out.extent_start, (xen_pfn_t *)(VA(OUT) + 64));
    assert_int_equal(call(&g, __HYPERVISOR_memory_op, XENMEM_exchange, &x, sizeof(x)), 0);
    memmove(list, list + 8, 4 * sizeof(*list));
    assert_int_equal(nodes_of_list(&g, 4), 1);
}

/* ---- Affinity ---- */

static void affinity_that_the_tools_set(void **state)
{
    (void)state;
    assert_int_equal(get_nodes(), 3);
    assert_int_equal(set_nodes(1), 0);
    assert_int_equal(get_nodes(), 1);
    assert_int_equal(populate(&control, 20, 0), 20);
    assert_int_equal(nodes_of_list(&control, 20), 1);
    set_cpus(0, 2, ALL_CPUS);
    set_cpus(1, 2, ALL_CPUS);
    assert_int_equal(get_nodes(), 1); /* the tools' wish stays */
    assert_int_equal(set_nodes(0), -EINVAL);
    assert_int_equal(set_nodes(~3ull), -EINVAL);
    assert_int_equal(get_nodes(), 1);
    assert_int_equal(set_nodes(~1ull), 0);
    assert_int_equal(get_nodes(), 2);
    assert_int_equal(set_nodes(~0ull), 0); /* no choice: the vCPUs' nodes again */
    assert_int_equal(get_nodes(), 2);
    set_cpus(1, ALL_CPUS, ALL_CPUS);
    assert_int_equal(get_nodes(), 3);
}

static void affinity_follows_the_vcpus(void **state)
{
    (void)state;
    set_cpus(0, 1, ALL_CPUS);
    assert_int_equal(get_nodes(), 3);
    set_cpus(1, 1, ALL_CPUS);
    assert_int_equal(get_nodes(), 1);
    assert_int_equal(populate(&control, 20, 0), 20);
    assert_int_equal(nodes_of_list(&control, 20), 1);
    set_cpus(0, ALL_CPUS, 2); /* would like to be there */
    assert_int_equal(get_nodes(), 3);
    set_cpus(1, ALL_CPUS, 2);
    assert_int_equal(get_nodes(), 2);
    assert_int_equal(populate(&control, 20, 0), 20);
    assert_int_equal(nodes_of_list(&control, 20), 2);
    set_cpus(1, 1, 2); /* but can't */
    assert_int_equal(get_nodes(), 3);
}

/* Memory of elsewhere is better than none. */
static void affinity_is_a_wish(void **state)
{
    (void)state;
    assert_int_equal(set_nodes(1), 0);
    while (frames_free_on(0) > 10) {
        unsigned n = (unsigned)MIN(frames_free_on(0) - 10, (uint64_t)500);

        assert_int_equal(populate(&control, n, 0), n);
        assert_int_equal(nodes_of_list(&control, n), 1);
    }
    assert_int_equal(populate(&control, 20, 0), 20);
    assert_int_equal(nodes_of_list(&control, 20), 3);
    assert_int_equal(frames_free_on(0), 0);
}

static void pools_bound_it(void **state)
{
    unsigned pool = POOL_ANY;
    int rc;

    (void)state;
    host_run(control.v);
    while ((rc = pool_remove_cpu(0, 1)) == -ERESTART)
        plenty();
    assert_int_equal(rc, 0);
    assert_int_equal(get_nodes(), 1);
    assert_int_equal(pool_create(&pool), 0);
    assert_int_equal(pool_add_cpu(pool, 1), 0);
    assert_int_equal(pool_move(g.d, pool), 0);
    assert_int_equal(get_nodes(), 2);
    assert_int_equal(pool_move(g.d, 0), 0);
    assert_int_equal(get_nodes(), 1);
    while ((rc = pool_remove_cpu(pool, 1)) == -ERESTART)
        plenty();
    assert_int_equal(rc, 0);
    assert_int_equal(pool_destroy(pool), 0);
    assert_int_equal(pool_add_cpu(0, 1), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_tools_see_both),
        CASE(cpus_and_memory_by_node),
        CASE(key_u_counts_each_domains_pages),
        CASE(populate_takes_the_node_that_it_names),
        CASE(exact_means_no_other),
        CASE(a_guest_names_no_nodes),
        CASE(exchange_takes_the_domains_nodes),
        CASE(affinity_that_the_tools_set),
        CASE(affinity_follows_the_vcpus),
        CASE(affinity_is_a_wish),
        CASE(pools_bound_it),
    };

    return cmocka_run_group_tests(tests, setup_machine, NULL);
}
