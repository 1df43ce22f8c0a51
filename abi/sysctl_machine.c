/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl: what this machine is: CPUs and how they lie together, memory, and the CPU policies that domains
 * may have.
 */
#include "abi/sysctl.h"

#include "abi/domctl.h"
#include "core/budget.h"
#include "core/cpumask.h"
#include "core/frame.h"
#include "core/pcpu.h"
#include "core/reservation.h"
#include "core/time.h"
#include "x86/model/cpuid.h"

#define MAX_NODE_ID 63u  /* the width of node bitmaps */

static const struct cpu_policy *host(void)
{
    return &machine_cpu_policies()->of[CPU_POLICY_HOST];
}

/* ---- Topology ---- */

/*
 * Widths of the thread's and the core's number within an APIC id: leaf 0xb, else AMD's own leaf, else all
 * are cores.
 */
static void apic_id_widths(unsigned *thread, unsigned *core)
{
    struct cpuid_leaf smt = cpu_policy_leaf(host(), 0xb, 0), pkg = cpu_policy_leaf(host(), 0xb, 1);
    struct cpuid_leaf amd = cpu_policy_leaf(host(), 0x80000008, 0);

    *thread = *core = 0;
    if (smt.b && pkg.b) {
        *thread = smt.a & 31;
        *core = (pkg.a & 31) > *thread ? (pkg.a & 31) - *thread : 0;
    } else {
        *core = amd.c >> 12 & 15;
    }
}

struct cpu_place sysctl_cpu_place(unsigned cpu)
{
    uint32_t id = pcpus[cpu]->apic_id;
    unsigned thread, core;

    apic_id_widths(&thread, &core);
    return (struct cpu_place){ .thread = id & ((1u << thread) - 1), .core = id >> thread & ((1u << core) - 1),
                               .socket = id >> (thread + core) };
}

void sysctl_count_topology(uint32_t *threads, uint32_t *cores)
{
    struct cpu_place first = sysctl_cpu_place(0);
    uint32_t in_socket = 0;
    unsigned cpu;

    *threads = 0;
    for_each_cpu(cpu, pcpu_online) {
        struct cpu_place p = sysctl_cpu_place(cpu);

        in_socket += p.socket == first.socket;
        *threads += p.socket == first.socket && p.core == first.core;
    }
    ASSERT(*threads); /* the first CPU at least */
    *cores = in_socket / *threads;
    /* Users divide the number of CPUs by the product. */
    if (cpumask_weight(pcpu_online) % (*threads * *cores)) {
        *threads = 1;
        *cores = cpumask_weight(pcpu_online);
    }
}

long sysctl_cputopoinfo(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_cputopoinfo *t = &((struct xen_sysctl *)arg)->u.cputopoinfo;
    guest_ptr_t at = handle_ptr(t->cputopo);
    uint32_t n = MIN(t->num_cpus, pcpu_count);

    if (!at.va) {
        t->num_cpus = pcpu_count;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct cpu_place p = sysctl_cpu_place(i);
        struct xen_sysctl_cputopo c = { .core = p.core, .socket = p.socket,
                                         .node = pcpus[i]->node };

        if (!cpumask_has(pcpu_online, i))
            c = (struct xen_sysctl_cputopo){ XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
                                             XEN_INVALID_NODE_ID };
        if (guest_write(gptr_plus(at, i * sizeof(c)), &c, sizeof(c)))
            return -EFAULT;
    }
    t->num_cpus = n;
    return 0;
}

static int write_node_sizes(guest_ptr_t at, unsigned n)
{
    for (unsigned i = 0; i < n && at.va; i++) {
        struct xen_sysctl_meminfo mem = { .memsize = frames_total_on(i) << PAGE_SHIFT,
                                          .memfree = frames_free_on(i) << PAGE_SHIFT };

        if (guest_write(gptr_plus(at, i * sizeof(mem)), &mem, sizeof(mem)))
            return -EFAULT;
    }
    return 0;
}

/* The first n * n of all distances: rows are as long as there are nodes, whatever the room. */
static int write_distances(guest_ptr_t at, unsigned n)
{
    for (unsigned i = 0; i < n * n && at.va; i++) {
        uint8_t d = numa.distance[i / numa.nodes][i % numa.nodes];
        uint32_t far = d == NUMA_DISTANCE_NONE ? XEN_INVALID_NODE_DIST : d;

        if (guest_write(gptr_plus(at, i * sizeof(far)), &far, sizeof(far)))
            return -EFAULT;
    }
    return 0;
}

/* As much as there is room for; and, as to who only asks, how many nodes there are. */
long sysctl_numainfo(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_numainfo *n = &((struct xen_sysctl *)arg)->u.numainfo;
    unsigned room = MIN(n->num_nodes, numa.nodes);

    n->num_nodes = numa.nodes;
    return write_node_sizes(handle_ptr(n->meminfo), room) || write_distances(handle_ptr(n->distance), room) ? -EFAULT : 0;
}

