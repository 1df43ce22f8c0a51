/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor says of itself. */
#ifndef ABI_IDENTITY_H
#define ABI_IDENTITY_H

#include "lib/types.h"

#define IDENTITY_MAJOR 4u
#define IDENTITY_MINOR 17u
#define IDENTITY_EXTRA ".0-krypton"
#define IDENTITY_COMPILED_BY "krypton"

extern char identity_cmdline[1024];   /* ours, as the loader gave it; set at boot */
extern const char identity_version[]; /* of the source tree */
extern const char identity_changeset[], identity_compiler[];
extern const char identity_config[];  /* what is built in, a line each, in Xen's words */
/* The linker's build id: its length, 0 if there is none. */
uint32_t identity_build_id(const uint8_t **id);

#endif
