/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of the upper levels: self-maps, tables of the wrong level, superpages, reserved bits, wild frames. */

#include "hostile_door.h"

enum { ITSELF, BELOW, LEAF, ROOT, TWO_BELOW, FOREIGN, WILD };

static const struct {
    const char *name;
    unsigned int what;
    uint64_t flags;
    bool fine;                          /* the ABI allows it */
} uppers[] = {
    { "below", BELOW, PTE_FLAGS | PTE_U, true },
    { "below_read_only", BELOW, PTE_RO_FLAGS | PTE_U, true },
    { "superpage_of_table", BELOW, PTE_FLAGS | PTE_PS, false },
    { "superpage_of_leaf", LEAF, PTE_FLAGS | PTE_PS, false },
    { "superpage_of_foreign", FOREIGN, PTE_RO_FLAGS | PTE_PS, false },
    { "superpage_global_pat", LEAF, PTE_FLAGS | PTE_PS | 0x1100, false },
    { "global", BELOW, PTE_FLAGS | 0x100, false },
    { "itself_writable", ITSELF, PTE_FLAGS, false },
    { "itself_read_only", ITSELF, PTE_RO_FLAGS, false },
    { "root_writable", ROOT, PTE_FLAGS, false },
    { "root_read_only", ROOT, PTE_RO_FLAGS, false },
    { "two_levels_below", TWO_BELOW, PTE_FLAGS, false },
    { "writable_page", LEAF, PTE_FLAGS, false },
    { "foreign", FOREIGN, PTE_FLAGS, false },
    { "wild", WILD, PTE_FLAGS, false },
    { "no_execute", BELOW, PTE_FLAGS | PTE_U | PTE_NX, true },
    { "software_bits", BELOW, PTE_FLAGS | PTE_U | 0xe00, true },
    { "write_through", BELOW, PTE_FLAGS | PTE_U | 0x08, false },
    { "uncached", BELOW, PTE_FLAGS | PTE_U | 0x10, false },
    { "bits52_to_62", BELOW, PTE_FLAGS | PTE_U | 0x7ffUL << 52, true },
    { "frame_bit51", BELOW, PTE_FLAGS | 1UL << 51, false },
    { "frame_bit40", BELOW, PTE_FLAGS | 1UL << 40, false },
};

static uint64_t frame(unsigned int what, unsigned int level)
{
    switch (what) {
    case ITSELF:    return mfn_of(tree[level]);
    case BELOW:     return mfn_of(tree[level - 1]);
    case LEAF:      return mfn_of(tree_leaf);
    case ROOT:      return mfn_of(boot_l4());
    case TWO_BELOW: return mfn_of(level > 2 ? tree[level - 2] : tree_leaf);
    case FOREIGN:   return foreign_frame();
    default:        return 0xfffffffffUL;
    }
}

static void level(unsigned int level)
{
    static const char *const names[] = { "", "", "l2_", "l3_", "l4_" };
    unsigned int d, i;
    char attack[32];

    tree_make();
    for (d = 0; d < DOORS; d++) {
        if (doors[d].highest < level)
            continue;
        memcpy(attack, names[level], 4);
        memcpy(attack + 3, doors[d].name, strlen(doors[d].name) + 1);
        for (i = 0; i < ARRAY_SIZE(uppers); i++) {
            long rc = doors[d].put(level, frame(uppers[i].what, level) << 12 | uppers[i].flags);

            tree_mend();
            verdict(attack, uppers[i].name, rc, d == 2 ? TRAP(14) : uppers[i].fine ? NO_GAIN : REFUSED);
        }
    }
}

TEST(second)
{
    level(2);
}

TEST(third)
{
    level(3);
}

TEST(root)
{
    level(4);
}
