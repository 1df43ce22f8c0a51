/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest may ask for: for each hypercall and sub-operation what its registers and its structure mean.
 *
 * A row has a letter for each register, and for its structure letters with a size in bytes. Mostly a word is what its letter
 * says; now and then it is anything.
 *
 *   C  the sub-operation      z  zero                 n  0..7, mostly small     w  anything that may mean something
 *   @  address of the structure, #  how many of them follow each other          $  the structure is on the stack
 *   f  own frame              G  a guest's frame      t  page-table entry       E  address of an entry, and kind of update
 *   v  own address            A  where a grant goes, H always the same place                      k  code address           T  a time
 *   p  address of an array of frames, P of ports, q of a page, K of a context (which is filled in), M of calls (likewise)
 *   d  another domain         D  oneself              g  one of the guests      c  vCPU           e  port
 *   r  grant reference        h  grant handle         m  flags of a mapping     x  reference or frame
 *   O  order of an extent     Q  offset in a page     u  flags of a flush       s  size of an XSAVE area
 *   l  how written pages are logged, y  0 or 1      I, J, L  interface versions
 *   S  address of idle states, which are filled in  B  what is asked of power
 */
#ifndef TESTS_FUZZ_GRAMMAR_H
#define TESTS_FUZZ_GRAMMAR_H

#include "tests/fuzz/play.h"

#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

struct row { uint16_t nr, cmd; const char *registers, *layout; };

#define RESERVATION "p8n8O4z4D2z6"
#define DOMCTL "C4I4g2z6"
#define SYSCTL "C4J4"
#define BITMAP "p8n4z4"

