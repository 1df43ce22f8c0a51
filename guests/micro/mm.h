/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the micro guest: a pool of pages that the loader mapped, and the page tables it stands in.
 *
 * `mfn` is a machine frame number, `pfn` the guest's own; VA = VIRT_BASE + pfn * 4096 for all boot memory.
 */
#ifndef MICRO_MM_H
#define MICRO_MM_H

#include "micro.h"

#define VIRT_BASE 0xffffffff80000000UL

#define PTE_P  0x001UL
#define PTE_W  0x002UL
#define PTE_U  0x004UL
#define PTE_A  0x020UL
#define PTE_D  0x040UL
#define PTE_PS 0x080UL
#define PTE_NX (1UL << 63)
#define PTE_FLAGS    (PTE_P | PTE_W | PTE_A | PTE_D)    /* a kernel page: U is the hypervisor's affair */
#define PTE_RO_FLAGS (PTE_P | PTE_A)
#define PTE_ADDR     0x000ffffffffff000UL

/* A piece of address space nobody else uses: its page tables are made on demand by map(). */
#define SCRATCH 0xffff900000000000UL
#define USER_VA 0x0000000000400000UL

void mm_init(void);

/*
 * One zeroed page of the pool, mapped writable; ends the guest when none is left. page_free wants it so
 * again.
 */
void *page_alloc(void);
void page_free(void *page);

uint64_t *p2m(void);                            /* the loader's list: p2m()[pfn] = mfn */
static inline uint64_t va_to_pfn(const void *va) { return (U(va) - VIRT_BASE) >> 12; }
static inline uint64_t mfn_of(const void *va) { return p2m()[va_to_pfn(va)]; }
static inline uint64_t maddr_of(const void *va) { return mfn_of(va) << 12 | (U(va) & 0xfff); }
uint64_t m2p(uint64_t mfn);                     /* machine-to-phys table */

/* The entry of `level` (1-4) that translates va in the boot address space; NULL when a table is missing. */
uint64_t *pte_of(const void *va, int level);
/* The table (as a kernel VA) that an entry points at. */
uint64_t *table_of(uint64_t entry);
uint64_t *boot_l4(void);

/* Hypercalls in short. */
long update_va(const void *va, uint64_t pte, unsigned long flags);
long mmu_update(uint64_t ptr, uint64_t val);                     /* one request on ourselves */
long mmu_updates(struct mmu_update *req, unsigned int n, unsigned int *done, domid_t dom);
/* arg1 = mfn or linear_addr, arg2 = nr_ents */
long mmuext(unsigned int cmd, uint64_t arg1, uint64_t arg2);
long make_readonly(void *page);
long make_writable(void *page);

/* Maps va with this leaf entry, making page tables as needed. 0 or a negative errno. */
long map(uint64_t va, uint64_t pte);

/* A user address space of its own: one code page at USER_VA, a stack page right behind it. */
void user_init(void);
#define USER_STACK_TOP (USER_VA + 0x12000)
extern char user_start[], user_end[];
/* Where a label of section .user is in user mode. */
#define user_address(label) (USER_VA + (U(label) - U(user_start)))
extern uint64_t *user_l4;

#endif
