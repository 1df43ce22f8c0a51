/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a command line; the first sixteen are the machine's memory, total and free.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/parse/bootinfo.h"
#include "boot/parse/cmdline.h"
#include "lib/errno.h"

static void say(const char *line)
{
    if (strncmp(line, "command line: ", 14) != 0 || strchr(line, '\n'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_options o;
    const char *why = NULL;
    uint64_t total, available;
    struct dom0_memory m;
    char *line;
    int err;

    if (size < 16)
        return 0;
    memcpy(&total, data, 8);
    memcpy(&available, data + 8, 8);
    available = MIN(available, total);
    line = malloc(size - 15);
    memcpy(line, data + 16, size - 16);
    line[size - 16] = '\0';
    for (char *p = line; (p = strchr(p, '\n'));)
        *p = ' ';

    err = cmdline_parse(line, &o, say, &why);
    if (err && (err != -EINVAL || !why))
        abort();
    m = cmdline_dom0_memory(&o, available, total);
    if (m.bytes > available || m.bytes > m.max || m.bytes % PAGE_SIZE)
        abort();
    boot_arguments(line, size & 1 ? "GRUB 2.06" : "qemu");
    free(line);
    return 0;
}