/* Anybody's. */
static const struct row rows[] = {
    { __HYPERVISOR_set_trap_table, 0, "@", "n1n1w2z4k8n1n1w2z4k8z16" },
    { __HYPERVISOR_set_gdt, 0, "pn", "" },
    { __HYPERVISOR_stack_switch, 0, "wv", "" },
    { __HYPERVISOR_set_callbacks, 0, "kkk", "" },
    { __HYPERVISOR_fpu_taskswitch, 0, "n", "" },
    { __HYPERVISOR_set_debugreg, 0, "nw", "" },
    { __HYPERVISOR_get_debugreg, 0, "n", "" },
    { __HYPERVISOR_update_descriptor, 0, "Ew", "" },
    { __HYPERVISOR_vm_assist, 0, "nn", "" },
    { __HYPERVISOR_iret, 0, "", "$w8w8w8n8k8w8w8v8w8" },
    { __HYPERVISOR_set_segment_base, 0, "nw", "" },
    { __HYPERVISOR_set_timer_op, 0, "T", "" },
    { __HYPERVISOR_multicall, 0, "Mn", "" },
    { __HYPERVISOR_console_io, CONSOLEIO_write, "Cwq", "" },
    { __HYPERVISOR_xen_version, 0, "nq", "" },
    { __HYPERVISOR_xen_version, XENVER_build_id, "Cq", "" },
    { __HYPERVISOR_xen_version, XENVER_get_features, "C@", "n4z4" },
    { __HYPERVISOR_sched_op_compat, 0, "nn", "" },
    { __HYPERVISOR_event_channel_op_compat, 0, "@", "n4z4D2d2e4" },

    { __HYPERVISOR_mmu_update, 0, "@#zD", "E8t8" },
    { __HYPERVISOR_mmu_update, 1, "@#qD", "E8t8E8t8E8t8E8t8" },
    { __HYPERVISOR_update_va_mapping, 0, "vtu", "" },
    { __HYPERVISOR_update_va_mapping_otherdomain, 0, "vtud", "" },
#define EXT(cmd, words) { __HYPERVISOR_mmuext_op, cmd, "@#zD", "C4z4" words },
    EXT(MMUEXT_PIN_L1_TABLE, "f8z8") EXT(MMUEXT_PIN_L2_TABLE, "f8z8") EXT(MMUEXT_PIN_L3_TABLE, "f8z8")
    EXT(MMUEXT_PIN_L4_TABLE, "f8z8") EXT(MMUEXT_UNPIN_TABLE, "f8z8") EXT(MMUEXT_NEW_BASEPTR, "f8z8")
    EXT(MMUEXT_NEW_USER_BASEPTR, "f8z8") EXT(MMUEXT_TLB_FLUSH_LOCAL, "z8z8") EXT(MMUEXT_TLB_FLUSH_MULTI, "z8q8")
    EXT(MMUEXT_INVLPG_MULTI, "v8q8") EXT(MMUEXT_INVLPG_ALL, "v8z8") EXT(MMUEXT_SET_LDT, "v8n8")
    EXT(MMUEXT_CLEAR_PAGE, "f8z8") EXT(MMUEXT_COPY_PAGE, "f8f8") EXT(MMUEXT_FLUSH_CACHE, "z8z8")

#define GRANT(cmd, layout) { __HYPERVISOR_grant_table_op, cmd, "C@#", layout },
    GRANT(GNTTABOP_map_grant_ref, "A8m4r4d2z2z4z8") GRANT(GNTTABOP_map_grant_ref, "A8m4r4d2z2z4z8A8m4r4d2z2z4z8")
    GRANT(GNTTABOP_map_grant_ref, "H8m4r4d2z2z4z8") GRANT(GNTTABOP_unmap_grant_ref, "H8z8h4z4")
    GRANT(GNTTABOP_unmap_and_replace, "H8v8h4z4") GRANT(GNTTABOP_unmap_grant_ref, "A8z8h4z4") GRANT(GNTTABOP_unmap_grant_ref, "z8z8h4z4z8z8h4z4")
    GRANT(GNTTABOP_setup_table, "D2z2n4z8q8") GRANT(GNTTABOP_transfer, "f8d2z2r4z8")
    GRANT(GNTTABOP_copy, "x8d2z2z4x8D2z2z4w2n2z4") GRANT(GNTTABOP_copy, "x8D2z2z4x8d2z2z4w2n2z4")
    GRANT(GNTTABOP_copy, "x8d2Q2z4x8d2Q2z4Q2n2z4") GRANT(GNTTABOP_query_size, "D2z2z4z4z4")
    GRANT(GNTTABOP_unmap_and_replace, "A8v8h4z4") GRANT(GNTTABOP_set_version, "n4")
    GRANT(GNTTABOP_get_status_frames, "n4D2z2q8") GRANT(GNTTABOP_get_version, "D2z2z4") GRANT(GNTTABOP_dump_table, "D2z2")
    GRANT(GNTTABOP_swap_grant_ref, "r4r4z4") GRANT(GNTTABOP_cache_flush, "f8Q2Q2n4")

#define EVENT(cmd, layout) { __HYPERVISOR_event_channel_op, cmd, "C@", layout },
    EVENT(EVTCHNOP_alloc_unbound, "D2d2z4") EVENT(EVTCHNOP_bind_interdomain, "d2z2e4z4") EVENT(EVTCHNOP_bind_virq, "n4c4z4")
    EVENT(EVTCHNOP_bind_pirq, "n4n4z4") EVENT(EVTCHNOP_bind_ipi, "c4z4") EVENT(EVTCHNOP_close, "e4")
    EVENT(EVTCHNOP_send, "e4") EVENT(EVTCHNOP_status, "D2z2e4z24") EVENT(EVTCHNOP_bind_vcpu, "e4c4")
    EVENT(EVTCHNOP_unmask, "e4") EVENT(EVTCHNOP_reset, "D2z6") EVENT(EVTCHNOP_init_control, "f8Q4c4z8")
    EVENT(EVTCHNOP_expand_array, "f8") EVENT(EVTCHNOP_set_priority, "e4n4")

#define VCPU(cmd, last, layout) { __HYPERVISOR_vcpu_op, cmd, "Cc" last, layout },
    VCPU(VCPUOP_initialise, "K", "") VCPU(VCPUOP_up, "z", "") VCPU(VCPUOP_down, "z", "") VCPU(VCPUOP_is_up, "z", "")
    VCPU(VCPUOP_get_runstate_info, "@", "z8") VCPU(VCPUOP_register_runstate_memory_area, "@", "v8")
    VCPU(VCPUOP_set_periodic_timer, "@", "T8") VCPU(VCPUOP_stop_periodic_timer, "z", "")
    VCPU(VCPUOP_set_singleshot_timer, "@", "T8n4z4") VCPU(VCPUOP_stop_singleshot_timer, "z", "")
    VCPU(VCPUOP_register_vcpu_info, "@", "f8Q4z4") VCPU(VCPUOP_send_nmi, "z", "") VCPU(VCPUOP_get_physid, "@", "z8")
    VCPU(VCPUOP_register_vcpu_time_memory_area, "@", "v8")

#define SCHED(cmd, layout) { __HYPERVISOR_sched_op, cmd, "C@", layout },
    SCHED(SCHEDOP_yield, "") SCHED(SCHEDOP_block, "") SCHED(SCHEDOP_poll, "P8n4z4T8") SCHED(SCHEDOP_shutdown, "n4")
    SCHED(SCHEDOP_remote_shutdown, "g2z2n4") SCHED(SCHEDOP_shutdown_code, "n4") SCHED(SCHEDOP_watchdog, "n4n4")
    SCHED(SCHEDOP_pin_override, "n4")

#define MEMORY(cmd, layout) { __HYPERVISOR_memory_op, cmd, "C@", layout },
    MEMORY(XENMEM_increase_reservation, RESERVATION) MEMORY(XENMEM_decrease_reservation, RESERVATION)
    MEMORY(XENMEM_populate_physmap, RESERVATION) MEMORY(XENMEM_exchange, RESERVATION RESERVATION "z8")
    MEMORY(XENMEM_current_reservation, "D2") MEMORY(XENMEM_maximum_gpfn, "D2") MEMORY(XENMEM_maximum_ram_page, "")
    MEMORY(XENMEM_memory_map, "w4z4q8") MEMORY(XENMEM_machine_memory_map, "w4z4q8") MEMORY(XENMEM_machphys_mapping, "z24")
    MEMORY(XENMEM_machphys_mfn_list, "n4z4q8z8") MEMORY(XENMEM_add_to_physmap, "D2z2n4n8f8")
    MEMORY(XENMEM_get_vnumainfo, "D2z6") MEMORY(XENMEM_acquire_resource, "d2z2n4n4z4n8q8")

#define PHYSDEV(cmd, layout) { __HYPERVISOR_physdev_op, cmd, "C@", layout },
    PHYSDEV(PHYSDEVOP_eoi, "n4") PHYSDEV(PHYSDEVOP_pirq_eoi_gmfn_v1, "f8") PHYSDEV(PHYSDEVOP_pirq_eoi_gmfn_v2, "f8")
    PHYSDEV(PHYSDEVOP_irq_status_query, "n4z4") PHYSDEV(PHYSDEVOP_set_iopl, "n4") PHYSDEV(PHYSDEVOP_set_iobitmap, "q8w4z4")

#define CALLBACK(cmd, layout) { __HYPERVISOR_callback_op, cmd, "C@", layout },
    CALLBACK(CALLBACKOP_register, "n2n2z4k8") CALLBACK(CALLBACKOP_unregister, "n2n2")
};

