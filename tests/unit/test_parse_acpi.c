/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables shaped as SeaBIOS and OVMF make them, then cut, bent and filled with noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/parse/acpi.h"
#include "lib/errno.h"
#include "tests/unit/fake_memory.h"

#define RSDT (MEMORY_BASE + 0x100)
#define XSDT (MEMORY_BASE + 0x200)
#define MADT (MEMORY_BASE + 0x400)
#define FADT (MEMORY_BASE + 0x800)
#define MCFG (MEMORY_BASE + 0xa00)
#define HPET (MEMORY_BASE + 0xb00)
#define SRAT (MEMORY_BASE + 0xc00)
#define SLIT (MEMORY_BASE + 0xe00)
#define DMAR (MEMORY_BASE + 0xe40)
#define END  (MEMORY_BASE + 0xf00)

static struct acpi_info info;
static uint8_t rsdp[36];

static void balance(uint64_t at, size_t size, size_t checksum_at)
{
    uint8_t sum = 0;

    put8(at + checksum_at, 0);
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + memory.byte[at - MEMORY_BASE + i]);
    put8(at + checksum_at, (uint8_t)(0 - sum));
}

static void table(uint64_t at, const char *signature, uint32_t size)
{
    memcpy(memory.byte + (at - MEMORY_BASE), signature, 4);
    put32(at + 4, size);
    balance(at, size, 9);
}

static void make_rsdp(uint8_t revision)
{
    uint8_t sum = 0;

    memset(rsdp, 0, sizeof(rsdp));
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = revision;
    memcpy(rsdp + 16, &(uint32_t){ RSDT }, 4);
    rsdp[20] = 36;
    memcpy(rsdp + 24, &(uint64_t){ XSDT }, 8);
    for (size_t i = 0; i < 20; i++)
        sum = (uint8_t)(sum + rsdp[i]);
    rsdp[8] = (uint8_t)(0 - sum);
    sum = 0;
    for (size_t i = 0; i < 36; i++)
        sum = (uint8_t)(sum + rsdp[i]);
    rsdp[32] = (uint8_t)(0 - sum);
}

static uint64_t entry(uint64_t at, uint8_t type, uint8_t size)
{
    put8(at, type);
    put8(at + 1, size);
    return at + size;
}

static void make_madt(void)
{
    uint64_t at = MADT + 44, e;

    put32(MADT + 36, 0xfee00000);
    put32(MADT + 40, 1);
    for (uint8_t i = 0; i < 4; i++) {       /* 0, 1 enabled; 2 can come online; 3 neither */
        put8(at + 2, i);
        put8(at + 3, (uint8_t)(i * 2));
        put32(at + 4, i < 2 ? 1 : i == 2 ? 2 : 0);
        at = entry(at, 0, 8);
    }
    e = at, at = entry(at, 9, 16);          /* the same CPU 0 as x2APIC: not counted again */
    put32(e + 4, 0);
    put32(e + 8, 1);
    e = at, at = entry(at, 9, 16);
    put32(e + 4, 300);
    put32(e + 8, 1);
    put32(e + 12, 77);
    e = at, at = entry(at, 1, 12);
    put8(e + 2, 9);
    put32(e + 4, 0xfec00000);
    put32(e + 8, 24);
    e = at, at = entry(at, 2, 10);
    put8(e + 3, 9);
    put32(e + 4, 20);
    put16(e + 8, 0xf);
    e = at, at = entry(at, 2, 10);
    put32(e + 4, 2);
    e = at, at = entry(at, 4, 6);
    put8(e + 2, 0xff);
    put8(e + 5, 1);
    e = at, at = entry(at, 10, 12);
    put16(e + 2, 0xf);
    put32(e + 4, 5);
    e = at, at = entry(at, 99, 7);
    e = at, at = entry(at, 5, 12);
    put64(e + 4, 0xfeeff000);
    at = entry(at, 0, 4);                   /* too short for its type: passed over */
    table(MADT, "APIC", (uint32_t)(at - MADT));
}

