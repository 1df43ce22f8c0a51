/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own page tables (x86/layout.h says what is where).
 *
 * Everything that must exist in all address spaces is put in before the first guest runs, so that a guest root only needs
 * the sixteen root entries copied. Later changes (io_map, per-CPU windows) happen below tables that exist already.
 */
#include "x86/mm.h"

#include "core/frame.h"
#include "core/log.h"
#include "lib/string.h"
#include "x86/asm.h"
#include "x86/layout.h"
#include "x86/model/pte.h"
#include "x86/tlb.h"

#define LARGE_2M (2ull << 20)
#define LARGE_1G (1ull << 30)
#define BOOT_LIMIT (4ull << 30) /* what the first page tables map */

#define HV_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define HV_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define HV_RX (PTE_P | PTE_A | PTE_G)
#define HV_SCREEN (HV_RW | PTE_PAT) /* PAT_LAYOUT's fifth */
#define TABLE (PTE_P | PTE_RW | PTE_US | PTE_A)

uint64_t *hv_root;
uint64_t hv_root_maddr;

static struct mem_map *boot_map; /* what is still free; NULL once the allocator has it */
static uint64_t boot_limit = BOOT_LIMIT;
static bool has_1g;
static uint64_t io_next = IO_VA;

void *boot_pages(uint64_t n, uint64_t align)
{
    uint64_t size = n << PAGE_SHIFT;

    if (!boot_map)
        panic("boot memory asked for after the end of boot");
    for (unsigned i = boot_map->count; i-- > 0;) {
        struct mem_range *r = &boot_map->range[i];
        uint64_t end = MIN(r->base + r->size, boot_limit), at;

        if (r->type != MEM_RAM || end < size + MAX(r->base, (uint64_t)1 << 20))
            continue;
        at = ROUNDDOWN(end - size, align);
        if (at < MAX(r->base, (uint64_t)1 << 20))
            continue;
        /* [at, end) goes; what was above `end` stays only if nothing was: keep the loss out of the middle. */
        if (end == r->base + r->size) {
            r->size = at - r->base;
        } else {
            /* The limit cuts the range: give the upper part a range of its own. */
            if (boot_map->count == ARRAY_SIZE(boot_map->range))
                panic("the memory map has too many ranges");
            memmove(r + 2, r + 1, (boot_map->count - i - 1) * sizeof(*r));
            boot_map->count++;
            r[1] = (struct mem_range){ .base = end, .size = r->base + r->size - end, .type = MEM_RAM };
            r->size = at - r->base;
        }
        memset(maddr_va(at), 0, size);
        return maddr_va(at);
    }
    hv_log(LOG_ERR, "Out of memory while booting: %lu KiB more are needed; give the machine more memory. Halted.", size >> 10);
    machine_end(MACHINE_HALT);
}

static uint64_t *new_table(void)
{
    return boot_map ? boot_pages(1, PAGE_SIZE) : hv_pages(0);
}

/* The table one level below the entry, made if it is not there. */
static uint64_t *step(uint64_t *entry)
{
    if (!(*entry & PTE_P)) {
        uint64_t *t = new_table();

        if (!t)
            panic("no memory for the hypervisor's page tables");
        *entry = va_maddr(t) | TABLE;
    }
    ASSERT(!(*entry & PTE_PSE));
    return maddr_va(*entry & PTE_ADDR);
}

static void map_range(uint64_t va, uint64_t maddr, uint64_t size, uint64_t flags)
{
    while (size) {
        uint64_t *l3 = step(&hv_root[pt_index(va, 4)]), *l2, *l1;

        if (has_1g && !((va | maddr) & (LARGE_1G - 1)) && size >= LARGE_1G) {
            l3[pt_index(va, 3)] = maddr | flags | PTE_PSE;
            va += LARGE_1G, maddr += LARGE_1G, size -= LARGE_1G;
            continue;
        }
        l2 = step(&l3[pt_index(va, 3)]);
        if (!((va | maddr) & (LARGE_2M - 1)) && size >= LARGE_2M) {
            l2[pt_index(va, 2)] = maddr | flags | PTE_PSE;
            va += LARGE_2M, maddr += LARGE_2M, size -= LARGE_2M;
            continue;
        }
        l1 = step(&l2[pt_index(va, 2)]);
        l1[pt_index(va, 1)] = maddr | flags;
        va += PAGE_SIZE, maddr += PAGE_SIZE, size -= PAGE_SIZE;
    }
}

void mm_map_page(uint64_t va, mfn_t m, uint64_t flags)
{
    map_range(va, mfn_maddr(m), PAGE_SIZE, flags);
}