/* Of those who have rights. */
static const struct row tool_rows[] = {
#define CTL(cmd, layout) { __HYPERVISOR_domctl, cmd, "@", DOMCTL layout },
    { __HYPERVISOR_domctl, XEN_DOMCTL_createdomain, "@", "C4I4z2z6" "z4z16z4z4n4n4n4n4n4z4z4z4z4" },
    CTL(XEN_DOMCTL_destroydomain, "") CTL(XEN_DOMCTL_pausedomain, "") CTL(XEN_DOMCTL_unpausedomain, "")
    CTL(XEN_DOMCTL_resumedomain, "") CTL(XEN_DOMCTL_max_vcpus, "n4") CTL(XEN_DOMCTL_max_mem, "w8")
    CTL(XEN_DOMCTL_setdomainhandle, "w8w8") CTL(XEN_DOMCTL_setdebugging, "n1") CTL(XEN_DOMCTL_settimeoffset, "n4")
    CTL(XEN_DOMCTL_settscinfo, "n4") CTL(XEN_DOMCTL_gettscinfo, "") CTL(XEN_DOMCTL_hypercall_init, "G8")
    CTL(XEN_DOMCTL_set_address_size, "w4") CTL(XEN_DOMCTL_get_address_size, "") CTL(XEN_DOMCTL_subscribe, "e4")
    CTL(XEN_DOMCTL_sendtrigger, "n4c4") CTL(XEN_DOMCTL_set_virq_handler, "n4") CTL(XEN_DOMCTL_getdomaininfo, "")
    CTL(XEN_DOMCTL_getvcpuinfo, "c4") CTL(XEN_DOMCTL_setvcpuaffinity, "c4n4" BITMAP BITMAP)
    CTL(XEN_DOMCTL_getvcpuaffinity, "c4n4" BITMAP BITMAP) CTL(XEN_DOMCTL_setnodeaffinity, BITMAP)
    CTL(XEN_DOMCTL_getnodeaffinity, BITMAP) CTL(XEN_DOMCTL_scheduler_op, "n4n4w2w2") CTL(XEN_DOMCTL_scheduler_op, "n4n4q8n4")
    CTL(XEN_DOMCTL_setvcpucontext, "c4z4K8") CTL(XEN_DOMCTL_getvcpucontext, "c4z4q8")
    CTL(XEN_DOMCTL_set_ext_vcpucontext, "c4w4n8k8w2n1z5k8") CTL(XEN_DOMCTL_get_ext_vcpucontext, "c4")
    CTL(XEN_DOMCTL_setvcpuextstate, "c4z4w8s8q8") CTL(XEN_DOMCTL_getvcpuextstate, "c4z4w8s8q8")
    CTL(XEN_DOMCTL_set_vcpu_msrs, "c4n4q8") CTL(XEN_DOMCTL_get_vcpu_msrs, "c4n4q8") CTL(XEN_DOMCTL_getpageframeinfo3, "n8p8")
    CTL(XEN_DOMCTL_shadow_op, "l4y4z4z4q8w8") CTL(XEN_DOMCTL_shadow_op, "l4y4z4z4q8w8") CTL(XEN_DOMCTL_ioport_permission, "w4n4n1")
    CTL(XEN_DOMCTL_iomem_permission, "w8n8n1") CTL(XEN_DOMCTL_irq_permission, "n4n1") CTL(XEN_DOMCTL_get_cpu_policy, "w4w4q8q8")
    CTL(XEN_DOMCTL_set_cpu_policy, "n4n4q8q8z12") CTL(XEN_DOMCTL_assign_device, "w4") CTL(XEN_DOMCTL_gethvmcontext, "w4")
    CTL(XEN_DOMCTL_get_paging_mempool_size, "")

#define SYS(cmd, layout) { __HYPERVISOR_sysctl, cmd, "@", SYSCTL layout },
    SYS(XEN_SYSCTL_getdomaininfolist, "n2z2n4q8") SYS(XEN_SYSCTL_readconsole, "n1n1z2w4q8w4") SYS(XEN_SYSCTL_physinfo, "")
    SYS(XEN_SYSCTL_sched_id, "") SYS(XEN_SYSCTL_getcpuinfo, "n4z4q8") SYS(XEN_SYSCTL_availheap, "n4n4n4")
    SYS(XEN_SYSCTL_cputopoinfo, "n4z4q8") SYS(XEN_SYSCTL_numainfo, "n4z4q8q8") SYS(XEN_SYSCTL_pcitopoinfo, "q8q8n4")
    SYS(XEN_SYSCTL_cpupool_op, "n4n4n4g4n4z4" BITMAP) SYS(XEN_SYSCTL_scheduler_op, "n4n4n4z4w4w4")
    SYS(XEN_SYSCTL_get_cpu_levelling_caps, "") SYS(XEN_SYSCTL_get_cpu_featureset, "n4w4q8")
    SYS(XEN_SYSCTL_get_cpu_policy, "n4z4w4w4q8q8") SYS(XEN_SYSCTL_livepatch_op, "n4z4n4z4w8q8q8")
    SYS(XEN_SYSCTL_debug_keys, "p8n4") SYS(XEN_SYSCTL_cpu_hotplug, "n4n4") SYS(XEN_SYSCTL_psr_alloc, "")
    SYS(XEN_SYSCTL_get_pmstat, "B4n4n4w4w8q8q8n4n4q8q8") SYS(XEN_SYSCTL_pm_op, "B4n4n4")

#define PLATFORM(cmd, layout) { __HYPERVISOR_platform_op, cmd, "@", "C4L4" layout },
    PLATFORM(XENPF_settime32, "n4n4T8") PLATFORM(XENPF_settime64, "n8n4z4T8") PLATFORM(XENPF_firmware_info, "n4n4")
    PLATFORM(XENPF_efi_runtime_call, "n4n4z8@8n8@8")
    PLATFORM(XENPF_enter_acpi_sleep, "w2w2n4n4") PLATFORM(XENPF_get_cpuinfo, "n4") PLATFORM(XENPF_get_cpu_version, "n4")
    PLATFORM(XENPF_get_symbol, "n4z4n8q8") PLATFORM(XENPF_core_parking, "n4n4") PLATFORM(XENPF_cpu_online, "n4")
    PLATFORM(XENPF_set_processor_pminfo, "n4n4n4w4S8") PLATFORM(XENPF_set_processor_pminfo, "n4n4q8")

    { __HYPERVISOR_mmu_update, 0, "@#zg", "E8t8" },
    { __HYPERVISOR_mmuext_op, MMUEXT_PIN_L4_TABLE, "@#zg", "C4z4G8z8" },
    { __HYPERVISOR_mmuext_op, MMUEXT_UNPIN_TABLE, "@#zg", "C4z4G8z8" },
    { __HYPERVISOR_mmuext_op, MMUEXT_COPY_PAGE, "@#zg", "C4z4G8G8" },
    MEMORY(XENMEM_populate_physmap, "p8n8O4z4g2z6") MEMORY(XENMEM_decrease_reservation, "p8n8O4z4g2z6")
    MEMORY(XENMEM_claim_pages, "z8n8z4z4g2z6") MEMORY(XENMEM_set_memory_map, "g2z6n4z4q8")
    MEMORY(XENMEM_acquire_resource, "g2n2n4n4z4n8q8")
    GRANT(GNTTABOP_setup_table, "g2z2n4z8q8") GRANT(GNTTABOP_dump_table, "g2z2")
    EVENT(EVTCHNOP_alloc_unbound, "g2d2z4") EVENT(EVTCHNOP_reset, "g2z6") EVENT(EVTCHNOP_status, "g2z2e4z24")
    { __HYPERVISOR_console_io, CONSOLEIO_read, "Cwq", "" },
    PHYSDEV(PHYSDEVOP_apic_read, "w8w4w4") PHYSDEV(PHYSDEVOP_apic_write, "w8w4w4") PHYSDEV(PHYSDEVOP_alloc_irq_vector, "n4z4")
    PHYSDEV(PHYSDEVOP_map_pirq, "D2z2n4n4w4z4z4z4z4z8") PHYSDEV(PHYSDEVOP_unmap_pirq, "D2z2n4")
    PHYSDEV(PHYSDEVOP_setup_gsi, "n4n1n1") PHYSDEV(PHYSDEVOP_get_free_pirq, "n4z4") PHYSDEV(PHYSDEVOP_manage_pci_add, "n1n1")
    PHYSDEV(PHYSDEVOP_manage_pci_add_ext, "n1n1z4z4z4z4") PHYSDEV(PHYSDEVOP_manage_pci_remove, "n1n1")
    PHYSDEV(PHYSDEVOP_pci_device_add, "z2n1n1n4n1n1z2") PHYSDEV(PHYSDEVOP_pci_device_remove, "z2n1n1")
    PHYSDEV(PHYSDEVOP_prepare_msix, "z2n1n1") PHYSDEV(PHYSDEVOP_restore_msi, "n1n1")
    PHYSDEV(PHYSDEVOP_restore_msi_ext, "z2n1n1") PHYSDEV(PHYSDEVOP_pci_mmcfg_reserved, "w8w4z4")
};

