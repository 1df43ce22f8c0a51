/* SPDX-License-Identifier: BSD-2-Clause */
/* platform_op: what dom0 alone may ask about and set in the machine. */

#include "event.h"
#include "mm.h"

#include <xen/platform.h>

static struct xen_platform_op op;

static long platform(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XENPF_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_platform_op, &op);
}

static void fresh(void)
{
    memset(&op, 0, sizeof(op));
}

TEST(handshake)
{
    fresh();
    if (!is_dom0()) {
        EXPECT_EQ(platform(XENPF_settime64), -XEN_EPERM);
        return;
    }
    EXPECT_EQ(platform(9999), -XEN_ENOSYS);
    op.cmd = XENPF_get_cpuinfo;
    op.interface_version = 0x12345678;
    EXPECT_EQ(hypercall(__HYPERVISOR_platform_op, &op), -XEN_EACCES);
    EXPECT_EQ(hypercall(__HYPERVISOR_platform_op, 8), -XEN_EFAULT);
}

TEST(settime)
{
    uint32_t before;

    if (!is_dom0())
        return;
    fresh();
    before = shared_info->wc_version;
    op.u.settime64.secs = 1700000000;
    op.u.settime64.nsecs = 5;
    op.u.settime64.system_time = now();
    EXPECT_EQ(platform(XENPF_settime64), 0);
    EXPECT_NE(shared_info->wc_version, before);
    EXPECT_EQ(shared_info->wc_version & 1, 0);
    EXPECT(shared_info->wc_sec <= 1700000000 && shared_info->wc_sec > 1700000000 - 3600);
    op.u.settime64.mbz = 1;
    EXPECT_EQ(platform(XENPF_settime64), -XEN_EINVAL);
    fresh();
    op.u.settime32.secs = 1700000000;
    op.u.settime32.system_time = now();
    EXPECT_EQ(platform(XENPF_settime32), 0);
}

TEST(cpuinfo)
{
    if (!is_dom0())
        return;
    fresh();
    EXPECT_EQ(platform(XENPF_get_cpuinfo), 0);
    EXPECT_EQ(op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE, XEN_PCPU_FLAGS_ONLINE);
    EXPECT_EQ(op.u.pcpu_info.apic_id, 0);
    obs("max_present", op.u.pcpu_info.max_present);
    obs("acpi_id", op.u.pcpu_info.acpi_id);
    fresh();
    op.u.pcpu_info.xen_cpuid = 200;
    EXPECT_EQ(platform(XENPF_get_cpuinfo), 0);
    EXPECT_EQ(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);
    fresh();
    EXPECT_EQ(platform(XENPF_get_cpu_version), 0);
    obs("family", op.u.pcpu_version.family);
    obs("model", op.u.pcpu_version.model);
    fresh();
    op.u.pcpu_version.xen_cpuid = 200;
    obs("version_of_none", platform(XENPF_get_cpu_version));
    fresh();
    op.u.cpu_ol.cpuid = 200;
    obs("online_none", platform(XENPF_cpu_online));
    obs("offline_none", platform(XENPF_cpu_offline));
    op.u.cpu_ol.cpuid = 0;
    obs("offline_boot_cpu", platform(XENPF_cpu_offline));
}

TEST(firmware)
{
    if (!is_dom0())
        return;
    fresh();
    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    obs("kbd", platform(XENPF_firmware_info));
    fresh();
    op.u.firmware_info.type = XEN_FW_DISK_INFO;
    op.u.firmware_info.index = 50;
    EXPECT_EQ(platform(XENPF_firmware_info), -XEN_ESRCH);
    op.u.firmware_info.type = XEN_FW_DISK_MBR_SIGNATURE;
    EXPECT_EQ(platform(XENPF_firmware_info), -XEN_ESRCH);
    op.u.firmware_info.type = XEN_FW_EFI_INFO;
    op.u.firmware_info.index = XEN_FW_EFI_CONFIG_TABLE;
    obs("efi", platform(XENPF_firmware_info));
    op.u.firmware_info.type = 99;
    EXPECT_EQ(platform(XENPF_firmware_info), -XEN_EINVAL);
    fresh();
    op.u.efi_runtime_call.function = XEN_EFI_get_time;
    obs("efi_runtime", platform(XENPF_efi_runtime_call));
}

