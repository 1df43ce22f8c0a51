/* SPDX-License-Identifier: BSD-2-Clause */
/* The first domain: from a kernel file to a vCPU that can run. */
#ifndef BOOT_DOM0_H
#define BOOT_DOM0_H

#include "boot/parse/bootinfo.h"
#include "boot/parse/cmdline.h"
#include "boot/parse/elf.h"

struct dom0_images {
    const void *kernel;       /* the unpacked ELF file */
    size_t kernel_size;
    const void *initrd;       /* NULL: none */
    size_t initrd_size;
    const char *cmdline;      /* the kernel's */
    const struct boot_screen *screen;
};

/* Builds dom0 and sets `dom0`; its vCPUs are paused. Halts with one line naming the reason and the remedy if it can't be. */
void dom0_build(const struct dom0_images *images, const struct boot_options *options);

/* The layout of dom0's start, in pfns of its own; what boot/dom0.c computes, apart for its test (boot/dom0_layout.c). */
struct dom0_layout {
    uint64_t virt_base;
    uint64_t initrd_pfn, initrd_pages;
    uint64_t start_info_pfn, stack_pfn;
    uint64_t pt_pfn, pt_pages;            /* root first, then each level, contiguous */
    uint64_t l3_pages, l2_pages, l1_pages;
    uint64_t end_pfn;                     /* everything below is mapped */
    uint64_t p2m_pfn, p2m_pages, p2m_tables; /* the list, then the tables that map it at init_p2m (0: in the mapped part) */
    uint64_t need_pages;                  /* one more than the last pfn used */
};
void dom0_layout(struct dom0_layout *l, const struct pv_image *image, size_t initrd_size, uint64_t nr_pages);

#endif
