/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages given back and taken again; domains made and destroyed, without pages and with 32 MiB. */

#include "bench.h"

#include "domctl.h"
#include "mm.h"

#include <xen/memory.h>
#include <xen/sched.h>

#define BATCH 256

static xen_pfn_t frames[BATCH], pfns[BATCH];

static long reserve(unsigned int cmd, xen_pfn_t *list, unsigned long n)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, list);
    return hypercall(__HYPERVISOR_memory_op, cmd, &r);
}

/* What populate put into frames[] are the machine frames to give back; it takes pfns. */
static void take(unsigned int n)
{
    memcpy(frames, pfns, sizeof(pfns));
    reserve(XENMEM_populate_physmap, frames, n);
}

/* What a sample before this one took, if there was one, is given back. */
static void give_again(unsigned int n)
{
    if (frames[0] != pfns[0])
        reserve(XENMEM_decrease_reservation, frames, n);
    memcpy(frames, pfns, sizeof(pfns));
}

/* What was freed may be cleared meanwhile, by a hypervisor that does so. */
static void rest(void)
{
    struct sched_poll poll = { .timeout = now() + 20000000 };

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

BENCH(reservation)
{
    unsigned int i;

    for (i = 0; i < BATCH; i++) {
        void *page = page_alloc();

        pfns[i] = va_to_pfn(page);
        frames[i] = mfn_of(page);
        bench_need("unmap", update_va(page, 0, UVMF_INVLPG));
    }
    bench_need("give", reserve(XENMEM_decrease_reservation, frames, BATCH));
    MEASURE_AFTER("decrease_1", 1, take(1),
                  reserve(XENMEM_decrease_reservation, frames, 1));
    MEASURE_AFTER("populate_1", 1, give_again(1), reserve(XENMEM_populate_physmap, frames, 1));
    give_again(1);
    MEASURE_AFTER("decrease_256_each", BATCH, take(BATCH), reserve(XENMEM_decrease_reservation, frames, BATCH));
    MEASURE_AFTER("populate_256_each", BATCH, give_again(BATCH), reserve(XENMEM_populate_physmap, frames, BATCH));
    MEASURE_AFTER("populate_256_rested_each", BATCH, give_again(BATCH); rest(), reserve(XENMEM_populate_physmap, frames, BATCH));
}

BENCH(domain)
{
    long dom = 0;

    if (!is_dom0())
        return;
    MEASURE_AFTER("create_1_vcpu", 1, dom ? domain_destroy((domid_t)dom) : (void)0, dom = domain_create(4096, 1));
    bench_need("create", dom);
    MEASURE_AFTER("destroy_1_vcpu", 1, dom = dom ? dom : domain_create(4096, 1), domain_destroy((domid_t)dom); dom = 0);
}

#define DOMAIN_PAGES 8192               /* 32 MiB */

/* A domain with all its pages, but nothing in them. */
static long domain_with_pages(void)
{
    static xen_pfn_t list[DOMAIN_PAGES];
    struct xen_memory_reservation r = { .nr_extents = DOMAIN_PAGES };
    unsigned long i;
    long dom = domain_create(DOMAIN_PAGES * 4, 1);

    for (i = 0; i < DOMAIN_PAGES; i++)
        list[i] = i;
    r.domid = (domid_t)dom;
    set_xen_guest_handle(r.extent_start, list);
    if (dom > 0 && hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) != DOMAIN_PAGES)
        bench_need("populate a domain", -1);
    return dom;
}

BENCH(domain_32mib)
{
    long dom = 0;

    if (!is_dom0())
        return;
    MEASURE_AFTER("create_32mib", 1, dom ? domain_destroy((domid_t)dom) : (void)0, dom = domain_with_pages());
    bench_need("create", dom);
    MEASURE_AFTER("create_32mib_rested", 1, dom ? domain_destroy((domid_t)dom) : (void)0; rest(), dom = domain_with_pages());
    MEASURE_AFTER("destroy_32mib", 1, dom = dom ? dom : domain_with_pages(), domain_destroy((domid_t)dom); dom = 0);
}