/*
 * On a machine of several nodes, which one a device is near to is not known. Says how many it has answered for; the caller asks
 * for the rest.
 */
long sysctl_pcitopoinfo(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_pcitopoinfo *t = &((struct xen_sysctl *)arg)->u.pcitopoinfo;
    guest_ptr_t devs = handle_ptr(t->devs), nodes = handle_ptr(t->nodes);
    uint32_t i, node = numa.nodes == 1 ? 0 : XEN_INVALID_NODE_ID;

    if (!devs.va || !nodes.va || !t->num_devs)
        return refuse(hc->v, -EINVAL, "nodes of %u PCI devices", t->num_devs);
    for (i = 0; i < t->num_devs && (i == 0 || !budget_spent()); i++) {
        if (guest_write(gptr_plus(nodes, i * sizeof(node)), &node, sizeof(node)))
            return -EFAULT;
        budget_take(1);
    }
    t->num_devs = i;
    return 0;
}

/* ---- All in one ---- */

long sysctl_physinfo(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_physinfo *p = &((struct xen_sysctl *)arg)->u.physinfo;

    *p = (struct xen_sysctl_physinfo){
        .nr_cpus = cpumask_weight(pcpu_online), .max_cpu_id = pcpu_count - 1,
        .nr_nodes = numa.nodes, .max_node_id = MAX_NODE_ID, .cpu_khz = (uint32_t)time_tsc_khz(),
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2,
        .total_pages = frames_total_count(), .free_pages = frames_free_count(),
        .outstanding_pages = reservation_claimed(), .max_mfn = frame_count - 1,
    };
    sysctl_count_topology(&p->threads_per_core, &p->cores_per_socket);
    cpu_policy_hw_cap(host(), p->hw_cap);
    return 0;
}

long sysctl_getcpuinfo(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_getcpuinfo *g = &((struct xen_sysctl *)arg)->u.getcpuinfo;
    uint32_t n = MIN(g->max_cpus, pcpu_count);

    for (uint32_t i = 0; i < n; i++) {
        struct xen_sysctl_cpuinfo c = { .idletime = pcpus[i]->idle_ns };

        if (guest_write(gptr_plus(handle_ptr(g->info), i * sizeof(c)), &c, sizeof(c)))
            return -EFAULT;
    }
    g->nr_cpus = n;
    return 0;
}

/* Free memory is counted by node, not by address. */
long sysctl_availheap(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_availheap *a = &((struct xen_sysctl *)arg)->u.availheap;
    uint64_t free;

    if (a->node < -1 || a->node >= (int)numa.nodes)
        return refuse(hc->v, -EINVAL, "free memory of node %d", a->node);
    if (a->min_bitwidth || (a->max_bitwidth && a->max_bitwidth < machine_maddr_bits()))
        return refuse(hc->v, -EOPNOTSUPP, "free memory of %u to %u bits", a->min_bitwidth, a->max_bitwidth);
    free = a->node < 0 ? frames_free_count() : frames_free_on((unsigned)clamp_index((unsigned)a->node, numa.nodes));
    a->avail_bytes = free << PAGE_SHIFT;
    return 0;
}

/* ---- CPU policies ---- */

/* CPUID of PV guests is answered by the hypervisor: it needs none of the CPU's means to mask it. */
long sysctl_levelling_caps(struct hypercall *hc, void *arg)
{
    ((struct xen_sysctl *)arg)->u.cpu_levelling_caps.caps = 0;
    return 0;
}

long sysctl_get_cpu_featureset(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_cpu_featureset *f = &((struct xen_sysctl *)arg)->u.cpu_featureset;
    const struct cpu_policy *p = cpu_policies_featureset(machine_cpu_policies(), f->index);
    guest_ptr_t at = handle_ptr(f->features);
    uint32_t words[CPU_FEATURE_WORDS], room = f->nr_features, n = CPU_FEATURE_WORDS;

    if (!p)
        return refuse(hc->v, -EINVAL, "CPU feature set %u", f->index);
    if (at.va)
        n = MIN(room, CPU_FEATURE_WORDS);
    cpu_policy_features(p, words);
    if (at.va && guest_write(at, words, n * sizeof(words[0])))
        return -EFAULT;
    f->nr_features = n;
    return n < CPU_FEATURE_WORDS ? -ENOBUFS : 0;
}

long sysctl_get_cpu_policy(struct hypercall *hc, void *arg)
{
    struct xen_sysctl_cpu_policy *c = &((struct xen_sysctl *)arg)->u.cpu_policy;

    if (c->_rsvd || c->index >= CPU_POLICIES)
        return refuse(hc->v, -EINVAL, "CPU policy %u", c->index);
    return policy_copy_out(&machine_cpu_policies()->of[clamp_index(c->index, CPU_POLICIES)],
                           handle_ptr(c->leaves),
                           &c->nr_leaves, handle_ptr(c->msrs), &c->nr_msrs);
}
