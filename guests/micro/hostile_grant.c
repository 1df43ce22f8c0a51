/* SPDX-License-Identifier: BSD-2-Clause */
/* Wild references, handles, addresses and flags at the grant-table operations. */

#include "hostile_door.h"

#include "grant.h"

#define REF 40                          /* a good one */

static char *given, *window;

static void init(void)
{
    if (!given) {
        given = page_alloc();
        window = page_alloc();
    }
    tree_make();
    EXPECT(grant_setup());
    grant_page(REF, given, own_domid(), 0);
    EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
}

static const struct {
    const char *name;
    uint32_t n;
} numbers[] = {
    { "unused", 60 }, { "end_of_frame", 511 }, { "behind_frame", 512 }, { "behind_table", 512 * 64 },
    { "n16bit", 0xffff }, { "int_max", 0x7fffffff }, { "int_min", 0x80000000 }, { "minus_one", ~0u },
};

static long map_ref(uint32_t n) { return grant_map(window, own_domid(), n, GNTMAP_host_map, NULL); }
static long unmap(uint32_t n)   { return grant_unmap(U(window), n); }

static long unmap_replace(uint32_t n)
{
    struct gnttab_unmap_and_replace op = { .host_addr = U(window), .new_addr = U(given), .handle = n };

    return grant_op(GNTTABOP_unmap_and_replace, &op, 1) ?: op.status;
}

static long copy_from(uint32_t n)
{
    return grant_copy((struct copy_side){ n, own_domid(), 0 }, (struct copy_side){ mfn_of(given), DOMID_SELF, 0 }, 64,
                      GNTCOPY_source_gref);
}

static long copy_to(uint32_t n)
{
    return grant_copy((struct copy_side){ mfn_of(given), DOMID_SELF, 0 }, (struct copy_side){ n, own_domid(), 0 }, 64,
                      GNTCOPY_dest_gref);
}

static long swap(uint32_t n)
{
    struct gnttab_swap_grant_ref op = { .ref_a = REF, .ref_b = n };

    return n < 512 ? -1 : grant_op(GNTTABOP_swap_grant_ref, &op, 1) ?: op.status;
}

static long version(uint32_t n)
{
    struct gnttab_set_version op = { .version = n };

    return grant_op(GNTTABOP_set_version, &op, 1);
}

static long table_size(uint32_t n)
{
    static xen_pfn_t frames[1];
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = n | 0x10000 };

    set_xen_guest_handle(op.frame_list, frames);
    return grant_op(GNTTABOP_setup_table, &op, 1) ?: op.status;
}

TEST(numbers)
{
    static const struct { const char *name; long (*run)(uint32_t n); } attacks[] = {
        { "map", map_ref }, { "unmap", unmap }, { "unmap_and_replace", unmap_replace }, { "copy_from", copy_from },
        { "copy_to", copy_to }, { "swap", swap }, { "set_version", version }, { "setup_table", table_size },
    };
    unsigned int a, i;

    init();
    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < ARRAY_SIZE(numbers); i++)
            verdict(attacks[a].name, numbers[i].name, attacks[a].run(numbers[i].n), REFUSED);
}

/* A good reference, mapped where nothing may be mapped. */
TEST(addresses)
{
    const struct { const char *name; uint64_t address; uint32_t flags; } wild[] = {
        { "null", 0, 0 }, { "no_tables", SCRATCH + 0x6000000000, 0 }, { "misaligned", U(window) + 8, 0 },
        { "non_canonical", 0x800000000000, 0 }, { "bit63", 1UL << 63, 0 }, { "hypervisor", 0xffff830000000000, 0 },
        { "m2p", MACH2PHYS_VIRT_START, 0 }, { "top", ~0UL, 0 },
        { "pte_not_l1", maddr_of(pte_of(window, 2)), GNTMAP_contains_pte },
        { "pte_in_root", maddr_of(boot_l4() + 280), GNTMAP_contains_pte },
        { "pte_in_hypervisor_slot", maddr_of(boot_l4() + 256), GNTMAP_contains_pte },
        { "pte_in_own_page", maddr_of(given), GNTMAP_contains_pte },
        { "pte_in_foreign_frame", foreign_frame() << 12, GNTMAP_contains_pte },
        { "pte_misaligned", maddr_of(pte_of(window, 1)) + 4, GNTMAP_contains_pte },
        { "pte_behind_memory", 0xfffffffffff8UL, GNTMAP_contains_pte },
    };
    unsigned int i, ro;

    init();
    for (ro = 0; ro < 2; ro++)
        for (i = 0; i < ARRAY_SIZE(wild); i++) {
            grant_handle_t handle = ~0u;
            long rc = grant_map((void *)wild[i].address, own_domid(), REF,
                                GNTMAP_host_map | wild[i].flags | (ro ? GNTMAP_readonly : 0), &handle);

            if (rc == 0)
                grant_unmap(wild[i].address, handle);
            verdict(ro ? "map_read_only_at" : "map_at", wild[i].name, rc, REFUSED);
        }
}

