/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes from SRAT and SLIT: as real firmware writes them, then with each thing wrong that would divide the
 * machine in a way that it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot/parse/numa.h"

#define GiB(n) ((uint64_t)(n) << 30)
#define MFN(maddr) ((maddr) / PAGE_SIZE)

static struct acpi_info info;
static struct numa nodes;
static const char *why;
static struct { uint8_t byte[8192]; size_t size; } srat, slit;

/* Memory as QEMU lays out 6 GiB: 3 below the hole for devices, 3 above it. */
static const struct mem_map map = { .count = 4, .range = { { 0, 0x9f000, MEM_RAM }, { 0xf0000, 0x10000, MEM_RESERVED },
                                                           { 0x100000, GiB(3) - 0x100000, MEM_RAM },
                                                           { GiB(4), GiB(3), MEM_RAM } } };

static uint8_t *entry(uint8_t type, uint8_t size)
{
    uint8_t *e = srat.byte + srat.size;

    e[0] = type;
    e[1] = size;
    srat.size += size;
    return e;
}

static void set32(uint8_t *at, uint32_t v) { memcpy(at, &v, sizeof(v)); }
static void set64(uint8_t *at, uint64_t v) { memcpy(at, &v, sizeof(v)); }

static void cpu(uint32_t apic_id, uint32_t domain, uint32_t flags)
{
    uint8_t *e = entry(0, 16);

    e[2] = (uint8_t)domain;
    e[3] = (uint8_t)apic_id;
    set32(e + 4, flags);
    set32(e + 8, domain & 0xffffff00);
}

static void x2apic(uint32_t apic_id, uint32_t domain)
{
    uint8_t *e = entry(2, 24);

    set32(e + 4, domain);
    set32(e + 8, apic_id);
    set32(e + 12, 1);
}

static void memory(uint32_t domain, uint64_t base, uint64_t size, uint32_t flags)
{
    uint8_t *e = entry(1, 40);

    set32(e + 2, domain);
    set64(e + 8, base);
    set64(e + 16, size);
    set32(e + 28, flags);
}

static void distances(uint64_t n, const char *matrix, size_t bytes)
{
    set64(slit.byte + 36, n);
    memcpy(slit.byte + 44, matrix, bytes);
    slit.size = 44 + bytes;
}

/* What acpi_parse() leaves of such tables. In heap blocks of just their size: nothing beyond is read. */
static void parse(void)
{
    uint8_t *s = malloc(srat.size), *d = malloc(slit.size + 1);

    memcpy(s, srat.byte, srat.size);
    memcpy(d, slit.byte, slit.size);
    info.nr_tables = 0;
    info.srat_cpus = info.srat_memories = info.slit_domains = 0;
    info.srat_bad = NULL;
    memcpy(info.table[info.nr_tables++].signature, "SRAT", 4);
    acpi_read_srat(&info, bytes(s, srat.size));
    if (slit.size) {
        memcpy(info.table[info.nr_tables++].signature, "SLIT", 4);
        acpi_read_slit(&info, bytes(d, slit.size));
    }
    free(s);
    free(d);
    numa_parse(&info, &map, &nodes, &why);
    assert_true(numa_check(&nodes));
    for (unsigned i = 0; i < info.nr_cpus; i++)
        assert_true(info.cpu[i].node < nodes.nodes);
}

static void one_node(const char *reason)
{
    parse();
    assert_int_equal(nodes.nodes, 1);
    assert_int_equal(nodes.spans, 1);
    assert_non_null(why);
    assert_non_null(strstr(why, reason));
    assert_non_null(strstr(why, "one node"));
}

static void begin(void)
{
    memset(&srat, 0, sizeof(srat));
    srat.byte[8] = 3;
    srat.size = 48;
}

static void usual_cpus(void)
{
    cpu(0, 0, 1);
    cpu(1, 0, 1);
    x2apic(2, 1);
    cpu(3, 1, 1);
}

static void usual_memory(void)
{
    memory(0, 0, 0xa0000, 1);
    memory(0, 0x100000, GiB(3) - 0x100000, 1);
    memory(1, GiB(4), GiB(3), 1);
}

static int setup(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    memset(&slit, 0, sizeof(slit));
    info.nr_cpus = 4;
    for (uint32_t i = 0; i < 4; i++)
        info.cpu[i] = (struct acpi_cpu){ .apic_id = i, .enabled = true };
    begin();
    return 0;
}

static void two_nodes(void **state)
{
    (void)state;
    usual_cpus();
    usual_memory();
    distances(2, "\x0a\x15\x1f\x0a", 4);
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 2);
    assert_int_equal(nodes.spans, 2);
    assert_int_equal(nodes.span[0].start, 0);
    assert_int_equal(nodes.span[0].node, 0);
    assert_int_equal(nodes.span[1].start, MFN(GiB(4)));
    assert_int_equal(nodes.span[1].node, 1);
    assert_int_equal(info.cpu[1].node, 0);
    assert_int_equal(info.cpu[2].node, 1);
    assert_int_equal(info.cpu[3].node, 1);
    assert_int_equal(nodes.distance[0][1], 21);
    assert_int_equal(nodes.distance[1][0], 31);
    assert_int_equal(nodes.distance[1][1], 10);
}

