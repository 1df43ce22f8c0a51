/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a kernel file, or as an archive with one in it: the payload is looked for, and if it is not packed judged as a PV
 * kernel. If the first byte is odd, the fields that every ELF64 x86-64 file has alike are filled in.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "boot/parse/bzimage.h"
#include "boot/parse/cpio.h"
#include "boot/parse/elf.h"
#include "lib/errno.h"

static void check_image(const struct pv_image *image, size_t size)
{
    if (image->nr_segments == 0 || image->nr_segments > PV_SEGMENTS_MAX || image->start >= image->end)
        abort();
    if (image->entry - image->virt_base < image->start || image->entry - image->virt_base >= image->end)
        abort();
    for (unsigned int i = 0; i < image->nr_segments; i++) {
        const struct pv_segment *s = &image->segment[i];

        if (s->file_off > size || s->file_size > size - s->file_off || s->file_size > s->mem_size)
            abort();
        if (s->paddr < image->start || s->paddr + s->mem_size > image->end)
            abort();
    }
}

static void make_elf(uint8_t *file, size_t size)
{
    Elf64_Ehdr eh;

    if (size < sizeof(eh))
        return;
    memcpy(&eh, file, sizeof(eh));
    memcpy(eh.e_ident, "\x7f" "ELF\2\1\1", 7);
    eh.e_type = ET_EXEC;
    eh.e_machine = EM_X86_64;
    eh.e_phentsize = sizeof(Elf64_Phdr);
    eh.e_phnum %= 20;
    memcpy(file, &eh, sizeof(eh));
}

static void run(const uint8_t *file, size_t size)
{
    static struct pv_image image;
    struct kernel_payload p;
    const char *why = NULL;
    int err = bzimage_payload(file, size, &p, &why);

    if (err) {
        if (!why || (err != -EINVAL && err != -EOPNOTSUPP))
            abort();
        return;
    }
    if ((const uint8_t *)p.data < file || p.size > size - (size_t)((const uint8_t *)p.data - file))
        abort();
    if (p.format != KERNEL_ELF)
        return;
    why = NULL;
    err = pv_image_parse(p.data, p.size, &image, &why);
    if (err == 0)
        check_image(&image, p.size);
    else if (err != -ENOEXEC || !why)
        abort();
}

static void run_inside(const uint8_t *file, size_t size)
{
    struct bytes inside = cpio_first_file(bytes(file, size));

    if (!inside.data)
        return;
    if (!inside.size || inside.data < file || inside.size > size - (size_t)(inside.data - file))
        abort();
    run(inside.data, inside.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file;

    if (size == 0)
        return 0;
    file = malloc(size - 1);
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        make_elf(file, size - 1);
    run(file, size - 1);
    run_inside(file, size - 1);
    free(file);
    return 0;
}
