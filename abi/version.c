/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xen_version: who we say we are (<xen/version.h>). The number is that of the ABI we speak, 4.17: the stock tools are chosen by
 * it. Everything that is free text names Krypton.
 */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "abi/identity.h"
#include "lib/printf.h"
#include "lib/string.h"

#include <xen/features.h>
#include <xen/version.h>

#ifndef KRYPTON_VERSION
#define KRYPTON_VERSION "unknown"
#endif

char identity_cmdline[1024];
const char identity_version[] = KRYPTON_VERSION;
const char identity_changeset[] = "Krypton " KRYPTON_VERSION;
const char identity_compiler[] = __VERSION__;
const char identity_config[] = "CONFIG_X86_64=y\nCONFIG_PV=y\n# CONFIG_PV32 is not set\n# CONFIG_HVM is not set\n"
    "CONFIG_SCHED_CREDIT2=y\nCONFIG_HYPFS=y\nCONFIG_TRACEBUFFER=y\nCONFIG_PERF_COUNTERS=y\nCONFIG_DEBUG_LOCK_PROFILE=y\n";

static long put(guest_ptr_t to, const char *text, size_t size)
{
    char buf[1024] = { 0 };

    strlcpy(buf, text, size);
    return guest_write(to, buf, size) ? -EFAULT : 0;
}

static long compile_info(guest_ptr_t to)
{
    xen_compile_info_t info = { 0 };

    strlcpy(info.compiler, identity_compiler, sizeof(info.compiler));
    strlcpy(info.compile_by, IDENTITY_COMPILED_BY, sizeof(info.compile_by));
    strlcpy(info.compile_domain, IDENTITY_COMPILED_BY, sizeof(info.compile_domain));
    strlcpy(info.compile_date, identity_version, sizeof(info.compile_date));
    return guest_write(to, &info, sizeof(info)) ? -EFAULT : 0;
}

static long get_features(struct hypercall *hc, guest_ptr_t at)
{
    xen_feature_info_t fi;

    if (guest_read(&fi, at, sizeof(fi)))
        return -EFAULT;
    if (fi.submap_idx)
        return -EINVAL;
    /* There is one memory node, so whichever it names it gets; and a PV domain's frame numbers are the machine's. */
    fi.submap = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_memory_op_vnode_supported |
                1u << XENFEAT_direct_mapped;
    if (hc->d->vm_assist & 1u << VMASST_TYPE_pae_extended_cr3)
        fi.submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
    if (hc->d == dom0)
        fi.submap |= 1u << XENFEAT_dom0;
    return guest_write(at, &fi, sizeof(fi)) ? -EFAULT : 0;
}

/* The length asked for and given is a u32 before the bytes; NULL asks how many there are. */
static long build_id(guest_ptr_t at)
{
    const uint8_t *id;
    uint32_t room, n = identity_build_id(&id);

    if (!n)
        return -ENODATA;
    if (!at.va)
        return n;
    if (guest_read(&room, at, sizeof(room)))
        return -EFAULT;
    if (room == 0)
        return -EINVAL;
    if (room < n)
        return -ENOBUFS;
    return guest_write(gptr_plus(at, sizeof(room)), id, n) ? -EFAULT : (long)n;
}

static long version_op(struct hypercall *hc)
{
    guest_ptr_t at = gptr(hc->arg[1]);
    bool system = domain_may(hc->d, PRIV_SYSTEM);

    switch (hc->arg[0]) {
    case XENVER_extraversion:
        return put(at, IDENTITY_EXTRA, sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return compile_info(at);
    case XENVER_capabilities:
        return put(at, "xen-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return put(at, identity_changeset, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters: {
        xen_platform_parameters_t p = { .virt_start = 0xffff800000000000ul };

        return guest_write(at, &p, sizeof(p)) ? -EFAULT : 0;
    }
    case XENVER_get_features:
        return get_features(hc, at);
    case XENVER_pagesize:
        return at.va ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return guest_write(at, hc->d->handle, sizeof(hc->d->handle)) ? -EFAULT : 0;
    case XENVER_commandline:
        return put(at, system ? identity_cmdline : "<denied>", sizeof(xen_commandline_t));
    case XENVER_build_id:
        return system ? build_id(at) : -EPERM;
    default:
        return -ENOSYS;
    }
}

/* Linux asks for the number when all that it wants is the way through the hypervisor, which delivers its events. */
long do_xen_version(struct hypercall *hc)
{
    return likely(hc->arg[0] == XENVER_version) ? IDENTITY_MAJOR << 16 | IDENTITY_MINOR : version_op(hc);
}
