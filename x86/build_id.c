/* SPDX-License-Identifier: BSD-2-Clause */
/* The linker's build id, out of the ELF note that it put into the image. */
#include "abi/identity.h"
#include "lib/types.h"

struct note { uint32_t name_size, desc_size, type; };

uint32_t identity_build_id(const uint8_t **id)
{
    extern const char build_id_start[], build_id_end[];
    const struct note *n = (const void *)build_id_start;

    if (build_id_end - build_id_start < (long)sizeof(*n))
        return 0;
    *id = (const uint8_t *)(n + 1) + ROUNDUP(n->name_size, 4);
    return n->desc_size;
}
