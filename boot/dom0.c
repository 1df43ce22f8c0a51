/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds the first domain: memory, kernel, initrd, page tables, start_info, vCPUs (<xen/xen.h>, "start of day").
 *
 * The frames are dom0's own from the start and are filled through the direct map; the page tables are plain data until vCPU 0
 * gets its context, which validates them like any guest's.
 */
#include "boot/dom0.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/firmware.h"
#include "core/hypercall_page.h"
#include "core/log.h"
#include "core/m2p.h"
#include "core/reservation.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/cpu_policy.h"
#include "x86/mm.h"
#include "x86/model/pte.h"

#include <xen/xen.h>

#define MiB(n) ((uint64_t)(n) << 20)
#define PADDING_PAGES (MiB(1) / 2 / PAGE_SIZE)
#define ROUND_PAGES (MiB(4) / PAGE_SIZE)
#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static uint32_t *p2m; /* of dom0 while it is built: pfn to mfn */

static mfn_t frame_of_pfn(uint64_t pfn) { return mfn(p2m[pfn]); }
static void *page_of_pfn(uint64_t pfn) { return machine_frame(frame_of_pfn(pfn)); }

static _Noreturn void cannot(const char *what, const char *remedy)
{
    hv_log(LOG_ERR, "Can't start dom0: %s; %s. Halted.", what, remedy);
    machine_end(MACHINE_HALT);
}

/* ---- Layout ---- */

static uint64_t span_count(uint64_t pages, unsigned level)
{
    return DIV_ROUNDUP(pages, pt_span(level) >> PAGE_SHIFT);
}

void dom0_layout(struct dom0_layout *l, const struct pv_image *image, size_t initrd_size, uint64_t nr_pages)
{
    uint64_t at = DIV_ROUNDUP(image->end, PAGE_SIZE), end;
    bool own_p2m = image->init_p2m != PV_NONE;

    *l = (struct dom0_layout){ .virt_base = image->virt_base, .initrd_pages = DIV_ROUNDUP(initrd_size, PAGE_SIZE),
                               .p2m_pages = DIV_ROUNDUP(nr_pages * 8, PAGE_SIZE) };
    if (!image->mod_start_pfn) {
        l->initrd_pfn = at;
        at += l->initrd_pages;
    }
    if (!own_p2m) {
        l->p2m_pfn = at;
        at += l->p2m_pages;
    }
    l->start_info_pfn = at++;
    l->pt_pfn = at;
    /* The tables map themselves: grow until they reach. */
    for (l->pt_pages = 4;; l->pt_pages++) {
        l->stack_pfn = l->pt_pfn + l->pt_pages;
        end = ROUNDUP(l->stack_pfn + 1 + PADDING_PAGES, ROUND_PAGES);
        l->l1_pages = span_count(end, 2);
        l->l2_pages = span_count(end + (pt_index(l->virt_base, 2) << 9), 3);
        l->l3_pages = 1;
        if (1 + l->l3_pages + l->l2_pages + l->l1_pages <= l->pt_pages)
            break;
    }
    l->end_pfn = at = end;
    if (own_p2m) {
        l->p2m_pfn = at;
        l->p2m_tables = 1 + span_count(l->p2m_pages, 3) + span_count(l->p2m_pages, 2);
        at += l->p2m_pages + l->p2m_tables;
    }
    if (image->mod_start_pfn) {
        l->initrd_pfn = at;
        at += l->initrd_pages;
    }
    l->need_pages = at;
}

/* ---- Memory ---- */

/* All of dom0's frames: 2 MiB at a time, single ones when those are gone. */
static void populate(uint64_t nr_pages)
{
    for (uint64_t pfn = 0; pfn < nr_pages;) {
        unsigned order = pfn % 512 == 0 && nr_pages - pfn >= 512 ? 9 : 0;
        mfn_t m = reservation_add(dom0, order, 0, pfn);

        if (mfn_same(m, MFN_NONE) && order) {
            order = 0;
            m = reservation_add(dom0, order, 0, pfn);
        }
        if (mfn_same(m, MFN_NONE))
            cannot("there is not enough memory", "give it less with dom0_mem=");
        for (uint64_t i = 0; i < 1ull << order; i++)
            p2m[pfn + i] = (uint32_t)(m.n + i);
        pfn += 1ull << order;
    }
}

