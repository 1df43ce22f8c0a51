/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that pretend to go on with what was never begun: where a call stopped is in the guest's registers and memory, so that a
 * guest can say that it stopped anywhere. Nothing may be done twice or left out that is counted: the domain has as many pages
 * after each as before.
 */

#include "hostile.h"

#include <xen/memory.h>

#define EXTENTS 4

static xen_pfn_t frames[EXTENTS];

static long pages(void)
{
    domid_t self = DOMID_SELF;

    return hypercall(__HYPERVISOR_memory_op, XENMEM_current_reservation, &self);
}

/* An answer that says how far it came is as good as 0. */
static long ended(long rc)
{
    return rc > 0 ? 0 : rc;
}

TEST(extents)
{
    static const struct { const char *name; unsigned int cmd; } ops[] = {
        { "increase", XENMEM_increase_reservation }, { "decrease", XENMEM_decrease_reservation },
        { "populate", XENMEM_populate_physmap },
    };
    static const struct { const char *name; unsigned long start; } starts[] = {
        { "at_end", EXTENTS }, { "behind_end", EXTENTS + 1 }, { "n65536", 65536 }, { "int_max", 0x1ffffff },
        { "most", (1UL << 58) - 1 },
    };
    unsigned int o, i, k;

    for (o = 0; o < ARRAY_SIZE(ops); o++)
        for (i = 0; i < ARRAY_SIZE(starts); i++) {
            struct xen_memory_reservation r = { .nr_extents = EXTENTS, .domid = DOMID_SELF };
            long before = pages(), rc;

            for (k = 0; k < EXTENTS; k++)
                frames[k] = 0xfffffff;
            set_xen_guest_handle(r.extent_start, frames);
            rc = hypercall(__HYPERVISOR_memory_op, ops[o].cmd | starts[i].start << 6, &r);
            EXPECT_EQ(pages(), before);
            verdict(ops[o].name, starts[i].name, ended(rc), NO_GAIN);
        }
}

/* The field that says how many were exchanged is read as well as written. */
TEST(exchanged)
{
    static const struct { const char *name; unsigned long done; } odd[] = {
        { "one", 1 }, { "all", EXTENTS }, { "one_more", EXTENTS + 1 }, { "int_min", 0x80000000 }, { "minus_one", ~0UL },
        { "bit63", 1UL << 63 },
    };
    unsigned int i, k;

    for (i = 0; i < ARRAY_SIZE(odd); i++) {
        static xen_pfn_t in[EXTENTS], out[EXTENTS];
        struct xen_memory_exchange x = { .in = { .nr_extents = EXTENTS, .domid = DOMID_SELF },
                                         .out = { .nr_extents = EXTENTS, .domid = DOMID_SELF }, .nr_exchanged = odd[i].done };
        long before = pages(), rc;

        for (k = 0; k < EXTENTS; k++)
            in[k] = out[k] = 0xfffffff;
        set_xen_guest_handle(x.in.extent_start, in);
        set_xen_guest_handle(x.out.extent_start, out);
        rc = hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
        EXPECT_EQ(pages(), before);
        verdict("exchange", odd[i].name, ended(rc), NO_GAIN);
    }
}

/* The bit in a count of updates that says: this is not the first time. */
TEST(preempted)
{
    static const struct { const char *name; unsigned int count; } counts[] = {
        { "nothing", 0x80000000 }, { "one", 0x80000001 }, { "two", 0x80000002 }, { "most", 0xffffffff }, { "half", 0xc0000000 },
    };
    static const struct { const char *name; uint64_t done; } places[] = {
        { "null", 0 }, { "hypervisor", 0xffff830000000000 }, { "non_canonical", 0x800000000000 }, { "m2p", MACH2PHYS_VIRT_START },
    };
    unsigned int i, k;

    for (i = 0; i < ARRAY_SIZE(counts); i++) {
        struct mmu_update u[2] = { { .ptr = ~0UL << 3, .val = 0 }, { .ptr = ~0UL << 3, .val = 0 } };
        struct mmuext_op e[2] = { { .cmd = 77 }, { .cmd = 77 } };

        for (k = 0; k < ARRAY_SIZE(places); k++) {
            char attack[40] = "mmu_update_";

            memcpy(attack + 11, places[k].name, strlen(places[k].name) + 1);
            verdict(attack, counts[i].name,
                    ended(hypercall(__HYPERVISOR_mmu_update, u, counts[i].count, places[k].done, DOMID_SELF)), NO_GAIN);
            memcpy(attack, "mmuext_op__", 11);
            verdict(attack, counts[i].name,
                    ended(hypercall(__HYPERVISOR_mmuext_op, e, counts[i].count, places[k].done, DOMID_SELF)), NO_GAIN);
        }
    }
}
