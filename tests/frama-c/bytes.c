/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/bytes.h and lib/strtou.h: runs of 0 to ROOM bytes with any contents, read at any offset for any length, and for
 * text runs of 0 to 6; any text of up to ROOM - 1 characters taken for a number or a size.
 *
 * OPTIONS: -eva-slevel-function strtou:300,strtosize:300,bytes_text:100 -eva-split-return-function bytes_has:0,strtou:0
 */
#include "boot/parse/bytes.h"
#include "lib/strtou.h"
#include "__fc_builtin.h"

#define ROOM 40

static uint8_t memory[ROOM];

/* One offset at a time: Eva does not keep in mind how it and the length hang together. */
static void text_of(struct bytes b, uint64_t off)
{
    char word[6];

    bytes_text(b, off, word, Frama_C_unsigned_long_interval(1, sizeof(word)));
}

int main(void)
{
    uint64_t off = Frama_C_unsigned_long_interval(0, UINT64_MAX), len = Frama_C_unsigned_long_interval(0, UINT64_MAX), n;
    const char *text = (const char *)memory;
    char word[16];

    Frama_C_make_unknown((char *)memory, ROOM);
    //@ loop unroll ROOM + 1;
    for (size_t size = 0; size <= ROOM; size++) {
        struct bytes b = bytes(memory + ROOM - size, size);

        bytes_sub(b, off, len);
        bytes_u8(b, off);
        bytes_u16(b, off);
        bytes_u32(b, off);
        bytes_u64(b, off);
    }
    //@ loop unroll 7;
    for (size_t size = 0; size <= 6; size++) {
        //@ loop unroll 8;
        for (uint64_t at = 0; at <= size + 1; at++)
            text_of(bytes(memory + ROOM - size, size), at);
        text_of(bytes(memory + ROOM - size, size), Frama_C_unsigned_long_interval(size, UINT64_MAX - 6));
    }
    memory[ROOM - 1] = 0;
    strtou(&text, &n);
    text = (const char *)memory;
    strtosize(&text, &n);
    return 0;
}
