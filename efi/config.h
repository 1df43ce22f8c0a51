/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that says what to boot, with Xen's names (docs/misc/efi of Xen's documentation):
 *
 *   [global]
 *   default=NAME                   the section taken when none is asked for
 *   [NAME]
 *   options=OPTION...              the hypervisor's
 *   kernel=FILE [OPTION...]        dom0's kernel; no other key must be there
 *   ramdisk=FILE [OPTION...]
 *
 * A line is a comment if it begins with #. Without a default, sections do not count: of each key the first in the file holds.
 */
#ifndef KRYPTON_EFI_CONFIG_H
#define KRYPTON_EFI_CONFIG_H

#include "lib/types.h"

#define CONFIG_VALUE_MAX 2048u  /* bytes, with the NUL */

struct efi_config {
    char section[128];                  /* "": all of them */
    char options[CONFIG_VALUE_MAX];     /* "" if there is none, as the others */
    char kernel[CONFIG_VALUE_MAX];
    char ramdisk[CONFIG_VALUE_MAX];
};

/*
 * Reads @text of @size bytes. @section: which one; "": the default. 0, or -EINVAL with *@why: no kernel, or a value or a name
 * is too long.
 */
int efi_config_read(const char *text, size_t size, const char *section, struct efi_config *c, const char **why);

/*
 * The names under which the configuration of the image @image is looked for, one after the other: its own with .cfg for
 * .efi, then shorter ones, cut at the last of the characters . - _ each time. @name: of @room bytes, "" before the first
 * call. False when there are no more, or they do not fit.
 */
bool efi_config_next_name(const char *image, char *name, size_t room);

#endif
