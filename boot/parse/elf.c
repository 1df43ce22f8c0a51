/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging and describing a PV kernel's ELF file; see boot/parse/elf.h.
 *
 * Three passes: the ELF header; the program headers, whose loadable ones give the image's range and whose
 * note ones are searched for the notes of owner "Xen"; and last the demands on all of it together.
 */
#include <elf.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "boot/parse/bytes.h"
#include "boot/parse/elf.h"
#include "lib/errno.h"
#include "lib/strtou.h"

/* The hypervisor's part of the address space in the 64-bit PV ABI: L4 slots 256 to 271. */
#define HOLE_START  0xffff800000000000UL
#define HOLE_END    0xffff880000000000UL
#define LOW_END     0x0000800000000000UL

#define IMAGE_END_MAX (1UL << 40)

struct state {
    struct bytes file;
    struct pv_image *out;
    uint64_t paddr_offset;
    bool any_note, has_entry;
    const char **why;
};

static int refuse(struct state *s, const char *what)
{
    *s->why = what;
    return -ENOEXEC;
}

static const struct {
    const char *name;
    unsigned int bit;
} features[] = {
    { "writable_page_tables",       XENFEAT_writable_page_tables },
    { "writable_descriptor_tables", XENFEAT_writable_descriptor_tables },
    { "auto_translated_physmap",    XENFEAT_auto_translated_physmap },
    { "supervisor_mode_kernel",     XENFEAT_supervisor_mode_kernel },
    { "pae_pgdir_above_4gb",        XENFEAT_pae_pgdir_above_4gb },
    { "mmu_pt_update_preserve_ad",  XENFEAT_mmu_pt_update_preserve_ad },
    { "highmem_assist",             XENFEAT_highmem_assist },
    { "gnttab_map_avail_bits",      XENFEAT_gnttab_map_avail_bits },
    { "hvm_callback_vector",        XENFEAT_hvm_callback_vector },
    { "hvm_safe_pvclock",           XENFEAT_hvm_safe_pvclock },
    { "hvm_pirqs",                  XENFEAT_hvm_pirqs },
    { "dom0",                       XENFEAT_dom0 },
    { "linux_rsdp_unrestricted",    XENFEAT_linux_rsdp_unrestricted },
};

/* The note's text "a|b|!c" where '!' means required. */
static int read_features(struct state *s, struct bytes text)
{
    uint64_t at = 0;

    while (at < text.size && text.data[at]) {
        bool required = text.data[at] == '!';
        uint64_t start = at += required, n = 0;
        size_t i;

        while (at < text.size && text.data[at] && text.data[at] != '|')
            at++;
        n = at - start;
        for (i = 0; i < ARRAY_SIZE(features); i++) {
            if (strlen(features[i].name) == n && memcmp(features[i].name, text.data + start, n) == 0)
                break;
        }
        if (i < ARRAY_SIZE(features)) {
            s->out->features_supported |= 1U << features[i].bit;
            s->out->features_required |= (uint32_t)required << features[i].bit;
        } else if (required) {
            return refuse(s, "kernel: requires a Xen feature that is not known here");
        }
        at += at < text.size && text.data[at] == '|';
    }
    return 0;
}

/* A numeric note has 4 or 8 bytes. */
static int number(struct state *s, struct bytes desc, uint64_t *value)
{
    if (desc.size != 4 && desc.size != 8)
        return refuse(s, "kernel: a numeric Xen note has neither 4 nor 8 bytes");
    *value = desc.size == 8 ? le64(desc.data) : le32(desc.data);
    return 0;
}

static int read_flag(struct state *s, struct bytes desc, bool *flag)
{
    uint64_t value;
    int err = number(s, desc, &value);

    if (!err)
        *flag = value != 0;
    return err;
}

static int read_supported(struct state *s, struct bytes desc)
{
    uint64_t value;
    int err = number(s, desc, &value);

    if (!err)
        s->out->features_supported |= (uint32_t)value;
    return err;
}

/* Pairs {mask, value} of equal width; Linux gives two 8-byte words. */
static int read_l1_valid(struct state *s, struct bytes desc)
{
    if (desc.size < 16)
        return 0;
    s->out->l1_mfn_valid_mask = le64(desc.data);
    s->out->l1_mfn_valid_value = le64(desc.data + 8);
    return 0;
}

static bool says(struct bytes desc, const char *text)
{
    char word[32];

    bytes_text(desc, 0, word, sizeof(word));
    return strcmp(word, text) == 0;
}

