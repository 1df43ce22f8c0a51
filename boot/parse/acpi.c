/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading ACPI tables; see boot/parse/acpi.h. Layouts and offsets are those of the ACPI specification 6.4,
 * chapter 5, and of the PCI firmware (MCFG) and HPET specifications.
 *
 * Root pointer -> XSDT or RSDT -> one reader for each kind of table that says something to us.
 */
#include "boot/parse/acpi.h"
#include "boot/parse/bytes.h"
#include "boot/parse/numa.h"
#include "lib/errno.h"

#define HEADER_SIZE     36
#define TABLE_SIZE_MAX  (16U << 20)     /* the largest tables, AML, come to a few hundred KiB */
#define ROOT_ENTRIES_MAX 256
#define RSDP1_SIZE      20
#define RSDP2_SIZE      36

static bool sums_to_zero(const uint8_t *data, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + data[i]);
    return sum == 0;
}

/* The size of the root pointer at @data, which may be read for @room bytes; 0 if there is no good one. */
static size_t rsdp_size(const uint8_t *data, size_t room)
{
    if (room < RSDP1_SIZE || memcmp(data, "RSD PTR ", 8) != 0 || !sums_to_zero(data, RSDP1_SIZE))
        return 0;
    if (data[15] < 2)
        return RSDP1_SIZE;
    return room >= RSDP2_SIZE && sums_to_zero(data, RSDP2_SIZE) ? RSDP2_SIZE : 0;
}

static uint64_t search(boot_at_t at, uint64_t start, uint64_t end, uint8_t rsdp[36], size_t *size)
{
    for (uint64_t maddr = start; maddr + RSDP1_SIZE <= end; maddr += 16) {
        size_t room = MIN(end - maddr, (uint64_t)RSDP2_SIZE);
        const uint8_t *data = at(maddr, room);

        *size = data ? rsdp_size(data, room) : 0;
        if (*size) {
            memcpy(rsdp, data, *size);
            return maddr;
        }
    }
    return 0;
}

uint64_t acpi_find_rsdp(boot_at_t at, uint8_t rsdp[36], size_t *size)
{
    const void *word = at(0x40e, 2);
    uint64_t ebda = word ? (uint64_t)le16(word) << 4 : 0;
    uint64_t found = 0;

    if (ebda)
        found = search(at, ebda, ebda + 1024, rsdp, size);
    return found ? found : search(at, 0xe0000, 0x100000, rsdp, size);
}

/* The whole table at @maddr, header included; empty if it is damaged or not there. */
static struct bytes read_table(boot_at_t at, uint64_t maddr)
{
    const uint8_t *head = maddr ? at(maddr, HEADER_SIZE) : NULL;
    uint32_t size = head ? le32(head + 4) : 0;
    const uint8_t *data;

    if (size < HEADER_SIZE || size > TABLE_SIZE_MAX)
        return bytes(NULL, 0);
    data = at(maddr, size);
    return data && sums_to_zero(data, size) ? bytes(data, size) : bytes(NULL, 0);
}

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    /* Neither enabled nor able to come online: a place that stays empty. */
    if (!(flags & 3))
        return;
    for (unsigned int i = 0; i < info->nr_cpus; i++) {
        if (info->cpu[i].apic_id == apic_id)
            return;
    }
    if (info->nr_cpus == ACPI_CPUS_MAX) {
        info->cpus_left_out++;
        return;
    }
    info->cpu[info->nr_cpus++] = (struct acpi_cpu){ .apic_id = apic_id, .uid = uid, .enabled = flags & 1 };
}

/* MPS INTI flags: polarity in bits 0-1, trigger mode in bits 2-3; 3 says low, and level. */
static bool flag_low(uint16_t flags)
{
    return (flags & 3) == 3;
}

static bool flag_level(uint16_t flags)
{
    return (flags >> 2 & 3) == 3;
}

static void add_ioapic(struct acpi_info *info, struct bytes e)
{
    if (info->nr_ioapics == ACPI_IOAPICS_MAX)
        return;
    info->ioapic[info->nr_ioapics++] = (struct acpi_ioapic){
        .id = bytes_u8(e, 2),
        .base = bytes_u32(e, 4),
        .gsi_base = bytes_u32(e, 8),
    };
}

