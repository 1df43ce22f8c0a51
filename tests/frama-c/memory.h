/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory as the parsers of boot/parse see it: any bytes, any of which may be none. What is asked for ends where the array ends.
 */
#ifndef TESTS_FRAMA_C_MEMORY_H
#define TESTS_FRAMA_C_MEMORY_H

#include "__fc_builtin.h"
#include "lib/types.h"

#define ROOM 288

static uint8_t memory[ROOM];

static const void *memory_at(uint64_t maddr, size_t len)
{
    if (len > ROOM || Frama_C_interval(0, 1))
        return NULL;
    Frama_C_make_unknown((char *)memory, ROOM);
    return memory + ROOM - len;
}

#endif
