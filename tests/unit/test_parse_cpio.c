/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel in front of an initrd: the first file of a cpio archive, and archives that have none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "boot/parse/cpio.h"

#define HEADER  110
#define CONTENT "the kernel"
#define SIZE    (sizeof(CONTENT) - 1)

/* A member with so long a name, and all fields but these zero; its end is the end of the memory. */
static struct bytes archive;

static void make(const char *magic, const char *mode, unsigned int size, unsigned int name_size)
{
    size_t at = (HEADER + name_size + 3) / 4 * 4;
    char *member;

    free((void *)archive.data);
    member = calloc(1, at + SIZE + HEADER);
    snprintf(member, HEADER + 1, "%s%08x%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", magic, 1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0,
             name_size, 0);
    memset(member + HEADER, 'n', name_size);
    memcpy(member + at, CONTENT, SIZE);
    archive = bytes(realloc(member, at + SIZE), at + SIZE);
}

static int done(void **state)
{
    free((void *)archive.data);
    archive = bytes(NULL, 0);
    return 0;
}

static void finds_the_file(void **state)
{
    for (unsigned int name_size = 1; name_size < 9; name_size++) {
        struct bytes file;

        make(name_size & 1 ? "070701" : "070702", "000081A4", SIZE, name_size);
        file = cpio_first_file(archive);
        assert_int_equal(file.size, SIZE);
        assert_memory_equal(file.data, CONTENT, SIZE);
    }
    make("070701", "000081a4", 3, 8);
    assert_int_equal(cpio_first_file(archive).size, 3);
}

static void none(void)
{
    assert_null(cpio_first_file(archive).data);
}

static void has_no_file(void **state)
{
    make("070707", "000081a4", SIZE, 8);    /* another form */
    none();
    make("070701", "000041ed", SIZE, 8);    /* a directory */
    none();
    make("070701", "0000a1ff", SIZE, 8);    /* a link */
    none();
    make("070701", "000081a4", 0, 8);
    none();
    archive.size = 0;
    none();
}

static void is_bent(void **state)
{
    make("070701", "000081a4", SIZE + 1, 8);
    none();
    make("070701", "000081a4", 0xffffffff, 8);
    none();
    make("070701", "0000 1a4", SIZE, 8);
    none();
    make("070701", "-00081a4", SIZE, 8);
    none();
    make("070701", "0000@1a4", SIZE, 8);
    none();
    make("070701", "000081g4", SIZE, 8);
    none();
    make("070701", "000081a4", SIZE, 8);
    memset((char *)archive.data + 94, 'f', 8);      /* the name ends beyond 4 GiB */
    none();
    make("070701", "000081a4", SIZE, 8);
    while (archive.size > 1) {      /* cut, each time in memory of that size */
        archive = bytes(realloc((void *)archive.data, archive.size - 1), archive.size - 1);
        none();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(finds_the_file, done),
        cmocka_unit_test_teardown(has_no_file, done),
        cmocka_unit_test_teardown(is_bent, done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
