/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains and nodes; see core/node_affinity.h. */
#include "core/node_affinity.h"

#include "core/domain.h"
#include "core/sched.h"
#include "core/vcpu.h"

#include <stdatomic.h>

nodemask_t node_affinity(const struct domain *d)
{
    return atomic_load_explicit(&d->nodes, memory_order_relaxed) & numa_all_nodes();
}

/* Where its vCPUs may run and, as far as they have a choice, would like to. */
static cpumask_t wanted_cpus(const struct domain *d)
{
    cpumask_t cpus = 0;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];
        cpumask_t hard = v ? sched_cpus(v) : 0, both = v ? hard & __atomic_load_n(&v->soft, __ATOMIC_RELAXED) : 0;

        cpus |= both ? both : hard;
    }
    return cpus;
}

void node_affinity_update(struct domain *d)
{
    nodemask_t nodes = __atomic_load_n(&d->nodes_asked, __ATOMIC_RELAXED);

    if (numa.nodes == 1)
        return;
    if (!nodes)
        nodes = numa_nodes_of(wanted_cpus(d));
    atomic_store_explicit(&d->nodes, nodes ? nodes : NODES_ALL, memory_order_relaxed);
}

void node_affinity_set(struct domain *d, nodemask_t nodes)
{
    __atomic_store_n(&d->nodes_asked, nodes == numa_all_nodes() ? 0 : nodes, __ATOMIC_RELAXED);
    node_affinity_update(d);
}
