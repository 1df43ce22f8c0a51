/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading SRAT and SLIT; see boot/parse/numa.h.
 *
 * Tables are copied as they are read (they come in any order), then judged together: ranges sorted, gaps and
 * overlaps found, domains numbered.
 */
#include "boot/parse/numa.h"

#define FIRST_ENTRY     48              /* of an SRAT */
#define UNCOVERED_MAX   (1U << 20)      /* bytes of RAM that the ranges may leave out: firmware rounds */

_Static_assert(ACPI_SRAT_MEMORIES_MAX <= NUMA_SPANS_MAX, "a span for each range");

/* ---- Reading ---- */

static const char *add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t domain, bool enabled)
{
    if (!enabled)
        return NULL;
    if (info->srat_cpus == ACPI_CPUS_MAX)
        return "the SRAT has too many CPUs: the machine is taken for one node";
    info->srat_cpu[info->srat_cpus++] = (struct acpi_srat_cpu){ .apic_id = apic_id, .domain = domain };
    return NULL;
}

static const char *add_memory(struct acpi_info *info, struct bytes e, uint32_t domain)
{
    struct acpi_srat_memory m = { .base = bytes_u64(e, 8), .size = bytes_u64(e, 16), .domain = domain };

    if (!(bytes_u32(e, 28) & 1) || !m.size)
        return NULL;
    if ((m.base | m.size) % PAGE_SIZE || m.size > UINT64_MAX - m.base)
        return "the SRAT has a senseless memory range: the machine is taken for one node";
    if (info->srat_memories == ACPI_SRAT_MEMORIES_MAX)
        return "the SRAT has too many memory ranges: the machine is taken for one node";
    info->srat_memory[info->srat_memories++] = m;
    return NULL;
}

/* One entry, at least as long as its type needs. Before revision 2, domains are of 8 bits; what follows is undefined. */
static const char *read_entry(struct acpi_info *info, struct bytes e, bool wide)
{
    uint32_t mask = wide ? UINT32_MAX : 0xff;

    switch (bytes_u8(e, 0)) {
    case 0:
        return add_cpu(info, bytes_u8(e, 3), (bytes_u8(e, 2) | (bytes_u32(e, 8) & 0xffffff00)) & mask,
                       bytes_u32(e, 4) & 1);
    case 1:
        return add_memory(info, e, bytes_u32(e, 2) & mask);
    case 2:
        return add_cpu(info, bytes_u32(e, 8), bytes_u32(e, 4) & mask, bytes_u32(e, 12) & 1);
    default:
        return NULL;
    }
}

void acpi_read_srat(struct acpi_info *info, struct bytes t)
{
    static const uint8_t needs[] = { [0] = 16, [1] = 40, [2] = 24 };
    uint64_t off = FIRST_ENTRY;

    while (off < t.size && !info->srat_bad) {
        uint8_t type = bytes_u8(t, off), size = bytes_u8(t, off + 1);
        struct bytes e = bytes_sub(t, off, size);

        if (size < 2 || !e.data || (type < ARRAY_SIZE(needs) && size < needs[type]))
            info->srat_bad = "the SRAT is cut off: the machine is taken for one node";
        else
            info->srat_bad = read_entry(info, e, bytes_u8(t, 8) >= 2);
        off += size;
    }
}

static bool slit_valid(const struct acpi_info *info)
{
    for (unsigned int i = 0; i < info->slit_domains; i++) {
        for (unsigned int k = 0; k < info->slit_domains; k++) {
            uint8_t d = info->slit[i * info->slit_domains + k];

            if (i == k ? d != NUMA_DISTANCE_SELF : d <= NUMA_DISTANCE_SELF)
                return false;
        }
    }
    return true;
}

void acpi_read_slit(struct acpi_info *info, struct bytes t)
{
    uint64_t n = bytes_u64(t, 36);
    struct bytes matrix = n <= ACPI_SLIT_MAX ? bytes_sub(t, 44, n * n) : bytes(NULL, 0);

    info->slit_bad = true;
    if (!n || !matrix.data)
        return;
    info->slit_domains = (unsigned int)n;
    memcpy(info->slit, matrix.data, matrix.size);
    info->slit_bad = !slit_valid(info);
}

/* ---- Nodes ---- */

struct domains {
    unsigned int count;
    uint32_t domain[NUMA_NODES_MAX];    /* by node */
};

/* The node of a proximity domain, a new one if it was not seen yet; -1: there are too many. */
static int node_of(struct domains *ds, uint32_t domain)
{
    for (unsigned int i = 0; i < ds->count; i++) {
        if (ds->domain[i] == domain)
            return (int)i;
    }
    if (ds->count == NUMA_NODES_MAX)
        return -1;
    ds->domain[ds->count] = domain;
    return (int)ds->count++;
}

static const char *place_cpu(const struct acpi_info *acpi, struct acpi_cpu *cpu, struct domains *ds)
{
    int node = -1;

    for (unsigned int i = 0; i < acpi->srat_cpus; i++) {
        const struct acpi_srat_cpu *s = &acpi->srat_cpu[i];
        int here;

        if (s->apic_id != cpu->apic_id)
            continue;
        here = node_of(ds, s->domain);
        if (here < 0)
            return "the SRAT has too many proximity domains: the machine is taken for one node";
        if (node >= 0 && here != node)
            return "the SRAT has a CPU in two proximity domains: the machine is taken for one node";
        node = here;
    }
    if (node < 0)
        return "the SRAT lacks a CPU: the machine is taken for one node";
    cpu->node = (uint8_t)node;
    return NULL;
}

