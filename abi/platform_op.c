/* SPDX-License-Identifier: BSD-2-Clause */
/* HYPERVISOR_platform_op: what dom0 asks of the machine itself: clock, firmware, sleep, CPUs. */
#include "abi/efi_call.h"
#include "abi/hypercall.h"
#include "abi/processor_info.h"
#include "core/cpumask.h"
#include "core/firmware.h"
#include "core/guest.h"
#include "core/pcpu.h"
#include "core/power.h"
#include "core/time.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"

#include <xen/platform.h>

/* ---- The wall clock ---- */

static long set_time(struct hypercall *hc, uint64_t secs, uint32_t nsecs, uint64_t system_time)
{
    if (nsecs >= SEC(1))
        return refuse(hc->v, -EINVAL, "wall clock with %u ns", nsecs);
    time_set_wallclock(secs, nsecs, system_time);
    return 0;
}

static long platform_settime32(struct hypercall *hc, void *arg)
{
    const struct xenpf_settime32 *t = &((const struct xen_platform_op *)arg)->u.settime32;

    return set_time(hc, t->secs, t->nsecs, t->system_time);
}

static long platform_settime64(struct hypercall *hc, void *arg)
{
    const struct xenpf_settime64 *t = &((const struct xen_platform_op *)arg)->u.settime64;

    if (t->mbz)
        return refuse(hc->v, -EINVAL, "wall clock with reserved bits %#x", t->mbz);
    return set_time(hc, t->secs, t->nsecs, t->system_time);
}

/* ---- Firmware ---- */

/* The vendor's name, cut to the guest's buffer, its last character always 0. */
static long efi_vendor(union xenpf_efi_info *info)
{
    uint16_t name[ARRAY_SIZE(firmware_efi.vendor)];
    size_t room = MIN(info->vendor.bufsz / sizeof(*name), ARRAY_SIZE(name));

    info->vendor.revision = firmware_efi.revision;
    if (room == 0)
        return 0;
    memcpy(name, firmware_efi.vendor, sizeof(name));
    name[room - 1] = 0;
    return guest_write(handle_ptr(info->vendor.name), name, room * sizeof(*name));
}

/* What dom0 can't look up: it gets no pointer to the system table. */
static long efi_info(struct hypercall *hc, uint32_t index, union xenpf_efi_info *info)
{
    if (!firmware_efi.version)
        return -ENOSYS;
    switch (index) {
    case XEN_FW_EFI_VERSION:
        info->version = firmware_efi.version;
        return 0;
    case XEN_FW_EFI_RT_VERSION:
        info->version = firmware_efi.runtime_version;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        info->cfg.addr = firmware_efi.tables;
        info->cfg.nent = firmware_efi.nr_tables;
        return 0;
    case XEN_FW_EFI_VENDOR:
        return efi_vendor(info);
    default:
        return refuse(hc->v, -ENOSYS, "EFI information %u", index);
    }
}

/*
 * The BIOS was never asked for its disks or display: whoever boots by multiboot has no way to. Kernels count
 * disks until there is an error. Of the keyboard no shift key is held.
 */
static long platform_firmware_info(struct hypercall *hc, void *arg)
{
    struct xenpf_firmware_info *info = &((struct xen_platform_op *)arg)->u.firmware_info;

    switch (info->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        info->u.kbd_shift_flags = 0;
        return 0;
    case XEN_FW_EFI_INFO:
        return efi_info(hc, info->index, &info->u.efi_info);
    default:
        return refuse(hc->v, -EINVAL, "firmware information of type %u", info->type);
    }
}

static long platform_efi_call(struct hypercall *hc, void *arg)
{
    return efi_call(hc, &((struct xen_platform_op *)arg)->u.efi_runtime_call);
}

/* ---- Sleep ---- */

static long platform_sleep(struct hypercall *hc, void *arg)
{
    const struct xenpf_enter_acpi_sleep *s = &((const struct xen_platform_op *)arg)->u.enter_acpi_sleep;
    int err = s->flags ? -EOPNOTSUPP : power_sleep(s->sleep_state, s->val_a, s->val_b);

    return refuse(hc->v, err, "sleep state S%u, flags %#x", s->sleep_state, s->flags);
}

/* ---- CPUs ---- */