/* Domains of any number; memory in any order; a node without CPUs; what can't be reached; no SLIT, then. */
static void domains_are_numbered_anew(void **state)
{
    (void)state;
    cpu(0, 0x12345, 1);
    cpu(1, 7, 1);
    cpu(2, 7, 1);
    cpu(3, 0x12345, 1);
    memory(9, GiB(6), GiB(1), 1);
    memory(0x12345, GiB(4), GiB(2), 1);
    memory(7, 0, GiB(3), 1);
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 3);
    assert_int_equal(info.cpu[0].node, 0);
    assert_int_equal(info.cpu[1].node, 1);
    assert_int_equal(nodes.spans, 3);
    assert_int_equal(nodes.span[0].node, 1);
    assert_int_equal(nodes.span[1].node, 0);
    assert_int_equal(nodes.span[2].node, 2);
    assert_int_equal(nodes.span[2].start, MFN(GiB(6)));
    assert_int_equal(nodes.distance[2][0], NUMA_DISTANCE_OTHER);
    assert_int_equal(nodes.distance[2][2], NUMA_DISTANCE_SELF);
}

static void what_is_not_there_makes_no_node(void **state)
{
    (void)state;
    info.cpu[3].enabled = false;
    cpu(0, 0, 1);
    cpu(1, 0, 1);
    cpu(2, 0, 1);
    cpu(3, 4, 1);                       /* may come later */
    cpu(9, 5, 1);                       /* not in the MADT */
    cpu(1, 6, 0);                       /* not enabled */
    usual_memory();
    srat.byte[srat.size - 40 + 2] = 0;  /* the last range, too, is of domain 0 */
    memory(7, GiB(8), GiB(8), 3);       /* for memory plugged in later */
    memory(8, GiB(4), GiB(1), 0);       /* not enabled */
    memory(8, 0, 0, 1);
    entry(3, 20);                       /* of another kind of processor */
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 1);
    assert_int_equal(nodes.spans, 1);
}

/* Memory that can be taken out is memory. */
static void removable_memory_counts(void **state)
{
    (void)state;
    usual_cpus();
    memory(0, 0, GiB(3), 1);
    memory(1, GiB(4), GiB(3), 3);
    memory(1, GiB(4), GiB(1), 1);       /* said twice, by the same */
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 2);
    assert_int_equal(nodes.spans, 2);
}

static void old_revisions_have_small_domains(void **state)
{
    (void)state;
    srat.byte[8] = 1;
    cpu(0, 0xabcd00, 1);
    cpu(1, 0x123400, 1);
    x2apic(2, 0xff00);
    cpu(3, 0, 1);
    memory(0xeeff00, 0, GiB(3), 1);
    memory(0x330000, GiB(4), GiB(3), 1);
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 1);
}

static void a_cpu_must_be_somewhere_and_once(void **state)
{
    (void)state;
    usual_memory();
    cpu(0, 0, 1);
    cpu(1, 0, 1);
    cpu(2, 1, 1);
    one_node("lacks a CPU");
    assert_int_equal(info.cpu[2].node, 0);
    cpu(3, 1, 1);
    x2apic(0, 0);                       /* said twice, alike */
    parse();
    assert_int_equal(nodes.nodes, 2);
    x2apic(0, 1);
    one_node("two proximity domains");
}

static void memory_must_be_somewhere_and_once(void **state)
{
    (void)state;
    usual_cpus();
    one_node("leaves memory out");
    memory(0, 0, GiB(3), 1);
    memory(1, GiB(4), GiB(2), 1);
    one_node("leaves memory out");
    memory(1, GiB(6) + (1u << 20) + PAGE_SIZE, GiB(1), 1); /* a page too much in between */
    one_node("leaves memory out");
    memory(1, GiB(6) + PAGE_SIZE, GiB(1), 1); /* one page: firmware rounds */
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, 2);
    memory(0, GiB(5), GiB(1), 1);
    one_node("overlap");
}

static void a_range_inside_anothers_overlaps(void **state)
{
    (void)state;
    usual_cpus();
    memory(0, 0, GiB(8), 1);
    memory(1, GiB(1), GiB(1), 1);
    one_node("overlap");
    begin();
    usual_cpus();
    memory(0, 0, GiB(5), 1);
    memory(0, GiB(1), GiB(1), 1);
    memory(1, GiB(4), GiB(3), 1);       /* not over its neighbour, but over the one before that */
    one_node("overlap");
}

static void senseless_ranges(void **state)
{
    static const struct { uint64_t base, size; } range[] = {
        { 0, PAGE_SIZE + 1 }, { 1, PAGE_SIZE }, { PAGE_SIZE, ~(uint64_t)0 - PAGE_SIZE + 1 },
        { ~(uint64_t)0 - PAGE_SIZE + 1, PAGE_SIZE },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(range); i++) {
        begin();
        usual_cpus();
        usual_memory();
        memory(0, range[i].base, range[i].size, 1);
        one_node("senseless");
    }
}

