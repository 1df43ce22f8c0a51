/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small tree of page tables in use, and every way to put an entry into one of its tables.
 *
 * The tree translates TREE_VA: tree[3] (an L3 that boot_l4() names) -> tree[2] -> tree[1] -> tree_leaf.
 */
#ifndef MICRO_HOSTILE_DOOR_H
#define MICRO_HOSTILE_DOOR_H

#include "hostile.h"

#define TREE_VA (SCRATCH + 0x7800000000UL)

extern uint64_t *tree[5], *tree_leaf;

struct door {
    const char *name;
    unsigned int highest;               /* the last level that has such a door */
    /* Tries to store value as the entry of this level for TREE_VA; 0, an errno, or TRAP(). */
    long (*put)(unsigned int level, uint64_t value);
};

#define DOORS 4
extern const struct door doors[DOORS];

void tree_make(void);                   /* once */
void tree_mend(void);                   /* every entry as it was made */

#endif
