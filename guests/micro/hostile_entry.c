/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits of a leaf entry: every door to a live level-1 table, with every bit that could fault in the hypervisor, be
 * global, be a superpage, or name a frame beyond the machine. What is accepted must also translate.
 */

#include "hostile_door.h"

#define BITS(name, bits, want) { name, bits, want }

static const struct {
    const char *name;
    uint64_t bits;                      /* beside the leaf's frame and PTE_FLAGS */
    long want;
} entries[] = {
    BITS("user", PTE_U, 0), BITS("pwt", 8, NO_GAIN), BITS("pcd", 0x10, NO_GAIN), BITS("pcd_pwt", 0x18, NO_GAIN),
    BITS("pat", 0x80, NO_GAIN), BITS("pat_pwt", 0x88, NO_GAIN), BITS("pat_pcd", 0x90, NO_GAIN),
    BITS("pat_pcd_pwt", 0x98, NO_GAIN),
    BITS("global", 0x100, 0), BITS("global_user", 0x104, 0), BITS("nx", PTE_NX, 0),
    BITS("nx_global_pat", PTE_NX | 0x180, NO_GAIN),
    BITS("avail9", 1UL << 9, 0), BITS("avail10", 1UL << 10, 0), BITS("avail11", 1UL << 11, 0),
    BITS("bit52", 1UL << 52, 0), BITS("bit53", 1UL << 53, 0), BITS("bit55", 1UL << 55, 0), BITS("bit58", 1UL << 58, 0),
    BITS("bit59", 1UL << 59, NO_GAIN), BITS("bit62", 1UL << 62, NO_GAIN), BITS("bits52_to_62", 0x7ffUL << 52, NO_GAIN),
    BITS("frame_bit51", 1UL << 51, FAULT), BITS("frame_bit48", 1UL << 48, FAULT), BITS("frame_bit47", 1UL << 47, FAULT),
    BITS("frame_bit40", 1UL << 40, FAULT), BITS("frame_bit39", 1UL << 39, FAULT), BITS("frame_bit36", 1UL << 36, FAULT),
    BITS("frame_all_ones", PTE_ADDR, FAULT), BITS("all_ones", ~0UL, FAULT),
};

/* FAULT in the table: refused in the way of the door. dom0 may map devices, which may be anywhere below 1 TiB. */
static long wanted(const struct door *d, long want, uint64_t bits)
{
    if (want == FAULT && is_dom0() && bits < 1UL << 40)
        return NO_GAIN;
    return want != FAULT ? want : !strcmp(d->name, "store") ? TRAP(14) : REFUSED;
}

/* Does what was stored translate without a reserved bit, never global? */
static bool sound(void)
{
    uint64_t stored = *(volatile uint64_t *)&tree[1][TREE_VA >> 12 & 511];

    TRY("mov (%%rax), %%rax", : : "a"(TREE_VA) : "memory");
    return trap_seen.count == 0 || !(trap_seen.regs.error & 8 || stored & PTE_P);
}

TEST(bits)
{
    unsigned int d, i;

    tree_make();
    for (d = 0; d < DOORS; d++)
        for (i = 0; i < ARRAY_SIZE(entries); i++) {
            long rc = doors[d].put(1, mfn_of(tree_leaf) << 12 | PTE_FLAGS | entries[i].bits);

            EXPECT(sound());
            tree_mend();
            verdict(doors[d].name, entries[i].name, rc, wanted(&doors[d], entries[i].want, entries[i].bits));
        }
}

/* Not present: whatever the other bits are, the entry is nothing; but it may not become something later. */
TEST(absent)
{
    static const struct { const char *name; uint64_t value; } absent[] = {
        { "all_but_present", ~1UL }, { "only_frame", PTE_ADDR }, { "only_writable", 2 }, { "superpage", 0x80 },
        { "high_half", 0xffffffff00000000UL }, { "swap_like", 0x8000000000000302UL },
    };
    unsigned int d, i, level;
    char variant[32];

    tree_make();
    for (d = 0; d < DOORS; d++)
        for (level = 1; level <= doors[d].highest; level++)
            for (i = 0; i < ARRAY_SIZE(absent); i++) {
                long rc = doors[d].put(level, absent[i].value);

                TRY("mov (%%rax), %%rax", : : "a"(TREE_VA) : "memory");
                EXPECT(rc || d == 3 || (trap_vector() == 14 && !(trap_seen.regs.error & 8)));
                tree_mend();
                memcpy(variant, "l0_", 3);
                variant[1] = (char)('0' + level);
                memcpy(variant + 3, absent[i].name, strlen(absent[i].name) + 1);
                verdict(doors[d].name, variant, rc, d == 2 && level > 1 ? TRAP(14) : d == 3 || level == 4 ? NO_GAIN : 0);
            }
}