/* One note of owner "Xen"; types that ask nothing of us are passed over. */
static int read_note(struct state *s, uint32_t type, struct bytes desc)
{
    struct pv_image *out = s->out;

    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        s->has_entry = true;
        return number(s, desc, &out->entry);
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        return number(s, desc, &out->hypercall_page);
    case XEN_ELFNOTE_VIRT_BASE:
        return number(s, desc, &out->virt_base);
    case XEN_ELFNOTE_PADDR_OFFSET:
        return number(s, desc, &s->paddr_offset);
    case XEN_ELFNOTE_XEN_VERSION:
        return says(desc, "xen-3.0") ? 0 : refuse(s, "kernel: made for another interface than xen-3.0");
    case XEN_ELFNOTE_LOADER:
        return says(desc, "generic") ? 0 : refuse(s, "kernel: wants another loader than the generic one");
    case XEN_ELFNOTE_GUEST_OS:
        bytes_text(desc, 0, out->guest_os, sizeof(out->guest_os));
        return 0;
    case XEN_ELFNOTE_GUEST_VERSION:
        bytes_text(desc, 0, out->guest_version, sizeof(out->guest_version));
        return 0;
    case XEN_ELFNOTE_FEATURES:
        return read_features(s, desc);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        return read_supported(s, desc);
    case XEN_ELFNOTE_HV_START_LOW:
        return number(s, desc, &out->hv_start_low);
    case XEN_ELFNOTE_INIT_P2M:
        return number(s, desc, &out->init_p2m);
    case XEN_ELFNOTE_MOD_START_PFN:
        return read_flag(s, desc, &out->mod_start_pfn);
    case XEN_ELFNOTE_SUSPEND_CANCEL:
        return read_flag(s, desc, &out->suspend_cancel);
    case XEN_ELFNOTE_L1_MFN_VALID:
        return read_l1_valid(s, desc);
    default:
        return 0;
    }
}

/* All notes of one segment; each is a header, the owner's name and the contents, padded to @align. */
static int read_notes(struct state *s, struct bytes notes, uint64_t align)
{
    uint64_t at = 0;

    while (bytes_has(notes, at, sizeof(Elf64_Nhdr))) {
        uint32_t name_size = le32(notes.data + at), desc_size = le32(notes.data + at + 4);
        uint32_t type = le32(notes.data + at + 8);
        uint64_t desc_at = at + ROUNDUP(sizeof(Elf64_Nhdr) + (uint64_t)name_size, align);
        struct bytes name = bytes_sub(notes, at + sizeof(Elf64_Nhdr), name_size);
        struct bytes desc = bytes_sub(notes, desc_at, desc_size);
        int err;

        if (!name.data || !desc.data)
            return refuse(s, "kernel: damaged ELF notes");
        if (name_size == 4 && memcmp(name.data, "Xen", 4) == 0) {
            s->any_note = true;
            err = read_note(s, type, desc);
            if (err)
                return err;
        }
        at = desc_at + ROUNDUP((uint64_t)desc_size, align);
    }
    return 0;
}

static int add_segment(struct state *s, const Elf64_Phdr *p)
{
    struct pv_segment *to = &s->out->segment[s->out->nr_segments];

    if (p->p_memsz == 0)
        return 0;
    if (p->p_filesz && !bytes_has(s->file, p->p_offset, p->p_filesz))
        return refuse(s, "kernel: the ELF file is cut short: a segment ends after the file does");
    if (p->p_filesz > p->p_memsz)
        return refuse(s, "kernel: damaged ELF file: a segment is larger in the file than in memory");
    if (s->out->nr_segments == PV_SEGMENTS_MAX)
        return refuse(s, "kernel: the ELF file has too many segments");
    *to = (struct pv_segment){
        .file_off = p->p_filesz ? p->p_offset : 0,
        .file_size = p->p_filesz,
        .paddr = p->p_paddr,
        .mem_size = p->p_memsz,
    };
    s->out->nr_segments++;
    return 0;
}

static int read_headers(struct state *s)
{
    struct bytes table;
    Elf64_Ehdr eh;

    if (!bytes_has(s->file, 0, sizeof(eh)))
        return refuse(s, "kernel: not an ELF file");
    memcpy(&eh, s->file.data, sizeof(eh));
    if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(s, "kernel: not an ELF file");
    if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
        return refuse(s, "kernel: not an ELF64 x86-64 file");
    if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
        return refuse(s, "kernel: not an executable ELF file");
    table = bytes_sub(s->file, eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr));
    if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum == 0 || !table.data)
        return refuse(s, "kernel: the ELF file's program headers are damaged");

    for (unsigned int i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr p;
        struct bytes notes;
        int err = 0;

        memcpy(&p, table.data + i * sizeof(p), sizeof(p));
        notes = bytes_sub(s->file, p.p_offset, p.p_filesz);
        if (p.p_type == PT_LOAD)
            err = add_segment(s, &p);
        else if (p.p_type == PT_NOTE && !notes.data)
            err = refuse(s, "kernel: the ELF file is cut short: its notes end after the file does");
        else if (p.p_type == PT_NOTE)
            err = read_notes(s, notes, p.p_align == 8 ? 8 : 4);
        if (err)
            return err;
    }
    return 0;
}

