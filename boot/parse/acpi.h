/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hypervisor itself needs from the firmware's ACPI tables: CPUs, interrupt controllers, timers,
 * power and reset registers. No AML: the initial domain interprets that and tells us what it found.
 *
 * All is copied; nothing points into the tables. A table whose checksum is wrong is left out and counted.
 */
#ifndef KRYPTON_BOOT_PARSE_ACPI_H
#define KRYPTON_BOOT_PARSE_ACPI_H

#include "boot/parse/bootinfo.h"
#include "lib/types.h"

#define ACPI_CPUS_MAX       512
#define ACPI_IOAPICS_MAX    32
#define ACPI_OVERRIDES_MAX  32
#define ACPI_NMIS_MAX       16
#define ACPI_SEGMENTS_MAX   16
#define ACPI_TABLES_MAX     64
#define ACPI_SRAT_MEMORIES_MAX 64
#define ACPI_SLIT_MAX       64

/* A register that may stand in memory or in ports; address 0: there is none. */
struct acpi_register {
    uint8_t space;              /* 0: memory, 1: ports, 2: PCI configuration space */
    uint8_t bits;
    uint64_t address;
};

struct acpi_table {
    char signature[4];          /* not ended with NUL */
    uint64_t base;              /* maddr */
    uint32_t size;              /* bytes, header included */
};

struct acpi_cpu {
    uint32_t apic_id, uid;
    bool enabled;               /* usable now; if not, it may be plugged in later */
    uint8_t node;               /* set by numa_parse(): boot/parse/numa.h */
};

struct acpi_ioapic {
    uint8_t id;
    uint64_t base;              /* maddr */
    uint32_t gsi_base;
};

/* An ISA interrupt that is not wired to the GSI of its own number, or not as ISA is. */
struct acpi_override {
    uint8_t irq;
    uint32_t gsi;
    bool active_low, level;     /* as ISA's are not */
};

/* A local interrupt pin wired to NMI. */
struct acpi_nmi {
    uint32_t uid;               /* of the CPU; UINT32_MAX: every CPU */
    uint8_t lint;
    bool active_low, level;
};

/* Memory-mapped PCI configuration space. */
struct acpi_segment {
    uint64_t base;              /* maddr of bus 0, even if first_bus is not 0 */
    uint16_t segment;
    uint8_t first_bus, last_bus;
};

/* Who is in which proximity domain, as the SRAT has it. */
struct acpi_srat_cpu {
    uint32_t apic_id, domain;
};

struct acpi_srat_memory {
    uint64_t base, size;        /* maddr, bytes; whole pages, not 0, within 2^64 */
    uint32_t domain;
};

struct acpi_info {
    uint8_t revision;           /* of the root pointer: 0 is ACPI 1 */
    unsigned int nr_tables, bad_tables;
    struct acpi_table table[ACPI_TABLES_MAX];

    /* MADT */
    uint64_t lapic_base;        /* maddr */
    bool has_8259;
    unsigned int nr_cpus, cpus_left_out;
    struct acpi_cpu cpu[ACPI_CPUS_MAX];         /* in the table's order, each apic_id once */
    unsigned int nr_ioapics;
    struct acpi_ioapic ioapic[ACPI_IOAPICS_MAX];
    unsigned int nr_overrides;
    struct acpi_override override[ACPI_OVERRIDES_MAX];
    unsigned int nr_nmis;
    struct acpi_nmi nmi[ACPI_NMIS_MAX];

    /* FADT; all 0 if there is none */
    uint16_t sci;               /* interrupt number, ISA's or a GSI */
    uint32_t smi_cmd;           /* port; 0: ACPI mode is always on */
    uint8_t acpi_enable, acpi_disable;          /* what to write there */
    struct acpi_register pm1a_event, pm1b_event, pm1a_control, pm1b_control;
    struct acpi_register pm_timer;
    bool pm_timer_32;           /* else it counts 24 bits */
    struct acpi_register reset; /* write reset_value to it */
    uint8_t reset_value;
    bool reduced_hardware;      /* no SCI, no PM1 registers */

    unsigned int nr_segments;   /* MCFG */
    struct acpi_segment segment[ACPI_SEGMENTS_MAX];
    uint64_t hpet_base;         /* maddr; 0: none */
    bool no_x2apic;             /* DMAR: the firmware asks that x2APIC be left off */

    /* SRAT: enabled entries */
    unsigned int srat_cpus, srat_memories;
    struct acpi_srat_cpu srat_cpu[ACPI_CPUS_MAX];
    struct acpi_srat_memory srat_memory[ACPI_SRAT_MEMORIES_MAX];
    const char *srat_bad;       /* what is wrong with it, else NULL: not to be used then */

    /* SLIT: slit[from * slit_domains + to] */
    unsigned int slit_domains;
    uint8_t slit[ACPI_SLIT_MAX * ACPI_SLIT_MAX];
    bool slit_bad;
};

/*
 * Look for the root pointer where BIOSes leave it: the first KiB of the extended BIOS data area, and 0xe0000
 * to 0xfffff. Copies it to @rsdp and gives its address, 0 if there is none.
 */
uint64_t acpi_find_rsdp(boot_at_t at, uint8_t rsdp[36], size_t *size);

/*
 * Read the tables that the root pointer @rsdp of @size bytes leads to. 0, or with *@why set -EINVAL if the
 * root is damaged and -ENOENT if there is no MADT, without which the machine cannot be run.
 */
int acpi_parse(boot_at_t at, const uint8_t *rsdp, size_t size, struct acpi_info *info, const char **why);

/* The first table with the four-letter @signature, or NULL. */
const struct acpi_table *acpi_table(const struct acpi_info *info, const char *signature);

#endif
