/* SPDX-License-Identifier: BSD-2-Clause */
/* Grants of our own pages to ourselves: mapped and unmapped singly and in batches, copied. */

#include "bench.h"

#include "grant.h"

#define REF   32
#define BATCH 32

static struct gnttab_map_grant_ref maps[BATCH];
static struct gnttab_unmap_grant_ref unmaps[BATCH];
static char *windows[BATCH];

static void fill_unmaps(void)
{
    unsigned int i;

    for (i = 0; i < BATCH; i++) {
        unmaps[i].host_addr = maps[i].host_addr;
        unmaps[i].dev_bus_addr = 0;
        unmaps[i].handle = maps[i].handle;
    }
}

static void map_batch(unsigned int n)
{
    unsigned int i;

    for (i = 0; i < n; i++)
        maps[i].status = 99;
    grant_op(GNTTABOP_map_grant_ref, maps, n);
    for (i = 0; i < n; i++)
        bench_need("map", maps[i].status);
    fill_unmaps();
}

static void unmap_batch(unsigned int n)
{
    fill_unmaps();
    grant_op(GNTTABOP_unmap_grant_ref, unmaps, n);
}

BENCH(map)
{
    char *page = page_alloc();
    unsigned int i;

    if (!grant_setup())
        return;
    for (i = 0; i < BATCH; i++) {
        grant_page(REF + i, page, own_domid(), 0);
        windows[i] = page_alloc();
        bench_need("window", update_va(windows[i], 0, UVMF_INVLPG));
        maps[i] = (struct gnttab_map_grant_ref){ .host_addr = U(windows[i]), .flags = GNTMAP_host_map, .ref = REF + i,
                                                 .dom = own_domid() };
    }
    map_batch(1);
    MEASURE_AFTER("map_1", 1, unmap_batch(1), grant_op(GNTTABOP_map_grant_ref, maps, 1));
    MEASURE_AFTER("unmap_1", 1, map_batch(1), grant_op(GNTTABOP_unmap_grant_ref, unmaps, 1));
    map_batch(BATCH);
    MEASURE_AFTER("map_32_each", BATCH, unmap_batch(BATCH), grant_op(GNTTABOP_map_grant_ref, maps, BATCH));
    MEASURE_AFTER("unmap_32_each", BATCH, map_batch(BATCH), grant_op(GNTTABOP_unmap_grant_ref, unmaps, BATCH));
    page_free(page);
}

BENCH(copy)
{
    char *from = page_alloc(), *to = page_alloc();
    struct gnttab_copy copy = { .len = PAGE_SIZE, .flags = GNTCOPY_source_gref };

    grant_page(REF, from, own_domid(), GTF_readonly);
    copy.source.domid = own_domid();
    copy.source.u.ref = REF;
    copy.dest.domid = DOMID_SELF;
    copy.dest.u.gmfn = mfn_of(to);
    MEASURE("copy_4096", 1, grant_op(GNTTABOP_copy, &copy, 1));
    bench_need("copy", copy.status);
    MEASURE("bare_copy_4096", 1, { const char *f = from; char *t = to; uint64_t n = 512; __asm__ volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(n) : : "memory"); });
    page_free(from);
    page_free(to);
}
