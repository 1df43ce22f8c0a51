/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PV kernel's ELF file with the notes of Debian's, then wrong in every way that has a message of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "boot/parse/elf.h"
#include "lib/errno.h"

#define NOTES_AT sizeof(head)
#define DATA_AT  0xc00
#define FILE_END 0xe00

static struct {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[32];
} head;
static uint8_t file[FILE_END];
static size_t notes_size;
static struct pv_image image;

static void raw_note(const char *owner, uint32_t type, const void *desc, uint32_t size)
{
    Elf64_Nhdr n = { .n_namesz = (uint32_t)strlen(owner) + 1, .n_descsz = size, .n_type = type };
    uint8_t *at = file + NOTES_AT + notes_size;

    memcpy(at, &n, sizeof(n));
    memcpy(at + sizeof(n), owner, n.n_namesz);
    memcpy(at + sizeof(n) + ROUNDUP(n.n_namesz, 4), desc, size);
    notes_size += sizeof(n) + ROUNDUP(n.n_namesz, 4) + ROUNDUP(size, 4);
    assert_true(notes_size <= DATA_AT - NOTES_AT);
}

static void note64(uint32_t type, uint64_t value)
{
    raw_note("Xen", type, &value, 8);
}

static void note32(uint32_t type, uint32_t value)
{
    raw_note("Xen", type, &value, 4);
}

static void note_text(uint32_t type, const char *text)
{
    raw_note("Xen", type, text, (uint32_t)strlen(text) + 1);
}

static void linux_notes(void)
{
    raw_note("GNU", 3, "0123456789abcdef0123", 20);
    note_text(XEN_ELFNOTE_GUEST_OS, "linux");
    note_text(XEN_ELFNOTE_GUEST_VERSION, "2.6");
    note_text(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000);
    note64(XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    note64(XEN_ELFNOTE_ENTRY, 0xffffffff81000010);
    note_text(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb");
    note32(XEN_ELFNOTE_SUPPORTED_FEATURES, 0x8801);
    note_text(XEN_ELFNOTE_PAE_MODE, "yes");
    note_text(XEN_ELFNOTE_LOADER, "generic");
    raw_note("Xen", XEN_ELFNOTE_L1_MFN_VALID, (uint64_t[]){ 1, 1 }, 16);
    note32(XEN_ELFNOTE_SUSPEND_CANCEL, 1);
    note32(XEN_ELFNOTE_MOD_START_PFN, 1);
    note64(XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000);
    note64(XEN_ELFNOTE_PADDR_OFFSET, 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&head, 0, sizeof(head));
    memset(file, 0, sizeof(file));
    memcpy(head.eh.e_ident, "\x7f" "ELF\2\1\1", 7);
    head.eh.e_type = ET_EXEC;
    head.eh.e_machine = EM_X86_64;
    head.eh.e_phoff = sizeof(head.eh);
    head.eh.e_phentsize = sizeof(Elf64_Phdr);
    head.eh.e_phnum = 3;
    head.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = DATA_AT, .p_paddr = 0x1000000,
                               .p_filesz = 0x100, .p_memsz = 0x1000 };
    head.ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = DATA_AT + 0x100, .p_paddr = 0x1003800,
                               .p_filesz = 0x100, .p_memsz = 0x2100 };
    head.ph[2] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = NOTES_AT, .p_align = 4 };
    notes_size = 0;
    linux_notes();
    return 0;
}

/* Parse the first @size bytes, in a heap block of just that size. */
static int parse_cut(size_t size, const char **why)
{
    uint8_t *copy;
    int err;

    if (!head.ph[2].p_filesz)
        head.ph[2].p_filesz = notes_size;
    memcpy(file, &head, sizeof(head));
    copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    err = pv_image_parse(copy, size, &image, why);
    free(copy);
    return err;
}

static int parse(void)
{
    const char *why = "";

    return parse_cut(sizeof(file), &why);
}

static void refused(const char *what)
{
    const char *why = "";

    head.ph[2].p_filesz = 0;
    assert_int_equal(parse_cut(sizeof(file), &why), -ENOEXEC);
    assert_non_null(strstr(why, what));
    set_up(NULL);
}

/* Start the notes again with only what must be there. */
static void bare_notes(void)
{
    notes_size = 0;
    note64(XEN_ELFNOTE_ENTRY, 0xffffffff81000010);
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000);
}