uint64_t *mm_make_entry(uint64_t *root, uint64_t va, unsigned level)
{
    uint64_t *t = root;

    for (unsigned l = 4; l > level; l--)
        t = step(&t[pt_index(va, l)]);
    return &t[pt_index(va, level)];
}

uint64_t *mm_entry(uint64_t *root, uint64_t va, unsigned level)
{
    uint64_t *t = root;

    for (unsigned l = 4; l > level; l--) {
        uint64_t e = t[pt_index(va, l)];

        if (!(e & PTE_P) || (e & PTE_PSE))
            return NULL;
        t = maddr_va(e & PTE_ADDR);
    }
    return &t[pt_index(va, level)];
}

static void map_image(void)
{
    map_range((uint64_t)image_start, image_maddr(image_start), text_start - image_start, HV_RO);
    map_range((uint64_t)text_start, image_maddr(text_start), text_end - text_start, HV_RX);
    map_range((uint64_t)text_end, image_maddr(text_end), rodata_end - text_end, HV_RO);
    map_range((uint64_t)rodata_end, image_maddr(rodata_end), image_end - rodata_end, HV_RW);
}

/* RAM [base, end) in the direct map: what is read-only in the image is so here, too. */
static void map_ram(uint64_t base, uint64_t end)
{
    uint64_t ro = image_maddr(image_start), ro_end = image_maddr(rodata_end);

    if (base <= ro && end >= ro_end) {
        map_range(DIRECT_VA + base, base, ro - base, HV_RW);
        map_range(DIRECT_VA + ro, ro, ro_end - ro, HV_RO);
        base = ro_end;
    }
    map_range(DIRECT_VA + base, base, end - base, HV_RW);
}

/* Does any RAM of the whole map lie in [base, base + size)? */
static bool any_ram(const struct mem_map *map, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];

        if ((r->type == MEM_RAM || r->type == MEM_HELD) && r->base < base + size && base < r->base + r->size)
            return true;
    }
    return false;
}

static void *kept_chunk(void)
{
    void *chunk = boot_pages(512, LARGE_2M);

    frames_kept(maddr_mfn(va_maddr(chunk)), 512);
    return chunk;
}

/* The frame table and the M2P, in 2 MiB pieces; pieces that describe no RAM share one page of "not RAM". */
static void build_frame_table(const struct mem_map *whole)
{
    uint64_t per_chunk = LARGE_2M / sizeof(struct frame), chunk_ram = per_chunk << PAGE_SHIFT;
    uint64_t m2p_ram = (LARGE_2M / 8) << PAGE_SHIFT, end = frame_count << PAGE_SHIFT;
    struct frame *none = NULL;
    uint64_t *no_m2p = NULL;

    frame_table = (struct frame *)FRAME_TABLE_VA;
    for (uint64_t at = 0, va = FRAME_TABLE_VA; at < end; at += chunk_ram, va += LARGE_2M) {
        struct frame *f;

        if (at && !any_ram(whole, at, chunk_ram)) {
            if (!none) {
                none = kept_chunk();
                for (uint64_t i = 0; i < per_chunk; i++)
                    none[i].owner = DOMID_IO;
            }
            map_range(va, va_maddr(none), LARGE_2M, HV_RO);
            continue;
        }
        f = kept_chunk();
        for (uint64_t i = 0; i < per_chunk; i++)
            f[i].owner = DOMID_IO;
        map_range(va, va_maddr(f), LARGE_2M, HV_RW);
    }
    for (uint64_t at = 0, off = 0; at < end; at += m2p_ram, off += LARGE_2M) {
        uint64_t *t = no_m2p;

        if (!at || any_ram(whole, at, m2p_ram) || !no_m2p) {
            t = kept_chunk();
            memset(t, 0xff, LARGE_2M);
            if (at && !any_ram(whole, at, m2p_ram))
                no_m2p = t;
        }
        map_range(M2P_VA + off, va_maddr(t), LARGE_2M, (HV_RO | PTE_US) & ~PTE_G);
        map_range(M2P_RW_VA + off, va_maddr(t), LARGE_2M, HV_RW);
    }
}

/* All RAM of the map belongs to the hypervisor until frames_add() says that it is free. */
static void claim_all_ram(const struct mem_map *whole)
{
    for (unsigned i = 0; i < whole->count; i++) {
        const struct mem_range *r = &whole->range[i];

        if (r->type != MEM_RAM && r->type != MEM_HELD)
            continue;
        for (uint64_t m = r->base >> PAGE_SHIFT; m < (r->base + r->size) >> PAGE_SHIFT; m++) {
            frame_table[m].owner = DOMID_XEN;
            frame_table[m].refs = 1;
        }
    }
}

