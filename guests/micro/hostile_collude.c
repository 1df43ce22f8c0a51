/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two domains that work together against the hypervisor: one lends a page or a port, the other holds on to it, and one of them
 * dies or takes it back meanwhile. What is held stays what it was, nobody else gets it, and when it is let go all memory is
 * there again.
 */

#include "hostile.h"

#include <xen/sched.h>

#include "child.h"
#include "domctl.h"
#include "foreign.h"
#include "grant.h"

#define REF   16
#define PAGES 4
#define WORD  0x6c656e74UL              /* in each page lent */

static void *lent[PAGES], *window_page[PAGES];
static grant_handle_t handle[PAGES];
static uint64_t frame;                  /* of the first page lent, as its owner says */

/* ---- The one that lends ---- */

TEST_DESTRUCTIVE(lender)
{
    unsigned int i;

    grant_setup();
    for (i = 0; i < PAGES; i++) {
        lent[i] = page_alloc();
        *(uint64_t *)lent[i] = WORD;
        ((uint64_t *)lent[i])[1] = mfn_of(lent[0]);
        ((uint64_t *)lent[i])[2] = (uint64_t)port_alloc(DOMID_SELF, 0);
        grant_page(REF + i, lent[i], 0, i == 3 ? GTF_readonly : 0);
    }
    shutdown(SHUTDOWN_suspend);         /* it stays, with what it lent */
}

/* ---- dom0 holds on ---- */

static long map_one(domid_t dom, unsigned int i, unsigned int flags)
{
    return grant_map(window_page[i], dom, REF + i, GNTMAP_host_map | flags, &handle[i]);
}

static bool is_lent(unsigned int i) { return *(volatile uint64_t *)window_page[i] == WORD; }

/* What each gives is how its last step ended. The domain is dead afterwards. */
static long map_and_die(domid_t dom, uint64_t before)
{
    long rc = map_one(dom, 0, 0) ?: map_one(dom, 1, GNTMAP_readonly) ?: map_one(dom, 3, GNTMAP_readonly);

    domain_destroy(dom);
    yield();
    EXPECT(is_lent(0) && is_lent(1) && is_lent(3));
    EXPECT(machine_free_pages() < before);
    *(volatile uint64_t *)window_page[0] = WORD + 1;
    rc = rc ?: grant_unmap(U(window_page[0]), handle[0]) ?: grant_unmap(U(window_page[1]), handle[1]);
    return rc ?: grant_unmap(U(window_page[3]), handle[3]);
}

static long map_twice_and_die(domid_t dom, uint64_t before)
{
    grant_handle_t second;
    long rc = map_one(dom, 0, 0) ?: grant_map(window_page[1], dom, REF, GNTMAP_host_map, &second);

    domain_destroy(dom);
    rc = rc ?: grant_unmap(U(window_page[0]), handle[0]);
    EXPECT(is_lent(1));
    EXPECT(grant_unmap(U(window_page[0]), handle[0]) != 0);
    return rc ?: grant_unmap(U(window_page[1]), second);
}

static long map_of_the_dead(domid_t dom, uint64_t before)
{
    domain_destroy(dom);
    return map_one(dom, 0, 0);
}

static long copy_of_the_dead(domid_t dom, uint64_t before)
{
    domain_destroy(dom);
    return grant_copy((struct copy_side){ REF, dom, 0 }, (struct copy_side){ mfn_of(window_page[2]), DOMID_SELF, 0 }, 64,
                      GNTCOPY_source_gref);
}

/* Its frame, by its number, while a grant of it is mapped, and after the death of its owner. */
static long foreign_map_and_die(domid_t dom, uint64_t before)
{
    long rc = map_one(dom, 0, 0);

    frame = ((uint64_t *)window_page[0])[1];
    rc = rc ?: window_map(dom, 0, frame, PTE_FLAGS);
    domain_destroy(dom);
    EXPECT(*(volatile uint64_t *)window(0) == WORD);
    rc = rc ?: grant_unmap(U(window_page[0]), handle[0]);
    EXPECT(*(volatile uint64_t *)window(0) == WORD);
    if (window_map(dom, 1, frame, PTE_FLAGS) == 0) {            /* it is somebody's as long as it is mapped */
        EXPECT(*(volatile uint64_t *)window(1) == WORD);
        window_unmap(1);
    }
    window_unmap(0);
    EXPECT(window_map(dom, 1, frame, PTE_FLAGS) != 0);
    return rc;
}