static const char *place_cpus(struct acpi_info *acpi, struct domains *ds)
{
    const char *bad = NULL;

    for (unsigned int i = 0; i < acpi->nr_cpus && !bad; i++) {
        if (acpi->cpu[i].enabled)
            bad = place_cpu(acpi, &acpi->cpu[i], ds);
    }
    return bad;
}

/* ---- Memory ---- */

/* Ranges that hold RAM, ascending. */
struct ranges {
    unsigned int count;
    struct acpi_srat_memory range[ACPI_SRAT_MEMORIES_MAX];
};

static uint64_t range_end(const struct acpi_srat_memory *m)
{
    return m->base + m->size;
}

static bool holds_ram(const struct mem_map *map, const struct acpi_srat_memory *m)
{
    for (unsigned int i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];

        if (r->type == MEM_RAM && r->base < range_end(m) && m->base < r->base + r->size)
            return true;
    }
    return false;
}

static void sort_in(struct ranges *rs, const struct acpi_srat_memory *m)
{
    unsigned int i = rs->count++;

    for (; i && rs->range[i - 1].base > m->base; i--)
        rs->range[i] = rs->range[i - 1];
    rs->range[i] = *m;
}

/* Bytes of RAM in no range. */
static uint64_t uncovered(const struct mem_map *map, const struct ranges *rs)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < map->count; i++) {
        uint64_t at = map->range[i].base, end = at + map->range[i].size;

        if (map->range[i].type != MEM_RAM)
            continue;
        for (unsigned int k = 0; k < rs->count && at < end; k++) {
            uint64_t from = MIN(MAX(rs->range[k].base, at), end);

            sum += from - at;
            at = MAX(from, MIN(range_end(&rs->range[k]), end));
        }
        sum += end - at;
    }
    return sum;
}

static void add_span(struct numa *out, uint64_t start, unsigned int node)
{
    unsigned int n = out->spans;

    if (n && out->span[n - 1].node == node)
        return;
    out->span[n] = (struct numa_span){ .start = n ? start : 0, .node = node };
    out->spans++;
}

static const char *make_spans(struct numa *out, const struct ranges *rs, struct domains *ds)
{
    uint64_t end = 0;

    out->spans = 0;
    for (unsigned int i = 0; i < rs->count; i++) {
        const struct acpi_srat_memory *m = &rs->range[i];
        int node = node_of(ds, m->domain);

        if (node < 0)
            return "the SRAT has too many proximity domains: the machine is taken for one node";
        if (i && m->base < end && m->domain != rs->range[i - 1].domain)
            return "the SRAT's memory ranges overlap: the machine is taken for one node";
        end = MAX(end, range_end(m));
        add_span(out, m->base / PAGE_SIZE, (unsigned int)node);
    }
    return NULL;
}

static const char *place_memory(const struct acpi_info *acpi, const struct mem_map *map, struct numa *out,
                                struct domains *ds)
{
    struct ranges rs = { .count = 0 };

    for (unsigned int i = 0; i < acpi->srat_memories; i++) {
        if (holds_ram(map, &acpi->srat_memory[i]))
            sort_in(&rs, &acpi->srat_memory[i]);
    }
    if (!rs.count || uncovered(map, &rs) > UNCOVERED_MAX)
        return "the SRAT leaves memory out: the machine is taken for one node";
    return make_spans(out, &rs, ds);
}

/* ---- Distances ---- */

static const char *measure(const struct acpi_info *acpi, const struct domains *ds, struct numa *out)
{
    bool usable = acpi->slit_domains && !acpi->slit_bad;

    for (unsigned int i = 0; i < ds->count; i++)
        usable = usable && ds->domain[i] < acpi->slit_domains;
    for (unsigned int i = 0; i < ds->count; i++) {
        for (unsigned int k = 0; k < ds->count; k++)
            out->distance[i][k] = usable ? acpi->slit[ds->domain[i] * acpi->slit_domains + ds->domain[k]]
                                  : i == k ? NUMA_DISTANCE_SELF : NUMA_DISTANCE_OTHER;
    }
    return usable || !acpi_table(acpi, "SLIT") ? NULL : "the SLIT is wrong: the distances of nodes are the usual ones";
}

void numa_parse(struct acpi_info *acpi, const struct mem_map *map, struct numa *out, const char **why)
{
    struct domains ds = { .count = 0 };

    numa_undivided(out);
    *why = NULL;
    if (!acpi_table(acpi, "SRAT"))
        return;
    *why = acpi->srat_bad;
    if (!*why)
        *why = place_cpus(acpi, &ds);
    if (!*why)
        *why = place_memory(acpi, map, out, &ds);
    if (*why) {
        numa_undivided(out);
        for (unsigned int i = 0; i < acpi->nr_cpus; i++)
            acpi->cpu[i].node = 0;
        return;
    }
    out->nodes = ds.count;
    *why = measure(acpi, &ds, out);
}
