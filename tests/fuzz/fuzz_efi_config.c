/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as the EFI loader's configuration file. Up to the first NUL they are the section that is asked for, and the image's name.
 */
#include <stdlib.h>

#include "efi/config.c"

static void check(const char *value, size_t room)
{
    size_t len = strlen(value);

    if (len >= room || strchr(value, '\n') || strchr(value, '\r') || (len && (is_blank(value[0]) || is_blank(value[len - 1]))))
        abort();
}

static void check_names(const char *image)
{
    char name[64] = "";
    size_t last = sizeof(name);

    while (efi_config_next_name(image, name, sizeof(name))) {
        size_t len = strlen(name);

        if (len >= last || strcmp(name + len - 4, ".cfg") != 0 || strncmp(name, image, len - 4) != 0)
            abort();
        last = len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct efi_config c;
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const char *section = end ? (const char *)data : "", *why = NULL;
    size_t skip = end ? (size_t)(end - data) + 1 : 0;
    int err = efi_config_read((const char *)data + skip, size - skip, section, &c, &why);

    check_names(section);
    if (err ? err != -EINVAL || !why : !c.kernel[0])
        abort();
    if (err)
        return 0;
    check(c.options, sizeof(c.options));
    check(c.kernel, sizeof(c.kernel));
    check(c.ramdisk, sizeof(c.ramdisk));
    return 0;
}
