/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes: the parts of a machine whose CPUs are nearer to their own memory than to the others'.
 *
 * What the firmware says of them (boot/parse/numa.h) is here once and for all: every frame number belongs to one node,
 * also where there is no memory, and each CPU says in struct pcpu which one it is of. A machine that is not divided is
 * one node, 0.
 *
 *   N1  1 <= nodes <= NUMA_NODES_MAX
 *   N2  spans are ascending, the first begins at frame 0, neighbours are of different nodes, each of a node below `nodes`
 *   N3  a node's distance to itself is NUMA_DISTANCE_SELF, to others more
 *
 * Set before there is any memory to allocate, never changed after that: no lock.
 */
#ifndef CORE_NUMA_H
#define CORE_NUMA_H

#include "core/ids.h"

#define NUMA_NODES_MAX 16u
#define NUMA_SPANS_MAX 64u
#define NUMA_DISTANCE_SELF  10u
#define NUMA_DISTANCE_OTHER 20u  /* where the firmware does not say */
#define NUMA_DISTANCE_NONE  255u /* no way leads there */

struct domain;

typedef uint32_t nodemask_t; /* one bit a node */
#define NODES_ALL (~(nodemask_t)0)

struct numa_span {
    uint64_t start; /* frame number; it ends where the next begins */
    unsigned node;
};

struct numa {
    unsigned nodes, spans;
    struct numa_span span[NUMA_SPANS_MAX];
    uint8_t distance[NUMA_NODES_MAX][NUMA_NODES_MAX]; /* from, to; in tenths of what it takes to reach one's own */
};

extern struct numa numa;

/* Makes *n a machine of one node. */
void numa_undivided(struct numa *n);
/* Whether N1 to N3 hold. */
bool numa_check(const struct numa *n);

/* The span that has frame m. */
const struct numa_span *numa_span_of(mfn_t m);

static inline unsigned numa_node_of(mfn_t m)
{
    return numa.nodes == 1 ? 0 : numa_span_of(m)->node;
}

/* The frame after the last one up to which all from m on are of m's node; none is greater. */
static inline uint64_t numa_span_end(mfn_t m)
{
    const struct numa_span *s = numa_span_of(m) + 1;

    return s == numa.span + numa.spans ? ~0ull : s->start;
}

static inline nodemask_t numa_all_nodes(void) { return (1u << numa.nodes) - 1; }
_Static_assert(NUMA_NODES_MAX < 32, "their bits, and one more, fit a nodemask_t");

/* The nodes of some CPUs. */
nodemask_t numa_nodes_of(cpumask_t cpus);

#endif
