/* SPDX-License-Identifier: BSD-2-Clause */
/* Time as shared memory tells it, and assists. */

#include "event.h"

#include <xen/features.h>

#include "mm.h"

TEST(clock)
{
    uint64_t a = now(), b, tsc;
    struct vcpu_time_info *t = &vcpu_info()->time;

    EXPECT_NE(a, 0);
    EXPECT_NE(t->tsc_to_system_mul, 0);
    EXPECT_EQ(t->version & 1, 0);
    tsc = rdtsc();
    while (rdtsc() - tsc < 1000000)
        ;
    b = now();
    EXPECT(b > a);
    obs("flags", t->flags);
}

TEST(clock_goes_on_across_sleep)
{
    uint64_t a = now(), last = a, n;
    unsigned int i;

    for (i = 0; i < 1000; i++) {
        hypercall(__HYPERVISOR_sched_op, 0, 0);
        n = now();
        EXPECT(n >= last);
        last = n;
    }
    EXPECT(last > a);
}

TEST(wallclock)
{
    EXPECT_NE(shared_info->wc_sec, 0);
    EXPECT_EQ(shared_info->wc_version & 1, 0);
    EXPECT(shared_info->wc_nsec < 1000000000);
    EXPECT_EQ(shared_info->wc_sec_hi, 0);
    EXPECT(shared_info->wc_sec > 1600000000);
}

TEST(start_info_fields)
{
    EXPECT_EQ(memcmp(start_info->magic, "xen-3.0-x86_64", 14), 0);
    EXPECT_EQ(start_info->shared_info & 0xfff, 0);
    EXPECT_GE(start_info->nr_pages, 1024);
    EXPECT_EQ(start_info->pt_base & 0xfff, 0);
    EXPECT_GE(start_info->nr_pt_frames, 3);
    EXPECT_EQ(start_info->mod_len, 0);
    if (is_dom0()) {
        EXPECT_EQ(start_info->flags & 0xff, SIF_PRIVILEGED | SIF_INITDOMAIN);
        EXPECT_EQ(start_info->store_mfn, 0);
        EXPECT_EQ(start_info->store_evtchn, 0);
        obs("console_off", start_info->console.dom0.info_off);
        obs("console_size", start_info->console.dom0.info_size);
    } else {
        EXPECT_NE(start_info->store_mfn, 0);
        EXPECT_NE(start_info->store_evtchn, 0);
        EXPECT_NE(start_info->console.domU.mfn, 0);
    }
    obs("flags", start_info->flags);
    obs("nr_pages", (long)start_info->nr_pages);
    EXPECT(boot_rsp > start_info->pt_base);
    obs("stack_offset", (long)(boot_rsp & 0xfff));
}

/* P2M and M2P agree everywhere. */
TEST(p2m_and_m2p)
{
    unsigned long pfn, wrong = 0;

    for (pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += m2p(p2m()[pfn]) != pfn;
    obs("wrong", (long)wrong);
    EXPECT(wrong <= start_info->nr_pages / 100);
}

TEST(vm_assist)
{
    static const char *const names[] = { "4gb_segments", "4gb_segments_notify", "writable_pagetables",
                                         "pae_extended_cr3",
                                         "architectural_iopl", "runstate_update_flag" };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        obs(names[i], hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, i));
        if (i != VMASST_TYPE_writable_pagetables)
            hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_disable, i);
    }
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 31), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 63), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, ~0u), -XEN_EINVAL);
    EXPECT_EQ(hypercall(__HYPERVISOR_vm_assist, 7, 0), -XEN_ENOSYS);
}
