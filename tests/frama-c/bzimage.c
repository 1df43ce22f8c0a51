/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/parse/bzimage.c: any file of up to 20 bytes, any one that ends around the header's end, and bzImages with any payload of up
 * to 20 bytes or with one that is cut short.
 *
 * OPTIONS: -eva-split-return-function bytes_has:0
 * SEEDED: 60
 */
#include "boot/parse/bzimage.c"
#include "__fc_builtin.h"

#define FIRST 2048  /* where the payload is: (3 + 1) * 512 */
#define ROOM  (FIRST + 20)

static uint8_t file[ROOM];

int main(void)
{
    struct kernel_payload out;
    const char *why;

    kernel_format_name(Frama_C_interval(KERNEL_ELF, KERNEL_LZ4));
    Frama_C_make_unknown((char *)file, ROOM);
    //@ loop unroll 21;
    for (size_t size = 0; size <= 20; size++)
        bzimage_payload(file + ROOM - size, size, &out, &why);

    /* A bzImage: any payload, of any length that is in the file, and of one that is not. */
    file[SETUP_SECTS] = 3;
    file[PAYLOAD_OFFSET] = file[PAYLOAD_OFFSET + 1] = file[PAYLOAD_OFFSET + 2] = file[PAYLOAD_OFFSET + 3] = 0;
    file[PAYLOAD_LENGTH + 1] = file[PAYLOAD_LENGTH + 2] = file[PAYLOAD_LENGTH + 3] = 0;
    //@ loop unroll ROOM - FIRST + 2;
    for (size_t length = 0; length <= ROOM - FIRST + 1; length++) {
        file[PAYLOAD_LENGTH] = length;
        bzimage_payload(file, ROOM, &out, &why);
    }
    //@ loop unroll 5;
    for (size_t size = PAYLOAD_LENGTH; size <= PAYLOAD_LENGTH + 4; size++)
        bzimage_payload(file, size, &out, &why);
    return 0;
}
