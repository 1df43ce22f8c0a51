/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/acpi.c: any bytes where the root pointer may be; FADT, MCFG and HPET tables of 36 to 244 bytes after any others; MADTs
 * of up to 80 bytes with entries of 0 to 20. Without acpi_parse(), which looks at a sum before it believes a table.
 *
 * OPTIONS: -eva-split-return-function bytes_has:0 -eva-slevel-function read_madt:50
 */
#include "boot/parse/acpi.c"
#include "tests/frama-c/memory.h"

static struct acpi_info info;

void acpi_read_srat(struct acpi_info *to, struct bytes t) {}
void acpi_read_slit(struct acpi_info *to, struct bytes t) {}

/* What was read before, of any number. */
static void any_info(void)
{
    //@ widen_hints global:"all", 16, 32, 64, 512;
    Frama_C_make_unknown((char *)&info, sizeof(info));
    info.nr_tables = Frama_C_unsigned_int_interval(0, ACPI_TABLES_MAX);
    info.nr_cpus = Frama_C_unsigned_int_interval(0, ACPI_CPUS_MAX);
    info.nr_ioapics = Frama_C_unsigned_int_interval(0, ACPI_IOAPICS_MAX);
    info.nr_overrides = Frama_C_unsigned_int_interval(0, ACPI_OVERRIDES_MAX);
    info.nr_nmis = Frama_C_unsigned_int_interval(0, ACPI_NMIS_MAX);
    info.nr_segments = Frama_C_unsigned_int_interval(0, ACPI_SEGMENTS_MAX);
}

/* Any table of that many bytes. */
static struct bytes any_table(size_t size)
{
    Frama_C_make_unknown((char *)memory, ROOM);
    any_info();
    return bytes(memory + ROOM - size, size);
}

/* A MADT whose entries say that they have `step` bytes, and are any otherwise. */
static void madt(size_t size, uint8_t step)
{
    struct bytes t = any_table(size);

    //@ loop unroll ROOM;
    for (size_t off = 44; off + 1 < size; off += step ? step : size)
        memory[ROOM - size + off + 1] = step;
    read_madt(&info, t);
}

int main(void)
{
    //@ loop unroll 37;
    for (size_t room = 0; room <= 36; room++)
        rsdp_size(any_table(room).data, room);
    //@ loop unroll 21;
    for (unsigned int step = 0; step <= 20; step++)
        madt(80, step);
    //@ loop unroll 9;
    for (size_t size = HEADER_SIZE; size <= 52; size += 2)
        madt(size, 8);
    //@ loop unroll 24;
    for (size_t size = HEADER_SIZE; size <= 244; size += 9) {
        read_fadt(&info, any_table(size));
        read_mcfg(&info, any_table(size));
        read_hpet(&info, any_table(size));
        read_dmar(&info, any_table(size));
        acpi_table(&info, (const char *)any_table(size).data);
    }
    return 0;
}
