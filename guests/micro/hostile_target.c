/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that a guest may not map, or not writable: through every door to a level-1 table. */

#include "hostile_door.h"

#include <xen/memory.h>

#include "grant.h"

static uint64_t *descriptors, *unpinned;

static uint64_t own(void)          { return mfn_of(tree_leaf); }
static uint64_t this_l1(void)      { return mfn_of(tree[1]); }
static uint64_t this_l2(void)      { return mfn_of(tree[2]); }
static uint64_t this_l3(void)      { return mfn_of(tree[3]); }
static uint64_t this_l4(void)      { return mfn_of(tree[4]); }
static uint64_t shared(void)       { return start_info->shared_info >> 12; }
static uint64_t zero(void)         { return 0x100000; }         /* never RAM here: 4 GiB */
static uint64_t image(void)        { return 0x200; }            /* 2 MiB: where hypervisors are loaded */
static uint64_t behind(void)       { return 0xfffffffUL; }
static uint64_t invalid(void)      { return 0xffffffffffUL; }
static uint64_t local_apic(void)   { return 0xfee00; }
static uint64_t io_apic(void)      { return 0xfec00; }
static uint64_t gdt(void)          { return mfn_of(descriptors); }
static uint64_t table(void)        { return mfn_of(unpinned); }

static const struct {
    const char *name;
    uint64_t (*frame)(void);
    bool may_read, may_write;
} targets[] = {
    { "own_page", own, true, true }, { "l1_that_maps_it", this_l1, true, false }, { "l2_in_use", this_l2, true, false },
    { "l3_in_use", this_l3, true, false }, { "root_in_use", this_l4, true, false }, { "pinned_l1", table, true, false },
    { "descriptor_page", gdt, true, false }, { "shared_info", shared, true, true },
    { "somebody_elses", foreign_frame, false, false }, { "frame_at_4g", zero, false, false },
    { "hypervisor_image", image, false, false }, { "behind_memory", behind, false, false },
    { "invalid_frame", invalid, false, false }, { "local_apic", local_apic, false, false },
    { "io_apic", io_apic, false, false },
};

static void make_special_pages(void)
{
    uint64_t frame;

    if (descriptors)
        return;
    descriptors = page_alloc();
    unpinned = page_alloc();
    EXPECT_EQ(make_readonly(descriptors), 0);
    EXPECT_EQ(make_readonly(unpinned), 0);
    frame = mfn_of(descriptors);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(unpinned), 0), 0);
}

static void map_all(bool writable)
{
    unsigned int d, i;
    char attack[32];

    tree_make();
    make_special_pages();
    for (d = 0; d < DOORS; d++)
        for (i = 0; i < ARRAY_SIZE(targets); i++) {
            bool may = writable ? targets[i].may_write : targets[i].may_read;
            /* What of the machine's devices dom0 may map is policy. */
            bool policy = is_dom0() && targets[i].frame != own && !targets[i].may_read;
            long refusal = d == 2 ? TRAP(14) : REFUSED;
            long rc = doors[d].put(1, (targets[i].frame() << 12 & PTE_ADDR) |
                                      (writable ? PTE_FLAGS : PTE_RO_FLAGS));

            tree_mend();
            memcpy(attack, writable ? "write_" : "read_", 7);
            memcpy(attack + strlen(attack), doors[d].name, strlen(doors[d].name) + 1);
            verdict(attack, targets[i].name, rc, policy ? NO_GAIN : may ? 0 : refusal);
        }
}

TEST(read)
{
    map_all(false);
}

TEST(write)
{
    map_all(true);
}

TEST(clean_up)
{
    make_special_pages();
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, NULL, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(unpinned), 0), 0);
    EXPECT_EQ(make_writable(unpinned), 0);
    EXPECT_EQ(make_writable(descriptors), 0);
    page_free(unpinned);
    page_free(descriptors);
    descriptors = NULL;
}
