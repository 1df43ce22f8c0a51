/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that no guest gets: what the hypervisor keeps of the machine, and what a domain takes beside its pages. In KiB. */

#include "bench.h"

#include "domctl.h"

#include <xen/memory.h>

#define DOMAINS 16

static uint64_t ram_kib(void)
{
    struct e820entry {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) map[64];
    struct xen_memory_map m = { .nr_entries = ARRAY_SIZE(map) };
    uint64_t ram = 0;
    unsigned int i;

    set_xen_guest_handle(m.buffer, (void *)map);
    bench_need("memory map", hypercall(__HYPERVISOR_memory_op, XENMEM_machine_memory_map, &m));
    for (i = 0; i < m.nr_entries; i++)
        ram += map[i].type == 1 ? map[i].size : 0;
    return ram >> 10;
}

static uint64_t free_kib(void)
{
    sysctl_clear();
    bench_need("physinfo", sysctl(XEN_SYSCTL_physinfo));
    return sc.u.physinfo.free_pages * 4;
}

static uint64_t own_kib(void)
{
    domctl_clear();
    bench_need("getdomaininfo", domctl(XEN_DOMCTL_getdomaininfo, 0));
    return dc.u.getdomaininfo.tot_pages * 4;
}

BENCH(memory)
{
    long domains[DOMAINS];
    uint64_t before;
    unsigned int i;

    if (!is_dom0())
        return;
    before = free_kib();
    bench_print(FAMILY, "kept_kib", ram_kib() - before - own_kib(), 1);
    for (i = 0; i < DOMAINS; i++) {
        domains[i] = domain_create(4096, 1);
        bench_need("create", domains[i]);
    }
    bench_print(FAMILY, "idle_domain_kib", before - free_kib(), DOMAINS);
    for (i = 0; i < DOMAINS; i++)
        domain_destroy((domid_t)domains[i]);
}