/* ---- Words ---- */

/* Writes what the guest itself could: nothing happens where it may not. */
static void put(struct vcpu *v, uint64_t va, uint64_t value, unsigned bytes)
{
    uint64_t old, mask = bytes < 8 ? (1ull << 8 * bytes) - 1 : ~0ull;

    if (va % PAGE_SIZE > PAGE_SIZE - 8 || !host_guest_load(v, va, &old))
        return;
    host_guest_store(v, va, (old & ~mask) | (value & mask));
}

/* A word that may mean something to whoever reads it. */
static uint64_t word(struct guest *self)
{
    static const uint64_t odd[] = {
        ~0ull, ~0u, DOMID_SELF, 0x7ff1, 0x7ff2, 0x7ff3, 0x8000, 0x80000000, 1ull << 63, 0xffff800000000000, 0x7ffffffff000,
        4096, 4095, 1024, 512, 0x3f8,
    };
    struct guest *other = &guests[self == &guests[0]];
    uint8_t k = byte();

    if (k < 0x60)
        return k;
    if (k < 0x90)
        return self->m[k - 0x60].n;
    if (k < 0xa0)
        return other->m[k - 0x90].n;
    if (k < 0xb0)
        return odd[k - 0xa0];
    if (k < 0xc0)
        return va_of(k & 15);
    if (k < 0xd0)
        return 64u << (k & 15);
    return raw(k < 0xe8 ? 2 : k < 0xf8 ? 4 : 8);
}