/* As a page table of dom0's own, or pinned as one: the frame is another's, mapped or not. */
static long as_table(domid_t dom, uint64_t before)
{
    long rc = map_one(dom, 1, 0), pinned;

    frame = ((uint64_t *)window_page[1])[1];
    pinned = mmuext(MMUEXT_PIN_L1_TABLE, frame, 0);
    EXPECT(mmu_update(maddr_of(pte_of(window_page[2], 2)), frame << 12 | PTE_FLAGS) != 0);
    rc = rc ?: grant_unmap(U(window_page[1]), handle[1]);
    domain_destroy(dom);
    return rc ?: pinned;
}

static long port_and_die(domid_t dom, uint64_t before)
{
    long rc = map_one(dom, 0, 0), port;
    evtchn_port_t theirs = (evtchn_port_t)((uint64_t *)window_page[0])[2];

    port = port_bind(dom, theirs);
    EXPECT_GE(port, 1);
    EXPECT_EQ(port_send((evtchn_port_t)port), 0);
    rc = rc ?: grant_unmap(U(window_page[0]), handle[0]);
    domain_destroy(dom);
    yield();
    port_send((evtchn_port_t)port);     /* to nobody now: either answer will do */
    EXPECT(port_bind(dom, theirs) < 0);
    return rc ?: port_close((evtchn_port_t)port);
}

/* Handles and addresses that do not belong together, after the owner's death. */
static long wrong_handles(domid_t dom, uint64_t before)
{
    long rc = map_one(dom, 0, 0) ?: map_one(dom, 1, 0) ?: map_one(dom, 2, 0);

    domain_destroy(dom);
    EXPECT(grant_unmap(U(window_page[0]), handle[1]) != 0);
    EXPECT(grant_unmap(U(window_page[1]), handle[2]) != 0);
    EXPECT(grant_unmap(U(window_page[3]), handle[0]) != 0);
    EXPECT(grant_unmap(U(window_page[0]), ~0u) != 0);
    EXPECT(is_lent(0) && is_lent(1) && is_lent(2));
    rc = rc ?: grant_unmap(U(window_page[2]), handle[2]) ?: grant_unmap(U(window_page[1]), handle[1]);
    EXPECT(grant_unmap(U(window_page[1]), handle[1]) != 0);
    return rc ?: grant_unmap(U(window_page[0]), handle[0]);
}

static long transfer_to_the_dead(domid_t dom, uint64_t before)
{
    struct gnttab_transfer t = { .mfn = mfn_of(window_page[2]), .domid = dom, .ref = REF };

    domain_destroy(dom);
    return grant_op(GNTTABOP_transfer, &t, 1) ?: t.status;
}

TEST(holding_on)
{
#define A(name, want) { #name, name, want }
    static const struct { const char *name; long (*run)(domid_t dom, uint64_t before); long want; } attacks[] = {
        A(map_and_die, 0), A(map_twice_and_die, 0), A(map_of_the_dead, REFUSED), A(copy_of_the_dead, REFUSED),
        A(foreign_map_and_die, 0), A(as_table, REFUSED), A(port_and_die, 0), A(wrong_handles, 0), A(transfer_to_the_dead, REFUSED),
    };
    unsigned int i, k;

    if (!is_dom0())
        return;
    first_child();
    for (i = 0; i < PAGES; i++)
        window_page[i] = page_alloc();
    grant_setup();
    grant_page(REF, window_page[0], own_domid(), 0);    /* what dom0 needs to map grants at all it keeps */
    EXPECT_EQ(grant_map(window_page[1], own_domid(), REF, GNTMAP_host_map, &handle[0]), 0);
    EXPECT_EQ(grant_unmap(U(window_page[1]), handle[0]), 0);
    gt1[REF].flags = 0;
    for (i = 0; i < ARRAY_SIZE(attacks); i++) {
        uint64_t before;
        long dom, rc = -1;

        for (k = 0; k < PAGES; k++)
            EXPECT_EQ(make_writable(window_page[k]), 0);
        before = machine_free_pages();
        dom = child_build("destructive=lender");
        if (EXPECT_GE(dom, 1) && EXPECT_EQ(child_run((domid_t)dom, 20, NULL), SHUTDOWN_suspend)) {
            rc = attacks[i].run((domid_t)dom, before);
            EXPECT(memory_returns(before));
        }
        verdict("holding_on", attacks[i].name, rc, attacks[i].want);
    }
    for (i = 0; i < PAGES; i++) {
        EXPECT_EQ(make_writable(window_page[i]), 0);
        page_free(window_page[i]);
    }
}
