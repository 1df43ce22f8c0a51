/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary heap of pointers, smallest key first, for timers: each element knows its place, so that any of
 * them can be removed or re-keyed in O(log n) without a search.
 *
 *   H1  slot[i]->key >= slot[parent(i)]->key for each i > 0
 *   H2  slot[i]->place == i + 1; a node with place 0 is in no heap
 *
 * The heap never allocates: its owner brings the slots and, if they are full, larger ones. Callers bring
 * the lock.
 */
#ifndef KRYPTON_LIB_HEAP_H
#define KRYPTON_LIB_HEAP_H

#include "lib/types.h"

struct heap_node {
    uint64_t key;       /* read freely; changed by heap_*() only */
    size_t   place;     /* 0: in no heap; so a zeroed node is ready for use */
};

struct heap {
    struct heap_node **slot;
    size_t count, capacity;
};

/* Make @h empty, with room for @capacity nodes in @slot, which must outlive it. */
static inline void heap_init(struct heap *h, struct heap_node **slot, size_t capacity)
{
    *h = (struct heap){ .slot = slot, .capacity = capacity };
}

static inline bool heap_holds(const struct heap_node *n)
{
    return n->place != 0;
}

/* The node with the smallest key, or NULL of an empty heap. */
static inline struct heap_node *heap_min(const struct heap *h)
{
    return h->count ? h->slot[0] : NULL;
}

/* Add @n, which is in no heap, with @key. -ENOSPC, nothing changed, if all slots are taken. */
int __must_check heap_insert(struct heap *h, struct heap_node *n, uint64_t key);

/* Take @n out of @h, if it is in it. */
void heap_remove(struct heap *h, struct heap_node *n);

/* Change the key of @n, which is in @h. */
void heap_rekey(struct heap *h, struct heap_node *n, uint64_t key);

/*
 * Use @slot, with room for @capacity >= h->count nodes, from now on: the nodes are copied, and the old
 * slots, which are given back, are the caller's again.
 */
struct heap_node **heap_move(struct heap *h, struct heap_node **slot, size_t capacity);

/* Whether H1 and H2 hold, for tests and audits. */
bool heap_check(const struct heap *h);

#endif