/* In small pages: in others, the PAT's bit is where their size's is here. */
static void map_screen(uint64_t base, uint64_t size)
{
    for (uint64_t end = ROUNDUP(base + size, PAGE_SIZE), at = ROUNDDOWN(base, PAGE_SIZE); at < end; at += PAGE_SIZE)
        map_range(DIRECT_VA + at, at, PAGE_SIZE, HV_SCREEN);
}

void mm_build(struct mem_map *map, uint64_t screen, uint64_t screen_size)
{
    static struct mem_map whole;

    whole = *map;
    boot_map = map;
    has_1g = cpuid(0x80000000, 0).eax >= 0x80000001 && (cpuid(0x80000001, 0).edx & (1u << 26));
    hv_root = boot_pages(1, PAGE_SIZE);
    hv_root_maddr = va_maddr(hv_root);

    for (unsigned i = 0; i < whole.count; i++) {
        const struct mem_range *r = &whole.range[i];

        if (r->type == MEM_RAM || r->type == MEM_HELD) {
            map_ram(r->base, r->base + r->size);
            frame_count = MAX(frame_count, (r->base + r->size) >> PAGE_SHIFT);
        }
    }
    map_screen(screen, screen_size);
    map_image();
    /* The tables of all slots exist from now on: roots are copied by value. */
    for (unsigned s = PT_HV_SLOT_FIRST; s <= PT_HV_SLOT_LAST; s++)
        step(&hv_root[s]);
    write_cr4(read_cr4() | (1u << 7)); /* PGE */
    wrmsr(MSR_PAT, PAT_LAYOUT);
    tlb_load_root(hv_root_maddr);
    boot_limit = ~0ull;
    build_frame_table(&whole);
    claim_all_ram(&whole);
}

bool mm_is_built(void)
{
    return boot_limit != BOOT_LIMIT;
}

void mm_release(uint64_t maddr, uint64_t size)
{
    uint64_t start = ROUNDUP(maddr, PAGE_SIZE), end = ROUNDDOWN(maddr + size, PAGE_SIZE);

    if (start >= end)
        return;
    for (uint64_t m = start >> PAGE_SHIFT; m < end >> PAGE_SHIFT; m++)
        frame_table[m].refs = 0;
    frames_add(maddr_mfn(start), maddr_mfn(end));
}

void mm_give_free_frames(void)
{
    struct mem_map *map = boot_map;

    boot_map = NULL;
    for (unsigned i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];
        uint64_t start = MAX(r->base, (uint64_t)1 << 20);

        if (r->type == MEM_RAM && r->base + r->size > start)
            mm_release(start, r->base + r->size - start);
    }
}

mfn_t machine_m2p_chunk(unsigned i)
{
    uint64_t va = M2P_RW_VA + i * LARGE_2M, *l3 = maddr_va(hv_root[pt_index(va, 4)] & PTE_ADDR);
    uint64_t *l2 = maddr_va(l3[pt_index(va, 3)] & PTE_ADDR);

    return mfn(pte_mfn(l2[pt_index(va, 2)]));
}

void *io_map(uint64_t maddr, size_t len)
{
    uint64_t first = ROUNDDOWN(maddr, PAGE_SIZE), size = ROUNDUP(maddr + len, PAGE_SIZE) - first, va = io_next;

    if (size > SLOT_VA(258) - io_next)
        return NULL;
    io_next += size + PAGE_SIZE;
    map_range(va, first, size, HV_RW | PTE_PCD | PTE_PWT);
    return (void *)(va + (maddr - first));
}

void mm_patch_smap(bool smap)
{
    extern uint64_t smap_sites_start[], smap_sites_end[];

    if (!smap)
        return;
    for (uint64_t *s = smap_sites_start; s < smap_sites_end; s += 2) {
        uint8_t *code = maddr_va(image_maddr((void *)s[0]));

        code[0] = 0x0f, code[1] = 0x01, code[2] = s[1] ? 0xcb : 0xca;
    }
}

void *machine_frame(mfn_t m)
{
    return mfn_is_ram(m) ? maddr_va(mfn_maddr(m)) : NULL;
}

mfn_t machine_frame_mfn(const void *p)
{
    return maddr_mfn(va_maddr(p));
}

void machine_root_init(uint64_t *root)
{
    memcpy(root + PT_HV_SLOT_FIRST, hv_root + PT_HV_SLOT_FIRST, (PT_HV_SLOT_LAST - PT_HV_SLOT_FIRST + 1) * sizeof(*root));
}

uint64_t *machine_m2p(void)
{
    return (uint64_t *)M2P_RW_VA;
}