/* Tables are the first five pages, and those a guest may try to make such: up to the eighth. */
static uint64_t entry_address(struct guest *self)
{
    uint8_t k = byte(), i = byte();

    return mfn_maddr(self->m[k & 7]) + (k & 8 ? PT_ENTRIES - 1 - i % 16 : i % 64u) * 8 + (k & 0x80 ? k >> 4 & 3 : 0);
}

static uint64_t table_entry(struct guest *self)
{
    static const uint64_t flags[] = { RW, RO, RW, RO, 0, RW | PTE_NX, PTE_P | PTE_RW, RW | PTE_PSE };
    uint8_t k = byte();
    struct guest *whose = k & 0x40 ? &guests[byte() % GUESTS] : self;

    return k & 0x80 ? 0 : pte_make(whose->m[byte() % PAGES].n, flags[k & 7]);
}

/* A vCPU's context that is mostly good: tables that exist, a stack, handlers. */
static uint64_t context(struct guest *self, struct vcpu *v)
{
    struct guest *whose = self == &guests[TOOL] ? &guests[byte() % HOSTILE] : self;
    static _Thread_local struct vcpu_guest_context c;

    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = va_of(STACK);
    c.user_regs.rsp = va_of(STACK) + 2048;
    c.ctrlreg[3] = mfn_maddr(whose->m[byte() & 1 ? 4 : 0]);
    c.kernel_sp = va_of(STACK) + 2048;
    c.event_callback_eip = c.failsafe_callback_eip = c.syscall_callback_eip = va_of(STACK);
    for (unsigned i = 0; i < 32; i++)
        c.trap_ctxt[i] = (struct trap_info){ .vector = (uint8_t)i, .cs = FLAT_KERNEL_CS, .address = va_of(STACK), .flags = 3 };
    for (unsigned n = byte() & 3; n; n--)
        ((uint64_t *)(void *)&c)[(raw(2)) % (sizeof(c) / 8)] = word(self);
    for (unsigned i = 0; i < sizeof(c) / 8; i++)
        put(v, va_of(CONTEXT) + 8 * i, ((uint64_t *)(void *)&c)[i], 8);
    return va_of(CONTEXT);
}

