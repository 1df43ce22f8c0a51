/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment descriptors: which of a guest's the CPU may see, and in what form.
 *
 * A PV guest fills its own GDT and LDT pages, and the CPU reads those very pages. So
 * a descriptor is made harmless in place before it can be loaded: a guest may have
 * code and data segments for privilege level 3, and nothing else.
 */
#ifndef X86_MODEL_DESC_H
#define X86_MODEL_DESC_H

#include <stdbool.h>
#include <stdint.h>

#define DESC_TYPE_CODE     (1ull << 43) /* of a code or data segment */
#define DESC_CONFORMING    (1ull << 42) /* of a code segment */
#define DESC_S             (1ull << 44) /* code or data; clear: a system descriptor */
#define DESC_DPL_SHIFT     45
#define DESC_DPL           (3ull << DESC_DPL_SHIFT)
#define DESC_P             (1ull << 47)
#define DESC_L             (1ull << 53)
#define DESC_DB            (1ull << 54)
#define DESC_G             (1ull << 55)

/* Selectors. */
#define SEL_RPL            3u
#define SEL_LDT            4u
#define SEL_INDEX(sel)     ((sel) >> 3)

/*
 * Makes one descriptor fit for a guest: *desc may change. Gives false, with *desc as
 * it was, for one that a guest must not have (a present gate, TSS or LDT; a code
 * segment that claims to be both 64-bit and 32-bit). Pure; no errors beyond false.
 */
bool desc_fix(uint64_t *desc);

/*
 * The base and limit (in bytes, inclusive) of a code or data descriptor; the CPU
 * ignores both in 64-bit mode except for FS and GS.
 */
uint32_t desc_base(uint64_t desc);
uint32_t desc_limit(uint64_t desc);

#endif
