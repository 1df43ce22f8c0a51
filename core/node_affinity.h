/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which nodes a domain's memory comes from first: those that the tools chose for it, or else those of the CPUs that its
 * vCPUs may run on, soft affinity before hard. It is a wish: when these nodes have no more memory, others give theirs.
 * What a domain has already stays where it is.
 */
#ifndef CORE_NODE_AFFINITY_H
#define CORE_NODE_AFFINITY_H

#include "core/numa.h"

struct domain;

/* `nodes` of the machine, at least one; all of them: no choice, its vCPUs decide again. DOMCTL lock held. */
void node_affinity_set(struct domain *d, nodemask_t nodes);
/* The nodes of the machine that d->nodes has. */
nodemask_t node_affinity(const struct domain *d);
/* Its vCPUs may run on other CPUs than before. Any context; of two at a time, one may be missed. */
void node_affinity_update(struct domain *d);

#endif