static void copy_in(uint64_t paddr, const void *from, uint64_t size)
{
    while (size) {
        uint64_t off = paddr & (PAGE_SIZE - 1), n = MIN(size, PAGE_SIZE - off);

        memcpy((char *)page_of_pfn(paddr >> PAGE_SHIFT) + off, from, n);
        paddr += n;
        from = (const char *)from + n;
        size -= n;
    }
}

static void load_kernel(const struct pv_image *image, const void *file)
{
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct pv_segment *s = &image->segment[i];

        /* The frames are fresh: what the file does not fill is zero. */
        copy_in(s->paddr, (const char *)file + s->file_off, s->file_size);
    }
    if (image->hypercall_page != PV_NONE)
        hypercall_page_fill(page_of_pfn((image->hypercall_page - image->virt_base) >> PAGE_SHIFT));
}

/* ---- Page tables ---- */

static bool is_table_pfn(const struct dom0_layout *l, uint64_t pfn)
{
    return (pfn >= l->pt_pfn && pfn < l->pt_pfn + l->pt_pages) ||
           (l->p2m_tables && pfn >= l->p2m_pfn + l->p2m_pages && pfn < l->p2m_pfn + l->p2m_pages + l->p2m_tables);
}

static void link_table(uint64_t parent_pfn, unsigned index, uint64_t child_pfn)
{
    ((uint64_t *)page_of_pfn(parent_pfn))[index] = pte_make(frame_of_pfn(child_pfn).n, TABLE_FLAGS);
}

/*
 * Maps pfns [first, first + n) at va with tables l3 (one), l2.. and l1.. that lie one behind the other. Pages in use as tables
 * are mapped read-only.
 */
static void map_pages(const struct dom0_layout *l, uint64_t va, uint64_t first, uint64_t n, uint64_t l3, uint64_t l2,
                      uint64_t l1)
{
    uint64_t l2_base = va >> pt_shift(3), l1_base = va >> pt_shift(2);

    link_table(l->pt_pfn, pt_index(va, 4), l3);
    for (uint64_t i = 0; i < n; i++, va += PAGE_SIZE) {
        uint64_t l2_pfn = l2 + (va >> pt_shift(3)) - l2_base, l1_pfn = l1 + (va >> pt_shift(2)) - l1_base;
        uint64_t flags = is_table_pfn(l, first + i) ? TABLE_FLAGS & ~PTE_RW : TABLE_FLAGS;

        if (i == 0 || pt_index(va, 2) == 0)
            link_table(l3, pt_index(va, 3), l2_pfn);
        if (i == 0 || pt_index(va, 1) == 0)
            link_table(l2_pfn, pt_index(va, 2), l1_pfn);
        ((uint64_t *)page_of_pfn(l1_pfn))[pt_index(va, 1)] = pte_make(frame_of_pfn(first + i).n, flags);
    }
}

static void build_tables(const struct dom0_layout *l, const struct pv_image *image)
{
    uint64_t l3 = l->pt_pfn + 1, l2 = l3 + l->l3_pages, t = l->p2m_pfn + l->p2m_pages;

    map_pages(l, l->virt_base, 0, l->end_pfn, l3, l2, l2 + l->l2_pages);
    if (l->p2m_tables)
        map_pages(l, image->init_p2m, l->p2m_pfn, l->p2m_pages, t, t + 1, t + 1 + span_count(l->p2m_pages, 3));
}

/* ---- What the kernel finds ---- */

static uint64_t va_of(const struct dom0_layout *l, uint64_t pfn)
{
    return l->virt_base + (pfn << PAGE_SHIFT);
}

