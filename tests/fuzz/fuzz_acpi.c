/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as ACPI tables: one blob for each table, whose lengths and checksums are made good so that the fuzzer
 * gets past them, under a root that lists them all. The first byte of a blob is its size over eight, the next
 * picks its signature and its revision. Nodes are looked for in what was read.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/parse/acpi.h"
#include "boot/parse/numa.h"
#include "lib/errno.h"

#define TABLES_MAX  8
#define ROOT        TABLES_MAX      /* the root is the last of the blocks */
#define ROOM        4096            /* addresses of one block */

/* Block i is at address (i + 1) * ROOM. */
static struct {
    uint8_t *data;
    uint32_t size;
} block[TABLES_MAX + 1];

static const void *at(uint64_t maddr, size_t len)
{
    uint64_t i = maddr / ROOM - 1, off = maddr % ROOM;

    if (i > ROOT || off > block[i].size || len > block[i].size - off)
        return NULL;
    return block[i].data + off;
}

/* Make block @i a table with @body of @size bytes, in a heap block of just that size. */
static void make(uint32_t i, const char *signature, uint8_t revision, const void *body, uint32_t size)
{
    uint8_t *table = calloc(1, 36 + size);
    uint8_t sum = 0;

    memcpy(table + 36, body, size);
    size += 36;
    memcpy(table, signature, 4);
    memcpy(table + 4, &size, 4);
    table[8] = revision;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)(0 - sum);
    block[i].data = table;
    block[i].size = size;
}

static void check(const struct acpi_info *info)
{
    if (info->nr_cpus > ACPI_CPUS_MAX || info->nr_ioapics > ACPI_IOAPICS_MAX ||
        info->nr_overrides > ACPI_OVERRIDES_MAX || info->nr_nmis > ACPI_NMIS_MAX ||
        info->nr_segments > ACPI_SEGMENTS_MAX || info->nr_tables > ACPI_TABLES_MAX ||
        info->srat_cpus > ACPI_CPUS_MAX || info->srat_memories > ACPI_SRAT_MEMORIES_MAX ||
        info->slit_domains > ACPI_SLIT_MAX)
        abort();
    for (unsigned int i = 0; i < info->nr_cpus; i++) {
        for (unsigned int j = 0; j < i; j++) {
            if (info->cpu[i].apic_id == info->cpu[j].apic_id)
                abort();
        }
    }
}

/* Memory as QEMU lays out 8 GiB. */
static void check_nodes(struct acpi_info *info)
{
    static const struct mem_map map = { .count = 4, .range = { { 0, 0xa0000, MEM_RAM }, { 0xf0000, 0x10000, MEM_RESERVED },
                                                               { 0x100000, 0xbff00000, MEM_RAM },
                                                               { 4ull << 30, 5ull << 30, MEM_RAM } } };
    static struct numa nodes;
    const char *why;

    numa_parse(info, &map, &nodes, &why);
    if (!numa_check(&nodes) || (info->srat_bad && nodes.nodes > 1))
        abort();
    for (unsigned int i = 0; i < info->nr_cpus; i++) {
        if (info->cpu[i].node >= nodes.nodes)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char signatures[][5] = { "APIC", "FACP", "MCFG", "HPET", "SRAT", "SLIT", "SSDT", "DMAR" };
    static struct acpi_info info;
    uint8_t rsdp[20] = "RSD PTR ", sum = 0;
    uint32_t list[TABLES_MAX], n = 0;
    const char *why = NULL;
    int err;

    memset(block, 0, sizeof(block));
    for (; n < TABLES_MAX && size >= 2; n++) {
        size_t body = MIN((size_t)data[0] * 8, size - 2);

        make(n, signatures[data[1] % 8], data[1] >> 3, data + 2, (uint32_t)body);
        list[n] = (n + 1) * ROOM;
        data += 2 + body;
        size -= 2 + body;
    }
    make(ROOT, "RSDT", 1, list, n * 4);
    memcpy(rsdp + 16, &(uint32_t){ (ROOT + 1) * ROOM }, 4);
    for (size_t i = 0; i < sizeof(rsdp); i++)
        sum = (uint8_t)(sum + rsdp[i]);
    rsdp[8] = (uint8_t)(0 - sum);

    err = acpi_parse(at, rsdp, sizeof(rsdp), &info, &why);
    if (err && (err != -ENOENT || !why))
        abort();
    check(&info);
    check_nodes(&info);
    for (uint32_t i = 0; i <= ROOT; i++)
        free(block[i].data);
    return 0;
}