static void too_many_of_each(void **state)
{
    (void)state;
    usual_cpus();
    for (unsigned i = 0; i < ACPI_SRAT_MEMORIES_MAX; i++)
        memory(i & 1, i ? GiB(4) + (i - 1) * PAGE_SIZE : 0, i ? PAGE_SIZE : GiB(3), 1);
    memory(0, GiB(5), GiB(2), 1);
    one_node("too many memory ranges");
    begin();
    usual_cpus();
    memory(0, 0, GiB(3), 1);
    for (unsigned i = 1; i <= NUMA_NODES_MAX; i++)
        memory(i, GiB(4) + (i - 1) * (64u << 20), i == NUMA_NODES_MAX ? GiB(3) : 64u << 20, 1);
    one_node("too many proximity domains");
    begin();
    info.nr_cpus = NUMA_NODES_MAX + 1;
    for (uint32_t i = 0; i < info.nr_cpus; i++) {
        info.cpu[i] = (struct acpi_cpu){ .apic_id = i, .enabled = true };
        cpu(i, i, 1);
    }
    usual_memory();
    one_node("too many proximity domains");
    info.nr_cpus--;
    parse();
    assert_null(why);
    assert_int_equal(nodes.nodes, NUMA_NODES_MAX);
}

static void too_many_cpus(void **state)
{
    static uint8_t big[48 + 16 * (ACPI_CPUS_MAX + 1)];

    (void)state;
    big[8] = 3;
    for (unsigned i = 0; i <= ACPI_CPUS_MAX; i++) {
        big[48 + 16 * i + 1] = 16;
        set32(big + 48 + 16 * i + 4, 1);
    }
    acpi_read_srat(&info, bytes(big, sizeof(big) - 16));
    assert_int_equal(info.srat_cpus, ACPI_CPUS_MAX);
    assert_null(info.srat_bad);
    info.srat_cpus = 0;
    acpi_read_srat(&info, bytes(big, sizeof(big)));
    assert_int_equal(info.srat_cpus, ACPI_CPUS_MAX);
    assert_non_null(strstr(info.srat_bad, "too many CPUs"));
}

static void cut_at_every_byte(void **state)
{
    size_t whole;

    (void)state;
    usual_cpus();
    usual_memory();
    for (whole = srat.size; --srat.size;) {
        parse();
        assert_int_equal(nodes.nodes, 1);
        assert_non_null(why);
    }
    srat.size = whole;
    srat.byte[48 + 1] = 0;
    one_node("cut off");
    srat.byte[48 + 1] = 12;             /* too short for its type */
    one_node("cut off");
}

static void a_wrong_slit_costs_the_distances(void **state)
{
    static const struct { uint64_t n; const char *matrix; size_t bytes; } bad[] = {
        { 2, "\x0b\x14\x14\x0a", 4 },   /* far from itself */
        { 2, "\x0a\x0a\x14\x0a", 4 },   /* as near as itself */
        { 2, "\x0a\x14\x14", 3 },       /* cut off */
        { 1, "\x0a", 1 },               /* does not have domain 1 */
        { 0, "", 0 },
        { ~(uint64_t)0, "\x0a", 1 }, { 1ull << 32, "\x0a", 1 }, { ACPI_SLIT_MAX + 1, "\x0a", 1 },
    };

    (void)state;
    usual_cpus();
    usual_memory();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        distances(bad[i].n, bad[i].matrix, bad[i].bytes);
        parse();
        assert_non_null(strstr(why, "the SLIT is wrong"));
        assert_int_equal(nodes.nodes, 2);
        assert_int_equal(nodes.distance[0][0], NUMA_DISTANCE_SELF);
        assert_int_equal(nodes.distance[0][1], NUMA_DISTANCE_OTHER);
    }
    distances(2, "\x0a\xff\x0b\x0a", 4);
    parse();
    assert_null(why);
    assert_int_equal(nodes.distance[0][1], NUMA_DISTANCE_NONE);
    assert_int_equal(nodes.distance[1][0], 11);
}

static void no_srat_is_no_fault(void **state)
{
    (void)state;
    numa_parse(&info, &map, &nodes, &why);
    assert_null(why);
    assert_int_equal(nodes.nodes, 1);
    assert_true(numa_check(&nodes));
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(two_nodes),
        CASE(domains_are_numbered_anew),
        CASE(what_is_not_there_makes_no_node),
        CASE(removable_memory_counts),
        CASE(old_revisions_have_small_domains),
        CASE(a_cpu_must_be_somewhere_and_once),
        CASE(memory_must_be_somewhere_and_once),
        CASE(a_range_inside_anothers_overlaps),
        CASE(senseless_ranges),
        CASE(too_many_of_each),
        CASE(too_many_cpus),
        CASE(cut_at_every_byte),
        CASE(a_wrong_slit_costs_the_distances),
        CASE(no_srat_is_no_fault),
    };

    return cmocka_run_group_tests_name("boot/parse/numa", tests, NULL, NULL);
}