static void make_fadt(uint32_t size)
{
    put16(FADT + 46, 9);
    put32(FADT + 48, 0xb2);
    put8(FADT + 52, 0xf1);
    put8(FADT + 53, 0xf0);
    put32(FADT + 56, 0x600);
    put32(FADT + 64, 0x604);
    put32(FADT + 76, 0x608);
    put8(FADT + 88, 4);
    put8(FADT + 89, 2);
    put32(FADT + 112, 1 << 10 | 1 << 8);
    put8(FADT + 116, 1);
    put8(FADT + 117, 8);
    put64(FADT + 120, 0xcf9);
    put8(FADT + 128, 0xf);
    put8(FADT + 208, 0);
    put8(FADT + 209, 32);
    put64(FADT + 212, 0xfed80000);
    table(FADT, "FACP", size);
}

static void make_others(void)
{
    for (unsigned int i = 0; i < 2; i++) {
        put64(MCFG + 44 + i * 16, 0xb0000000 + i * 0x10000000);
        put16(MCFG + 52 + i * 16, (uint16_t)i);
        put8(MCFG + 55 + i * 16, 255);
    }
    table(MCFG, "MCFG", 44 + 32);
    put64(HPET + 44, 0xfed00000);
    table(HPET, "HPET", 56);
    entry(SRAT + 48, 0, 16);
    put32(SRAT + 48 + 4, 1);
    entry(SRAT + 64, 2, 24);
    put32(SRAT + 64 + 12, 1);
    entry(SRAT + 88, 1, 40);
    put64(SRAT + 88 + 16, 0x1000);
    put32(SRAT + 88 + 28, 1);
    entry(SRAT + 128, 1, 40);
    table(SRAT, "SRAT", 168);
    put64(SLIT + 36, 2);
    put32(SLIT + 44, 0x0a15150a);
    table(SLIT, "SLIT", 48);
}

static int set_up(void **state)
{
    static const uint32_t tables[] = { FADT, MADT, MCFG, HPET, SRAT, SLIT };

    (void)state;
    memory_clear();
    memory.size = END - MEMORY_BASE;
    make_rsdp(2);
    make_madt();
    make_fadt(244);
    make_others();
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        put32(RSDT + 36 + i * 4, tables[i]);
        put64(XSDT + 36 + i * 8, tables[i]);
    }
    table(RSDT, "RSDT", 36 + 4 * 4);
    table(XSDT, "XSDT", 36 + ARRAY_SIZE(tables) * 8);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_done();
    return 0;
}

static int parse(void)
{
    const char *why = NULL;
    int err = acpi_parse(memory_at, rsdp, sizeof(rsdp), &info, &why);

    assert_true(err == 0 || (why && strncmp(why, "ACPI: ", 6) == 0));
    return err;
}

static void interrupt_controllers_and_cpus(void **state)
{
    (void)state;
    assert_int_equal(parse(), 0);
    assert_int_equal(info.revision, 2);
    assert_int_equal(info.nr_tables, 6);
    assert_int_equal(info.bad_tables, 0);
    assert_int_equal(info.lapic_base, 0xfeeff000);
    assert_true(info.has_8259);
    assert_int_equal(info.nr_cpus, 4);
    assert_int_equal(info.cpu[1].apic_id, 2);
    assert_int_equal(info.cpu[1].uid, 1);
    assert_true(info.cpu[1].enabled);
    assert_false(info.cpu[2].enabled);
    assert_int_equal(info.cpu[3].apic_id, 300);
    assert_int_equal(info.cpu[3].uid, 77);
    assert_int_equal(info.nr_ioapics, 1);
    assert_int_equal(info.ioapic[0].id, 9);
    assert_int_equal(info.ioapic[0].base, 0xfec00000);
    assert_int_equal(info.ioapic[0].gsi_base, 24);
    assert_int_equal(info.nr_overrides, 2);
    assert_int_equal(info.override[0].irq, 9);
    assert_int_equal(info.override[0].gsi, 20);
    assert_true(info.override[0].active_low && info.override[0].level);
    assert_int_equal(info.override[1].gsi, 2);
    assert_false(info.override[1].active_low || info.override[1].level);
    assert_int_equal(info.nr_nmis, 2);
    assert_true(info.nmi[0].uid == UINT32_MAX);
    assert_int_equal(info.nmi[0].lint, 1);
    assert_int_equal(info.nmi[1].uid, 5);
    assert_true(info.nmi[1].active_low && info.nmi[1].level);
}