static void reads_debians_notes(void **state)
{
    (void)state;
    assert_int_equal(parse(), 0);
    assert_int_equal(image.nr_segments, 2);
    assert_int_equal(image.segment[1].file_off, DATA_AT + 0x100);
    assert_int_equal(image.segment[1].paddr, 0x1003800);
    assert_int_equal(image.segment[1].mem_size, 0x2100);
    assert_int_equal(image.start, 0x1000000);
    assert_int_equal(image.end, 0x1005900);
    assert_true(image.virt_base == 0xffffffff80000000);
    assert_true(image.entry == 0xffffffff81000010);
    assert_true(image.hypercall_page == PV_NONE);
    assert_true(image.init_p2m == 0x8000000000);
    assert_true(image.hv_start_low == 0xffff800000000000);
    assert_int_equal(image.features_required, 1 << XENFEAT_writable_page_tables);
    assert_int_equal(image.features_supported, 0x8801 | 1 << XENFEAT_pae_pgdir_above_4gb);
    assert_true(image.mod_start_pfn && image.suspend_cancel);
    assert_int_equal(image.l1_mfn_valid_mask, 1);
    assert_string_equal(image.guest_os, "linux");
    assert_true(pv_image_dom0(&image));
}

static void less_is_enough(void **state)
{
    (void)state;
    bare_notes();
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff81005000);
    assert_int_equal(parse(), 0);
    assert_true(image.hypercall_page == 0xffffffff81005000);
    assert_true(image.init_p2m == PV_NONE && image.hv_start_low == PV_NONE);
    assert_false(pv_image_dom0(&image) || image.mod_start_pfn);

    set_up(NULL);                   /* addresses of an older kernel: p_paddr is virtual */
    bare_notes();
    note64(XEN_ELFNOTE_PADDR_OFFSET, 0xffffffff80000000);
    head.ph[0].p_paddr += 0xffffffff80000000;
    head.ph[1].p_paddr += 0xffffffff80000000;
    assert_int_equal(parse(), 0);
    assert_int_equal(image.start, 0x1000000);
    assert_int_equal(image.segment[1].paddr, 0x1003800);

    set_up(NULL);                   /* no VIRT_BASE: the lower half, from 0 */
    notes_size = 0;
    note32(XEN_ELFNOTE_ENTRY, 0x1000000);
    head.ph[1].p_memsz = 0;         /* and a part that is empty */
    assert_int_equal(parse(), 0);
    assert_int_equal(image.nr_segments, 1);
    assert_int_equal(image.virt_base, 0);

    set_up(NULL);                   /* bss alone may claim any place in the file */
    head.ph[1].p_filesz = 0;
    head.ph[1].p_offset = UINT64_MAX;
    assert_int_equal(parse(), 0);
    assert_int_equal(image.segment[1].file_size, 0);
}

static void wrong_headers(void **state)
{
    (void)state;
    head.eh.e_ident[0] = 0;
    refused("not an ELF file");
    head.eh.e_ident[EI_CLASS] = ELFCLASS32;
    refused("not an ELF64 x86-64 file");
    head.eh.e_machine = EM_AARCH64;
    refused("not an ELF64 x86-64 file");
    head.eh.e_type = ET_REL;
    refused("not an executable");
    head.eh.e_phentsize = 32;
    refused("program headers");
    head.eh.e_phnum = 0;
    refused("program headers");
    head.eh.e_phnum = 0xffff;
    refused("program headers");
    head.eh.e_phoff = UINT64_MAX - 100;
    refused("program headers");
}

static void wrong_segments(void **state)
{
    (void)state;
    head.ph[0].p_offset = FILE_END - 0xff;
    refused("cut short");
    head.ph[0].p_filesz = UINT64_MAX;
    refused("cut short");
    head.ph[0].p_memsz = 0xff;
    refused("larger in the file");
    head.ph[0].p_paddr = UINT64_MAX - 10;
    refused("impossible address");
    head.ph[0].p_memsz = UINT64_MAX;
    refused("impossible address");
    head.ph[1].p_paddr = 0x1000fff;
    refused("overlap");
    head.ph[1] = head.ph[0];
    refused("overlap");
    head.ph[0].p_memsz = head.ph[1].p_memsz = 0;
    refused("nothing to load");
    head.ph[2].p_offset = FILE_END;
    refused("notes end after the file");
    note64(XEN_ELFNOTE_PADDR_OFFSET, 0x2000000);
    refused("impossible address");
}

static void as_many_segments_as_fit(void **state)
{
    (void)state;
    for (unsigned int i = 3; i < ARRAY_SIZE(head.ph); i++)
        head.ph[i] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = 0x2000000 + i * 0x1000, .p_memsz = 0x1000 };
    head.eh.e_phnum = PV_SEGMENTS_MAX + 1;
    assert_int_equal(parse(), 0);
    assert_int_equal(image.nr_segments, PV_SEGMENTS_MAX);
    head.eh.e_phnum++;
    refused("too many segments");
}

