/* SPDX-License-Identifier: BSD-2-Clause */
/* What boot found out about the machine's firmware and passes on to dom0. Set before dom0 starts, then only read. */
#ifndef CORE_FIRMWARE_H
#define CORE_FIRMWARE_H

#include "lib/types.h"

/* EFI's own numbers: a version's upper half is the major one, its lower half ten times the minor one. */
struct firmware_efi {
    uint32_t version;           /* of the system table; 0: the firmware is no EFI, and nothing below counts */
    uint32_t runtime_version;   /* of the runtime services */
    uint64_t services;          /* maddr of the runtime services' table */
    uint64_t tables;            /* maddr of the list of tables */
    uint32_t nr_tables;
    uint32_t revision;          /* the vendor's own number */
    uint16_t vendor[100];       /* its name, ended with 0 */
};

extern struct firmware_efi firmware_efi;

#endif