static void registers(void **state)
{
    (void)state;
    assert_int_equal(parse(), 0);
    assert_int_equal(info.sci, 9);
    assert_int_equal(info.smi_cmd, 0xb2);
    assert_int_equal(info.acpi_enable, 0xf1);
    assert_int_equal(info.acpi_disable, 0xf0);
    assert_int_equal(info.pm1a_event.address, 0x600);
    assert_int_equal(info.pm1a_event.bits, 32);
    assert_int_equal(info.pm1b_event.address, 0);
    assert_int_equal(info.pm1a_control.address, 0x604);
    assert_int_equal(info.pm1a_control.space, 1);
    assert_int_equal(info.pm1a_control.bits, 16);
    assert_int_equal(info.pm_timer.address, 0xfed80000);
    assert_int_equal(info.pm_timer.space, 0);
    assert_true(info.pm_timer_32);
    assert_int_equal(info.reset.address, 0xcf9);
    assert_int_equal(info.reset.space, 1);
    assert_int_equal(info.reset_value, 0xf);
    assert_false(info.reduced_hardware);
}

static void the_rest(void **state)
{
    (void)state;
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_segments, 2);
    assert_int_equal(info.segment[1].base, 0xc0000000);
    assert_int_equal(info.segment[1].segment, 1);
    assert_int_equal(info.segment[1].last_bus, 255);
    assert_int_equal(info.hpet_base, 0xfed00000);
    assert_int_equal(info.srat_cpus, 2);
    assert_int_equal(info.srat_memories, 1);
    assert_null(info.srat_bad);
    assert_int_equal(info.slit_domains, 2);
    assert_false(info.slit_bad);
    assert_int_equal(acpi_table(&info, "HPET")->base, HPET);
    assert_int_equal(acpi_table(&info, "HPET")->size, 56);
    assert_null(acpi_table(&info, "DMAR"));
    assert_false(info.no_x2apic);
}

/* Bit 0 of the flags tells of interrupt remapping, bit 1 asks for no x2APIC. */
static void firmware_asks_for_no_x2apic(void **state)
{
    (void)state;
    put64(XSDT + 36, DMAR);
    table(XSDT, "XSDT", 36 + 6 * 8);
    for (uint8_t flags = 0; flags < 4; flags++) {
        put8(DMAR + 37, flags);
        table(DMAR, "DMAR", 48);
        assert_int_equal(parse(), 0);
        assert_int_equal(info.no_x2apic, flags >= 2);
    }
    put8(DMAR + 37, 2);
    table(DMAR, "DMAR", 37);            /* too short to have flags */
    assert_int_equal(parse(), 0);
    assert_false(info.no_x2apic);
}

static void old_fadt_has_ports_only(void **state)
{
    (void)state;
    make_fadt(116);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.pm_timer.address, 0x608);
    assert_int_equal(info.pm_timer.space, 1);
    assert_int_equal(info.reset.address, 0);
}

static void acpi_1_uses_the_rsdt(void **state)
{
    (void)state;
    make_rsdp(0);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_tables, 4);
    make_rsdp(2);
    put8(XSDT + 9, (uint8_t)(memory.byte[XSDT - MEMORY_BASE + 9] + 1));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_tables, 4);
}

static void damage_is_named(void **state)
{
    (void)state;
    rsdp[9] ^= 1;
    assert_int_equal(parse(), -EINVAL);
    make_rsdp(2);
    rsdp[33] ^= 1;
    assert_int_equal(parse(), -EINVAL);
    make_rsdp(2);
    put8(HPET + 20, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.bad_tables, 1);
    assert_int_equal(info.hpet_base, 0);
    put8(MADT + 20, 1);
    assert_int_equal(parse(), -ENOENT);
    put8(RSDT + 9, (uint8_t)(memory.byte[RSDT - MEMORY_BASE + 9] + 1));
    put8(XSDT + 9, (uint8_t)(memory.byte[XSDT - MEMORY_BASE + 9] + 1));
    assert_int_equal(parse(), -EINVAL);
    assert_int_equal(acpi_parse(memory_at, rsdp, 19, &info, &(const char *){ NULL }), -EINVAL);
}

