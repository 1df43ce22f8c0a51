/* SPDX-License-Identifier: BSD-2-Clause */
/* EFI's runtime services. */
#ifndef X86_EFI_H
#define X86_EFI_H

#include "boot/parse/bootinfo.h"

/*
 * Boot, after the allocator has its memory: makes the services at `services` (maddr of their table) callable, if what the
 * loader said of their memory can be right; a line in the log says why not.
 */
void efi_init(const struct boot_info *info, uint64_t services);

/*
 * The machine ends: the firmware resets it, keeping memory if `warm` and if it can. Comes back if it does not, false if it has no
 * services. Waits for no lock, keeps nothing of the FPU; the machine is on the firmware's page tables for good.
 */
bool efi_reset(bool warm);

#endif
