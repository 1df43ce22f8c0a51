/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary heap whose elements know their places; see lib/heap.h.
 */
#include "lib/errno.h"
#include "lib/heap.h"
#include "lib/string.h"

static void put(struct heap *h, size_t i, struct heap_node *n)
{
    h->slot[i] = n;
    n->place = i + 1;
}

/* Place @n at @i or above: slot @i is free, and only H1 between it and its parent may fail. */
static void sift_up(struct heap *h, size_t i, struct heap_node *n)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (h->slot[parent]->key <= n->key)
            break;
        put(h, i, h->slot[parent]);
        i = parent;
    }
    put(h, i, n);
}

/* Place @n at @i or below: slot @i is free, and only H1 between it and its children may fail. */
static void sift_down(struct heap *h, size_t i, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->slot[child + 1]->key < h->slot[child]->key)
            child++;
        if (h->slot[child]->key >= n->key)
            break;
        put(h, i, h->slot[child]);
        i = child;
    }
    put(h, i, n);
}

static void sift(struct heap *h, size_t i, struct heap_node *n)
{
    if (i > 0 && h->slot[(i - 1) / 2]->key > n->key)
        sift_up(h, i, n);
    else
        sift_down(h, i, n);
}

int heap_insert(struct heap *h, struct heap_node *n, uint64_t key)
{
    if (h->count == h->capacity)
        return -ENOSPC;
    n->key = key;
    sift_up(h, h->count++, n);
    return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    size_t i = n->place - 1;
    struct heap_node *last;

    if (!heap_holds(n))
        return;
    n->place = 0;
    last = h->slot[--h->count];
    if (last != n)
        sift(h, i, last);
}

void heap_rekey(struct heap *h, struct heap_node *n, uint64_t key)
{
    n->key = key;
    sift(h, n->place - 1, n);
}

struct heap_node **heap_move(struct heap *h, struct heap_node **slot, size_t capacity)
{
    struct heap_node **old = h->slot;

    if (h->count)
        memcpy(slot, old, h->count * sizeof(*slot));
    h->slot = slot;
    h->capacity = capacity;
    return old;
}

bool heap_check(const struct heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->slot[i]->place != i + 1)
            return false;
        if (i > 0 && h->slot[i]->key < h->slot[(i - 1) / 2]->key)
            return false;
    }
    return h->count <= h->capacity;
}