static void add_override(struct acpi_info *info, struct bytes e)
{
    uint16_t flags = bytes_u16(e, 8);

    if (info->nr_overrides == ACPI_OVERRIDES_MAX)
        return;
    info->override[info->nr_overrides++] = (struct acpi_override){
        .irq = bytes_u8(e, 3),
        .gsi = bytes_u32(e, 4),
        .active_low = flag_low(flags),
        .level = flag_level(flags),
    };
}

static void add_nmi(struct acpi_info *info, uint32_t uid, uint16_t flags, uint8_t lint)
{
    if (info->nr_nmis == ACPI_NMIS_MAX)
        return;
    info->nmi[info->nr_nmis++] = (struct acpi_nmi){
        .uid = uid,
        .lint = lint,
        .active_low = flag_low(flags),
        .level = flag_level(flags),
    };
}

/* One entry of the MADT, at least as long as its type needs. */
static void read_madt_entry(struct acpi_info *info, uint8_t type, struct bytes e)
{
    uint8_t uid;

    switch (type) {
    case 0:
        add_cpu(info, bytes_u8(e, 3), bytes_u8(e, 2), bytes_u32(e, 4));
        break;
    case 1:
        add_ioapic(info, e);
        break;
    case 2:
        add_override(info, e);
        break;
    case 4:
        uid = bytes_u8(e, 2);
        add_nmi(info, uid == 0xff ? UINT32_MAX : uid, bytes_u16(e, 3), bytes_u8(e, 5));
        break;
    case 5:
        info->lapic_base = bytes_u64(e, 4);
        break;
    case 9:
        add_cpu(info, bytes_u32(e, 4), bytes_u32(e, 12), bytes_u32(e, 8));
        break;
    case 10:
        add_nmi(info, bytes_u32(e, 4), bytes_u16(e, 2), bytes_u8(e, 8));
        break;
    }
}

static void read_madt(struct acpi_info *info, struct bytes t)
{
    static const uint8_t needs[] = { [0] = 8, [1] = 12, [2] = 10, [4] = 6, [5] = 12, [9] = 16, [10] = 12 };

    info->lapic_base = bytes_u32(t, 36);
    info->has_8259 = bytes_u32(t, 40) & 1;
    for (uint64_t off = 44; bytes_has(t, off, 2); off += bytes_u8(t, off + 1)) {
        uint8_t type = bytes_u8(t, off), size = bytes_u8(t, off + 1);
        struct bytes e = bytes_sub(t, off, size);

        if (size < 2 || !e.data)
            return;
        if (type < ARRAY_SIZE(needs) && size >= needs[type])
            read_madt_entry(info, type, e);
    }
}

static struct acpi_register read_register(struct bytes t, uint64_t off)
{
    return (struct acpi_register){
        .space = bytes_u8(t, off),
        .bits = bytes_u8(t, off + 1),
        .address = bytes_u64(t, off + 4),
    };
}

/* A register that has a port number in the old part and, in later revisions, a full description. */
static struct acpi_register read_port(struct bytes t, uint64_t old, uint64_t new, uint8_t bytes_wide)
{
    struct acpi_register r = read_register(t, new);

    if (r.address)
        return r;
    r.space = 1;
    r.bits = (uint8_t)(bytes_wide * 8);
    r.address = bytes_u32(t, old);
    return r;
}

static void read_fadt(struct acpi_info *info, struct bytes t)
{
    uint32_t flags = bytes_u32(t, 112);

    info->sci = bytes_u16(t, 46);
    info->smi_cmd = bytes_u32(t, 48);
    info->acpi_enable = bytes_u8(t, 52);
    info->acpi_disable = bytes_u8(t, 53);
    info->pm1a_event = read_port(t, 56, 148, bytes_u8(t, 88));
    info->pm1b_event = read_port(t, 60, 160, bytes_u8(t, 88));
    info->pm1a_control = read_port(t, 64, 172, bytes_u8(t, 89));
    info->pm1b_control = read_port(t, 68, 184, bytes_u8(t, 89));
    info->pm_timer = read_port(t, 76, 208, 4);
    info->pm_timer_32 = flags >> 8 & 1;
    info->reduced_hardware = flags >> 20 & 1;
    if (flags >> 10 & 1) {
        info->reset = read_register(t, 116);
        info->reset_value = bytes_u8(t, 128);
    }
}

