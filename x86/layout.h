/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's address space: root slots 256 to 271, the same in every page table of every guest.
 *
 *   256  M2P          read-only for guests (ABI: machine-to-phys table)
 *   257  IO           device registers (io_map)
 *   258  nothing
 *   259  frame table
 *   260  image        linked at 2 MiB above its base
 *        per CPU      2 MiB each, 1 GiB above the image's base: stacks with guard pages, GDT and LDT windows, TSS
 *   261  M2P          writable, for us
 *   262  direct map of all RAM, to 271 (5 TiB)
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#define SLOT_VA(n)      (0xffff000000000000 + (n) * 0x8000000000)
#define M2P_VA          SLOT_VA(256)
#define IO_VA           SLOT_VA(257)
#define FRAME_TABLE_VA  SLOT_VA(259)
#define IMAGE_VA        SLOT_VA(260)
#define PERCPU_VA       (IMAGE_VA + 0x40000000)  /* the image reaches it by rip: x86/entry.S */
#define M2P_RW_VA       SLOT_VA(261)
#define DIRECT_VA       SLOT_VA(262)
#define DIRECT_END      SLOT_VA(272)

/*
 * Inside one CPU's 2 MiB, which have one L1 table of their own: a guest's exit root (x86/xpti.c) shares
 * it, so nothing else may be mapped here. The stack area is 64 KiB, aligned to it, so that any of its
 * stacks finds the CPU by masking.
 */
#define PERCPU_SIZE       0x200000
#define PERCPU_STACKS     0x00000
#define STACK_AREA_SIZE   0x10000
#define IST_PAGES         4        /* at pages 1, 3, 5, 7: each above an unmapped guard page: #DF, NMI, #MC, #DB */
#define MAIN_STACK_PAGE   9        /* pages 9..15, guard below */
#define PERCPU_GDT        0x10000  /* 16 pages */
#define PERCPU_LDT        0x20000  /* 16 pages */
#define PERCPU_TSS        0x30000  /* 1 page */

/* The hypervisor's GDT entries, in page 14 of the window; the guest's flat selectors are fixed by <xen/arch-x86/xen-x86_64.h>. */
#define SEL_RING0_CS     0xe008
#define SEL_RING0_DS     0xe010
#define SEL_RING3_CS32   0xe023
#define SEL_RING3_DS     0xe02b
#define SEL_RING3_CS64   0xe033
#define SEL_TSS          0xe040
#define SEL_LDT          0xe050
#define SEL_CPU          0xe063    /* limit holds the CPU number, for LSL */

#endif