/* Turn p_paddr into pseudo-physical addresses, find the range, and see that no two segments overlap. */
static int settle_range(struct state *s)
{
    struct pv_image *out = s->out;

    out->start = UINT64_MAX;
    out->end = 0;
    for (unsigned int i = 0; i < out->nr_segments; i++) {
        struct pv_segment *seg = &out->segment[i];

        seg->paddr -= s->paddr_offset;
        if (seg->paddr >= IMAGE_END_MAX || seg->mem_size > IMAGE_END_MAX - seg->paddr)
            return refuse(s, "kernel: an ELF segment has an impossible address");
        for (unsigned int j = 0; j < i; j++) {
            const struct pv_segment *other = &out->segment[j];

            if (seg->paddr < other->paddr + other->mem_size && other->paddr < seg->paddr + seg->mem_size)
                return refuse(s, "kernel: damaged ELF file: its segments overlap");
        }
        out->start = MIN(out->start, ROUNDDOWN(seg->paddr, PAGE_SIZE));
        out->end = MAX(out->end, seg->paddr + seg->mem_size);
    }
    return 0;
}

/* Whether guests may have all of [@start, @start + @size). */
static bool for_guests(uint64_t start, uint64_t size)
{
    uint64_t last = start + size - 1;

    return last >= start && (last < LOW_END || start >= HOLE_END);
}

static int check_addresses(struct state *s)
{
    struct pv_image *out = s->out;
    uint64_t size = out->end - out->start, virt = out->virt_base + out->start;

    if (out->virt_base % PAGE_SIZE)
        return refuse(s, "kernel: its note VIRT_BASE is not on a page");
    if (!for_guests(out->virt_base, out->end))
        return refuse(s, "kernel: its virtual addresses are not usable by a PV guest");
    if (out->entry - virt >= size)
        return refuse(s, "kernel: its entry point lies outside it");
    if (out->hypercall_page != PV_NONE &&
        (out->hypercall_page % PAGE_SIZE || out->hypercall_page - virt >= ROUNDUP(size, PAGE_SIZE)))
        return refuse(s, "kernel: its hypercall page lies outside it");
    if (out->init_p2m != PV_NONE && (out->init_p2m % PAGE_SIZE || !for_guests(out->init_p2m, PAGE_SIZE)))
        return refuse(s, "kernel: its note INIT_P2M is not usable by a PV guest");
    if (out->hv_start_low != PV_NONE && out->hv_start_low > HOLE_START)
        return refuse(s, "kernel: it leaves too little address space to the hypervisor (note HV_START_LOW)");
    return 0;
}

static int check_features(struct state *s)
{
    uint32_t refused = 1U << XENFEAT_supervisor_mode_kernel | 1U << XENFEAT_auto_translated_physmap |
                       1U << XENFEAT_writable_descriptor_tables;

    if (s->out->features_required & refused)
        return refuse(s, "kernel: requires a Xen feature that PV guests do not have");
    return 0;
}

int pv_image_parse(const void *file, size_t size, struct pv_image *out, const char **why)
{
    struct state s = { .file = bytes(file, size), .out = out, .why = why };
    int err;

    memset(out, 0, sizeof(*out));
    out->hypercall_page = out->init_p2m = out->hv_start_low = PV_NONE;
    err = read_headers(&s);
    if (err)
        return err;
    if (out->nr_segments == 0)
        return refuse(&s, "kernel: the ELF file has nothing to load");
    if (!s.any_note)
        return refuse(&s, "kernel: no Xen notes: not a PV kernel");
    if (!s.has_entry)
        return refuse(&s, "kernel: no Xen note ENTRY: not a PV kernel");
    err = settle_range(&s);
    if (!err)
        err = check_addresses(&s);
    if (!err)
        err = check_features(&s);
    return err;
}

bool pv_image_dom0(const struct pv_image *image)
{
    return image->features_supported >> XENFEAT_dom0 & 1;
}