static uint64_t array(struct guest *self, struct vcpu *v, bool ports)
{
    unsigned n = byte() & 7;

    for (unsigned i = 0; i < n; i++) {
        uint8_t k = byte();
        struct guest *whose = k & 0x80 ? &guests[byte() % HOSTILE] : self;

        if (ports)
            put(v, va_of(PORTS) + 4 * i, k & 15, 4);
        else
            put(v, va_of(ARRAY) + 8 * i, k & 0x40 ? word(self) : whose->m[k % PAGES].n, 8);
    }
    return va_of(ports ? PORTS : ARRAY);
}

/* 0..7, mostly small, or one of what numbers count at most. */
static uint64_t small(void)
{
    uint8_t k = byte();

    return k < 0xc0 ? k & 7 : k < 0xf0 ? k & 63 : 1u << (k & 15);
}

static uint64_t a_time(void)
{
    uint8_t k = byte();

    return k < 8 ? 0 : k < 16 ? ~0ull : now_ns() + ((uint64_t)k << (byte() & 31));
}

static uint64_t multicall(struct guest *self, struct vcpu *v);

/* Where grants go, mostly to two places, so that what unmaps one finds it. */
static unsigned grant_place(uint8_t k) { return k & 0x60 ? k >> 1 & 1 : k >> 1 & 31; }
static uint64_t a_ref(uint8_t k) { return k & 0x60 ? 8 + (k & 3) : k % 24; }