static void read_mcfg(struct acpi_info *info, struct bytes t)
{
    for (uint64_t off = 44; bytes_has(t, off, 16) && info->nr_segments < ACPI_SEGMENTS_MAX; off += 16) {
        info->segment[info->nr_segments++] = (struct acpi_segment){
            .base = bytes_u64(t, off),
            .segment = bytes_u16(t, off + 8),
            .first_bus = bytes_u8(t, off + 10),
            .last_bus = bytes_u8(t, off + 11),
        };
    }
}

static void read_hpet(struct acpi_info *info, struct bytes t)
{
    struct acpi_register r = read_register(t, 40);

    if (r.space == 0)
        info->hpet_base = r.address;
}

static void read_dmar(struct acpi_info *info, struct bytes t)
{
    info->no_x2apic = bytes_u8(t, 37) >> 1 & 1;
}

static const struct {
    char signature[5];
    void (*read)(struct acpi_info *info, struct bytes t);
} readers[] = {
    { "APIC", read_madt },
    { "FACP", read_fadt },
    { "MCFG", read_mcfg },
    { "HPET", read_hpet },
    { "DMAR", read_dmar },
    { "SRAT", acpi_read_srat },
    { "SLIT", acpi_read_slit },
};

const struct acpi_table *acpi_table(const struct acpi_info *info, const char *signature)
{
    for (unsigned int i = 0; i < info->nr_tables; i++) {
        if (memcmp(info->table[i].signature, signature, 4) == 0)
            return &info->table[i];
    }
    return NULL;
}

/* Note the table at @maddr; read it if it is the first of a kind that we read. */
static void take_table(boot_at_t at, uint64_t maddr, struct acpi_info *info)
{
    struct bytes t = read_table(at, maddr);
    bool first;

    if (!t.data) {
        info->bad_tables++;
        return;
    }
    if (info->nr_tables == ACPI_TABLES_MAX)
        return;
    first = !acpi_table(info, (const char *)t.data);
    memcpy(info->table[info->nr_tables].signature, t.data, 4);
    info->table[info->nr_tables].base = maddr;
    info->table[info->nr_tables].size = (uint32_t)t.size;
    info->nr_tables++;
    for (size_t i = 0; i < ARRAY_SIZE(readers) && first; i++) {
        if (memcmp(t.data, readers[i].signature, 4) == 0)
            readers[i].read(info, t);
    }
}

/* All tables listed by the XSDT (@width 8) or RSDT (@width 4) at @maddr; false if that is not one. */
static bool take_root(boot_at_t at, uint64_t maddr, const char *signature, size_t width,
                      struct acpi_info *info)
{
    struct bytes root = read_table(at, maddr);
    uint64_t end = MIN((uint64_t)root.size, (uint64_t)HEADER_SIZE + ROOT_ENTRIES_MAX * width);

    if (!root.data || memcmp(root.data, signature, 4) != 0)
        return false;
    for (uint64_t off = HEADER_SIZE; off + width <= end; off += width)
        take_table(at, width == 8 ? bytes_u64(root, off) : bytes_u32(root, off), info);
    return true;
}

int acpi_parse(boot_at_t at, const uint8_t *rsdp, size_t size, struct acpi_info *info, const char **why)
{
    memset(info, 0, sizeof(*info));
    size = rsdp_size(rsdp, size);
    *why = "ACPI: the root pointer is damaged";
    if (size == 0)
        return -EINVAL;
    info->revision = rsdp[15];
    *why = "ACPI: neither XSDT nor RSDT can be read";
    if (!(size == RSDP2_SIZE && take_root(at, le64(rsdp + 24), "XSDT", 8, info)) &&
        !take_root(at, le32(rsdp + 16), "RSDT", 4, info))
        return -EINVAL;
    *why = "ACPI: no good MADT: CPUs and interrupt controllers cannot be found";
    return acpi_table(info, "APIC") ? 0 : -ENOENT;
}
