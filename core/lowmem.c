/* SPDX-License-Identifier: BSD-2-Clause */
/* When memory is short; see core/lowmem.h. */
#include "core/lowmem.h"

#include "core/frame.h"
#include "core/port.h"

#include <stdatomic.h>

#define LEVELS 6u

static _Atomic unsigned raised; /* at how many levels, from the highest */

static uint64_t level(unsigned n)
{
    return (64ull << 20 >> PAGE_SHIFT) >> n;
}

void lowmem_check(void)
{
    uint64_t free = frames_free_count();
    unsigned was = atomic_load(&raised), now = was;

    while (now < LEVELS && free < level(now))
        now++;
    if (now == was)
        while (now > 0 && free >= level(now - 1) + level(now))
            now--;
    if (now != was && atomic_compare_exchange_strong(&raised, &was, now) && now > was)
        virq_raise_global(VIRQ_ENOMEM);
}