static void too_many_cpus(void **state)
{
    uint64_t at = MEMORY_BASE + 0x1000, e;
    uint64_t first = at;

    (void)state;
    memory.size = MEMORY_SIZE;
    put32(at + 36, 0xfee00000);
    for (e = at + 44, at = e; at < e + 600 * 16; at = entry(at, 9, 16)) {
        put32(at + 4, (uint32_t)(at - e) / 16);
        put32(at + 8, 1);
    }
    table(first, "APIC", (uint32_t)(at - first));
    put64(XSDT + 44, first);
    table(XSDT, "XSDT", 36 + 6 * 8);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, ACPI_CPUS_MAX);
    assert_int_equal(info.cpus_left_out, 600 - ACPI_CPUS_MAX);
}

/* With each table cut to each shorter length, and the sum made good again. */
static void every_table_cut_at_every_byte(void **state)
{
    static const uint32_t tables[] = { FADT, MADT, MCFG, HPET, SRAT, SLIT, XSDT };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        uint32_t at = tables[i] - MEMORY_BASE, size, whole;

        set_up(NULL);
        memcpy(&whole, memory.byte + at + 4, 4);
        for (size = 0; size < whole; size++) {
            put32(tables[i] + 4, size);
            balance(tables[i], size > 9 ? size : 10, 9);
            parse();
            assert_true(info.nr_cpus <= 4 && info.nr_segments <= 2);
            memory_done();
        }
    }
}

static void memory_ends_anywhere(void **state)
{
    uint32_t madt_size;

    (void)state;
    memcpy(&madt_size, memory.byte + (MADT - MEMORY_BASE) + 4, 4);
    for (uint64_t size = 0; size < END - MEMORY_BASE; size++) {
        memory.size = size;
        assert_int_equal(parse() == 0, size >= MADT - MEMORY_BASE + madt_size);
        memory_done();
    }
}

static void noise(void **state)
{
    static const uint32_t tables[] = { FADT, MADT, MCFG, HPET, SRAT, SLIT, XSDT, RSDT };
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 4000; round++) {
        set_up(NULL);
        for (int i = 0; i < 6; i++) {
            seed = seed * 1664525 + 1013904223;
            memory.byte[0x100 + (seed >> 8) % (END - RSDT)] = (uint8_t)(seed >> 3);
        }
        for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
            uint32_t size;

            memcpy(&size, memory.byte + (tables[i] - MEMORY_BASE) + 4, 4);
            if (size > 9 && size <= END - tables[i])
                balance(tables[i], size, 9);
        }
        parse();
        memory_done();
    }
}

static uint64_t rsdp_spot;      /* where low memory has the root pointer */

static const void *low_memory(uint64_t maddr, size_t len)
{
    static uint8_t buf[36];

    memset(buf, 0, sizeof(buf));
    if (maddr == 0x40e) {
        memcpy(buf, &(uint16_t){ 0x9fc0 }, 2);
        return buf;
    }
    if (maddr + len > 0x100000)
        return NULL;
    if (maddr == rsdp_spot)
        memcpy(buf, rsdp, len);
    return buf;
}

static void root_is_found_where_bioses_put_it(void **state)
{
    static const uint64_t spots[] = { 0x9fc00, 0x9fc10, 0x9ffd0, 0xe0000, 0xf59a0, 0xfffd0 };
    uint8_t found[36];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
        for (uint8_t revision = 0; revision < 3; revision += 2) {
            make_rsdp(revision);
            rsdp_spot = spots[i];
            assert_int_equal(acpi_find_rsdp(low_memory, found, &size), spots[i]);
            assert_int_equal(size, revision ? 36 : 20);
            assert_memory_equal(found, rsdp, size);
        }
    }
    make_rsdp(0);
    rsdp_spot = 0xfffe0;
    assert_int_equal(acpi_find_rsdp(low_memory, found, &size), 0xfffe0);
    make_rsdp(2);
    assert_int_equal(acpi_find_rsdp(low_memory, found, &size), 0);
    rsdp_spot = 0xa0000;
    assert_int_equal(acpi_find_rsdp(low_memory, found, &size), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(interrupt_controllers_and_cpus),
        CASE(registers),
        CASE(the_rest),
        CASE(firmware_asks_for_no_x2apic),
        CASE(old_fadt_has_ports_only),
        CASE(acpi_1_uses_the_rsdt),
        CASE(damage_is_named),
        CASE(too_many_cpus),
        CASE(every_table_cut_at_every_byte),
        CASE(memory_ends_anywhere),
        CASE(noise),
        CASE(root_is_found_where_bioses_put_it),
    };

    return cmocka_run_group_tests_name("boot/parse/acpi", tests, NULL, NULL);
}
