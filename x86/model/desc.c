/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment descriptors made harmless.
 *
 * A descriptor that is not present can only fault, so it passes untouched. In one
 * that is present DPL becomes 3, whatever level the guest believes to run at.
 */
#include "x86/model/desc.h"

bool desc_fix(uint64_t *desc)
{
    uint64_t d = *desc;

    if (!(d & DESC_P))
        return true;
    if (!(d & DESC_S))
        return false;
    if ((d & DESC_TYPE_CODE) && (d & DESC_L) && (d & DESC_DB))
        return false;
    *desc = d | DESC_DPL;
    return true;
}

uint32_t desc_base(uint64_t desc)
{
    return (desc >> 16 & 0xffffff) | (uint32_t)(desc >> 56) << 24;
}

uint32_t desc_limit(uint64_t desc)
{
    uint32_t limit = (desc & 0xffff) | (desc >> 32 & 0xf0000);

    return desc & DESC_G ? limit << 12 | 0xfff : limit;
}
