/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EFI system table; see boot/parse/efi.h. Offsets: UEFI 2.9, 4.2 (header), 4.3 (system table), 4.5 (runtime services).
 */
#include "boot/parse/efi.h"
#include "boot/parse/bytes.h"
#include "lib/errno.h"

#define SYSTEM_SIGNATURE  0x5453595320494249ull     /* "IBI SYST" */
#define RUNTIME_SIGNATURE 0x56524553544e5552ull     /* "RUNTSERV" */
#define HEADER_SIZE       24
#define HEADER_REVISION   8
#define SYSTEM_SIZE       120
#define SYSTEM_VENDOR     24
#define SYSTEM_FIRMWARE   32
#define SYSTEM_RUNTIME    88
#define SYSTEM_NR_TABLES  104
#define SYSTEM_TABLES     112
#define TABLE_SIZE        24    /* GUID and pointer */
#define TABLES_MAX        1024u

static int damaged(struct firmware_efi *efi, const char **why, const char *what)
{
    memset(efi, 0, sizeof(*efi));
    *why = what;
    return -EINVAL;
}

/* Up to the first character that is 0 or not in memory; the room has one more. */
static void read_vendor(boot_at_t at, uint64_t maddr, struct firmware_efi *efi)
{
    const void *c;

    for (unsigned int i = 0; i + 1 < ARRAY_SIZE(efi->vendor); i++) {
        c = at(maddr + i * 2, 2);
        if (!c || !le16(c))
            return;
        efi->vendor[i] = le16(c);
    }
}

int efi_parse(boot_at_t at, uint64_t maddr, struct firmware_efi *efi, const char **why)
{
    const uint8_t *table = at(maddr, SYSTEM_SIZE), *runtime;
    uint64_t nr;

    memset(efi, 0, sizeof(*efi));
    if (!table || le64(table) != SYSTEM_SIGNATURE)
        return damaged(efi, why, "EFI: there is no system table where the loader says");
    efi->version = le32(table + HEADER_REVISION);
    efi->revision = le32(table + SYSTEM_FIRMWARE);
    read_vendor(at, le64(table + SYSTEM_VENDOR), efi);
    efi->services = le64(table + SYSTEM_RUNTIME);
    runtime = at(efi->services, HEADER_SIZE);
    if (!runtime || le64(runtime) != RUNTIME_SIGNATURE)
        return damaged(efi, why, "EFI: there are no runtime services where the system table says");
    efi->runtime_version = le32(runtime + HEADER_REVISION);
    nr = le64(table + SYSTEM_NR_TABLES);
    efi->tables = le64(table + SYSTEM_TABLES);
    if (nr == 0 || nr > TABLES_MAX || !at(efi->tables, nr * TABLE_SIZE))
        return damaged(efi, why, "EFI: the system table's list of tables can't be right");
    efi->nr_tables = (uint32_t)nr;
    return 0;
}