static void fill_p2m(const struct dom0_layout *l, uint64_t nr_pages)
{
    for (uint64_t pfn = 0; pfn < nr_pages; pfn++)
        ((uint64_t *)page_of_pfn(l->p2m_pfn + pfn / 512))[pfn % 512] = p2m[pfn];
}

/* Where the loader left the screen, as the kernel's console drivers want it. */
static void fill_screen(dom0_vga_console_info_t *vga, const struct boot_screen *s)
{
    if (s->type != SCREEN_PIXELS) {
        vga->video_type = XEN_VGATYPE_TEXT_MODE_3;
        vga->u.text_mode_3.font_height = 16;
        vga->u.text_mode_3.rows = 25;
        vga->u.text_mode_3.columns = 80;
        return;
    }
    vga->video_type = firmware_efi.version ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
    vga->u.vesa_lfb.width = (uint16_t)s->width;
    vga->u.vesa_lfb.height = (uint16_t)s->height;
    vga->u.vesa_lfb.bytes_per_line = (uint16_t)s->pitch;
    vga->u.vesa_lfb.bits_per_pixel = s->bpp;
    vga->u.vesa_lfb.lfb_base = (uint32_t)s->base;
    vga->u.vesa_lfb.ext_lfb_base = (uint32_t)(s->base >> 32);
    vga->u.vesa_lfb.lfb_size = (uint32_t)(ROUNDUP((uint64_t)s->pitch * s->height, 0x10000) >> 16);
    vga->u.vesa_lfb.red_pos = s->red_pos;
    vga->u.vesa_lfb.red_size = s->red_bits;
    vga->u.vesa_lfb.green_pos = s->green_pos;
    vga->u.vesa_lfb.green_size = s->green_bits;
    vga->u.vesa_lfb.blue_pos = s->blue_pos;
    vga->u.vesa_lfb.blue_size = s->blue_bits;
}

static void fill_start_info(const struct dom0_layout *l, const struct pv_image *image, const struct dom0_images *images,
                            uint64_t nr_pages)
{
    start_info_t *si = page_of_pfn(l->start_info_pfn);
    dom0_vga_console_info_t *vga = (void *)(si + 1);

    strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = nr_pages;
    si->shared_info = mfn_maddr(dom0->shared_mfn);
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = va_of(l, l->pt_pfn);
    si->nr_pt_frames = l->pt_pages;
    if (l->p2m_tables) {
        si->flags |= SIF_VIRT_P2M_4TOOLS;
        si->mfn_list = image->init_p2m;
        si->first_p2m_pfn = l->p2m_pfn;
        si->nr_p2m_frames = l->p2m_pages + l->p2m_tables;
    } else {
        si->mfn_list = va_of(l, l->p2m_pfn);
    }
    if (images->initrd) {
        si->mod_start = image->mod_start_pfn ? l->initrd_pfn : va_of(l, l->initrd_pfn);
        si->mod_len = images->initrd_size;
        si->flags |= image->mod_start_pfn ? SIF_MOD_START_PFN : 0;
    }
    strlcpy((char *)si->cmd_line, images->cmdline, sizeof(si->cmd_line));
    fill_screen(vga, images->screen);
    si->console.dom0.info_off = sizeof(*si);
    si->console.dom0.info_size = sizeof(*vga);
}

/* ---- vCPUs ---- */

static void first_context(const struct dom0_layout *l, const struct pv_image *image)
{
    static struct vcpu_guest_context c;
    int rc;

    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = image->entry;
    c.user_regs.rsi = va_of(l, l->start_info_pfn);
    c.user_regs.rsp = va_of(l, l->stack_pfn) + PAGE_SIZE;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.user_regs.rflags = X86_EFLAGS_IF;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.kernel_sp = c.user_regs.rsp;
    c.ctrlreg[3] = mfn_maddr(frame_of_pfn(l->pt_pfn));
    do {
        budget_reset();
        rc = vcpu_set_context(dom0->vcpu[0], &c);
    } while (rc == -ERESTART);
    if (rc)
        cannot("its page tables are refused", "this is a bug of the hypervisor");
    if (type_pin(dom0, frame_of_pfn(l->pt_pfn), TYPE_L4))
        cannot("its root can't be pinned", "this is a bug of the hypervisor");
}

