/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's nodes; see core/numa.h. */
#include "core/numa.h"

#include "core/cpumask.h"
#include "core/pcpu.h"

struct numa numa = { .nodes = 1, .spans = 1, .distance = { { NUMA_DISTANCE_SELF } } };

void numa_undivided(struct numa *n)
{
    *n = (struct numa){ .nodes = 1, .spans = 1, .distance = { { NUMA_DISTANCE_SELF } } };
}

static bool spans_check(const struct numa *n)
{
    if (n->spans < 1 || n->spans > NUMA_SPANS_MAX || n->span[0].start)
        return false;
    for (unsigned i = 0; i < n->spans; i++) {
        if (n->span[i].node >= n->nodes)
            return false;
        if (i && (n->span[i].start <= n->span[i - 1].start || n->span[i].node == n->span[i - 1].node))
            return false;
    }
    return true;
}

bool numa_check(const struct numa *n)
{
    if (n->nodes < 1 || n->nodes > NUMA_NODES_MAX || !spans_check(n))
        return false;
    for (unsigned i = 0; i < n->nodes; i++) {
        for (unsigned k = 0; k < n->nodes; k++) {
            if (i == k ? n->distance[i][k] != NUMA_DISTANCE_SELF : n->distance[i][k] <= NUMA_DISTANCE_SELF)
                return false;
        }
    }
    return true;
}

const struct numa_span *numa_span_of(mfn_t m)
{
    unsigned low = 0, high = numa.spans; /* it is in [low, high) */

    while (high - low > 1) {
        unsigned mid = (low + high) / 2;

        if (numa.span[mid].start <= m.n)
            low = mid;
        else
            high = mid;
    }
    return &numa.span[low];
}

nodemask_t numa_nodes_of(cpumask_t cpus)
{
    nodemask_t nodes = 0;
    unsigned cpu;

    for_each_cpu(cpu, cpus)
        nodes |= 1u << pcpus[cpu]->node;
    return nodes;
}