static const uint64_t log_ops[] = {
    XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, XEN_DOMCTL_SHADOW_OP_CLEAN, XEN_DOMCTL_SHADOW_OP_PEEK, XEN_DOMCTL_SHADOW_OP_OFF,
    XEN_DOMCTL_SHADOW_OP_ENABLE,
};

static const uint64_t power_ops[] = {
    PMSTAT_get_max_cx, PMSTAT_get_cxstat, PMSTAT_reset_cxstat, PMSTAT_get_max_px, GET_CPUFREQ_PARA,
    XEN_SYSCTL_pm_op_get_max_cstate, XEN_SYSCTL_pm_op_set_max_cstate, XEN_SYSCTL_pm_op_set_sched_opt_smt,
};

/* Eight states, of which dom0's are good ones if their registers are. */
static uint64_t idle_states(struct vcpu *v)
{
    static const uint8_t spaces[] = { 0x7f, 1, 0x7f, 0 };
    uint64_t at = va_of(ARRAY);

    for (unsigned i = 0; i < 8; i++, at += sizeof(struct xen_processor_cx)) {
        uint8_t k = byte();

        put(v, at, spaces[k & 3] | (uint64_t)(k & 1 ? 8 : 1) << 32, 8);
        put(v, at + 8, k & 4 ? 2 : 0, 8);
        put(v, at + 16, k & 1 ? 0x400 + (k >> 3) : k & 0x30, 8);
        put(v, at + 24, (k >> 6) | (uint64_t)i << 32, 8);
        put(v, at + 32, 0, 8);
        put(v, at + 40, 0, 8);
    }
    return va_of(ARRAY);
}