static void wrong_notes(void **state)
{
    uint8_t three[3] = { 0 };

    (void)state;
    notes_size = 0;
    raw_note("GNU", 3, "0123456789abcdef0123", 20);
    refused("no Xen notes");
    notes_size = 0;
    note_text(XEN_ELFNOTE_GUEST_OS, "linux");
    refused("no Xen note ENTRY");
    raw_note("Xen", XEN_ELFNOTE_ENTRY, three, 3);
    refused("neither 4 nor 8 bytes");
    note_text(XEN_ELFNOTE_XEN_VERSION, "xen-4.0");
    refused("another interface");
    note_text(XEN_ELFNOTE_LOADER, "utah");
    refused("another loader");
    note_text(XEN_ELFNOTE_FEATURES, "!flux_capacitor");
    refused("not known here");
    note_text(XEN_ELFNOTE_FEATURES, "pae_pgdir_above_4gb|!supervisor_mode_kernel");
    refused("PV guests do not have");
    note_text(XEN_ELFNOTE_FEATURES, "!auto_translated_physmap");
    refused("PV guests do not have");
    ((Elf64_Nhdr *)(file + NOTES_AT))->n_descsz = 0xffffffff;
    refused("damaged ELF notes");
    ((Elf64_Nhdr *)(file + NOTES_AT))->n_namesz = 0xfffffff0;
    refused("damaged ELF notes");
}

static void harmless_features(void **state)
{
    (void)state;
    bare_notes();
    note_text(XEN_ELFNOTE_FEATURES, "flux_capacitor||dom0|");
    note_text(XEN_ELFNOTE_FEATURES, "");
    raw_note("Xen", XEN_ELFNOTE_FEATURES, "!hvm_pirqs", 10);    /* without NUL */
    assert_int_equal(parse(), 0);
    assert_int_equal(image.features_supported, 1 << XENFEAT_dom0 | 1 << XENFEAT_hvm_pirqs);
    assert_int_equal(image.features_required, 1 << XENFEAT_hvm_pirqs);
}

static void wrong_addresses(void **state)
{
    (void)state;
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000001);
    refused("not on a page");
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffff800000000000);
    refused("not usable by a PV guest");
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffff87ffff000000 - 0x1000);
    refused("not usable by a PV guest");
    note64(XEN_ELFNOTE_VIRT_BASE, 0x00007fffff000000 - 0x4000);
    refused("not usable by a PV guest");
    note64(XEN_ELFNOTE_VIRT_BASE, 0xffffffffff000000);
    refused("not usable by a PV guest");
    note64(XEN_ELFNOTE_VIRT_BASE, 0x1234000000000000);
    refused("not usable by a PV guest");
    note64(XEN_ELFNOTE_ENTRY, 0xffffffff80ffffff);
    refused("entry point");
    note64(XEN_ELFNOTE_ENTRY, 0xffffffff81005900);
    refused("entry point");
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff81006000);
    refused("hypercall page");
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff81000800);
    refused("hypercall page");
    note64(XEN_ELFNOTE_INIT_P2M, 0xffff830000000000);
    refused("INIT_P2M");
    note64(XEN_ELFNOTE_INIT_P2M, 0x8000000800);
    refused("INIT_P2M");
    note64(XEN_ELFNOTE_HV_START_LOW, 0xffff880000000000);
    refused("HV_START_LOW");
}

/* The last byte needed is the last of a segment; the tail of the file after that is of no account. */
static void cut_at_every_byte(void **state)
{
    const char *why;

    (void)state;
    for (size_t size = 0; size <= sizeof(file); size++) {
        why = NULL;
        assert_int_equal(parse_cut(size, &why), size < DATA_AT + 0x200 ? -ENOEXEC : 0);
        assert_true(size >= DATA_AT + 0x200 || why);
    }
}

static void noise(void **state)
{
    uint32_t seed = 1;

    (void)state;
    head.ph[2].p_filesz = notes_size;
    for (int round = 0; round < 20000; round++) {
        const char *why = NULL;
        uint8_t *copy = malloc(sizeof(file));
        int err;

        memcpy(file, &head, sizeof(head));
        memcpy(copy, file, sizeof(file));
        for (int i = 0; i < 4; i++) {
            seed = seed * 1664525 + 1013904223;
            copy[16 + (seed >> 8) % (NOTES_AT + notes_size - 16)] = (uint8_t)(seed >> 3);
        }
        err = pv_image_parse(copy, sizeof(file), &image, &why);
        free(copy);
        assert_true(err == 0 || (err == -ENOEXEC && why));
        for (unsigned int i = 0; err == 0 && i < image.nr_segments; i++) {
            const struct pv_segment *s = &image.segment[i];

            assert_true(s->file_off <= sizeof(file) && s->file_size <= sizeof(file) - s->file_off);
            assert_true(s->file_size <= s->mem_size);
            assert_true(s->paddr >= image.start && s->paddr + s->mem_size <= image.end);
        }
    }
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_debians_notes),
        CASE(less_is_enough),
        CASE(wrong_headers),
        CASE(wrong_segments),
        CASE(as_many_segments_as_fit),
        CASE(wrong_notes),
        CASE(harmless_features),
        CASE(wrong_addresses),
        CASE(cut_at_every_byte),
        CASE(noise),
    };

    return cmocka_run_group_tests_name("boot/parse/elf", tests, NULL, NULL);
}
