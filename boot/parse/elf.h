/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PV kernel's ELF file: what to load where, and what its Xen notes ask for (<xen/elfnote.h>).
 */
#ifndef KRYPTON_BOOT_PARSE_ELF_H
#define KRYPTON_BOOT_PARSE_ELF_H

#include "lib/types.h"

#define PV_SEGMENTS_MAX 16
#define PV_NONE         UINT64_MAX  /* a virtual address that the kernel did not give */

/* One part of the file to load; all checked to lie inside the file and the image's range. */
struct pv_segment {
    uint64_t file_off, file_size;   /* bytes to copy */
    uint64_t paddr, mem_size;       /* where to, in the image's own terms; the rest is zeroed */
};

struct pv_image {
    unsigned int nr_segments;
    struct pv_segment segment[PV_SEGMENTS_MAX];     /* in the file's order; do not overlap */

    /*
     * The kernel asks for itself at [start, end) of its pseudo-physical memory, bytes; start is on a page.
     * p_paddr of the file less paddr_offset: segment[].paddr is in the same terms.
     */
    uint64_t start, end;
    uint64_t virt_base;             /* vaddr of pseudo-physical 0: of x it is virt_base + x */
    uint64_t entry;                 /* vaddr */
    uint64_t hypercall_page;        /* vaddr to fill, on a page inside the image, or PV_NONE */
    uint64_t init_p2m;              /* vaddr for the P2M list, or PV_NONE: after the initrd */
    uint64_t hv_start_low;          /* the lowest vaddr that the hypervisor may have, or PV_NONE */

    uint32_t features_required;     /* bits XENFEAT_*; 1 << n */
    uint32_t features_supported;
    bool mod_start_pfn;             /* the initrd may stay unmapped */
    bool suspend_cancel;
    uint64_t l1_mfn_valid_mask, l1_mfn_valid_value;     /* 0: not given */
    char guest_os[16], guest_version[16];               /* for messages; may be "" */
};

/*
 * Judge the ELF file of @size bytes at @file as a 64-bit PV kernel and describe it in *@out. Gives 0 or
 * -ENOEXEC, with *@why saying which demand it fails; nothing points into @file afterwards.
 *
 * Required features are read as abi asks: "writable_page_tables" is accepted, since writes to page tables
 * are emulated; a kernel that requires "supervisor_mode_kernel", "auto_translated_physmap",
 * "writable_descriptor_tables" or a feature without a name here is refused.
 */
int pv_image_parse(const void *file, size_t size, struct pv_image *out, const char **why);

/* Whether the kernel said that it can be the initial domain. */
bool pv_image_dom0(const struct pv_image *image);

#endif