static long platform_cpuinfo(struct hypercall *hc, void *arg)
{
    struct xenpf_pcpuinfo *info = &((struct xen_platform_op *)arg)->u.pcpu_info;
    const struct pcpu *c = NULL;

    if (info->xen_cpuid < pcpu_count)
        c = pcpus[clamp_index(info->xen_cpuid, MAX_CPUS)];
    info->max_present = pcpu_count - 1;
    info->flags = c ? (cpumask_has(pcpu_online, c->id) ? XEN_PCPU_FLAGS_ONLINE : 0) : XEN_PCPU_FLAGS_INVALID;
    info->apic_id = c ? c->apic_id : 0;
    info->acpi_id = c ? c->acpi_id : 0;
    return 0;
}

/* Vendor, family, model and stepping; zeros for a CPU that there is not. All CPUs of a machine are alike. */
static long platform_cpu_version(struct hypercall *hc, void *arg)
{
    struct xenpf_pcpu_version *out = &((struct xen_platform_op *)arg)->u.pcpu_version;
    const struct cpu_policy *raw = &machine_cpu_policies()->of[CPU_POLICY_RAW];
    struct cpuid_leaf vendor = cpu_policy_leaf(raw, 0, 0);
    struct cpu_version v = cpu_version(cpu_policy_leaf(raw, 1, 0).a);
    uint32_t cpu = out->xen_cpuid;

    *out = (struct xenpf_pcpu_version){ .xen_cpuid = cpu, .max_present = pcpu_count - 1 };
    if (cpu >= pcpu_count)
        return 0;
    memcpy(out->vendor_id, &vendor.b, 4);
    memcpy(out->vendor_id + 4, &vendor.d, 4);
    memcpy(out->vendor_id + 8, &vendor.c, 4);
    out->family = v.family;
    out->model = v.model;
    out->stepping = v.stepping;
    return 0;
}

/* The image carries no symbols: the list is at its end at once (symnum comes back as it was). */
static long platform_symbol(struct hypercall *hc, void *arg)
{
    ((struct xen_platform_op *)arg)->u.symdata.namelen = 0;
    return 0;
}

/* All CPUs that there are, are online; so it is done already. */
static long platform_cpu_online(struct hypercall *hc, void *arg)
{
    uint32_t cpu = ((const struct xen_platform_op *)arg)->u.cpu_ol.cpuid;

    if (cpu >= pcpu_count)
        return refuse(hc->v, -EINVAL, "CPU %u of %u", cpu, pcpu_count);
    return 0;
}

/* They are not taken down. */
static long platform_cpu_offline(struct hypercall *hc, void *arg)
{
    uint32_t cpu = ((const struct xen_platform_op *)arg)->u.cpu_ol.cpuid;

    return refuse(hc->v, cpu >= pcpu_count ? -EINVAL : -EOPNOTSUPP, "CPU %u of %u off", cpu, pcpu_count);
}

static long platform_core_parking(struct hypercall *hc, void *arg)
{
    struct xenpf_core_parking *park = &((struct xen_platform_op *)arg)->u.core_parking;

    if (park->type != XEN_CORE_PARKING_GET)
        return refuse(hc->v, -EOPNOTSUPP, "core parking %u", park->type);
    park->idle_nums = 0;
    return 0;
}

static long platform_unsupported(struct hypercall *hc, void *arg)
{
    return refuse(hc->v, -EOPNOTSUPP, "platform operation %u", ((const struct xen_platform_op *)arg)->cmd);
}

/* ---- The family ---- */

_Static_assert(sizeof(struct xen_platform_op) <= SUBOP_MAX_SIZE, "fits the dispatcher's copy");

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#include "abi/table/platform_op.def"
#undef ROW
};

/* The command is read here and once more with the rest: only the first reading decides who handles it. */
long do_platform_op(struct hypercall *hc)
{
    struct { uint32_t cmd, interface_version; } head;

    if (guest_read(&head, gptr(hc->arg[0]), sizeof(head)))
        return -EFAULT;
    if (head.interface_version != XENPF_INTERFACE_VERSION)
        return refuse(hc->v, -EACCES, "platform interface version %#x", head.interface_version);
    return subop_run(hc, rows, ARRAY_SIZE(rows), head.cmd, gptr(hc->arg[0]));
}
