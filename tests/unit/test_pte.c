/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86/model/pte.h and x86/model/desc.c: the bits that page tables and segments may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "x86/model/desc.h"
#include "x86/model/pte.h"

static void flags_by_level(void **state)
{
    const uint64_t frame = 0x123456ull << 12;
    unsigned int level;

    for (level = 1; level <= 4; level++) {
        assert_true(pte_flags_ok(frame | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_NX, level));
        assert_true(pte_flags_ok(frame | PTE_P | PTE_AVAIL | PTE_AVAIL_HIGH, level));
        assert_true(pte_flags_ok(~0ull & ~PTE_P, level));           /* not present: opaque */
        assert_int_equal(pte_flags_ok(frame | PTE_P | PTE_PSE, level), level == 1);
        assert_int_equal(pte_flags_ok(frame | PTE_P | PTE_G, level), level == 1);
        assert_int_equal(pte_flags_ok(frame | PTE_P | PTE_PWT, level), level == 1);
        assert_int_equal(pte_flags_ok(frame | PTE_P | PTE_PCD, level), level == 1);
    }
    assert_int_equal(PTE_GUEST_L1 & PTE_ADDR, 0);
    assert_int_equal(PTE_GUEST_TABLE & ~PTE_GUEST_L1, 0);
}

static void hardware_form(void **state)
{
    assert_int_equal(pte_for_hardware(0x1000 | PTE_P | PTE_G), 0x1000 | PTE_P | PTE_US);
    assert_int_equal(pte_for_hardware(PTE_G | 0xff0), PTE_G | 0xff0);
    assert_int_equal(pte_mfn(pte_make(0xabcdef, PTE_FLAGS)), 0xabcdef);
    assert_int_equal(pte_make(~0ull, 0), PTE_ADDR);
    assert_int_equal(pte_cache_index(PTE_PWT | PTE_PAT), 5);
}

static void levels(void **state)
{
    const uint64_t va = 0xffff888012345678;

    assert_int_equal(pt_index(va, 4), 273);
    assert_int_equal(pt_index(va, 3), 0);
    assert_int_equal(pt_index(va, 2), 0x12345678 >> 21);
    assert_int_equal(pt_index(va, 1), (0x12345678 >> 12) & 511);
    assert_int_equal(pt_span(3), 1ull << 30);
}

static void whose_address(void **state)
{
    assert_true(va_canonical(0) && va_canonical(0x7fffffffffff) && va_canonical(0xffff800000000000));
    assert_false(va_canonical(0x800000000000) || va_canonical(0xffff7fffffffffff));
    assert_true(va_range_guest(0x7ffffffff000, 0x1000));
    assert_false(va_range_guest(0x7ffffffff000, 0x1001));
    assert_false(va_range_guest(0xffff800000000000, 1));
    assert_false(va_range_guest(0xffff87ffffffffff, 0));
    assert_false(va_range_guest(0xffff87ffffffffff, 2));
    assert_true(va_range_guest(0xffff880000000000, 0x77ffffffffff));
    assert_true(va_range_guest(~0ull, 1));
    assert_false(va_range_guest(~0ull, 2));
    assert_false(va_range_guest(0x1000, ~0ull));
    assert_true(pt_slot_guest(255) && pt_slot_guest(272));
    assert_false(pt_slot_guest(256) || pt_slot_guest(271));
}

static void linux_descriptors_are_fixed(void **state)
{
    uint64_t d = 0x00af9b000000ffff;        /* 64-bit kernel code, DPL 0, accessed */

    assert_true(desc_fix(&d));
    assert_int_equal(d, 0x00affb000000ffff);
    d = 0x00cf92000000ffff;                 /* kernel data, DPL 0, not accessed */
    assert_true(desc_fix(&d));
    assert_int_equal(d, 0x00cff2000000ffff);
    d = 0;
    assert_true(desc_fix(&d));
    assert_int_equal(d, 0);
    d = 0x0000890000000067;                 /* TSS */
    assert_false(desc_fix(&d));
    assert_int_equal(d, 0x0000890000000067);
    d = 0x0000090000000067;                 /* the same, not present */
    assert_true(desc_fix(&d));
    assert_int_equal(d, 0x0000090000000067);
}

/* All 2^12 combinations of type, S, DPL, P, AVL, L, D and G. */
static void what_passes_is_harmless(void **state)
{
    unsigned int bits;

    for (bits = 0; bits < 4096; bits++) {
        uint64_t was = (uint64_t)(bits & 0xff) << 40 | (uint64_t)(bits >> 8) << 52, d = was;
        bool ok = desc_fix(&d);

        if (!(d & DESC_P))
            assert_true(ok);
        else if ((d & DESC_S) && !(d & DESC_TYPE_CODE))
            assert_true(ok);
        if (!ok || !(d & DESC_P)) {
            assert_int_equal(d, was);
            continue;
        }
        assert_true(d & DESC_S);
        assert_int_equal(d & DESC_DPL, DESC_DPL);
        assert_int_equal((d ^ was) & ~DESC_DPL, 0);
        if (d & DESC_TYPE_CODE)
            assert_false((d & DESC_L) && (d & DESC_DB));
    }
}

static void base_and_limit(void **state)
{
    assert_int_equal(desc_base(0x12af9b345678ffff), 0x12345678);
    assert_int_equal(desc_limit(0x00af9b000000ffff), 0xffffffff);
    assert_int_equal(desc_limit(0x0049f20000001234), 0x91234);
}

/* The address bits of what Linux stores for a swapped page or PROT_NONE are inverted. */
static void entries_that_are_not_present(void **state)
{
    const uint64_t frames = 1ull << 24; /* 64 GiB */
    unsigned int bits;

    for (bits = 39; bits <= 52; bits++) {
        assert_false(pte_names_ram(0, bits, frames));
        assert_false(pte_names_ram(0xffeull, bits, frames));
        assert_true(pte_names_ram(0x1000, bits, frames));
        assert_true(pte_names_ram(0xfeull << 24, bits, 4096));         /* firmware's, beyond the RAM */
        assert_true(pte_names_ram(pte_make(frames - 1, PTE_NX | 0x80), bits, frames));
        assert_false(pte_names_ram(pte_make(frames, 0x100), bits, frames));
        /* PROT_NONE of the guest's page 0x12345; swap offset 7, type 1, as Linux 6.1 has them. */
        assert_false(pte_names_ram((~(0x12345ull << PAGE_SHIFT) & PTE_ADDR) | 0x160, bits, frames));
        assert_false(pte_names_ram(~7ull << 14 >> 5 | 1ull << 59, bits, frames));
    }
    /* What the CPU does not look at hides nothing. */
    assert_true(pte_names_ram(1ull << 47 | 0x5000, 46, frames));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_by_level),
        cmocka_unit_test(hardware_form),
        cmocka_unit_test(levels),
        cmocka_unit_test(entries_that_are_not_present),
        cmocka_unit_test(whose_address),
        cmocka_unit_test(linux_descriptors_are_fixed),
        cmocka_unit_test(what_passes_is_harmless),
        cmocka_unit_test(base_and_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
