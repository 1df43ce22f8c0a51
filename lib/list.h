/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doubly-linked lists through a member of the element: nothing is allocated, removal needs no search.
 *
 * A head and a node are the same type; a head is a node that no element holds. A node that is on no list
 * points at itself once list_init() or list_del() has been called on it. Callers bring the lock.
 */
#ifndef KRYPTON_LIB_LIST_H
#define KRYPTON_LIB_LIST_H

#include "lib/types.h"

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }

static inline void list_init(struct list_head *head)
{
    head->next = head;
    head->prev = head;
}

/* True for a head without elements, and for a node that is on no list. */
static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

/* Put @node right after @at: at the front, if @at is the head. */
static inline void list_add(struct list_head *node, struct list_head *at)
{
    node->next = at->next;
    node->prev = at;
    at->next->prev = node;
    at->next = node;
}

/* Put @node right before @at: at the end, if @at is the head. */
static inline void list_add_tail(struct list_head *node, struct list_head *at)
{
    list_add(node, at->prev);
}

/* Take @node off its list; harmless if it is on none. */
static inline void list_del(struct list_head *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Take @node off its list and put it on another's end. */
static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
    list_del(node);
    list_add_tail(node, head);
}

/* Move all elements of @from, in order, to the end of @to; @from is then empty. */
static inline void list_splice_tail(struct list_head *from, struct list_head *to)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)

/* First and last element, or NULL of an empty list. */
#define list_first_entry(head, type, member) \
    (list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_last_entry(head, type, member) \
    (list_empty(head) ? NULL : list_entry((head)->prev, type, member))

/* Each node from front to end; the body must not remove @pos. */
#define list_for_each(pos, head) \
    for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* Each element from front to end; the body must not remove @pos. */
#define list_for_each_entry(pos, head, member)                                  \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member);          \
         &(pos)->member != (head);                                              \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

/* The same from end to front. */
#define list_for_each_entry_reverse(pos, head, member)                          \
    for ((pos) = list_entry((head)->prev, __typeof__(*(pos)), member);          \
         &(pos)->member != (head);                                              \
         (pos) = list_entry((pos)->member.prev, __typeof__(*(pos)), member))

/* The same from front to end; the body may remove or free @pos, not @after. */
#define list_for_each_entry_safe(pos, after, head, member)                      \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member),          \
         (after) = list_entry((pos)->member.next, __typeof__(*(pos)), member);  \
         &(pos)->member != (head);                                              \
         (pos) = (after),                                                       \
         (after) = list_entry((after)->member.next, __typeof__(*(pos)), member))

#endif