static uint64_t value(char letter, const struct row *r, struct guest *self, struct vcpu *v)
{
    struct guest *guest = &guests[byte() & 1];
    uint8_t k = byte();

    if (!strchr("CIJLz", letter) && k >= 0xf8)
        return word(self);
    switch (letter) {
    case 'C': return r->cmd;
    case 'I': return XEN_DOMCTL_INTERFACE_VERSION;
    case 'J': return XEN_SYSCTL_INTERFACE_VERSION;
    case 'L': return XENPF_INTERFACE_VERSION;
    case 'l': return log_ops[k % ARRAY_SIZE(log_ops)];
    case 'y': return k & 1;
    case 'S': return idle_states(v);
    case 'B': return power_ops[k % ARRAY_SIZE(power_ops)];
    case 's': return k & 1 ? 592 : word(self);
    case 'n': return small();
    case 'w': return word(self);
    case '#': return k < 0x80 ? 1 : k & 7;
    case 'f': return self->m[k % PAGES].n;
    case 'G': return guest->m[k % PAGES].n;
    case 't': return table_entry(self);
    case 'E': return entry_address(self);
    case 'v': return va_of(k % 64) + (k & 0x40 ? 8 * (uint64_t)byte() : 0);
    case 'A': return k & 1 ? mfn_maddr(self->m[3]) + 8 * (uint64_t)(16 + grant_place(k)) : va_of(16 + grant_place(k));
    case 'H': return va_of(16);
    case 'k': return va_of(STACK) + (k & 15);
    case 'T': return a_time();
    case 'p': return array(self, v, false);
    case 'P': return array(self, v, true);
    case 'q': return va_of(ARRAY) + (k & 0x80 ? PAGE_SIZE - (k & 31) : 0);
    case 'K': return context(self, v);
    case 'M': return multicall(self, v);
    case 'd': return k & 7 ? guests[self == &guests[0]].d->id : k & 8 ? DOMID_SELF : (uint64_t)(k >> 4 & 3);
    case 'D': return DOMID_SELF;
    case 'g': return guest->d->id;
    case 'c': return k % 3;
    case 'e': return 1 + (k & 0x80 ? k & 1 : k % 12);
    case 'r': return a_ref(k);
    case 'h': return k & 0x80 ? 0 : k % 8;
    case 'm': return (k & 1 ? GNTMAP_readonly : 0) | (k & 6 ? GNTMAP_host_map : 0) | (k & 8 ? GNTMAP_device_map : 0) |
                     (k & 16 ? GNTMAP_contains_pte : 0);
    case 'x': return k & 0x80 ? self->m[k % PAGES].n : a_ref(k);
    case 'O': return k < 0xe0 ? 0 : k & 15;
    case 'Q': return k & 1 ? (uint64_t)k * 8 : 0;
    case 'u': return k & 3 ? (k & 3) | (k & 4 ? UVMF_ALL : 0) : va_of(ARRAY) | UVMF_INVLPG;
    default: return 0;
    }
}

/* The structure of a call, written at `at`. */
static void structure(const struct row *r, uint64_t at, struct guest *self, struct vcpu *v)
{
    const char *s = r->layout + (*r->layout == '$');

    while (*s) {
        char letter = *s++;
        unsigned bytes = (unsigned)strtoul(s, (char **)&s, 10);

        for (unsigned i = 0; i < bytes; i += 8)
            put(v, at + i, value(letter, r, self, v), MIN(bytes - i, 8u));
        at += bytes;
    }
}

/* Chooses a call, writes its structure at `at`, and what its registers are into arg[]. Its number. */
static uint64_t make_call(uint64_t arg[5], uint64_t at, struct guest *self, struct vcpu *v)
{
    bool tool = self == &guests[TOOL] && byte() & 3;
    const struct row *r = tool ? &tool_rows[byte() % ARRAY_SIZE(tool_rows)] : &rows[byte() % ARRAY_SIZE(rows)];
    const char *s = r->registers;

    if (*r->layout == '$')
        at = v->regs->rsp;
    for (unsigned i = 0; s[i]; i++)
        arg[i] = s[i] == '@' ? at : value(s[i], r, self, v);
    structure(r, at, self, v);
    return r->nr;
}

static uint64_t multicall(struct guest *self, struct vcpu *v)
{
    static _Thread_local bool inside; /* one in another: refused, so once is enough */
    uint64_t at = va_of(CALLS_OF);
    unsigned n = 1 + (byte() & 3);

    for (unsigned i = 0; i < n && !inside; i++) {
        uint64_t arg[5] = { 0 }, nr;

        inside = true;
        nr = make_call(arg, at + 1024 + 256 * i, self, v);
        inside = false;
        put(v, at + sizeof(struct multicall_entry) * i, nr, 8);
        for (unsigned k = 0; k < 5; k++)
            put(v, at + sizeof(struct multicall_entry) * i + offsetof(struct multicall_entry, args[k]), arg[k], 8);
    }
    return at;
}

#endif
