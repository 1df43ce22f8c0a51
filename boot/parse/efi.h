/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the EFI system table says, for dom0, which under a hypervisor gets no pointer to it (UEFI 2.9, 4.3).
 */
#ifndef KRYPTON_BOOT_PARSE_EFI_H
#define KRYPTON_BOOT_PARSE_EFI_H

#include "boot/parse/bootinfo.h"
#include "core/firmware.h"

/*
 * Read the system table at @maddr, whose boot services are over, into *@efi; all is copied. Addresses of tables are
 * the firmware's claim. 0, or -EINVAL with *@why naming what is wrong; *@efi is then all 0.
 */
int efi_parse(boot_at_t at, uint64_t maddr, struct firmware_efi *efi, const char **why);

#endif