/* On machines whose firmware has a clock to ask: it can be set to what it says, and an alarm be switched on and off. */
TEST(efi_time)
{
    struct xenpf_efi_runtime_call *c = &op.u.efi_runtime_call;
    struct xenpf_efi_time t;

    if (!is_dom0())
        return;
    fresh();
    c->function = XEN_EFI_get_time;
    if (platform(XENPF_efi_runtime_call) || c->status)
        return;
    t = c->u.get_time.time;
    EXPECT(t.year >= 2020 && t.month >= 1 && t.month <= 12 && t.day >= 1 && t.day <= 31 && t.hour < 24 && t.min < 60);
    fresh();
    c->function = XEN_EFI_set_time;
    c->u.set_time = t;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    EXPECT_EQ(c->status, 0);
    t.hour = 23, t.min = t.sec = 59; /* EDK II's alarm is of the same day */
    fresh();
    c->function = XEN_EFI_set_wakeup_time;
    c->misc = XEN_EFI_SET_WAKEUP_TIME_ENABLE;
    c->u.set_wakeup_time = t;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    obs("set_alarm", (long)c->status);
    fresh();
    c->function = XEN_EFI_get_wakeup_time;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    obs("alarm", c->misc);
    fresh();
    c->function = XEN_EFI_set_wakeup_time;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    fresh();
    c->function = XEN_EFI_get_wakeup_time;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    obs("no_alarm", c->misc);
    fresh();
    c->function = XEN_EFI_get_next_high_monotonic_count;
    EXPECT_EQ(platform(XENPF_efi_runtime_call), 0);
    obs("count_status", (long)c->status);
}

TEST(resources)
{
    static xenpf_resource_entry_t e[2];

    if (!is_dom0())
        return;
    fresh();
    e[0] = (xenpf_resource_entry_t){ .u.cmd = XEN_RESOURCE_OP_MSR_READ, .idx = 0x10 };
    op.u.resource_op.nr_entries = 1;
    op.u.resource_op.cpu = 0;
    set_xen_guest_handle(op.u.resource_op.entries, e);
    obs("read_tsc", platform(XENPF_resource_op));
    e[0].idx = 0x1b;
    obs("read_apic_base", platform(XENPF_resource_op));
}

TEST(symbols)
{
    static char name[128];

    if (!is_dom0())
        return;
    fresh();
    op.u.symdata.namelen = sizeof(name);
    set_xen_guest_handle(op.u.symdata.name, name);
    obs("rc", platform(XENPF_get_symbol));
}

TEST(others)
{
    if (!is_dom0())
        return;
    fresh();
    obs("getidletime", platform(XENPF_getidletime));
    fresh();
    obs("microcode", platform(XENPF_microcode_update));
    fresh();
    op.u.core_parking.type = XEN_CORE_PARKING_GET;
    obs("core_parking", platform(XENPF_core_parking));
    fresh();
    op.u.set_pminfo.id = 200;
    op.u.set_pminfo.type = XEN_PM_CX;
    obs("pminfo_bad", platform(XENPF_set_processor_pminfo));
    fresh();
    op.u.enter_acpi_sleep.sleep_state = 99;
    obs("sleep_bad", platform(XENPF_enter_acpi_sleep));
    fresh();
    op.u.change_freq.cpu = 0;
    obs("change_freq", platform(XENPF_change_freq));
    fresh();
    obs("add_memtype", platform(XENPF_add_memtype));
    fresh();
    obs("read_memtype", platform(XENPF_read_memtype));
}
