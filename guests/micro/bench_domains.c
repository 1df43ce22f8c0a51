/* SPDX-License-Identifier: BSD-2-Clause */
/* What should not grow with the number of domains: the same operations beside 0, 4, 16 and 64 others of 32 MiB, which are idle. */

#include "foreign.h"
#include "scale.h"

#include <xen/memory.h>
#include <xen/sched.h>

#define MOST 64
#define PAGES 8192UL                    /* of each other domain */

static const struct step {
    unsigned int others;
    const char *create, *destroy, *populate, *timer, *send, *yield;
} steps[] = {
    { 0, "create_at_0", "destroy_at_0", "populate_at_0", "set_timer_at_0", "send_at_0", "yield_at_0" },
    { 4, "create_at_4", "destroy_at_4", "populate_at_4", "set_timer_at_4", "send_at_4", "yield_at_4" },
    { 16, "create_at_16", "destroy_at_16", "populate_at_16", "set_timer_at_16", "send_at_16", "yield_at_16" },
    { MOST, "create_at_64", "destroy_at_64", "populate_at_64", "set_timer_at_64", "send_at_64", "yield_at_64" },
};

/* Puts the domain's first n pages where it has none; gives how many. */
static long fill(domid_t dom, unsigned long n)
{
    static xen_pfn_t list[PAGES];
    unsigned long i;

    for (i = 0; i < n; i++)
        list[i] = i;
    return populate(dom, list, (unsigned int)n, 0);
}

static void measure(const struct step *s)
{
    long dom = 0;

    measure_calls(s->timer, s->send);
    MEASURE(s->yield, 1, hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    measure_life(s->create, s->destroy, 1);
    MEASURE_AFTER(s->populate, 1, dom ? domain_destroy((domid_t)dom) : (void)0; dom = domain_create(4096, 1),
                  fill((domid_t)dom, 1));
    domain_destroy((domid_t)dom);
}

BENCH(domains)
{
    static long others[MOST];
    unsigned int have = 0, i;

    if (!is_dom0())
        return;
    for (i = 0; i < ARRAY_SIZE(steps); i++) {
        for (; have < steps[i].others; have++) {
            others[have] = domain_create(PAGES * 4, 1);
            bench_need("another domain", others[have]);
            if (fill((domid_t)others[have], PAGES) != (long)PAGES)
                bench_need("its pages", -1);
        }
        measure(&steps[i]);
    }
    while (have)
        domain_destroy((domid_t)others[--have]);
}
