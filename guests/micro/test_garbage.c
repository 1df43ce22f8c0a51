/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments that point nowhere, at every family and sub-operation that takes a pointer: an error, never an
 * end.
 * What each answers is observed as one line per family, for comparison.
 */

#include "mm.h"
#include "trap.h"

#include "event.h"

/*
 * A family: its number, which argument is the sub-operation and which the pointer, and how many sub-
 * operations.
 */
struct family {
    const char *name;
    unsigned int nr, pointer_at, count;
    uint64_t skip;                      /* bit set: a sub-operation that does something without its pointer */
};

static const struct family families[] = {
    { "memory_op", __HYPERVISOR_memory_op, 1, 29, 0 },
    { "xen_version", __HYPERVISOR_xen_version, 1, 12, 0 },
    { "grant_table_op", __HYPERVISOR_grant_table_op, 1, 14, 0 },
    { "event_channel_op", __HYPERVISOR_event_channel_op, 1, 15, 0 },
    { "physdev_op", __HYPERVISOR_physdev_op, 1, 34, 0 },
    { "callback_op", __HYPERVISOR_callback_op, 1, 3, 0 },
    { "vcpu_op", __HYPERVISOR_vcpu_op, 2, 16, 1 << 1 | 1 << 2 | 1 << 11 },
    { "hvm_op", __HYPERVISOR_hvm_op, 1, 26, 0 },
    { "xenoprof_op", __HYPERVISOR_xenoprof_op, 1, 16, 0 },
    { "kexec_op", __HYPERVISOR_kexec_op, 1, 6, 0 },
    { "nmi_op", __HYPERVISOR_nmi_op, 1, 2, 0 },
    { "xenpmu_op", __HYPERVISOR_xenpmu_op, 1, 8, 0 },
    { "console_io", __HYPERVISOR_console_io, 2, 2, 1 << 1 },
};

static char *number(char *to, long n)
{
    unsigned long u = n < 0 ? -(unsigned long)n : (unsigned long)n;
    char digits[24];
    int len = 0;

    if (n < 0)
        *to++ = '-';
    do {
        digits[len++] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    while (len)
        *to++ = digits[--len];
    *to++ = ' ';
    *to = 0;
    return to;
}

static long call(const struct family *f, unsigned int sub, uint64_t pointer)
{
    if (f->pointer_at == 2)
        return hypercall(f->nr, sub, f->nr == __HYPERVISOR_console_io ? 16 : 0, pointer);
    return hypercall(f->nr, sub, pointer, 1);
}

TEST(every_sub_operation)
{
    static const uint64_t bad[] = { 8, 1UL << 63, 0xffff830000000000, SCRATCH + 0x555000 };
    char line[400], *end;
    unsigned int i, sub, k;

    for (i = 0; i < ARRAY_SIZE(families); i++) {
        end = line;
        line[0] = 0;
        for (sub = 0; sub < families[i].count; sub++) {
            long first = 0;

            if (families[i].skip & 1UL << sub)
                continue;
            for (k = 0; k < ARRAY_SIZE(bad); k++) {
                long rc = call(&families[i], sub, bad[k]);

                if (k == 0)
                    first = rc;
                else if (!EXPECT_EQ(rc, first))
                    print("# %s %u with 0x%lx\n", families[i].name, sub, bad[k]);
            }
            end = number(end, first);
        }
        obs_str(families[i].name, line);
    }
    trap_init();
}

TEST(whole_argument_structures)
{
    static const struct { const char *name; unsigned int nr; } list[] = {
        { "set_trap_table", __HYPERVISOR_set_trap_table }, { "platform_op", __HYPERVISOR_platform_op },
        { "domctl", __HYPERVISOR_domctl }, { "sysctl", __HYPERVISOR_sysctl }, { "mca", __HYPERVISOR_arch_0 },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        EXPECT(hypercall(list[i].nr, 8) < 0);
        EXPECT(hypercall(list[i].nr, 1UL << 63) < 0);
        EXPECT(hypercall(list[i].nr, 0xffff830000000000) < 0);
        EXPECT(hypercall(list[i].nr, SCRATCH + 0x555000) < 0);
    }
    trap_init();
}

/* An argument across a page's end whose second half is not there; results that cannot be stored. */
TEST(half_there)
{
    uint64_t va = SCRATCH + 0x240000000UL;
    char *page = page_alloc();
    struct evtchn_alloc_unbound *a = (void *)(va + PAGE_SIZE - 4);
    long first;

    EXPECT_EQ(map(va, mfn_of(page) << 12 | PTE_FLAGS), 0);
    *(uint16_t *)(page + PAGE_SIZE - 4) = DOMID_SELF;
    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, a), -XEN_EFAULT);
    EXPECT_EQ(hypercall(__HYPERVISOR_xen_version, 1, va + PAGE_SIZE - 8), -XEN_EFAULT);
    /* a read-only page: the port was made, but nobody is told */
    a = (void *)va;
    *(struct evtchn_alloc_unbound *)page = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF,
            .remote_dom = DOMID_SELF };
    EXPECT_EQ(update_va((void *)va, mfn_of(page) << 12 | PTE_RO_FLAGS, UVMF_INVLPG), 0);
    first = port_alloc(DOMID_SELF, DOMID_SELF);
    EXPECT_EQ(port_close((evtchn_port_t)first), 0);
    EXPECT_EQ(evtchn(EVTCHNOP_alloc_unbound, a), -XEN_EFAULT);
    obs("port_given_back", port_close((evtchn_port_t)first) != 0);
    EXPECT_EQ(update_va((void *)va, 0, UVMF_INVLPG), 0);
    page_free(page);
}

/* Counts that would overflow or never end. */
TEST(huge_counts)
{
    static struct mmu_update req;
    unsigned int done = 0;

    obs("mmu_update", mmu_updates(&req, 0x7fffffff, &done, DOMID_SELF) < 0);
    obs("mmuext", hypercall(__HYPERVISOR_mmuext_op, 8, 0x7fffffff, &done, DOMID_SELF));
    obs("grant", hypercall(__HYPERVISOR_grant_table_op, 5, 8, 0x7fffffff));
    obs("console", hypercall(__HYPERVISOR_console_io, 0, 0x7fffffff, 8));
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, 8, 0x7fffffff), -XEN_EINVAL);
}