/* Every combination of mapping flags; what is mapped is unmapped again, and nothing stays. */
TEST(flags)
{
    static const struct { const char *name; uint32_t flags; } flags[] = {
        { "none", 0 }, { "device", GNTMAP_device_map }, { "read_only_alone", GNTMAP_readonly },
        { "device_and_host", GNTMAP_device_map | GNTMAP_host_map }, { "application", GNTMAP_host_map | GNTMAP_application_map },
        { "application_alone", GNTMAP_application_map }, { "pte_alone", GNTMAP_contains_pte },
        { "can_fail", GNTMAP_host_map | 1u << 6 }, { "unknown_bit", GNTMAP_host_map | 0x80 },
        { "unknown_high", GNTMAP_host_map | 0x8000 }, { "guest_avail", GNTMAP_host_map | 0xffff0000 }, { "all", ~0u },
    };
    unsigned int i;

    init();
    for (i = 0; i < ARRAY_SIZE(flags); i++) {
        grant_handle_t handle = ~0u;
        long rc = grant_map(window, own_domid(), REF, flags[i].flags, &handle);

        if (rc == 0) {
            struct gnttab_unmap_grant_ref op = { .host_addr = U(window), .handle = handle };

            if (flags[i].flags & GNTMAP_device_map)
                op.dev_bus_addr = maddr_of(given);
            if (!(flags[i].flags & GNTMAP_host_map))
                op.host_addr = 0;
            EXPECT_EQ(grant_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
        }
        verdict("map_flags", flags[i].name, rc, NO_GAIN);
        EXPECT_EQ(update_va(window, 0, UVMF_INVLPG), 0);
    }
}

/* A copy whose pieces do not fit their pages, or whose frames are nobody's. */
TEST(copies)
{
    const uint64_t own = mfn_of(given ?: (given = page_alloc()));
    const struct { const char *name; uint64_t from; uint16_t from_at; uint64_t to; uint16_t to_at, len, flags; } c[] = {
        { "source_over_end", own, 4095, own, 0, 2, 0 }, { "target_over_end", own, 0, own, 4095, 2, 0 },
        { "too_long", own, 0, own, 0, 4097, 0 }, { "longest", own, 0, own, 0, 0xffff, 0 },
        { "offset_behind", own, 4096, own, 0, 1, 0 }, { "offset_max", own, 0xffff, own, 0, 1, 0 },
        { "target_offset_max", own, 0, own, 0xffff, 1, 0 }, { "sum_wraps", own, 0xfff0, own, 0xfff0, 0xfff0, 0 },
        { "foreign_source", foreign_frame(), 0, own, 0, 8, 0 }, { "foreign_target", own, 0, foreign_frame(), 0, 8, 0 },
        { "wild_source", 0xfffffffff, 0, own, 0, 8, 0 }, { "wild_target", own, 0, 0xfffffffff, 0, 8, 0 },
        { "max_source", ~0UL, 0, own, 0, 8, 0 }, { "onto_page_table", own, 0, mfn_of(boot_l4()), 0, 8, 0 },
        { "onto_m2p_like", own, 0, 0, 0, 8, 0 }, { "unknown_flags", own, 0, own, 0, 8, 0xfff8 },
        { "hypervisor_image", 0x200, 0, own, 0, 8, 0 }, { "onto_hypervisor_image", own, 0, 0x200, 0, 8, 0 },
    };
    unsigned int i;

    init();
    for (i = 0; i < ARRAY_SIZE(c); i++)
        verdict("copy", c[i].name, grant_copy((struct copy_side){ c[i].from, DOMID_SELF, c[i].from_at },
                                              (struct copy_side){ c[i].to, DOMID_SELF, c[i].to_at }, c[i].len,
                                              c[i].flags), !strcmp(c[i].name, "unknown_flags") ? NO_GAIN : REFUSED);
}
