/* SPDX-License-Identifier: BSD-2-Clause */
/* HYPERVISOR_mca: dom0 fetches records of machine checks (core/mce.h), and learns which CPUs they are about. */
#include "abi/sysctl.h"
#include "core/mce.h"
#include "core/pcpu.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"
#include "x86/model/msr.h"

#include <xen/arch-x86/xen-mca.h>

/* ---- Records ---- */

_Static_assert(sizeof(struct mcinfo_global) + (MCE_BANKS + 1) * sizeof(struct mcinfo_bank) > sizeof(((struct mc_info *)0)->mi_data) &&
               sizeof(struct mcinfo_global) + MCE_BANKS * sizeof(struct mcinfo_bank) + sizeof(struct mcinfo_common) <=
               sizeof(((struct mc_info *)0)->mi_data), "as many banks as fit, and a zero behind them, at which clients stop");

static struct mcinfo_global global_of(const struct mce_event *e)
{
    struct cpu_place p = sysctl_cpu_place(e->cpu);

    return (struct mcinfo_global){
        .common = { MC_TYPE_GLOBAL, sizeof(struct mcinfo_global) },
        /* It was found by looking: who ran when it happened is not known. */
        .mc_domid = DOMID_INVALID, .mc_vcpuid = XEN_MC_VCPUID_INVALID,
        .mc_socketid = p.socket, .mc_coreid = (uint16_t)p.core, .mc_core_threadid = (uint16_t)p.thread,
        .mc_apicid = pcpus[e->cpu]->apic_id, .mc_flags = e->flags, .mc_gstatus = e->global,
    };
}

/* All of *out, entries in a row. */
static void describe(const struct mce_event *e, struct mc_info *out)
{
    struct mcinfo_global *global = (struct mcinfo_global *)out->mi_data;
    struct mcinfo_bank *bank = (struct mcinfo_bank *)(global + 1);

    memset(out, 0, sizeof(*out));
    out->mi_nentries = 1 + e->count;
    *global = global_of(e);
    for (unsigned i = 0; i < e->count; i++)
        bank[i] = (struct mcinfo_bank){
            .common = { MC_TYPE_BANK, sizeof(struct mcinfo_bank) }, .mc_bank = (uint16_t)e->bank[i].bank, .mc_domid = DOMID_INVALID,
            .mc_status = e->bank[i].status, .mc_addr = e->bank[i].addr, .mc_misc = e->bank[i].misc, .mc_tsc = e->tsc,
        };
}

/* Urgent are those of an exception, after which nobody is there to ask. */
static long mca_fetch(struct hypercall *hc, void *arg)
{
    struct xen_mc_fetch *f = &((struct xen_mc *)arg)->u.mc_fetch;
    uint32_t kind = f->flags & ~XEN_MC_ACK;
    struct mce_event e;
    struct mc_info info;

    if (kind != XEN_MC_NONURGENT && kind != XEN_MC_URGENT)
        return refuse(hc->v, -EINVAL, "machine checks fetched with flags %#x", f->flags);
    if (f->flags & XEN_MC_ACK) {
        if (kind == XEN_MC_NONURGENT)
            mce_acknowledge(f->fetch_id);
        f->flags = XEN_MC_OK;
        return 0;
    }
    if (kind == XEN_MC_URGENT || !mce_fetch(&e, &f->fetch_id)) {
        f->fetch_id = 0;
        f->flags = XEN_MC_NODATA;
        return 0;
    }
    describe(&e, &info);
    f->flags = XEN_MC_OK;
    return guest_write(handle_ptr(f->data), &info, sizeof(info));
}

/* ---- CPUs ---- */

static const struct cpu_policy *raw(void) { return &machine_cpu_policies()->of[CPU_POLICY_RAW]; }

