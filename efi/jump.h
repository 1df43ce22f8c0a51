/* SPDX-License-Identifier: BSD-2-Clause */
/* The last step: the image goes to its place, which may be where the firmware's page tables and this loader are, and is entered. */
#ifndef KRYPTON_EFI_JUMP_H
#define KRYPTON_EFI_JUMP_H

#define JUMP_TABLES   7         /* pages */
#define JUMP_CODE_MAX 4096

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* Addresses below 4 GiB, sizes in bytes. Nothing of it is inside of the image's place. Offsets are in efi/jump.S. */
struct jump {
    uint64_t root;              /* 0: page tables that map the low 4 GiB where they are */
    uint64_t to, from, size;    /* 8: the image's place, where it is now, and how much of it is */
    uint64_t clear;             /* 32: what follows and is to be 0 */
    uint64_t entry;             /* 40: 32-bit code, as multiboot 2 enters it */
    uint64_t info;              /* 48: what it is given */
};

/* Code that runs wherever it is copied to, up to jump_code_end: void jump(const struct jump *). Boot services are over. */
extern const char jump_code[], jump_code_end[];

#endif
#endif
