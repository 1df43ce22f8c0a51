/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that is saved and restored: it makes ready what a saved image has records for, waits in SCHEDOP_shutdown
 * until somebody has saved it, and says after that whether all of it is there.
 */

#include "event.h"

#include <xen/sched.h>

#include "mm.h"
#include "trap.h"

#define MAX_PAGES 1024
#define DATA32 0x00cff3000000ffffUL     /* a descriptor of privilege 3 */

static uint64_t *filled[MAX_PAGES];
static unsigned int filled_count;
static uint64_t *gdt;

/* Where the toolstack finds the list of all frames: a tree of which the loader's list is the leaves. */
static void publish_p2m(void)
{
    uint64_t *top = page_alloc(), *middle = page_alloc();
    unsigned long i, pages = start_info->nr_pages;

    top[0] = mfn_of(middle);
    for (i = 0; i < (pages + 511) / 512; i++)
        middle[i] = mfn_of(p2m() + i * 512);
    shared_info->arch.max_pfn = pages;
    shared_info->arch.pfn_to_mfn_frame_list_list = mfn_of(top);
}

static uint64_t *descriptors(void)
{
    uint64_t *page = page_alloc();

    page[1] = page[2] = DATA32;
    EXPECT_EQ(make_readonly(page), 0);
    return page;
}

/* A GDT and an LDT of its own, a user address space. */
static void load_tables(void)
{
    uint64_t frame;
    uint64_t *ldt;

    gdt = descriptors();
    frame = mfn_of(gdt);
    EXPECT_EQ(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0);
    ldt = descriptors();
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, U(ldt), 512), 0);
    user_init();
}

static uint64_t pattern(unsigned int page, unsigned int word)
{
    return (uint64_t)(page + 1) * 0x9e3779b97f4a7c15UL ^ (uint64_t)word << 32;
}

static void fill(void)
{
    unsigned int i, word;

    for (i = 0; i < 64; i++) {
        filled[i] = page_alloc();
        for (word = 0; word < 512; word++)
            filled[i][word] = pattern(i, word);
    }
    filled_count = i;
}

static unsigned int wrong_words(void)
{
    unsigned int i, word, wrong = 0;

    for (i = 0; i < filled_count; i++)
        for (word = 0; word < 512; word++)
            wrong += filled[i][word] != pattern(i, word);
    return wrong;
}

/* Frames whose number is not where it belongs in one of the two lists, or that the page tables disagree about. */
static unsigned int wrong_frames(void)
{
    unsigned int pfn, wrong = 0;

    for (pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += m2p(p2m()[pfn]) != pfn;
    for (pfn = 0; pfn < filled_count; pfn++)
        wrong += (*pte_of(filled[pfn], 1) & PTE_ADDR) >> 12 != mfn_of(filled[pfn]);
    return wrong;
}

/* Is the selector usable? It is of a table that the hypervisor had to be told of anew. */
static bool usable(unsigned int selector)
{
    bool ok;

    __asm__ volatile("verr %w1; setz %0" : "=r"(ok) : "r"(selector) : "cc");
    return ok;
}

TEST_DESTRUCTIVE(suspend)
{
    struct sched_shutdown s = { .reason = SHUTDOWN_suspend };
    unsigned int words, frames;
    bool in_gdt, in_ldt;
    long rc;

    publish_p2m();
    load_tables();
    fill();
    EXPECT(usable(1 << 3 | 3));
    EXPECT(usable(2 << 3 | 4 | 3));
    print("suspended\n");
    /* In the image the two rings are pages of the guest; who restores it puts frames there again. */
    start_info->store_mfn = m2p(start_info->store_mfn);
    start_info->console.domU.mfn = (uint32_t)m2p(start_info->console.domU.mfn);
    /* What is the hypervisor's is no part of the image. */
    EXPECT_EQ(update_va(shared_info, 0, UVMF_INVLPG), 0);
    rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &s, mfn_of(start_info));
    EXPECT_EQ(update_va(shared_info, start_info->shared_info | PTE_FLAGS, UVMF_INVLPG), 0);
    words = wrong_words();
    frames = wrong_frames();
    in_gdt = usable(1 << 3 | 3);
    in_ldt = usable(2 << 3 | 4 | 3);
    if (rc == 0 && !words && !frames && in_gdt && in_ldt)
        print("restored right\n");
    else
        print("restored wrong: %ld, %u words, %u frames, selectors %d %d\n", rc, words, frames, in_gdt, in_ldt);
    shutdown(SHUTDOWN_poweroff);
}