static void name_of(struct mcinfo_logical_cpu *out)
{
    struct cpuid_leaf vendor = cpu_policy_leaf(raw(), 0, 0);

    out->mc_cpuid_level = (int32_t)vendor.a;
    memcpy(out->mc_vendorid, &vendor.b, 4);
    memcpy(out->mc_vendorid + 4, &vendor.d, 4);
    memcpy(out->mc_vendorid + 8, &vendor.c, 4);
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid_leaf brand = cpu_policy_leaf(raw(), 0x80000002 + i, 0);

        memcpy(out->mc_brandid + i * sizeof(brand), &brand, sizeof(brand));
    }
    /* As Xen numbers them. */
    if (memcmp(out->mc_vendorid, "GenuineIntel", 12) == 0)
        out->mc_vendor = 1;
    else if (memcmp(out->mc_vendorid, "AuthenticAMD", 12) == 0)
        out->mc_vendor = 2;
}

static void version_of(struct mcinfo_logical_cpu *out)
{
    struct cpuid_leaf basic = cpu_policy_leaf(raw(), 1, 0), extended = cpu_policy_leaf(raw(), 0x80000001, 0);
    struct cpu_version v = cpu_version(basic.a);

    out->mc_family = v.family;
    out->mc_model = v.model;
    out->mc_step = v.stepping;
    out->mc_cpu_caps[MC_CAPS_STD_EDX] = basic.d;
    out->mc_cpu_caps[MC_CAPS_STD_ECX] = basic.c;
    out->mc_cpu_caps[MC_CAPS_AMD_EDX] = extended.d;
    out->mc_cpu_caps[MC_CAPS_AMD_ECX] = extended.c;
    out->mc_cache_alignment = (basic.b >> 8 & 0xff) * 8;
    out->mc_cache_size = cpu_policy_leaf(raw(), 0x80000006, 0).c >> 16;
}

static void place_of(unsigned cpu, struct mcinfo_logical_cpu *out)
{
    struct cpu_place here = sysctl_cpu_place(cpu);

    out->mc_cpunr = cpu;
    out->mc_chipid = here.socket;
    out->mc_coreid = (uint16_t)here.core;
    out->mc_threadid = (uint16_t)here.thread;
    out->mc_apicid = pcpus[cpu]->apic_id;
}

/* Without a place to write to, how many there are. All CPUs of a machine are alike. */
static long mca_cpus(struct hypercall *hc, void *arg)
{
    struct xen_mc_physcpuinfo *p = &((struct xen_mc *)arg)->u.mc_physcpuinfo;
    guest_ptr_t at = handle_ptr(p->info);
    uint32_t n = MIN(p->ncpus, pcpu_count), threads, cores;

    if (!at.va || !p->ncpus) {
        p->ncpus = pcpu_count;
        return 0;
    }
    sysctl_count_topology(&threads, &cores);
    for (uint32_t i = 0; i < n; i++) {
        struct mcinfo_logical_cpu cpu = { .mc_nthreads = threads, .mc_ncores = cores, .mc_ncores_active = cores, .mc_nmsrvals = 1,
                                          .mc_msrvalues[0] = { MSR_IA32_MCG_CAP, mce_capabilities() } };

        name_of(&cpu);
        version_of(&cpu);
        place_of(i, &cpu);
        if (guest_write(gptr_plus(at, i * sizeof(cpu)), &cpu, sizeof(cpu)))
            return -EFAULT;
    }
    p->ncpus = n;
    return 0;
}

static long mca_unsupported(struct hypercall *hc, void *arg)
{
    return refuse(hc->v, -EOPNOTSUPP, "machine check operation %u", ((const struct xen_mc *)arg)->cmd);
}

/* ---- The family ---- */

_Static_assert(sizeof(struct xen_mc) <= SUBOP_MAX_SIZE, "fits the dispatcher's copy");

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#include "abi/table/mca.def"
#undef ROW
};

/* The command is read here and once more with the rest: only the first reading decides who handles it. */
long do_mca(struct hypercall *hc)
{
    struct { uint32_t cmd, interface_version; } head;
    long rc;

    if (guest_read(&head, gptr(hc->arg[0]), sizeof(head)))
        return -EFAULT;
    if (head.interface_version != XEN_MCA_INTERFACE_VERSION)
        return refuse(hc->v, -EACCES, "machine check interface version %#x", head.interface_version);
    rc = subop_run(hc, rows, ARRAY_SIZE(rows), head.cmd, gptr(hc->arg[0]));
    return rc == -ENOSYS ? -EINVAL : rc; /* what Xen says to an unknown command of this family */
}