static unsigned vcpu_count(const struct boot_options *o)
{
    unsigned n = MIN(pcpu_count, MAX_VCPUS);

    if (o->dom0_vcpus_max)
        n = MIN(n, o->dom0_vcpus_max);
    n = MAX(n, o->dom0_vcpus_min);
    return MAX(MIN(n, MAX_VCPUS), 1u);
}

static void make_vcpus(const struct boot_options *o)
{
    if (domain_alloc_vcpus(dom0, dom0->max_vcpus))
        cannot("there is no memory for its vCPUs", "give it fewer with dom0_max_vcpus=");
    for (unsigned i = 0; i < dom0->max_vcpus; i++) {
        cpumask_t one = 1ull << (i % pcpu_count);

        if (o->dom0_vcpus_pin)
            (void)sched_set_affinity(dom0->vcpu[i], &one, NULL);
        if (i < XEN_LEGACY_MAX_VCPUS)
            dom0->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    }
}

/* ---- All of it ---- */

static uint64_t choose_memory(const struct boot_options *o, uint64_t *max)
{
    struct dom0_memory m = cmdline_dom0_memory(o, frames_free_count() << PAGE_SHIFT, frames_total_count() << PAGE_SHIFT);

    *max = m.max >> PAGE_SHIFT;
    return m.bytes >> PAGE_SHIFT;
}

void dom0_build(const struct dom0_images *images, const struct boot_options *options)
{
    struct domain_config cfg = { .id = 0, .max_vcpus = vcpu_count(options), .max_ports = 4096 * 32,
                                 .max_grant_frames = ~0u, .max_maptrack_frames = ~0u, .max_grant_version = 2,
                                 .privileges = PRIV_ALL };
    static struct pv_image image;
    struct dom0_layout l;
    uint64_t nr_pages, max_pages, map_bytes;
    const char *why;

    if (pv_image_parse(images->kernel, images->kernel_size, &image, &why))
        cannot(why, "the first module must be a Linux kernel with Xen PV support");
    if (!pv_image_dom0(&image))
        cannot("this kernel says that it can't be dom0", "boot one with CONFIG_XEN_DOM0");
    nr_pages = choose_memory(options, &max_pages);
    dom0_layout(&l, &image, images->initrd_size, nr_pages);
    if (l.need_pages + MiB(16) / PAGE_SIZE > nr_pages)
        cannot("its memory is too small for its kernel and initrd", "give it more with dom0_mem=");
    map_bytes = ROUNDUP(nr_pages * sizeof(*p2m), PAGE_SIZE);
    p2m = hv_alloc(map_bytes);
    if (!p2m || domain_create(&cfg, &dom0))
        cannot("there is not enough memory", "give it less with dom0_mem=");
    dom0->all_io = true;
    dom0->vm_assist = 1u << VMASST_TYPE_writable_pagetables;
    dom0->max_pages = MAX(max_pages, nr_pages);
    cpu_policy_for_dom0(dom0->policy);
    make_vcpus(options);
    populate(nr_pages);
    load_kernel(&image, images->kernel);
    if (images->initrd)
        copy_in(l.initrd_pfn << PAGE_SHIFT, images->initrd, images->initrd_size);
    fill_p2m(&l, nr_pages);
    build_tables(&l, &image);
    fill_start_info(&l, &image, images, nr_pages);
    time_update_wallclock(dom0);
    first_context(&l, &image);
    hv_free(p2m, map_bytes);
    p2m = NULL;
    hv_log(LOG_INFO, "dom0: %s %s, %lu MiB of %lu MiB, %u vCPU%s, entry %#lx, tables at pfn %#lx, P2M at pfn %#lx",
           image.guest_os, image.guest_version, nr_pages >> 8, frames_total_count() >> 8, dom0->max_vcpus,
           dom0->max_vcpus == 1 ? "" : "s", image.entry, l.pt_pfn, l.p2m_pfn);
}
