/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Areas that the hypervisor writes by itself, again and again (runstate, time, vcpu_info), put where it must not write: tables in
 * use, descriptors, foreign pages, its own memory. What is there stays as it is, also after the vCPU has been switched to and
 * from. (A page of one's own that is mapped read-only is not protected from oneself.)
 */

#include "hostile.h"

#include <xen/vcpu.h>

#include "grant.h"

static uint64_t *table, *read_only, *descriptors, *vanishing;
static uint64_t edge;

static uint64_t sum(const void *page)
{
    const uint64_t *w = page;
    uint64_t s = 0;
    unsigned int i;

    for (i = 0; i < 512; i++)
        s = (s << 1 | s >> 63) ^ (w[i] & ~(PTE_A | PTE_D));
    return s;
}

static void init(void)
{
    uint64_t frame;

    (void)page_alloc();                 /* what lies before them may be written */
    table = page_alloc();
    read_only = page_alloc();
    descriptors = page_alloc();
    vanishing = page_alloc();
    edge = SCRATCH + 0x70a0000000;
    EXPECT_EQ(make_readonly(table), 0);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), 0);
    EXPECT_EQ(make_readonly(read_only), 0);
    EXPECT_EQ(make_readonly(descriptors), 0);
    frame = mfn_of(descriptors);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0);
    EXPECT_EQ(map(edge, mfn_of(vanishing) << 12 | PTE_FLAGS), 0);
    EXPECT(grant_setup());
}

static void clean_up(void)
{
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, NULL, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table), 0), 0);
    EXPECT_EQ(make_writable(table), 0);
    EXPECT_EQ(make_writable(read_only), 0);
    EXPECT_EQ(make_writable(descriptors), 0);
    EXPECT_EQ(update_va((void *)edge, 0, UVMF_INVLPG), 0);
    page_free(table);
    page_free(read_only);
    page_free(descriptors);
    page_free(vanishing);
}

static long set_area(unsigned int cmd, uint64_t at)
{
    union { struct vcpu_register_runstate_memory_area runstate; struct vcpu_register_time_memory_area time; } a;

    memset(&a, 0, sizeof(a));
    a.runstate.addr.p = at;
    return hypercall(__HYPERVISOR_vcpu_op, cmd, 0, &a);
}

static void switches(void)
{
    unsigned int i;

    for (i = 0; i < 4; i++)
        yield();
}

TEST(addresses)
{
    static const struct { const char *name; unsigned int cmd; } areas[] = {
        { "runstate", VCPUOP_register_runstate_memory_area }, { "time", VCPUOP_register_vcpu_time_memory_area },
    };
    static char harmless[2][256] __attribute__((aligned(256)));
    unsigned int a, i;

    init();
    {
        const struct { const char *name; uint64_t at; const void *watched; } odd[] = {
            { "root", U(boot_l4()), boot_l4() }, { "pinned_l1", U(table), table }, { "read_only", U(read_only), table },
            { "descriptors", U(descriptors), descriptors }, { "m2p", MACH2PHYS_VIRT_START, table },
            { "hypervisor", 0xffff830000000000, table }, { "hypervisor_last", 0xffff87fffffffff8, table },
            { "non_canonical", 0x800000000000, table }, { "bit63", 1UL << 63, table }, { "ones", ~0UL, table },
            { "wraps", ~0UL - 7, table }, { "null", 0, table }, { "unmapped", SCRATCH - PAGE_SIZE, table },
            { "into_table", U(table) - 8, table }, { "into_read_only", U(read_only) - 16, table },
            { "out_of_read_only", U(read_only) + PAGE_SIZE - 8, table }, { "end_of_page", edge + PAGE_SIZE - 8, table },
            { "unaligned", edge + 13, table }, { "grant_table", U(gt1), table }, { "shared_info", U(shared_info) + 0xf00, table },
        };

        for (a = 0; a < ARRAY_SIZE(areas); a++)
            for (i = 0; i < ARRAY_SIZE(odd); i++) {
                uint64_t before = sum(odd[i].watched);
                long rc = set_area(areas[a].cmd, odd[i].at);

                switches();
                EXPECT_EQ(sum(odd[i].watched), before);
                set_area(areas[a].cmd, U(harmless[a]));
                verdict(areas[a].name, odd[i].name, rc, NO_GAIN);
            }
    }
    for (a = 0; a < ARRAY_SIZE(areas); a++) {
        /* The page becomes something else while it is an area; a table is refused, or the area is left alone. */
        long rc = set_area(areas[a].cmd, edge + 64);

        EXPECT_EQ(update_va((void *)edge, 0, UVMF_INVLPG | UVMF_ALL), 0);
        switches();
        verdict(areas[a].name, "unmapped_later", rc, 0);
        EXPECT_EQ(make_readonly(vanishing), 0);
        rc = mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(vanishing), 0);
        switches();
        if (rc == 0)
            rc = mmuext(MMUEXT_UNPIN_TABLE, mfn_of(vanishing), 0);
        verdict(areas[a].name, "table_later", rc, NO_GAIN);
        set_area(areas[a].cmd, U(harmless[a]));
        EXPECT_EQ(make_writable(vanishing), 0);
        memset(vanishing, 0, PAGE_SIZE);
        EXPECT_EQ(map(edge, mfn_of(vanishing) << 12 | PTE_FLAGS), 0);
    }
    clean_up();
}

/* Of a vCPU that does not exist or has its own already; this one's stays where it is. */
TEST(vcpu_info_frames)
{
    unsigned int i;

    init();
    {
        const struct { const char *name; uint64_t mfn; uint32_t offset; } odd[] = {
            { "root", mfn_of(boot_l4()), 0 }, { "pinned_l1", mfn_of(table), 0 }, { "descriptors", mfn_of(descriptors), 0 },
            { "foreign", foreign_frame(), 0 }, { "image", 0x200, 0 }, { "invalid", ~0UL, 0 }, { "behind", 0xfffffff, 0 },
            { "local_apic", 0xfee00, 0 }, { "end_of_page", mfn_of(vanishing), 4096 - 63 }, { "unaligned", mfn_of(vanishing), 1 },
            { "offset_ones", mfn_of(vanishing), ~0u }, { "offset_page", mfn_of(vanishing), 4096 },
        };

        for (i = 0; i < ARRAY_SIZE(odd); i++) {
            struct vcpu_register_vcpu_info info = { .mfn = odd[i].mfn, .offset = odd[i].offset };

            verdict("vcpu_info", odd[i].name, hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, &info), REFUSED);
        }
    }
    clean_up();
}
