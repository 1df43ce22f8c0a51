/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory for parser tests: a small window at one address; nothing else can be read.
 *
 * Each read gets its own heap block of exactly the size asked for, so that ASan sees a parser that looks one
 * byte further. memory_done() frees them.
 */
#ifndef KRYPTON_TESTS_UNIT_FAKE_MEMORY_H
#define KRYPTON_TESTS_UNIT_FAKE_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BASE 0x10000UL
#define MEMORY_SIZE 0x10000UL

static struct {
    uint8_t byte[MEMORY_SIZE];
    uint64_t size;          /* how much of it can be read */
    void **given;
    size_t nr_given;
} memory;

static inline const void *memory_at(uint64_t maddr, size_t len)
{
    void *copy;

    if (maddr < MEMORY_BASE || maddr - MEMORY_BASE > memory.size || len > memory.size - (maddr - MEMORY_BASE))
        return NULL;
    copy = malloc(len ? len : 1);
    memcpy(copy, memory.byte + (maddr - MEMORY_BASE), len);
    memory.given = realloc(memory.given, (memory.nr_given + 1) * sizeof(void *));
    memory.given[memory.nr_given++] = copy;
    return copy;
}

static inline void memory_done(void)
{
    while (memory.nr_given)
        free(memory.given[--memory.nr_given]);
    free(memory.given);
    memory.given = NULL;
}

/* All zero, all readable. */
static inline void memory_clear(void)
{
    memset(memory.byte, 0, sizeof(memory.byte));
    memory.size = MEMORY_SIZE;
}

static inline void put8(uint64_t maddr, uint8_t v)
{
    memory.byte[maddr - MEMORY_BASE] = v;
}

static inline void put16(uint64_t maddr, uint16_t v)
{
    memcpy(memory.byte + (maddr - MEMORY_BASE), &v, sizeof(v));
}

static inline void put32(uint64_t maddr, uint32_t v)
{
    memcpy(memory.byte + (maddr - MEMORY_BASE), &v, sizeof(v));
}

static inline void put64(uint64_t maddr, uint64_t v)
{
    memcpy(memory.byte + (maddr - MEMORY_BASE), &v, sizeof(v));
}

static inline void put_text(uint64_t maddr, const char *text)
{
    memcpy(memory.byte + (maddr - MEMORY_BASE), text, strlen(text) + 1);
}

#endif
