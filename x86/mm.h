/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own page tables: built once at boot, the same in every address space. */
#ifndef X86_MM_H
#define X86_MM_H

#include "boot/parse/e820.h"
#include "core/ids.h"
#include "core/machine.h"

/* The root that has only the hypervisor in it: what an idle CPU runs on, and whose slots 256-271 every guest root gets. */
extern uint64_t *hv_root;
extern uint64_t hv_root_maddr;

/* WB WT UC- UC WC WP UC UC: what PV guests of this ABI find, and derive their cache modes from. */
#define PAT_LAYOUT 0x0000050100070406ull

/*
 * Boot, in this order. `map` is normalised; its RAM ranges are what is free (the image and modules are marked HELD), and
 * shrink as memory is taken. mm_build maps everything and loads the new root; afterwards frames_add() what is left. The
 * device memory [screen, screen + screen_size), no RAM, is mapped write-combining at its maddr_va(); size 0: none.
 */
void mm_build(struct mem_map *map, uint64_t screen, uint64_t screen_size);
/* Has it? */
bool mm_is_built(void);
/* Whole zeroed pages while booting, below 4 GiB until mm_build has run. Panics without memory. */
void *boot_pages(uint64_t n, uint64_t align);
/* Memory that boot held (a module, an unpacked kernel) is free RAM from now on. After mm_give_free_frames(). */
void mm_release(uint64_t maddr, uint64_t size);
/* The last step: hands the rest of RAM to the allocator; boot_pages() is over. */
void mm_give_free_frames(void);

/* Device registers at maddr, uncached; for ever. NULL without address space. */
void *io_map(uint64_t maddr, size_t len);

/* Maps one page at va in slot 257..260 (tables are made as needed). flags: PTE bits without address. */
void mm_map_page(uint64_t va, mfn_t m, uint64_t flags);
/* The entry of `level` (1..4) that translates va in a root; NULL if there is no table for it. */
uint64_t *mm_entry(uint64_t *root, uint64_t va, unsigned level);
/* The same, with tables made as needed. */
uint64_t *mm_make_entry(uint64_t *root, uint64_t va, unsigned level);

/* Fills in clac and stac where the CPU has SMAP, before the image becomes read-only. */
void mm_patch_smap(bool smap);

static inline void *maddr_va(uint64_t maddr) { return (void *)(RAM_VA + maddr); }
static inline uint64_t va_maddr(const void *p) { return (uint64_t)(uintptr_t)p - RAM_VA; }
/* Of something in the image. */
static inline uint64_t image_maddr(const void *p) { return (uint64_t)(uintptr_t)p - 0xffff820000000000ull; }

extern char image_start[], text_start[], entry_start[], entry_end[], text_end[], rodata_end[], load_end[];
extern char image_end[];

#endif
